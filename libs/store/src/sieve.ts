/** SIEVE. */
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";
import { grown } from "./typed-array.ts";

/**
 * SIEVE (Zhang et al., NSDI 2024): one queue in order of insertion, a bit for "hit since the hand passed", and a hand that
 * goes from old to new, spares and clears marked pages and evicts the first unmarked one. Pages never move, so that a hit
 * is one write.
 */
export class SievePolicy implements EvictionPolicy {
  readonly name = "sieve";
  readonly #links = new SlotLinks();
  readonly #list: SlotList;
  #visited = new Uint8Array(64);
  #hand = -1;

  constructor(pages: EvictablePages) {
    this.#list = new SlotList(this.#links, pages);
  }

  get size(): number {
    return this.#list.size;
  }

  onInsert(slot: number): void {
    this.#links.reserve(slot);
    if (slot >= this.#visited.length) this.#visited = grown(this.#visited, slot + 1);
    this.#visited[slot] = 0;
    this.#list.pushHead(slot);
  }

  onRecover(slot: number): void {
    this.onInsert(slot);
  }

  onHit(slot: number): void {
    this.#visited[slot] = 1;
  }

  onRemove(slot: number): void {
    if (this.#hand === slot) this.#hand = this.#list.previousOf(slot);
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
    for (let count = 0; count < limit && this.#list.bytes > target && this.#list.size > 0; count++) {
      let slot = this.#hand >= 0 ? this.#hand : this.#list.tail;
      while (this.#visited[slot] === 1) {
        this.#visited[slot] = 0;
        slot = this.#list.previousOf(slot);
        if (slot < 0) slot = this.#list.tail;
      }
      this.#hand = slot;
      this.onRemove(slot);
      into.push(slot);
    }
  }
}
