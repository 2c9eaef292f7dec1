/** How often pages were asked for of late, in a few bytes a page. */
import { mix32 } from "./version-table.ts";

/** 32-bit words of a block: one cache line. */
const BLOCK_WORDS = 16;
/** Pages for each word of counters before the sketch doubles. */
const PAGES_PER_WORD = 1.5;
/** Additions, in pages of the cache, after which all counts are halved. */
const SAMPLE_PAGES = 10;
const LEAST_WORDS = 1024;
const MOST_COUNT = 15;

/**
 * A count-min sketch of 4-bit counters behind a doorkeeper (Einziger, Friedman, Manes: TinyLFU, 2017). The doorkeeper, a
 * Bloom filter of two bits, holds what was asked for once, so that the many pages that never come again do not reach the
 * counters. A page's four counters lie in one cache line (as in Caffeine), and only the least of them are increased. When
 * ten times as many additions were counted as the cache has pages, all counts are halved and the doorkeeper is emptied:
 * what was hot fades. Doubling copies the counters, so that growth forgets nothing.
 */
export class FrequencySketch {
  #counters = new Uint32Array(LEAST_WORDS);
  #doorkeeper = new Uint32Array(LEAST_WORDS / 4);
  #blockMask = LEAST_WORDS / BLOCK_WORDS - 1;
  #doorMask = LEAST_WORDS / 4 - 1;
  #pages = 0;
  #additions = 0;

  /** Tells how many pages the cache holds. */
  fit(pages: number): void {
    if (pages <= this.#pages) return;
    this.#pages = pages;
    while (pages > this.#counters.length * PAGES_PER_WORD) this.#double();
  }

  /** Counts one request for the page. */
  add(hash: number): void {
    if (++this.#additions >= this.#pages * SAMPLE_PAGES && this.#additions >= LEAST_WORDS) this.#age();
    const spread = mix32(hash ^ 0x5bd1e995);
    const door = this.#doorkeeper;
    const doorAt = spread & this.#doorMask;
    const bits = doorBits(hash);
    if ((door[doorAt]! & bits) !== bits) {
      door[doorAt]! |= bits;
      return;
    }
    const counters = this.#counters;
    const base = (hash & this.#blockMask) * BLOCK_WORDS;
    let least = MOST_COUNT;
    for (let row = 0; row < 4; row++) {
      const cell = (spread >>> (row * 5 + 12)) & 31;
      const count = (counters[base + row * 4 + (cell >>> 3)]! >>> ((cell & 7) << 2)) & 15;
      if (count < least) least = count;
    }
    if (least === MOST_COUNT) return;
    for (let row = 0; row < 4; row++) {
      const cell = (spread >>> (row * 5 + 12)) & 31;
      const at = base + row * 4 + (cell >>> 3);
      const shift = (cell & 7) << 2;
      if (((counters[at]! >>> shift) & 15) === least) counters[at]! += 1 << shift;
    }
  }

  /** An estimate, 0 to 16, never too low but for the halving. */
  frequencyOf(hash: number): number {
    const spread = mix32(hash ^ 0x5bd1e995);
    const bits = doorBits(hash);
    const known = (this.#doorkeeper[spread & this.#doorMask]! & bits) === bits ? 1 : 0;
    const counters = this.#counters;
    const base = (hash & this.#blockMask) * BLOCK_WORDS;
    let least = MOST_COUNT;
    for (let row = 0; row < 4; row++) {
      const cell = (spread >>> (row * 5 + 12)) & 31;
      const count = (counters[base + row * 4 + (cell >>> 3)]! >>> ((cell & 7) << 2)) & 15;
      if (count < least) least = count;
    }
    return least + known;
  }

  #age(): void {
    const counters = this.#counters;
    for (let at = 0; at < counters.length; at++) counters[at] = (counters[at]! >>> 1) & 0x77777777;
    this.#doorkeeper.fill(0);
    this.#additions >>>= 1;
  }

  #double(): void {
    this.#counters = twice(this.#counters);
    this.#doorkeeper = twice(this.#doorkeeper);
    this.#blockMask = this.#counters.length / BLOCK_WORDS - 1;
    this.#doorMask = this.#doorkeeper.length - 1;
  }
}

/** The page's two bits of its word of the doorkeeper. */
function doorBits(hash: number): number {
  return (1 << (hash >>> 27)) | (1 << ((hash >>> 22) & 31));
}

function twice(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const both = new Uint32Array(words.length * 2);
  both.set(words);
  both.set(words, words.length);
  words.buffer.transfer(0);
  return both;
}
