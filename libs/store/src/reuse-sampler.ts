/**
 * Measures how far apart the uses of pages lie, in a megabyte whatever the number of pages: SHARDS with a fixed
 * number of samples (Waldspurger, Park, Garthwaite, Ahmad: Efficient MRC Construction with SHARDS, FAST 2015).
 *
 * A page is sampled if its hash lies below a threshold, so that all uses of a sampled page are seen and none of the others
 * costs more than a comparison. Among the sampled pages the distance of a use is measured exactly: the bytes of the pages
 * used since, which are summed up over the order of last uses in blocks of 32 and of 1024. With the share R of pages that are sampled, distances
 * stand for 1/R as many bytes, and a sampled request for 1/R requests. When there are more pages than room, the one with the
 * greatest hash leaves and its hash becomes the threshold: R only falls.
 *
 * What was counted is corrected as the paper's SHARDS-adj does: requests that the sample stands for too few or too many of, for
 * it has too few or too many of the hot pages, are added to the shortest distance. In place of the paper's scaling of old
 * counts at each fall of R every count is entered as 1/R of its moment, which is the same.
 */
import { REUSE_BUCKETS, type ReuseHistogram, reuseBucket } from "@ringlight/core";

/** Hashes are below this. */
const HASHES = 2 ** 32;
/** Pages that are sampled at most, a power of two. The error falls with its root; with 8192 one of the tests' curves is 2.4 points off. */
const DEFAULT_PAGES = 16_384;
/** Places in the order of uses for each page; when they have run out they are numbered anew. */
const PLACES_PER_PAGE = 2;
/** Buckets of the index for each page. */
const BUCKETS_PER_PAGE = 2;
/** Places are summed up by 32 and by 32 times 32. */
const BLOCK_BITS = 5;
/** Bytes are summed in units of this, rounded up, so that 32 bits hold them. */
const UNIT_BITS = 9;

/** A sample of one stream of page requests. Pages are told apart by 32 bits of hash. */
export class ReuseSampler {
  readonly #limit: number;
  /** A page is sampled when its hash is below. */
  #threshold = HASHES;
  #requests = 0;
  /** Requests that the sample stands for. */
  #estimated = 0;
  readonly #counts = new Float64Array(REUSE_BUCKETS);
  /** Of each sampled page, by slot: hash, units, seconds of the last use, place in the order of uses. */
  readonly #hashes: Uint32Array;
  readonly #units: Int32Array;
  readonly #lastS: Uint32Array;
  readonly #places: Int32Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Slots by hash, slot + 1: open addressing with linear probing. */
  readonly #index: Int32Array;
  readonly #indexShift: number;
  /** Slots as a heap by hash, the greatest first. */
  readonly #heap: Int32Array;
  #size = 0;
  /** The slot that was last used at each place, slot + 1. */
  readonly #order: Int32Array;
  /** Units at each place, of each block of 32 places, and of each region of 32 blocks. */
  readonly #leaves: Int32Array;
  readonly #blocks: Int32Array;
  readonly #regions: Int32Array;
  #nextPlace = 0;
  #lastHash = -1;
  /** Bytes of a unit. */
  readonly #unitBytes: number;

  /**
   * @param pages how many pages are sampled at most, a power of two
   * @param unitBits sizes are summed in units of 2^unitBits bytes, rounded up
   */
  constructor(pages = DEFAULT_PAGES, unitBits = UNIT_BITS) {
    this.#limit = pages;
    this.#unitBytes = 2 ** unitBits;
    const slots = pages + 1;
    this.#hashes = new Uint32Array(slots);
    this.#units = new Int32Array(slots);
    this.#lastS = new Uint32Array(slots);
    this.#places = new Int32Array(slots);
    this.#heap = new Int32Array(slots);
    const places = pages * PLACES_PER_PAGE;
    this.#order = new Int32Array(places);
    this.#leaves = new Int32Array(places);
    this.#blocks = new Int32Array(Math.max(1 << BLOCK_BITS, places >>> BLOCK_BITS));
    this.#regions = new Int32Array((places >>> (2 * BLOCK_BITS)) + 1);
    this.#index = new Int32Array(pages * BUCKETS_PER_PAGE);
    this.#indexShift = 32 - Math.log2(this.#index.length);
    this.#free = Int32Array.from({ length: slots }, (_, at) => slots - 1 - at);
    this.#freeCount = slots;
  }

  /** Share of the pages that are sampled now. */
  get rate(): number {
    return this.#threshold / HASHES;
  }

  /** Pages in the sample. */
  get pages(): number {
    return this.#size;
  }

  /**
   * Counts `count` requests for a page, one right after the other.
   * @param hash 32 bits, evenly spread
   * @param bytes length of the page
   * @param nowMs milliseconds since the Unix epoch, for the working set: a few seconds off does not matter
   */
  request(hash: number, bytes: number, nowMs: number, count = 1): void {
    this.#requests += count;
    if (hash >= this.#threshold) return;
    const weight = HASHES / this.#threshold;
    this.#estimated += weight * count;
    if (hash === this.#lastHash) {
      this.#counts[reuseBucket(bytes)]! += weight * count;
      return;
    }
    this.#lastHash = hash;
    if (count > 1) this.#counts[reuseBucket(bytes)]! += weight * (count - 1);
    if (this.#nextPlace === this.#order.length) this.#renumber();
    let slot = this.#find(hash);
    if (slot >= 0) {
      const others = this.#unitsAfter(this.#places[slot]!) * this.#unitBytes;
      this.#counts[reuseBucket(others * weight + bytes)]! += weight;
      this.#leavePlace(slot);
    } else {
      slot = this.#free[--this.#freeCount]!;
      this.#hashes[slot] = hash;
      this.#enter(slot);
      this.#push(slot);
    }
    this.#takePlace(slot, Math.ceil(bytes / this.#unitBytes));
    this.#lastS[slot] = nowMs / 1000;
    if (this.#size > this.#limit) this.#shrink();
  }

  /** What was counted so far. */
  histogram(): ReuseHistogram {
    const counts = Array.from(this.#counts);
    // Requests that the sample did not stand for, or stood for twice, are mostly those of the hottest pages.
    let missing = this.#requests - this.#estimated;
    for (let bucket = 0; bucket < counts.length && missing !== 0; bucket++) {
      const corrected = Math.max(0, counts[bucket]! + missing);
      missing += counts[bucket]! - corrected;
      counts[bucket] = corrected;
    }
    return { requests: this.#requests, counts };
  }

  /** Bytes of the different pages that were used since a moment, milliseconds since the Unix epoch. */
  workingSetBytes(sinceMs: number): number {
    let units = 0;
    for (let at = 0; at < this.#size; at++) {
      const slot = this.#heap[at]!;
      if (this.#lastS[slot]! >= Math.floor(sinceMs / 1000)) units += this.#units[slot]!;
    }
    return (units * this.#unitBytes * HASHES) / this.#threshold;
  }

  /** Takes the page with the greatest hash out, and samples only smaller ones from now on. */
  #shrink(): void {
    const slot = this.#heap[0]!;
    this.#threshold = this.#hashes[slot]!;
    this.#leavePlace(slot);
    this.#leave(slot);
    this.#pop();
    this.#free[this.#freeCount++] = slot;
    if (this.#lastHash === this.#threshold) this.#lastHash = -1;
  }

  /** Sampled hashes are the small ones: their place in the index is taken from a product, which spreads them. */
  #home(hash: number): number {
    return Math.imul(hash, 0x9e3779b1) >>> this.#indexShift;
  }

  #find(hash: number): number {
    const index = this.#index;
    const mask = index.length - 1;
    for (let at = this.#home(hash); ; at = (at + 1) & mask) {
      const slot = index[at]! - 1;
      if (slot < 0 || this.#hashes[slot] === hash) return slot;
    }
  }

  #enter(slot: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let at = this.#home(this.#hashes[slot]!);
    while (index[at] !== 0) at = (at + 1) & mask;
    index[at] = slot + 1;
  }

  /** Takes a slot out of the index, and moves later ones of the same run back. */
  #leave(slot: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let hole = this.#home(this.#hashes[slot]!);
    while (index[hole] !== slot + 1) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#hashes[index[at]! - 1]!);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      index[hole] = index[at]!;
      hole = at;
    }
    index[hole] = 0;
  }

  #takePlace(slot: number, units: number): void {
    const place = this.#nextPlace++;
    this.#places[slot] = place;
    this.#units[slot] = units;
    this.#order[place] = slot + 1;
    this.#add(place, units);
  }

  #leavePlace(slot: number): void {
    const place = this.#places[slot]!;
    this.#order[place] = 0;
    this.#add(place, -this.#units[slot]!);
  }

  #add(place: number, units: number): void {
    this.#leaves[place]! += units;
    this.#blocks[place >>> BLOCK_BITS]! += units;
    this.#regions[place >>> (2 * BLOCK_BITS)]! += units;
  }

  /** Units of the pages that were used after the place. */
  #unitsAfter(place: number): number {
    let units = 0;
    const leaves = this.#leaves;
    const block = place >>> BLOCK_BITS;
    for (let at = place + 1, end = (block + 1) << BLOCK_BITS; at < end; at++) units += leaves[at]!;
    const blocks = this.#blocks;
    const region = block >>> BLOCK_BITS;
    for (let at = block + 1, end = (region + 1) << BLOCK_BITS; at < end; at++) units += blocks[at]!;
    const regions = this.#regions;
    const last = this.#nextPlace >>> (2 * BLOCK_BITS);
    for (let at = region + 1; at <= last; at++) units += regions[at]!;
    return units;
  }

  /** Numbers the places anew, without gaps. */
  #renumber(): void {
    const order = this.#order;
    const { length } = order;
    this.#leaves.fill(0);
    this.#blocks.fill(0);
    this.#regions.fill(0);
    let next = 0;
    for (let place = 0; place < length; place++) {
      const slot = order[place]! - 1;
      if (slot < 0) continue;
      order[place] = 0;
      order[next] = slot + 1;
      this.#places[slot] = next;
      this.#add(next++, this.#units[slot]!);
    }
    this.#nextPlace = next;
  }

  #push(slot: number): void {
    const heap = this.#heap;
    const hash = this.#hashes[slot]!;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#hashes[heap[parent]!]! >= hash) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = slot;
  }

  /** Takes the first of the heap out. */
  #pop(): void {
    const heap = this.#heap;
    const moved = heap[--this.#size]!;
    const hash = this.#hashes[moved]!;
    let at = 0;
    for (let child = 1; child < this.#size; child = at * 2 + 1) {
      if (child + 1 < this.#size && this.#hashes[heap[child + 1]!]! > this.#hashes[heap[child]!]!) child++;
      if (this.#hashes[heap[child]!]! <= hash) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }
}
