/** The index of one directory: which pages it holds. */

import type { VersionId } from "@ringlight/core";
import type { EvictablePages } from "./eviction-policy.ts";
import { accountedBytes } from "./page-file.ts";
import { SlotBuckets } from "./slot-buckets.ts";
import { grown } from "./typed-array.ts";
import { formatVersionId, pageHash, type VersionTable } from "./version-table.ts";

/** The page was verified since the start: it was written by this process, or read and checked. */
export const VERIFIED = 1;
/** The page was chosen to leave: it is no longer known to the eviction policy, and is readable until its file is gone. */
export const LEAVING = 2;
/** The page was hit once on this tier; the next hit makes it a candidate for a faster tier. */
export const HIT_ONCE = 4;
/** A copy of the page to a faster tier is under way. */
export const PROMOTING = 8;

/** The page is kept by a pin, and known to no eviction policy. */
export const HELD = 32;

/** The page is the only one of its version here, and its first: its row holds the version itself. Of the table alone. */
const SOLE = 16;

/** Bits of the length in the word that it shares with the flags. */
const LENGTH_BITS = 25;
const LENGTH_MASK = 2 ** LENGTH_BITS - 1;

const BORN_UNIT_MS = 600_000;
const BORN_SINCE_MS = Date.UTC(2020);

/** Words of a row, and where in it they are: the fields of a page that has others beside it ... */
const ROW = 5;
const VERSION = 0;
const INDEX = 1;
/** ... links of its version's list (and of the list of free slots): slot + 1, 0 ends ... */
const NEXT = 2;
const PREVIOUS = 3;
/** ... and of every page its length, and above it the flags. */
const LENGTH = 4;

/**
 * Pages by (version, index), in typed arrays. A page is a slot, a dense small integer that the eviction policy and the
 * descriptor cache use as the page's name; slots are reused, so they are never kept across an await without a new look-up.
 *
 * What a look-up needs of a page lies in one row of 20 bytes, so that a look-up touches one or two cache lines behind its bucket. The
 * pages of one version form a list, for invalidation and for runs, and name it by its reference in the version table. A
 * small object is one page: as long as the first page of a version is alone its row has the four words of the version in
 * the same place, and the version table knows nothing of it. With its second page it becomes one of a list, and stays so.
 */
export class PageTable implements EvictablePages {
  readonly #versions: VersionTable;
  readonly #buckets = new SlotBuckets((slot) => this.hashOf(slot));
  #rows = new Uint32Array(64 * ROW);
  /** When each page came, in units of ten minutes since 2020 and modulo 65536, which is 455 days; 0 where that is not known. */
  #born = new Uint16Array(64);
  /** Uses of each page since it came, 255 at the most. */
  #uses = new Uint8Array(64);
  /** What rules say of each page, and when it came, in seconds since 2020 and 0 where that is not known; made when the first rule speaks of a page. */
  #ruleClasses: Uint8Array<ArrayBuffer> | undefined;
  #came: Uint32Array<ArrayBuffer> | undefined;
  /** First slot of each version's list, slot + 1. */
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

  /** The page's slot, or -1. @throws RL_BAD_REQUEST */
  find(id: VersionId, index: number): number {
    return this.#find(this.#versions.wordsOf(id), index);
  }

  #find(key: Uint32Array, index: number): number {
    const versions = this.#versions;
    const buckets = this.#buckets;
    for (let slot = buckets.first(pageHash(key[0]!, index)); slot >= 0; slot = buckets.next()) {
      const rows = this.#rows;
      const at = slot * ROW;
      if (this.has(slot, SOLE)) {
        if (
          index === 0 &&
          rows[at] === key[0] &&
          rows[at + 1] === key[1] &&
          rows[at + 2] === key[2] &&
          rows[at + 3] === key[3]
        ) {
          return slot;
        }
      } else if (rows[at + INDEX] === index && versions.is(rows[at + VERSION]!, key)) return slot;
    }
    return -1;
  }

  /** Makes room for so many pages at once. */
  reserve(pages: number): void {
    this.#buckets.reserve(pages);
  }

  /** Adds a page that is not there yet. `bornMs` is now; 0 for a page of an earlier process. @throws RL_BAD_REQUEST */
  insert(id: VersionId, index: number, lengthBytes: number, flags: number, bornMs = 0): number {
    return this.insertWords(this.#versions.wordsOf(id), index, lengthBytes, flags, bornMs);
  }

  /** The same by the four words of the version. */
  insertWords(key: Uint32Array, index: number, lengthBytes: number, flags: number, bornMs = 0): number {
    const known = this.#versions.findWords(key);
    const hasList = known >= 0 && (this.#heads[known] ?? 0) > 0;
    if (!hasList && index > 0) {
      const sole = this.#find(key, 0);
      if (sole >= 0) this.#toList(sole, key);
    }
    let slot = this.#free - 1;
    if (slot >= 0) this.#free = this.#rows[slot * ROW + NEXT]!;
    else slot = this.#top++;
    if ((slot + 1) * ROW > this.#rows.length) this.#rows = grown(this.#rows, (slot + 1) * ROW);
    if (slot >= this.#born.length) this.#born = grown(this.#born, slot + 1);
    if (slot >= this.#uses.length) this.#uses = grown(this.#uses, slot + 1);
    this.#born[slot] = bornMs === 0 ? 0 : bornUnit(bornMs);
    this.#uses[slot] = 0;
    if (this.#ruleClasses !== undefined) this.#noteArrival(slot, 0, bornMs);
    const isSole = !hasList && index === 0;
    this.#rows[slot * ROW + LENGTH] = lengthBytes + (isSole ? flags | SOLE : flags) * 2 ** LENGTH_BITS;
    if (isSole) this.#rows.set(key, slot * ROW);
    else this.#link(slot, key, index);
    this.#buckets.add(this.hashOf(slot), slot);
    this.#count++;
    return slot;
  }

  /** Removes a page. */
  remove(slot: number): void {
    const rows = this.#rows;
    const at = slot * ROW;
    this.#buckets.remove(this.hashOf(slot), slot);
    if (!this.has(slot, SOLE)) {
      const versionRef = rows[at + VERSION]!;
      const next = rows[at + NEXT]!;
      const previous = rows[at + PREVIOUS]!;
      if (next > 0) rows[(next - 1) * ROW + PREVIOUS] = previous;
      if (previous > 0) rows[(previous - 1) * ROW + NEXT] = next;
      else this.#heads[versionRef] = next;
      this.#versions.drop(versionRef);
    }
    rows[at + NEXT] = this.#free;
    rows[at + LENGTH] = 0;
    this.#free = slot + 1;
    this.#count--;
  }

  /** True if a page of the version is here. @throws RL_BAD_REQUEST */
  holds(id: VersionId): boolean {
    const ref = this.#versions.find(id);
    return (ref >= 0 && (this.#heads[ref] ?? 0) > 0) || this.find(id, 0) >= 0;
  }

  /** Slots of a version's pages, in no order. @throws RL_BAD_REQUEST */
  slotsOf(id: VersionId): number[] {
    const ref = this.#versions.find(id);
    let next = ref < 0 ? 0 : (this.#heads[ref] ?? 0);
    if (next === 0) {
      const sole = this.find(id, 0);
      return sole < 0 ? [] : [sole];
    }
    const slots: number[] = [];
    for (; next > 0; next = this.#rows[(next - 1) * ROW + NEXT]!) slots.push(next - 1);
    return slots;
  }

  versionOf(slot: number): VersionId {
    const at = slot * ROW;
    if (!this.has(slot, SOLE)) return this.#versions.idOf(this.#rows[at + VERSION]!);
    return formatVersionId(this.#rows, at);
  }

  /** Copies the four words of the page's version to a place of an array. */
  copyVersion(slot: number, into: Uint32Array, at: number): void {
    const row = slot * ROW;
    if (!this.has(slot, SOLE)) this.#versions.copyWords(this.#rows[row + VERSION]!, into, at);
    else for (let word = 0; word < 4; word++) into[at + word] = this.#rows[row + word]!;
  }

  indexOf(slot: number): number {
    return this.has(slot, SOLE) ? 0 : this.#rows[slot * ROW + INDEX]!;
  }

  lengthOf(slot: number): number {
    return this.#rows[slot * ROW + LENGTH]! & LENGTH_MASK;
  }

  /** The page's hash, as the eviction policy and the placement use it. */
  hashOf(slot: number): number {
    const rows = this.#rows;
    const at = slot * ROW;
    if (this.has(slot, SOLE)) return pageHash(rows[at]!, 0);
    return this.#versions.hashOf(rows[at + VERSION]!, rows[at + INDEX]!);
  }

  /** Bytes that the page is accounted for. */
  bytesOf(slot: number): number {
    return accountedBytes(this.lengthOf(slot));
  }

  /** Number of the page's version in the version table; -1 for the only page of a version, which has none. */
  versionRefOf(slot: number): number {
    return this.has(slot, SOLE) ? -1 : this.#rows[slot * ROW + VERSION]!;
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

  /** When the page came and how often it was used, as one number that restoreUse() takes in another process. */
  useWord(slot: number): number {
    return this.#born[slot]! | (this.#uses[slot]! << 16);
  }

  restoreUse(slot: number, word: number): void {
    this.#born[slot] = word & 0xffff;
    this.#uses[slot] = word >>> 16;
  }

  /** Milliseconds since the page came, to ten minutes; undefined for a page of an earlier process. */
  ageOf(slot: number, nowMs: number): number | undefined {
    const born = this.#born[slot]!;
    return born === 0 ? undefined : ((bornUnit(nowMs) - born) & 0xffff) * BORN_UNIT_MS;
  }

  /** Number of what rules say of the page; 0 where none speaks of it. */
  ruleClassOf(slot: number): number {
    return this.#ruleClasses?.[slot] ?? 0;
  }

  /** Sets it. `cameMs` is when the page came, where that is known better than here. */
  setRuleClass(slot: number, ruleClass: number, nowMs: number, cameMs?: number): void {
    if (this.#ruleClasses === undefined) {
      if (ruleClass === 0) return;
      this.#ruleClasses = new Uint8Array(this.#born.length);
      this.#came = this.#cameByBirth(nowMs);
    }
    this.#noteArrival(slot, ruleClass, cameMs);
  }

  /** When the page came, milliseconds since the Unix epoch, to a second; undefined where that is not known, or no rule speaks of any page. */
  cameMs(slot: number): number | undefined {
    const came = this.#came?.[slot] ?? 0;
    return came === 0 ? undefined : BORN_SINCE_MS + came * 1000;
  }

  /** Slots are below this; a slot below it may be free, and then has the length 0. */
  get top(): number {
    return this.#top;
  }

  has(slot: number, flag: number): boolean {
    return ((this.#rows[slot * ROW + LENGTH]! >>> LENGTH_BITS) & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.#rows[slot * ROW + LENGTH]! |= flag << LENGTH_BITS;
  }

  clear(slot: number, flag: number): void {
    this.#rows[slot * ROW + LENGTH]! &= ~(flag << LENGTH_BITS);
  }

  #noteArrival(slot: number, ruleClass: number, cameMs: number | undefined): void {
    if (slot >= this.#ruleClasses!.length) this.#ruleClasses = grown(this.#ruleClasses!, slot + 1);
    if (slot >= this.#came!.length) this.#came = grown(this.#came!, slot + 1);
    this.#ruleClasses![slot] = ruleClass;
    if (cameMs !== undefined) this.#came![slot] = Math.max(0, Math.floor((cameMs - BORN_SINCE_MS) / 1000));
  }

  /** The end of the ten minutes in which each page came, so that none is thought older than it is. */
  #cameByBirth(nowMs: number): Uint32Array<ArrayBuffer> {
    const came = new Uint32Array(this.#born.length);
    for (let slot = 0; slot < this.#top; slot++) {
      const ageMs = this.ageOf(slot, nowMs);
      if (ageMs !== undefined) came[slot] = (nowMs - Math.max(0, ageMs - BORN_UNIT_MS) - BORN_SINCE_MS) / 1000;
    }
    return came;
  }

  /** Makes the sole page of a version the first of its list; its hash stays the same. */
  #toList(slot: number, key: Uint32Array): void {
    this.clear(slot, SOLE);
    this.#link(slot, key, 0);
  }

  /** Puts a page at the head of its version's list, and counts it as a use of the version. */
  #link(slot: number, key: Uint32Array, index: number): void {
    const ref = this.#versions.acquire(key);
    if (ref >= this.#heads.length) this.#heads = grown(this.#heads, ref + 1);
    const rows = this.#rows;
    const at = slot * ROW;
    const head = this.#heads[ref]!;
    rows[at + VERSION] = ref;
    rows[at + INDEX] = index;
    rows[at + NEXT] = head;
    rows[at + PREVIOUS] = 0;
    if (head > 0) rows[(head - 1) * ROW + PREVIOUS] = slot + 1;
    this.#heads[ref] = slot + 1;
  }
}

/** A time as a page's birth is kept; never 0. */
function bornUnit(ms: number): number {
  return Math.floor((ms - BORN_SINCE_MS) / BORN_UNIT_MS) % 0xffff || 0xffff;
}
