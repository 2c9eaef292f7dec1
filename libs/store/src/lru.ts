/** Least recently used, exactly. */
import type { EvictionPolicy } from "./eviction-policy.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";

/** Evicts the page whose last use is longest ago. Best for pure recency; one scan empties it of what was hot. */
export class LruPolicy implements EvictionPolicy {
  readonly name = "lru";
  readonly #links = new SlotLinks();
  readonly #list = new SlotList(this.#links);

  get size(): number {
    return this.#list.size;
  }

  onInsert(slot: number, _hash: number, bytes: number): void {
    this.#links.reserve(slot);
    this.#links.bytes[slot] = bytes;
    this.#list.pushHead(slot);
  }

  onHit(slot: number): void {
    if (this.#list.head === slot) return;
    this.#list.remove(slot);
    this.#list.pushHead(slot);
  }

  onRemove(slot: number): void {
    this.#list.remove(slot);
  }

  victims(bytes: number, limit: number, into: number[]): void {
    let chosen = 0;
    let count = 0;
    while (chosen < bytes && count < limit && this.#list.tail >= 0) {
      const slot = this.#list.tail;
      this.#list.remove(slot);
      chosen += this.#links.bytes[slot]!;
      count++;
      into.push(slot);
    }
  }
}
