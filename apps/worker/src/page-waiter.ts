import type { StopSignal } from "@ringlight/core";

/** One reader's wait for bytes: one listener on its signal for the whole read, and one promise each time that it really waits. */
export class PageWaiter {
  readonly #signal: StopSignal;
  #resolve: (() => void) | undefined;
  readonly #wake = (): void => {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  };

  constructor(signal: StopSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#wake, { once: true });
  }

  /** Resolves when `source` wakes the waiter, or when the reader leaves. @throws the signal's reason */
  async on(source: { listen(waiter: () => void): void }): Promise<void> {
    if (!this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        source.listen(this.#wake);
      });
    }
    if (this.#signal.aborted) throw this.#signal.reason;
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#wake);
  }
}
