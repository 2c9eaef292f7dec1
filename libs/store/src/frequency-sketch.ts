/** How often pages were asked for of late, in a few bytes a page. */
import { discard } from "./typed-array.ts";
import { mix32 } from "./version-table.ts";

/** 32-bit words of a block, one cache line: 12 of counters, then 4 of doorkeeper. */
const BLOCK_WORDS = 16;
const COUNTER_WORDS = 12;
const ROW_WORDS = 3;
/** Pages for each word before the sketch doubles. */
const PAGES_PER_WORD = 1.5;
/** Additions, in pages of the cache, after which all counts are halved. */
const SAMPLE_PAGES = 10;
const LEAST_WORDS = 1024;
const MOST_COUNT = 15;

/**
 * A count-min sketch of 4-bit counters behind a doorkeeper (Einziger, Friedman, Manes: TinyLFU, 2017). The doorkeeper, a
 * Bloom filter of two bits, holds what was asked for once, so that the many pages that never come again do not reach the
 * counters. A page's bits and its four counters, one of each row, lie in one cache line (as in Caffeine), and only the least
 * of the counters are increased. When ten times as many additions were counted as the cache has pages, all counts are halved
 * and the doorkeeper is emptied: what was hot fades. Doubling copies the blocks, so that growth forgets nothing.
 */
export class FrequencySketch {
  #words = new Uint32Array(LEAST_WORDS);
  #blockMask = LEAST_WORDS / BLOCK_WORDS - 1;
  #pages = 0;
  #additions = 0;

  /** Tells how many pages the cache holds. */
  fit(pages: number): void {
    if (pages <= this.#pages) return;
    this.#pages = pages;
    while (pages > this.#words.length * PAGES_PER_WORD) this.#double();
  }

  /** Counts one request for the page. */
  add(hash: number): void {
    if (++this.#additions >= this.#pages * SAMPLE_PAGES && this.#additions >= LEAST_WORDS) this.#age();
    const words = this.#words;
    const spread = mix32(hash ^ 0x5bd1e995);
    const base = (hash & this.#blockMask) * BLOCK_WORDS;
    const first = spread & 127;
    const second = ((spread >>> 7) & 31) | ((hash >>> 30) << 5);
    const firstAt = base + COUNTER_WORDS + (first >>> 5);
    const secondAt = base + COUNTER_WORDS + (second >>> 5);
    if (((words[firstAt]! >>> (first & 31)) & (words[secondAt]! >>> (second & 31)) & 1) === 0) {
      words[firstAt]! |= 1 << (first & 31);
      words[secondAt]! |= 1 << (second & 31);
      return;
    }
    const least = this.#least(base, spread);
    if (least === MOST_COUNT) return;
    for (let row = 0; row < 4; row++) {
      const cell = cellOf(spread, row);
      const at = base + row * ROW_WORDS + (cell >>> 3);
      const shift = (cell & 7) << 2;
      if (((words[at]! >>> shift) & 15) === least) words[at]! += 1 << shift;
    }
  }

  /** An estimate, 0 to 16, never too low but for the halving. */
  frequencyOf(hash: number): number {
    const words = this.#words;
    const spread = mix32(hash ^ 0x5bd1e995);
    const base = (hash & this.#blockMask) * BLOCK_WORDS;
    const first = spread & 127;
    const second = ((spread >>> 7) & 31) | ((hash >>> 30) << 5);
    const isKnown =
      (words[base + COUNTER_WORDS + (first >>> 5)]! >>> (first & 31)) &
      (words[base + COUNTER_WORDS + (second >>> 5)]! >>> (second & 31)) &
      1;
    return this.#least(base, spread) + isKnown;
  }

  /** The least of a page's four counters. */
  #least(base: number, spread: number): number {
    const words = this.#words;
    let least = MOST_COUNT;
    for (let row = 0; row < 4; row++) {
      const cell = cellOf(spread, row);
      const count = (words[base + row * ROW_WORDS + (cell >>> 3)]! >>> ((cell & 7) << 2)) & 15;
      if (count < least) least = count;
    }
    return least;
  }

  #age(): void {
    const words = this.#words;
    for (let base = 0; base < words.length; base += BLOCK_WORDS) {
      for (let at = base; at < base + COUNTER_WORDS; at++) words[at] = (words[at]! >>> 1) & 0x77777777;
      for (let at = base + COUNTER_WORDS; at < base + BLOCK_WORDS; at++) words[at] = 0;
    }
    this.#additions >>>= 1;
  }

  #double(): void {
    const words = this.#words;
    this.#words = new Uint32Array(words.length * 2);
    this.#words.set(words);
    this.#words.set(words, words.length);
    this.#blockMask = this.#words.length / BLOCK_WORDS - 1;
    discard(words);
  }
}

/** The page's counter of a row: one of 24. */
function cellOf(spread: number, row: number): number {
  return (((spread >>> (row * 5 + 12)) & 31) * 24) >>> 5;
}
