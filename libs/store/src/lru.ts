/** Least recently used, exactly. */
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";

/** Evicts the page whose last use is longest ago. Best for pure recency; one scan empties it of what was hot. */
export class LruPolicy implements EvictionPolicy {
  readonly name = "lru";
  readonly #links = new SlotLinks();
  readonly #list: SlotList;

  constructor(pages: EvictablePages) {
    this.#list = new SlotList(this.#links, pages);
  }

  get size(): number {
    return this.#list.size;
  }

  onInsert(slot: number): void {
    this.#links.reserve(slot);
    this.#list.pushHead(slot);
  }

  onRecover(slot: number): void {
    this.onInsert(slot);
  }

  onHit(slot: number): void {
    this.#list.toHead(slot);
  }

  onRemove(slot: number): void {
    this.#list.remove(slot);
  }

  onMiss(): void {}

  frequencyOf(): number {
    return 0;
  }

  admits(): boolean {
    return true;
  }

  victims(bytes: number, limit: number, into: number[]): void {
    const target = this.#list.bytes - bytes;
    for (let count = 0; count < limit && this.#list.bytes > target && this.#list.tail >= 0; count++) {
      const slot = this.#list.tail;
      this.#list.remove(slot);
      into.push(slot);
    }
  }
}
