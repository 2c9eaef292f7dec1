/** S3-FIFO. */
import type { EvictionPolicy } from "./eviction-policy.ts";
import { grown } from "./page-table.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";

/** Share of the bytes that the small queue may hold before it gives up pages first. */
const SMALL_SHARE = 0.1;
/** Hits that a page of the small queue needs to move to the main queue. */
const PROMOTE_HITS = 2;
const MAX_HITS = 3;
/** Length of the ghost as a share of the pages held: as many as the main queue holds when the cache is full. */
const GHOST_SHARE = 0.9;

/**
 * S3-FIFO (Yang et al., SOSP 2023), weighted by bytes. New pages enter a small queue; what is not hit twice there leaves
 * within a tenth of the cache's bytes, so that a scan passes without touching the main queue. Pages that come again soon
 * after they left (the ghost knows their hashes) enter the main queue, which is a FIFO with re-insertion of what was hit.
 * A hit is one write to a byte.
 */
export class S3FifoPolicy implements EvictionPolicy {
  readonly name = "s3fifo";
  readonly #links = new SlotLinks();
  readonly #small = new SlotList(this.#links);
  readonly #main = new SlotList(this.#links);
  readonly #ghost = new Ghost();
  /** Hits, 0 to 3. */
  #hits = new Uint8Array(64);
  #inMain = new Uint8Array(64);
  #hash = new Uint32Array(64);

  get size(): number {
    return this.#small.size + this.#main.size;
  }

  onInsert(slot: number, hash: number, bytes: number): void {
    this.#links.reserve(slot);
    if (slot >= this.#hits.length) {
      this.#hits = grown(this.#hits, slot + 1);
      this.#inMain = grown(this.#inMain, slot + 1);
      this.#hash = grown(this.#hash, slot + 1);
    }
    this.#links.bytes[slot] = bytes;
    this.#hits[slot] = 0;
    this.#hash[slot] = hash;
    const known = this.#ghost.take(hash, this.size * GHOST_SHARE);
    this.#inMain[slot] = known ? 1 : 0;
    (known ? this.#main : this.#small).pushHead(slot);
  }

  onHit(slot: number): void {
    if (this.#hits[slot]! < MAX_HITS) this.#hits[slot]!++;
  }

  onRemove(slot: number): void {
    (this.#inMain[slot] === 1 ? this.#main : this.#small).remove(slot);
  }

  victims(bytes: number, limit: number, into: number[]): void {
    let chosen = 0;
    for (let count = 0; count < limit && chosen < bytes && this.size > 0; count++) {
      const small = this.#small.bytes >= (this.#small.bytes + this.#main.bytes) * SMALL_SHARE;
      let slot = small || this.#main.size === 0 ? this.#fromSmall() : -1;
      if (slot < 0) slot = this.#fromMain();
      if (slot < 0) slot = this.#fromSmall();
      if (slot < 0) return;
      chosen += this.#links.bytes[slot]!;
      into.push(slot);
    }
  }

  #fromSmall(): number {
    for (let slot = this.#small.tail; slot >= 0; slot = this.#small.tail) {
      this.#small.remove(slot);
      if (this.#hits[slot]! < PROMOTE_HITS) {
        this.#ghost.add(this.#hash[slot]!, this.size);
        return slot;
      }
      this.#hits[slot] = 0;
      this.#inMain[slot] = 1;
      this.#main.pushHead(slot);
    }
    return -1;
  }

  #fromMain(): number {
    for (let slot = this.#main.tail; slot >= 0; slot = this.#main.tail) {
      this.#main.remove(slot);
      if (this.#hits[slot] === 0) return slot;
      this.#hits[slot]!--;
      this.#main.pushHead(slot);
    }
    return -1;
  }
}

/**
 * Hashes of pages that left the small queue, the last so many of them: a table of four ways a set with the time of each
 * entry, counted in additions. An entry is valid for so many additions as the caller says.
 */
class Ghost {
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
    const length = grown(hashes, pages).length;
    this.#hashes = new Uint32Array(length);
    this.#times = new Uint32Array(length);
    for (let at = 0; at < hashes.length; at++) if (times[at] !== 0) this.#put(hashes[at]!, times[at]!);
  }
}
