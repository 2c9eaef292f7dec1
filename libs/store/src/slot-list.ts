/** Doubly linked lists of slots in typed arrays. */
import { grown } from "./page-table.ts";

/** Links of all slots; lists that share them are disjoint. 12 bytes a slot, the page's bytes included. */
export class SlotLinks {
  next = new Int32Array(64);
  previous = new Int32Array(64);
  /** Bytes of the page in each slot. */
  bytes = new Uint32Array(64);

  /** Makes room for a slot. */
  reserve(slot: number): void {
    if (slot < this.next.length) return;
    this.next = grown(this.next, slot + 1);
    this.previous = grown(this.previous, slot + 1);
    this.bytes = grown(this.bytes, slot + 1);
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

  constructor(links: SlotLinks) {
    this.#links = links;
  }

  pushHead(slot: number): void {
    const links = this.#links;
    links.previous[slot] = -1;
    links.next[slot] = this.head;
    if (this.head >= 0) links.previous[this.head] = slot;
    else this.tail = slot;
    this.head = slot;
    this.size++;
    this.bytes += links.bytes[slot]!;
  }

  remove(slot: number): void {
    const links = this.#links;
    const previous = links.previous[slot]!;
    const next = links.next[slot]!;
    if (previous >= 0) links.next[previous] = next;
    else this.head = next;
    if (next >= 0) links.previous[next] = previous;
    else this.tail = previous;
    this.size--;
    this.bytes -= links.bytes[slot]!;
  }
}
