/** Entries that are set before a map is copied, and how many more for each that it holds: copying must cost next to nothing. */
const SETS = 256;
const SETS_AN_ENTRY = 4;

/**
 * A map by string for what comes and goes thousands of times a second: what is in flight.
 *
 * When a Map has no room left for another entry it gets a new table, and the one of before goes on pointing to it and to the
 * entries that it held. Once such a table is old and dead, the collector of the young generation takes all tables that came
 * after it, and what was in flight whenever one of them was replaced, for alive, and copies it into the old generation. A copy
 * of the map begins with tables that no older one knows, so this one is copied again and again. (The properties of an object
 * have no such tables, but V8 makes each of their names one of its lasting strings.)
 */
export class TransientMap<V> {
  #entries = new Map<string, V>();
  #sets = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  set(key: string, value: V): void {
    if (++this.#sets > SETS + SETS_AN_ENTRY * this.#entries.size) {
      this.#sets = 0;
      this.#entries = new Map(this.#entries);
    }
    this.#entries.set(key, value);
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  /** The values now: entries may come and go meanwhile. */
  values(): V[] {
    return [...this.#entries.values()];
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
