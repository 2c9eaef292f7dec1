/** Doubly linked lists of slots in typed arrays. */
import type { EvictablePages } from "./eviction-policy.ts";
import { grown } from "./typed-array.ts";

/** Links of all slots; lists that share them are disjoint. 8 bytes a slot. */
export class SlotLinks {
  next = new Int32Array(64);
  previous = new Int32Array(64);

  /** Makes room for a slot. */
  reserve(slot: number): void {
    if (slot < this.next.length) return;
    this.next = grown(this.next, slot + 1);
    this.previous = grown(this.previous, slot + 1);
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
    const links = this.#links;
    links.previous[slot] = -1;
    links.next[slot] = this.head;
    if (this.head >= 0) links.previous[this.head] = slot;
    else this.tail = slot;
    this.head = slot;
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
    const links = this.#links;
    links.previous[slot] = -1;
    links.next[slot] = this.head;
    if (this.head >= 0) links.previous[this.head] = slot;
    else this.tail = slot;
    this.head = slot;
  }

  #unlink(slot: number): void {
    const links = this.#links;
    const previous = links.previous[slot]!;
    const next = links.next[slot]!;
    if (previous >= 0) links.next[previous] = next;
    else this.head = next;
    if (next >= 0) links.previous[next] = previous;
    else this.tail = previous;
  }
}
