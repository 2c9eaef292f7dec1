/** A set that remembers the last N members only. */
import { RecentMap } from "@ringlight/core";

/** See RecentMap. */
export class RecentSet {
  readonly #members: RecentMap<true>;

  constructor(limit: number) {
    this.#members = new RecentMap(limit);
  }

  get size(): number {
    return this.#members.size;
  }

  add(member: string): void {
    this.#members.set(member, true);
  }

  has(member: string): boolean {
    return this.#members.has(member);
  }

  delete(member: string): void {
    this.#members.delete(member);
  }
}
