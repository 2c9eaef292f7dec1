/** Waiting for conditions, with a deadline. */
import { setTimeout as sleep } from "node:timers/promises";

/** How to wait. */
export interface WaitOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 10 ms. */
  readonly intervalMs?: number;
  /** What is waited for, for the error's text. */
  readonly what?: string;
}

/**
 * Polls until the condition returns something true, and returns it. A condition that throws counts as not yet true.
 * @throws Error past the deadline, with the condition's last error as its cause.
 */
export async function waitFor<T>(condition: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
  const { timeoutMs = 10_000, intervalMs = 10, what = condition.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    await sleep(intervalMs);
  }
}
