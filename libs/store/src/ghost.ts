/** What left a queue not long ago. */
import { discard } from "./typed-array.ts";

/**
 * Hashes of pages that left, the last so many of them: a table of four ways a set with the time of each
 * entry, counted in additions. An entry is valid for so many additions as the caller says.
 */
export class Ghost {
  #hashes = new Uint32Array(256);
  #times = new Uint32Array(256);
  #now = 1;

  add(hash: number, pages: number): void {
    if (pages > this.#hashes.length) this.#grow(pages);
    this.#put(hash, this.#now);
    this.#now = (this.#now + 1) >>> 0 || 1;
  }

  /** True, and forgotten, if the hash was added within the last `span` additions. */
  take(hash: number, span: number): boolean {
    const base = this.#baseOf(hash);
    for (let at = base; at < base + 4; at++) {
      if (this.#hashes[at] !== hash || this.#times[at] === 0) continue;
      const age = (this.#now - this.#times[at]!) >>> 0;
      this.#times[at] = 0;
      return age <= span;
    }
    return false;
  }

  #baseOf(hash: number): number {
    return (Math.imul(hash, 0x9e3779b1) >>> 8) & (this.#hashes.length - 1) & ~3;
  }

  #put(hash: number, time: number): void {
    const base = this.#baseOf(hash);
    let oldest = base;
    for (let at = base; at < base + 4; at++) {
      if (this.#hashes[at] === hash || this.#times[at] === 0) {
        oldest = at;
        break;
      }
      if ((this.#now - this.#times[at]!) >>> 0 > (this.#now - this.#times[oldest]!) >>> 0) oldest = at;
    }
    this.#hashes[oldest] = hash;
    this.#times[oldest] = time;
  }

  #grow(pages: number): void {
    const hashes = this.#hashes;
    const times = this.#times;
    let length = hashes.length;
    while (length < pages) length *= 2;
    this.#hashes = new Uint32Array(length);
    this.#times = new Uint32Array(length);
    for (let at = 0; at < hashes.length; at++) if (times[at] !== 0) this.#put(hashes[at]!, times[at]!);
    discard(hashes);
    discard(times);
  }
}
