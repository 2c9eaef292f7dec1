/** A set that remembers the last N members only. */
export class RecentSet {
  readonly #limit: number;
  readonly #members = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(member: string): void {
    this.#members.delete(member);
    this.#members.add(member);
    if (this.#members.size > this.#limit) this.#members.delete(this.#members.values().next().value ?? "");
  }

  has(member: string): boolean {
    return this.#members.has(member);
  }

  delete(member: string): void {
    this.#members.delete(member);
  }
}
