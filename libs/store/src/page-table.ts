/** The index of one directory: which pages it holds. */
import type { EvictablePages } from "./eviction-policy.ts";
import { accountedBytes } from "./page-file.ts";
import { grown } from "./typed-array.ts";
import type { VersionTable } from "./version-table.ts";

/** The page was verified since the start: it was written by this process, or read and checked. */
export const VERIFIED = 1;
/** The page was chosen to leave: it is no longer known to the eviction policy, and is readable until its file is gone. */
export const LEAVING = 2;
/** The page was hit once on this tier; the next hit makes it a candidate for a faster tier. */
export const HIT_ONCE = 4;
/** A copy of the page to a faster tier is under way. */
export const PROMOTING = 8;

/**
 * Pages by (version, index): open addressing in typed arrays. A page is a slot, a dense small integer that the eviction
 * policy and the descriptor cache use as the page's name; slots are reused, so they are never kept across an await without
 * a new look-up. The pages of one version form a list, for invalidation and for runs. About 27 bytes a page, and 4 bytes
 * a version; growth doubles, and what is not yet used costs address space only.
 */
export class PageTable implements EvictablePages {
  readonly #versions: VersionTable;
  #versionRef = new Int32Array(64);
  #index = new Uint32Array(64);
  #length = new Uint32Array(64);
  #flags = new Uint8Array(64);
  /** Links of the version's list, and of the list of free slots; slot + 1, 0 ends. */
  #next = new Int32Array(64);
  #previous = new Int32Array(64);
  /** First slot of each version, slot + 1. */
  #heads = new Int32Array(64);
  /** Slot + 1; 0 is an empty bucket. Linear probing, at most two thirds full. */
  #buckets = new Int32Array(128);
  #free = 0;
  #top = 0;
  #count = 0;

  constructor(versions: VersionTable) {
    this.#versions = versions;
  }

  /** Number of pages. */
  get size(): number {
    return this.#count;
  }

  /** The page's slot, or -1. */
  find(versionRef: number, index: number): number {
    const mask = this.#buckets.length - 1;
    let at = this.#versions.hashOf(versionRef, index) & mask;
    for (;;) {
      const slot = this.#buckets[at]! - 1;
      if (slot < 0) return -1;
      if (this.#index[slot] === index && this.#versionRef[slot] === versionRef) return slot;
      at = (at + 1) & mask;
    }
  }

  /** Adds a page that is not there yet; takes over one use of the version. */
  insert(versionRef: number, index: number, lengthBytes: number, flags: number): number {
    if ((this.#count + 1) * 3 > this.#buckets.length * 2) this.#rehash(this.#buckets.length * 2);
    let slot = this.#free - 1;
    if (slot >= 0) this.#free = this.#next[slot]!;
    else slot = this.#top++;
    if (slot >= this.#index.length) this.#grow();
    if (versionRef >= this.#heads.length) this.#heads = grown(this.#heads, versionRef + 1);
    this.#versionRef[slot] = versionRef;
    this.#index[slot] = index;
    this.#length[slot] = lengthBytes;
    this.#flags[slot] = flags;
    const head = this.#heads[versionRef]!;
    this.#next[slot] = head;
    this.#previous[slot] = 0;
    if (head > 0) this.#previous[head - 1] = slot + 1;
    this.#heads[versionRef] = slot + 1;
    this.#place(slot);
    this.#count++;
    return slot;
  }

  /** Removes a page and gives back its use of the version. */
  remove(slot: number): void {
    const versionRef = this.#versionRef[slot]!;
    this.#removeBucket(this.#bucketOf(slot));
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (next > 0) this.#previous[next - 1] = previous;
    if (previous > 0) this.#next[previous - 1] = next;
    else this.#heads[versionRef] = next;
    this.#next[slot] = this.#free;
    this.#free = slot + 1;
    this.#count--;
    this.#versions.drop(versionRef);
  }

  /** Slots of a version's pages, in no order. */
  slotsOf(versionRef: number): number[] {
    const slots: number[] = [];
    for (let at = this.#heads[versionRef] ?? 0; at > 0; at = this.#next[at - 1]!) slots.push(at - 1);
    return slots;
  }

  versionOf(slot: number): number {
    return this.#versionRef[slot]!;
  }

  indexOf(slot: number): number {
    return this.#index[slot]!;
  }

  lengthOf(slot: number): number {
    return this.#length[slot]!;
  }

  /** The page's hash, as the eviction policy and the placement use it. */
  hashOf(slot: number): number {
    return this.#versions.hashOf(this.#versionRef[slot]!, this.#index[slot]!);
  }

  /** Bytes that the page is accounted for. */
  bytesOf(slot: number): number {
    return accountedBytes(this.lengthOf(slot));
  }

  has(slot: number, flag: number): boolean {
    return (this.#flags[slot]! & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.#flags[slot]! |= flag;
  }

  clear(slot: number, flag: number): void {
    this.#flags[slot]! &= ~flag;
  }

  #place(slot: number): void {
    const mask = this.#buckets.length - 1;
    let at = this.hashOf(slot) & mask;
    while (this.#buckets[at] !== 0) at = (at + 1) & mask;
    this.#buckets[at] = slot + 1;
  }

  #bucketOf(slot: number): number {
    const mask = this.#buckets.length - 1;
    let at = this.hashOf(slot) & mask;
    while (this.#buckets[at] !== slot + 1) at = (at + 1) & mask;
    return at;
  }

  /** Empties a bucket and moves later ones of the same run back, so that no tombstones are needed. */
  #removeBucket(bucket: number): void {
    const mask = this.#buckets.length - 1;
    let hole = bucket;
    let at = bucket;
    for (;;) {
      at = (at + 1) & mask;
      const entry = this.#buckets[at]!;
      if (entry === 0) break;
      const home = this.hashOf(entry - 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.#buckets[hole] = entry;
        hole = at;
      }
    }
    this.#buckets[hole] = 0;
  }

  #rehash(length: number): void {
    const old = this.#buckets;
    this.#buckets = new Int32Array(length);
    for (const entry of old) if (entry !== 0) this.#place(entry - 1);
  }

  #grow(): void {
    const least = this.#index.length + 1;
    this.#versionRef = grown(this.#versionRef, least);
    this.#index = grown(this.#index, least);
    this.#length = grown(this.#length, least);
    this.#flags = grown(this.#flags, least);
    this.#next = grown(this.#next, least);
    this.#previous = grown(this.#previous, least);
  }
}
