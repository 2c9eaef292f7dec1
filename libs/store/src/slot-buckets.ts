/** From a hash to slots: the open addressing that the index of pages and that of versions have in common. */

/** The table is cut by the first bits of the hash, and each part grows by itself: a growth takes milliseconds, not a second. */
const PART_BITS = 8;
const PARTS = 2 ** PART_BITS;
const FRACTION_BITS = 32 - PART_BITS;
const FRACTION_MASK = 2 ** FRACTION_BITS - 1;
const FULL = 0.85;
const GROWTH = 1.2;
const NARROW_SLOT_BITS = 24;
const WIDE_SLOT_BITS = 28;
/** A part of more buckets than these is made of pieces of so many, cut from blocks. */
const PIECE_BITS = 10;
const PIECE = 2 ** PIECE_BITS;
const PIECE_MASK = PIECE - 1;
const BLOCK_PIECES = 256;
const EMPTY: readonly Int32Array<ArrayBuffer>[] = [new Int32Array(1)];

/** The buckets of a part while it grows. */
let scratch = new Int32Array(PIECE);

/**
 * Slots by hash: 32 bits a bucket, linear probing, at most 85 % full, and of a large part 70 % at the least after a growth: about
 * 5.2 bytes a slot. A bucket holds slot + 1 and, in the bits that are left, a tag of the hash, so that a probe seldom looks at a slot
 * that is not meant: 8 bits of tag for up to 16 M slots, 4 bits for up to 268 M. A hash's place is its share of the part's
 * length (Lemire's reduction), so that the length need not be a power of two.
 *
 * A part that grows gets more pieces of the same size, and none is given back: parts that grow at the same time, each into memory of
 * its own, leave holes that fit none of the others, 4 bytes a slot.
 *
 * Who looks a slot up goes through the candidates and compares the keys:
 * `for (let slot = buckets.first(hash); slot >= 0; slot = buckets.next())`.
 */
export class SlotBuckets {
  readonly #hashOf: (slot: number) => number;
  readonly #parts: (readonly Int32Array<ArrayBuffer>[])[] = new Array(PARTS).fill(EMPTY);
  readonly #lengths = new Uint32Array(PARTS).fill(1);
  readonly #counts = new Uint32Array(PARTS);
  #block = new Int32Array(0);
  #blockAt = 0;
  #slotBits = NARROW_SLOT_BITS;
  #slotMask = 2 ** NARROW_SLOT_BITS - 1;
  /** The look-up under way: the part, the number of its piece, and the place in that. */
  #part = EMPTY;
  #number = 0;
  #at = 0;
  #tag = 0;

  /** `hashOf` gives the hash under which a slot was added. */
  constructor(hashOf: (slot: number) => number) {
    this.#hashOf = hashOf;
  }

  /** The first slot that may have the hash, or -1. */
  first(hash: number): number {
    const number = hash >>> FRACTION_BITS;
    const place = home(hash, this.#lengths[number]!);
    this.#part = this.#parts[number]!;
    this.#tag = this.#tagOf(hash);
    this.#number = place >>> PIECE_BITS;
    this.#at = (place & PIECE_MASK) - 1;
    return this.next();
  }

  /** The next slot that may have the hash of the last first(), or -1. */
  next(): number {
    const mask = this.#slotMask;
    const tag = this.#tag;
    let piece = this.#part[this.#number]!;
    let at = this.#at;
    for (;;) {
      if (++at === piece.length) {
        if (++this.#number === this.#part.length) this.#number = 0;
        piece = this.#part[this.#number]!;
        at = 0;
      }
      const bucket = piece[at]!;
      if (bucket === 0) return -1;
      if ((bucket & ~mask) === tag) {
        this.#at = at;
        return (bucket & mask) - 1;
      }
    }
  }

  /** Makes room for so many slots, so that adding them grows nothing. */
  reserve(slots: number): void {
    const length = Math.ceil(slots / PARTS / FULL) + 7;
    for (let number = 0; number < PARTS; number++) {
      if (this.#lengths[number]! < length) this.#grow(number, length);
    }
  }

  /** Adds a slot that is not there. */
  add(hash: number, slot: number): void {
    if (slot >= this.#slotMask - 1) this.#widen();
    const number = hash >>> FRACTION_BITS;
    const length = this.#lengths[number]!;
    if (this.#counts[number]! + 1 > length * FULL) this.#grow(number, Math.ceil(length * GROWTH) + 7);
    this.#counts[number]!++;
    this.#place(this.#parts[number]!, this.#lengths[number]!, hash, slot);
  }

  /** Removes a slot that is there, and moves later ones of the same run back, so that no tombstones are needed. */
  remove(hash: number, slot: number): void {
    for (let found = this.first(hash); found !== slot; found = this.next());
    const part = this.#part;
    const length = this.#lengths[hash >>> FRACTION_BITS]!;
    let hole = (this.#number << PIECE_BITS) + this.#at;
    let at = hole;
    for (;;) {
      if (++at === length) at = 0;
      const bucket = part[at >>> PIECE_BITS]![at & PIECE_MASK]!;
      if (bucket === 0) break;
      const from = home(this.#hashOf((bucket & this.#slotMask) - 1), length);
      if (distance(from, at, length) >= distance(hole, at, length)) {
        part[hole >>> PIECE_BITS]![hole & PIECE_MASK] = bucket;
        hole = at;
      }
    }
    part[hole >>> PIECE_BITS]![hole & PIECE_MASK] = 0;
    this.#counts[hash >>> FRACTION_BITS]!--;
  }

  #tagOf(hash: number): number {
    return hash << this.#slotBits;
  }

  #place(part: readonly Int32Array[], length: number, hash: number, slot: number): void {
    const place = home(hash, length);
    let number = place >>> PIECE_BITS;
    let piece = part[number]!;
    let at = place & PIECE_MASK;
    while (piece[at] !== 0) {
      if (++at < piece.length) continue;
      if (++number === part.length) number = 0;
      piece = part[number]!;
      at = 0;
    }
    piece[at] = this.#tagOf(hash) | (slot + 1);
  }

  /** Gives a part at least so many buckets. */
  #grow(number: number, least: number): void {
    const old = this.#parts[number]!;
    const oldLength = this.#lengths[number]!;
    if (scratch.length < oldLength) scratch = new Int32Array(oldLength * 2);
    let kept = 0;
    for (const piece of old) {
      for (const bucket of piece) if (bucket !== 0) scratch[kept++] = bucket;
    }
    const isSmall = least <= PIECE;
    const pieces = isSmall ? [new Int32Array(least)] : oldLength < PIECE ? [] : old.map((piece) => piece.fill(0));
    while (!isSmall && pieces.length * PIECE < least) pieces.push(this.#cutPiece());
    const length = isSmall ? least : pieces.length * PIECE;
    for (let at = 0; at < kept; at++) {
      const slot = (scratch[at]! & this.#slotMask) - 1;
      this.#place(pieces, length, this.#hashOf(slot), slot);
    }
    this.#parts[number] = pieces;
    this.#lengths[number] = length;
  }

  #cutPiece(): Int32Array<ArrayBuffer> {
    if (this.#blockAt === this.#block.length) {
      this.#block = new Int32Array(BLOCK_PIECES * PIECE);
      this.#blockAt = 0;
    }
    const start = this.#blockAt;
    this.#blockAt += PIECE;
    return this.#block.subarray(start, this.#blockAt);
  }

  /** Gives four bits of the tags to the slots. */
  #widen(): void {
    const narrow = this.#slotMask;
    this.#slotBits = WIDE_SLOT_BITS;
    this.#slotMask = 2 ** WIDE_SLOT_BITS - 1;
    for (const part of this.#parts) {
      for (const piece of part) {
        for (let at = 0; at < piece.length; at++) {
          const slot = (piece[at]! & narrow) - 1;
          if (slot >= 0) piece[at] = this.#tagOf(this.#hashOf(slot)) | (slot + 1);
        }
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
