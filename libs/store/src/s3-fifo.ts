/** S3-FIFO. */
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { Ghost } from "./ghost.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";
import { grown } from "./typed-array.ts";

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
  readonly #pages: EvictablePages;
  readonly #small: SlotList;
  readonly #main: SlotList;
  readonly #ghost = new Ghost();
  /** Hits, 0 to 3. */
  #hits = new Uint8Array(64);
  #inMain = new Uint8Array(64);

  constructor(pages: EvictablePages) {
    this.#pages = pages;
    this.#small = new SlotList(this.#links, pages);
    this.#main = new SlotList(this.#links, pages);
  }

  get size(): number {
    return this.#small.size + this.#main.size;
  }

  onInsert(slot: number): void {
    this.#links.reserve(slot);
    if (slot >= this.#hits.length) this.#hits = grown(this.#hits, slot + 1);
    if (slot >= this.#inMain.length) this.#inMain = grown(this.#inMain, slot + 1);
    this.#hits[slot] = 0;
    const known = this.#ghost.take(this.#pages.hashOf(slot), this.size * GHOST_SHARE);
    this.#inMain[slot] = known ? 1 : 0;
    (known ? this.#main : this.#small).pushHead(slot);
  }

  onRecover(slot: number): void {
    this.onInsert(slot);
  }

  onHit(slot: number): void {
    if (this.#hits[slot]! < MAX_HITS) this.#hits[slot]!++;
  }

  onRemove(slot: number): void {
    (this.#inMain[slot] === 1 ? this.#main : this.#small).remove(slot);
  }

  onMiss(): void {}

  frequencyOf(): number {
    return 0;
  }

  admits(): boolean {
    return true;
  }

  victims(bytes: number, limit: number, into: number[]): void {
    const target = this.#bytes() - bytes;
    for (let count = 0; count < limit && this.#bytes() > target && this.size > 0; count++) {
      const small = this.#small.bytes >= this.#bytes() * SMALL_SHARE;
      let slot = small || this.#main.size === 0 ? this.#fromSmall() : -1;
      if (slot < 0) slot = this.#fromMain();
      if (slot < 0) slot = this.#fromSmall();
      if (slot < 0) return;
      into.push(slot);
    }
  }

  #bytes(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  #fromSmall(): number {
    for (let slot = this.#small.tail; slot >= 0; slot = this.#small.tail) {
      this.#small.remove(slot);
      if (this.#hits[slot]! < PROMOTE_HITS) {
        this.#ghost.add(this.#pages.hashOf(slot), this.size);
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
