/** One call of a UFS: its deadline, the caller's signal, and what the observer is told. */
import { isRinglightError, RinglightError, type StopSignal, type UfsObservation } from "@ringlight/core";

/** What an aborted signal means: the caller's own error, a deadline that passed, or a caller that went away. */
export function abortError(signal: StopSignal, what: string): RinglightError {
  const { reason } = signal;
  if (isRinglightError(reason)) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return new RinglightError("RL_DEADLINE", `the deadline passed during ${what}`);
  }
  return new RinglightError("RL_CANCELLED", `the caller left during ${what}`);
}

/** @throws what the aborted signal means; nothing while it is not aborted. */
export function throwIfAborted(signal: StopSignal | undefined, what: string): void {
  if (signal?.aborted) throw abortError(signal, what);
}

/**
 * Runs work under a deadline and the caller's signal. `work` gets a signal that unites both and must end soon after it
 * aborts; where it cannot (a system call that hangs), the caller gets the error in time all the same.
 * @throws RL_UFS_TIMEOUT past the deadline, with `what` in the text.
 */
export async function bounded<T>(
  what: string,
  timeoutMs: number,
  signal: StopSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal, what);
  const ending = new AbortController();
  let stop: (error: RinglightError) => void = () => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = (error) => {
      ending.abort(error);
      reject(error);
    };
  });
  const timer = setTimeout(
    () => stop(new RinglightError("RL_UFS_TIMEOUT", `no answer within ${timeoutMs} ms: ${what}`)),
    timeoutMs,
  );
  const abort = () => signal && stop(abortError(signal, what));
  signal?.addEventListener("abort", abort, { once: true });
  const working = work(ending.signal);
  // The loser of the race may reject later; nobody waits for it then.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Tells an observer of one operation: once at its end, and before that of each request of it that had to be repeated. */
export class Observed {
  readonly #op: UfsObservation["op"];
  readonly #observe: ((observation: UfsObservation) => void) | undefined;
  #beganMs = performance.now();
  #told = false;
  bytes = 0;

  constructor(op: UfsObservation["op"], observe: ((observation: UfsObservation) => void) | undefined) {
    this.#op = op;
    this.#observe = observe;
  }

  /** Ends the observation well, or with an error. Later calls do nothing. */
  end(error?: unknown): void {
    if (this.#told) return;
    this.#told = true;
    const status = error === undefined ? "ok" : isRinglightError(error) ? error.code : "RL_INTERNAL";
    this.#observe?.({ op: this.#op, status, durationMs: performance.now() - this.#beganMs, bytes: this.bytes });
  }

  /** The request under way failed and another one takes its place: it is told of on its own, so that observations count requests. */
  repeat(): void {
    if (this.#told) return;
    const now = performance.now();
    this.#observe?.({ op: this.#op, status: "retried", durationMs: now - this.#beganMs, bytes: 0 });
    this.#beganMs = now;
  }

  /** Runs the whole operation. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      const value = await work();
      this.end();
      return value;
    } catch (error) {
      this.end(error);
      throw error;
    }
  }
}
