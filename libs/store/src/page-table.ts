/** The index of one directory: which pages it holds. */
import type { EvictablePages } from "./eviction-policy.ts";
import { accountedBytes } from "./page-file.ts";
import { SlotBuckets } from "./slot-buckets.ts";
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

/** Bits of the length in the array that it shares with the flags. */
const LENGTH_BITS = 25;
const LENGTH_MASK = 2 ** LENGTH_BITS - 1;

const BORN_UNIT_MS = 600_000;
const BORN_SINCE_MS = Date.UTC(2020);

/**
 * Pages by (version, index), in typed arrays. A page is a slot, a dense small integer that the eviction policy and the
 * descriptor cache use as the page's name; slots are reused, so they are never kept across an await without a new look-up.
 * The pages of one version form a list, for invalidation and for runs. 28 bytes a page, and 4 bytes a version.
 */
export class PageTable implements EvictablePages {
  readonly #versions: VersionTable;
  readonly #buckets = new SlotBuckets((slot) => this.hashOf(slot));
  /** Version and index of each page, side by side: a look-up needs both. */
  #names = new Uint32Array(128);
  /** Length, and above it the flags. */
  #length = new Uint32Array(64);
  /** Links of the version's list, next and previous side by side, and of the list of free slots; slot + 1, 0 ends. */
  #links = new Int32Array(128);
  /** When each page came, in units of ten minutes since 2020 and modulo 65536, which is 455 days; 0 where that is not known. */
  #born = new Uint16Array(64);
  /** Uses of each page since it came, 255 at the most. */
  #uses = new Uint8Array(64);
  /** First slot of each version, slot + 1. */
  #heads = new Int32Array(64);
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
    const buckets = this.#buckets;
    for (let slot = buckets.first(this.#versions.hashOf(versionRef, index)); slot >= 0; slot = buckets.next()) {
      if (this.#names[slot * 2 + 1] === index && this.#names[slot * 2] === versionRef) return slot;
    }
    return -1;
  }

  /** Makes room for so many pages at once. */
  reserve(pages: number): void {
    this.#buckets.reserve(pages);
  }

  /** Adds a page that is not there yet; takes over one use of the version. `bornMs` is now; 0 for a page of an earlier process. */
  insert(versionRef: number, index: number, lengthBytes: number, flags: number, bornMs = 0): number {
    let slot = this.#free - 1;
    if (slot >= 0) this.#free = this.#links[slot * 2]!;
    else slot = this.#top++;
    if (slot >= this.#length.length) this.#grow();
    if (versionRef >= this.#heads.length) this.#heads = grown(this.#heads, versionRef + 1);
    this.#names[slot * 2] = versionRef;
    this.#names[slot * 2 + 1] = index;
    this.#length[slot] = lengthBytes + flags * 2 ** LENGTH_BITS;
    this.#born[slot] = bornMs === 0 ? 0 : bornUnit(bornMs);
    this.#uses[slot] = 0;
    const head = this.#heads[versionRef]!;
    this.#links[slot * 2] = head;
    this.#links[slot * 2 + 1] = 0;
    if (head > 0) this.#links[head * 2 - 1] = slot + 1;
    this.#heads[versionRef] = slot + 1;
    this.#buckets.add(this.hashOf(slot), slot);
    this.#count++;
    return slot;
  }

  /** Removes a page and gives back its use of the version. */
  remove(slot: number): void {
    const versionRef = this.#names[slot * 2]!;
    this.#buckets.remove(this.hashOf(slot), slot);
    const next = this.#links[slot * 2]!;
    const previous = this.#links[slot * 2 + 1]!;
    if (next > 0) this.#links[next * 2 - 1] = previous;
    if (previous > 0) this.#links[previous * 2 - 2] = next;
    else this.#heads[versionRef] = next;
    this.#links[slot * 2] = this.#free;
    this.#free = slot + 1;
    this.#length[slot] = 0;
    this.#count--;
    this.#versions.drop(versionRef);
  }

  /** Slots of a version's pages, in no order. */
  slotsOf(versionRef: number): number[] {
    const slots: number[] = [];
    for (let at = this.#heads[versionRef] ?? 0; at > 0; at = this.#links[at * 2 - 2]!) slots.push(at - 1);
    return slots;
  }

  versionOf(slot: number): number {
    return this.#names[slot * 2]!;
  }

  indexOf(slot: number): number {
    return this.#names[slot * 2 + 1]!;
  }

  lengthOf(slot: number): number {
    return this.#length[slot]! & LENGTH_MASK;
  }

  /** The page's hash, as the eviction policy and the placement use it. */
  hashOf(slot: number): number {
    return this.#versions.hashOf(this.#names[slot * 2]!, this.#names[slot * 2 + 1]!);
  }

  /** Bytes that the page is accounted for. */
  bytesOf(slot: number): number {
    return accountedBytes(this.lengthOf(slot));
  }

  /** Counts a use. */
  noteUse(slot: number): void {
    const uses = this.#uses[slot]!;
    if (uses < 255) this.#uses[slot] = uses + 1;
  }

  /** Uses since the page came, 255 for as many or more. */
  usesOf(slot: number): number {
    return this.#uses[slot]!;
  }

  /** Milliseconds since the page came, to ten minutes; undefined for a page of an earlier process. */
  ageOf(slot: number, nowMs: number): number | undefined {
    const born = this.#born[slot]!;
    return born === 0 ? undefined : ((bornUnit(nowMs) - born) & 0xffff) * BORN_UNIT_MS;
  }

  /** Slots are below this; a slot below it may be free, and then has the length 0. */
  get top(): number {
    return this.#top;
  }

  has(slot: number, flag: number): boolean {
    return ((this.#length[slot]! >>> LENGTH_BITS) & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.#length[slot]! |= flag << LENGTH_BITS;
  }

  clear(slot: number, flag: number): void {
    this.#length[slot]! &= ~(flag << LENGTH_BITS);
  }

  #grow(): void {
    const least = this.#length.length + 1;
    this.#names = grown(this.#names, least * 2);
    this.#length = grown(this.#length, least);
    this.#links = grown(this.#links, least * 2);
    this.#born = grown(this.#born, least);
    this.#uses = grown(this.#uses, least);
  }
}

/** A time as a page's birth is kept; never 0. */
function bornUnit(ms: number): number {
  return Math.floor((ms - BORN_SINCE_MS) / BORN_UNIT_MS) % 0xffff || 0xffff;
}
