/** Admit until full, then only hits. */
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";

/**
 * Keeps what came first. For readers that ask for each page once an epoch this is the best there is: each epoch hits what
 * was resident at its start, which is never more than the cache holds. The volume refuses pages when it is full, so that
 * this policy chooses victims only when the limit became smaller: the newest first, whose loss is equal to any other's.
 */
export class FreezePolicy implements EvictionPolicy {
  readonly name = "freeze";
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

  onHit(): void {}

  onRemove(slot: number): void {
    this.#list.remove(slot);
  }

  onMiss(): void {}

  frequencyOf(): number {
    return 0;
  }

  admits(): boolean {
    return false;
  }

  victims(bytes: number, limit: number, into: number[]): void {
    const target = this.#list.bytes - bytes;
    for (let count = 0; count < limit && this.#list.bytes > target && this.#list.head >= 0; count++) {
      into.push(this.#list.head);
      this.#list.remove(this.#list.head);
    }
  }
}
