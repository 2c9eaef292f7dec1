/**
 * A map by string for what comes and goes thousands of times a second: what is in flight.
 *
 * When a Map has no room left for another entry it gets a new table, and the one of before goes on pointing to it and to the
 * entries that it held. Once such a table is old and dead, the collector of the young generation takes all tables that came
 * after it, and what was in flight whenever one of them was replaced, for alive, and copies it into the old generation. The
 * properties of an object lie in tables that know nothing of each other.
 */
export class TransientMap<V> {
  readonly #entries: Record<string, V | undefined> = Object.create(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#entries[key];
  }

  has(key: string): boolean {
    return this.#entries[key] !== undefined;
  }

  set(key: string, value: V): void {
    if (this.#entries[key] === undefined) this.#size++;
    this.#entries[key] = value;
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    if (this.#entries[key] === undefined) return false;
    delete this.#entries[key];
    this.#size--;
    return true;
  }

  values(): V[] {
    return Object.values(this.#entries) as V[];
  }
}

/** What a bag holds knows its place in it. */
export interface Bagged {
  /** Of the bag alone; -1 outside of one. */
  place: number;
}

/** A set, in no order, for what comes and goes as often; see TransientMap. A member is in one bag at most. */
export class TransientBag<T extends Bagged> {
  readonly #members: T[] = [];

  /** Once more does nothing. */
  add(member: T): void {
    if (member.place >= 0) return;
    member.place = this.#members.length;
    this.#members.push(member);
  }

  delete(member: T): void {
    const { place } = member;
    if (place < 0) return;
    member.place = -1;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    last.place = place;
    this.#members[place] = last;
  }

  /** The members now: they may leave meanwhile. */
  values(): T[] {
    return [...this.#members];
  }
}
