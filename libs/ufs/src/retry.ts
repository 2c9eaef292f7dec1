/** Retries of what is safe to repeat: full-jitter exponential backoff that honours the store's Retry-After. */
import type { RinglightError, StopSignal } from "@ringlight/core";
import { abortError } from "./call.ts";

/** A failure that may pass. `error` is what the caller gets when it does not. */
export class TransientError extends Error {
  readonly error: RinglightError;
  /** Pause that the store asked for. */
  readonly retryAfterMs: number | undefined;
  /** The first such failure calls for no pause: a kept-alive connection was dead, which says nothing about the store. */
  readonly immediate: boolean;

  constructor(error: RinglightError, retryAfterMs?: number, immediate = false) {
    super(error.message);
    this.error = error;
    this.immediate = immediate;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Attempts in all, and resumptions of one body. */
export const MAX_ATTEMPTS = 5;
const BASE_MS = 50;
const MAX_MS = 2000;
/** A store that asks for more patience than this is not waited for to the end. */
const MAX_RETRY_AFTER_MS = 10_000;

/** Pause before attempt `attempt` + 1 (the first attempt is 1). */
export function backoffMs(attempt: number, retryAfterMs?: number): number {
  const jittered = Math.random() * Math.min(MAX_MS, BASE_MS * 2 ** attempt);
  return Math.max(jittered, Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}

/** Milliseconds that a Retry-After header asks for, in either of its forms. */
export function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}

/** Sleeps. @throws what the signal means, when it aborts first. */
export function pause(ms: number, signal: StopSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      signal?.removeEventListener("abort", abort);
      resolve();
    }
    function abort() {
      clearTimeout(timer);
      if (signal) reject(abortError(signal, "the wait before another attempt"));
    }
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Runs work until it succeeds, fails for good, or failed MAX_ATTEMPTS times; `repeating` is told before each further attempt. */
export async function withRetries<T>(signal: StopSignal, work: () => Promise<T>, repeating?: () => void): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (attempt >= MAX_ATTEMPTS) throw error.error;
      if (!error.immediate || attempt > 1) await pause(backoffMs(attempt, error.retryAfterMs), signal);
      repeating?.();
    }
  }
}
