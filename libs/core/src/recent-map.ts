/**
 * A map of the entries that were set or used last, and of no more than so many.
 *
 * The oldest entry is found by an iterator that stays where it was: a new one steps over all places of the Map's table whose
 * entries left since the table was last made anew, and most of these are at its beginning. With 16,384 entries that made an entry
 * that took another's place cost 7.3 µs in place of 0.9, with 200,000 54 in place of 1.5.
 */
export class RecentMap<V extends NonNullable<unknown>> {
  readonly #limit: number;
  readonly #entries = new Map<string, V>();
  /** Has passed nothing but entries that left. */
  #oldest: MapIterator<string> | undefined;
  /** Entries that came since one had to leave. */
  #calm = 0;

  /** @param limit entries that are kept at most */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The value, which is the newest from now on. */
  use(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Sets the entry, which is the newest from now on. */
  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) this.#dropOldest();
    // An iterator that is not asked keeps the tables alive that the Map has left since.
    else if (this.#oldest !== undefined && ++this.#calm > this.#limit) this.#oldest = undefined;
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  /** From the oldest to the newest. */
  entries(): MapIterator<[string, V]> {
    return this.#entries.entries();
  }

  #dropOldest(): void {
    this.#calm = 0;
    this.#oldest ??= this.#entries.keys();
    let next = this.#oldest.next();
    if (next.done === true) {
      this.#oldest = this.#entries.keys();
      next = this.#oldest.next();
    }
    if (next.done !== true) this.#entries.delete(next.value);
  }
}
