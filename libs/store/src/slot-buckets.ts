/** From a hash to slots: the open addressing that the index of pages and that of versions have in common. */

/** The table is cut by the first bits of the hash, and each part grows by itself: a growth takes milliseconds, not a second. */
const PART_BITS = 8;
const FRACTION_BITS = 32 - PART_BITS;
const FRACTION_MASK = 2 ** FRACTION_BITS - 1;
const FULL = 0.85;
const GROWTH = 1.2;
const NARROW_SLOT_BITS = 24;
const WIDE_SLOT_BITS = 28;
const EMPTY = new Int32Array(1);

/**
 * Slots by hash: 32 bits a bucket, linear probing, at most 85 % full, and 70 % at the least after a growth: about 5.2 bytes a
 * slot. A bucket holds slot + 1 and, in the bits that are left, a tag of the hash, so that a probe seldom looks at a slot
 * that is not meant: 8 bits of tag for up to 16 M slots, 4 bits for up to 268 M. A hash's place is its share of the part's
 * length (Lemire's reduction), so that the length need not be a power of two.
 *
 * Who looks a slot up goes through the candidates and compares the keys:
 * `for (let slot = buckets.first(hash); slot >= 0; slot = buckets.next())`.
 */
export class SlotBuckets {
  readonly #hashOf: (slot: number) => number;
  readonly #parts: Int32Array<ArrayBuffer>[] = new Array<Int32Array<ArrayBuffer>>(2 ** PART_BITS).fill(EMPTY);
  readonly #counts = new Uint32Array(2 ** PART_BITS);
  #slotBits = NARROW_SLOT_BITS;
  #slotMask = 2 ** NARROW_SLOT_BITS - 1;
  /** The look-up under way. */
  #part: Int32Array<ArrayBuffer> = EMPTY;
  #at = 0;
  #tag = 0;

  /** `hashOf` gives the hash under which a slot was added. */
  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The first slot that may have the hash, or -1. */
  first(hash: number): number {
    const part = this.#parts[hash >>> FRACTION_BITS]!;
    this.#part = part;
    this.#tag = this.#tagOf(hash);
    this.#at = home(hash, part.length) - 1;
    return this.next();
  }

  /** The next slot that may have the hash of the last first(), or -1. */
  next(): number {
    const part = this.#part;
    const mask = this.#slotMask;
    const tag = this.#tag;
    let at = this.#at;
    for (;;) {
      if (++at === part.length) at = 0;
      const bucket = part[at]!;
      if (bucket === 0) return -1;
      if ((bucket & ~mask) === tag) {
        this.#at = at;
        return (bucket & mask) - 1;
      }
    }
  }

  /** Makes room for so many slots, so that adding them grows nothing. */
  reserve(slots: number): void {
    const length = Math.ceil(slots / this.#parts.length / FULL) + 7;
    for (let number = 0; number < this.#parts.length; number++) {
      if (this.#parts[number]!.length < length) this.#grow(number, length);
    }
  }

  /** Adds a slot that is not there. */
  add(hash: number, slot: number): void {
    if (slot >= this.#slotMask - 1) this.#widen();
    const number = hash >>> FRACTION_BITS;
    const part = this.#parts[number]!;
    if (this.#counts[number]! + 1 > part.length * FULL) this.#grow(number, Math.ceil(part.length * GROWTH) + 7);
    this.#counts[number]!++;
    this.#place(this.#parts[number]!, hash, slot);
  }

  /** Removes a slot that is there, and moves later ones of the same run back, so that no tombstones are needed. */
  remove(hash: number, slot: number): void {
    for (let found = this.first(hash); found !== slot; found = this.next());
    const part = this.#part;
    const { length } = part;
    let hole = this.#at;
    let at = hole;
    for (;;) {
      if (++at === length) at = 0;
      const bucket = part[at]!;
      if (bucket === 0) break;
      const from = home(this.#hashOf((bucket & this.#slotMask) - 1), length);
      if (distance(from, at, length) >= distance(hole, at, length)) {
        part[hole] = bucket;
        hole = at;
      }
    }
    part[hole] = 0;
    this.#counts[hash >>> FRACTION_BITS]!--;
  }

  #tagOf(hash: number): number {
    return hash << this.#slotBits;
  }

  #place(part: Int32Array, hash: number, slot: number): void {
    let at = home(hash, part.length);
    while (part[at] !== 0) if (++at === part.length) at = 0;
    part[at] = this.#tagOf(hash) | (slot + 1);
  }

  #grow(number: number, length: number): void {
    const old = this.#parts[number]!;
    const part = new Int32Array(length);
    for (const bucket of old) {
      if (bucket === 0) continue;
      const slot = (bucket & this.#slotMask) - 1;
      this.#place(part, this.#hashOf(slot), slot);
    }
    this.#parts[number] = part;
    if (old !== EMPTY && old !== this.#part) old.buffer.transfer(0);
  }

  /** Gives four bits of the tags to the slots. */
  #widen(): void {
    const narrow = this.#slotMask;
    this.#slotBits = WIDE_SLOT_BITS;
    this.#slotMask = 2 ** WIDE_SLOT_BITS - 1;
    for (const part of this.#parts) {
      for (let at = 0; at < part.length; at++) {
        const slot = (part[at]! & narrow) - 1;
        if (slot >= 0) part[at] = this.#tagOf(this.#hashOf(slot)) | (slot + 1);
      }
    }
  }
}

function home(hash: number, length: number): number {
  // A fraction first, and exact in 53 bits: as a product of integers it would outgrow 31 bits with a table of some 20,000 slots, and
  // all that looks pages up would be compiled anew.
  return Math.floor(((hash & FRACTION_MASK) / (FRACTION_MASK + 1)) * length);
}

function distance(from: number, to: number, length: number): number {
  return to >= from ? to - from : to - from + length;
}
