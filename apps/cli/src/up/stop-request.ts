/** The wish to stop: Ctrl-C, SIGTERM, the terminal's end, or the end of the bootstrap that started this. */

/** One press of Ctrl-C arrives from the terminal, from npm and from the bootstrap: within this time it counts as one. */
const BURST_MS = 1_000;
const PARENT_POLL_MS = 1_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Listens for the wish to stop, and for the second, impatient one. */
export class StopRequest {
  /** Resolves at the first request. */
  readonly asked: Promise<void>;
  readonly #controller = new AbortController();
  readonly #ask: () => void;
  readonly #parentPoll: NodeJS.Timeout | undefined;
  #firstMs: number | undefined;
  #second: (() => void) | undefined;
  readonly #onSignal = () => this.#request();

  constructor(now: () => number = Date.now, bootstrapPid: string | undefined = process.env.RINGLIGHT_BOOTSTRAP_PID) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.asked = promise;
    this.#ask = resolve;
    this.#now = now;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    // Inherited by way of a test runner or a shell, the variable names a process that is not our parent.
    if (bootstrapPid === String(process.ppid)) {
      this.#parentPoll = setInterval(() => {
        if (process.ppid !== Number(bootstrapPid) && this.#firstMs === undefined) this.#request();
      }, PARENT_POLL_MS);
      this.#parentPoll.unref();
    }
  }

  readonly #now: () => number;

  /** Aborts at the first request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True since the first request. */
  get requested(): boolean {
    return this.#firstMs !== undefined;
  }

  /** What to do at the second request. */
  onSecond(action: () => void): void {
    this.#second = action;
  }

  /** Stops listening. Idempotent. */
  close(): void {
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
    clearInterval(this.#parentPoll);
  }

  #request(): void {
    const now = this.#now();
    if (this.#firstMs === undefined) {
      this.#firstMs = now;
      this.#controller.abort();
      this.#ask();
    } else if (now - this.#firstMs > BURST_MS) {
      this.#second?.();
    }
  }
}
