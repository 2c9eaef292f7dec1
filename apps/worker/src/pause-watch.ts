/**
 * Notices when this worker may have missed what was written at others, so that it believes nothing that it remembers from
 * before: it stood still (stopped, swapped out, kept from its event loop), and writers waited for it no longer; or it had
 * no lease, and writers did not know that it was there.
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
  #isMember = true;
  /** Pauses noticed. */
  pauses = 0;

  /** @param nowMs a monotonic clock that runs on while the process stands still */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
    this.#timer = setInterval(() => this.resumedMs(), TICK_MS);
    this.#timer.unref();
  }

  /** What was learned before this moment of the monotonic clock must be asked for again; Infinity: everything. */
  resumedMs(): number {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lastMs > PAUSE_MS) {
      this.#resumedMs = Math.max(this.#resumedMs, nowMs);
      this.pauses++;
    }
    this.#lastMs = nowMs;
    return this.#isMember ? this.#resumedMs : Number.POSITIVE_INFINITY;
  }

  /** Says whether the registry knows of this worker, as far as this worker has heard. */
  setMember(isMember: boolean): void {
    if (isMember && !this.#isMember) this.#resumedMs = Math.max(this.#resumedMs, this.#nowMs());
    this.#isMember = isMember;
  }

  /** From now on nothing remembered is believed: the worker leaves the cluster, and writers wait for it no more. */
  distrust(): void {
    this.#resumedMs = Number.POSITIVE_INFINITY;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
