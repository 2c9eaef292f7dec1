/**
 * Notices that this process stood still: stopped, swapped out, or kept from its event loop. What it remembered before the
 * pause may have been overwritten meanwhile by writers that did not wait for it any longer.
 */

/** Longest pause after which remembered metadata is still believed, milliseconds. */
export const PAUSE_MS = 1_000;
const TICK_MS = 200;

/** A watch over the process's own progress. */
export class PauseWatch {
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  #lastMs: number;
  #resumedMs = Number.NEGATIVE_INFINITY;
  /** Pauses noticed. */
  pauses = 0;

  /** @param nowMs a monotonic clock that runs on while the process stands still */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
    this.#timer = setInterval(() => this.resumedMs(), TICK_MS);
    this.#timer.unref();
  }

  /** When the last pause ended, on the monotonic clock; what was learned before that must be asked for again. */
  resumedMs(): number {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lastMs > PAUSE_MS) {
      this.#resumedMs = Math.max(this.#resumedMs, nowMs);
      this.pauses++;
    }
    this.#lastMs = nowMs;
    return this.#resumedMs;
  }

  /** From now on nothing remembered is believed: the worker leaves the cluster, and writers wait for it no more. */
  distrust(): void {
    this.#resumedMs = Number.POSITIVE_INFINITY;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
