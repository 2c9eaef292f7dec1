/** Bounds how often somebody may try to log in: by address, and all addresses together. Only failures count. */

const WINDOW_MS = 60_000;
const FAILURES = 5;
const ALL_FAILURES = 100;
const ADDRESSES = 10_000;

export class LoginLimit {
  /** Times of failures by address, the oldest first. */
  readonly #failures = new Map<string, number[]>();
  #all: number[] = [];

  /** Milliseconds until the address may try again; 0 when it may now. */
  waitMs(address: string, nowMs: number): number {
    const own = this.#recent(this.#failures.get(address) ?? [], nowMs);
    this.#all = this.#recent(this.#all, nowMs);
    const until = (times: readonly number[], most: number) =>
      times.length < most ? 0 : times[times.length - most]! + WINDOW_MS - nowMs;
    return Math.max(0, until(own, FAILURES), until(this.#all, ALL_FAILURES));
  }

  /** Notes a failure. */
  failed(address: string, nowMs: number): void {
    const own = this.#recent(this.#failures.get(address) ?? [], nowMs);
    own.push(nowMs);
    this.#failures.delete(address);
    this.#failures.set(address, own);
    if (this.#failures.size > ADDRESSES) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    this.#all.push(nowMs);
  }

  #recent(times: readonly number[], nowMs: number): number[] {
    return times.filter((time) => nowMs - time < WINDOW_MS);
  }
}
