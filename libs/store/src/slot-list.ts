/** Doubly linked lists of slots in typed arrays. */
import type { EvictablePages } from "./eviction-policy.ts";
import { grown } from "./typed-array.ts";

/**
 * Links of all slots; lists that share them are disjoint. 8 bytes a slot: at 2 × slot the next one, behind it the previous
 * one, so that both are in one cache line.
 */
export class SlotLinks {
  pairs = new Int32Array(128);

  /** Makes room for a slot. */
  reserve(slot: number): void {
    if (slot * 2 >= this.pairs.length) this.pairs = grown(this.pairs, slot * 2 + 2);
  }
}

/** One list: head is the newest end. Ends are -1 when it is empty. */
export class SlotList {
  head = -1;
  tail = -1;
  size = 0;
  /** Bytes of the pages in the list. */
  bytes = 0;
  readonly #links: SlotLinks;
  readonly #pages: EvictablePages;

  constructor(links: SlotLinks, pages: EvictablePages) {
    this.#links = links;
    this.#pages = pages;
  }

  pushHead(slot: number): void {
    this.#linkHead(slot);
    this.size++;
    this.bytes += this.#pages.bytesOf(slot);
  }

  remove(slot: number): void {
    this.#unlink(slot);
    this.size--;
    this.bytes -= this.#pages.bytesOf(slot);
  }

  /** Moves a slot of the list to its head. */
  toHead(slot: number): void {
    if (this.head === slot) return;
    this.#unlink(slot);
    this.#linkHead(slot);
  }

  /** The next newer slot; -1 for the head. */
  previousOf(slot: number): number {
    return this.#links.pairs[slot * 2 + 1]!;
  }

  #linkHead(slot: number): void {
    const { pairs } = this.#links;
    const { head } = this;
    pairs[slot * 2] = head;
    pairs[slot * 2 + 1] = -1;
    if (head >= 0) pairs[head * 2 + 1] = slot;
    else this.tail = slot;
    this.head = slot;
  }

  #unlink(slot: number): void {
    const { pairs } = this.#links;
    const next = pairs[slot * 2]!;
    const previous = pairs[slot * 2 + 1]!;
    if (previous >= 0) pairs[previous * 2] = next;
    else this.head = next;
    if (next >= 0) pairs[next * 2 + 1] = previous;
    else this.tail = previous;
  }
}
