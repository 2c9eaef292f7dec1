/**
 * The key-value store of the embedded registry: etcd's model in memory. Every mutation makes one revision with one or more
 * events; the events of the last revisions are kept (bounded), which serves watches that resume, and reads in the past by
 * undoing events backwards from the present. Single-threaded; a mutation is all or nothing. It knows nothing of leases but
 * the number attached to a key, nor of disks: whoever owns it takes the entries that `commit` hands out.
 */
import { etcdErrors } from "./etcd-error.ts";
import { inRange, type KeyRange } from "./key-range.ts";

/** One key's current state. Immutable; a change makes a new one. */
export interface StoredKey {
  readonly key: string;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** 0 for none. */
  readonly lease: number;
}

/** One change of one key. `current` is undefined for a deletion, `previous` for a creation. */
export interface StoreEvent {
  readonly key: string;
  readonly current: StoredKey | undefined;
  readonly previous: StoredKey | undefined;
}

/** One revision: all its changes, in order. */
export interface RevisionEntry {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

/** Bounds of the history. */
export interface HistoryLimits {
  readonly revisions: number;
  readonly bytes: number;
}

/** What a saved store consists of. */
export interface StoreImage {
  readonly revision: number;
  readonly compactRevision: number;
  readonly keys: readonly StoredKey[];
  readonly history: readonly RevisionEntry[];
}

const DEFAULT_LIMITS: HistoryLimits = { revisions: 10_000, bytes: 32 * 1024 * 1024 };

export class MvccStore {
  #keys = new Map<string, StoredKey>();
  /** Keys in the order of their bytes; undefined after a key came or went, made again when a range is asked for. */
  #sorted: string[] | undefined = [];
  #history: RevisionEntry[] = [];
  #historyBytes = 0;
  #revision: number;
  #compactRevision: number;
  #open: StoreEvent[] | undefined;
  readonly #limits: HistoryLimits;

  constructor(image?: StoreImage, limits: HistoryLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
    this.#revision = image?.revision ?? 1;
    this.#compactRevision = image?.compactRevision ?? 0;
    for (const entry of image?.keys ?? []) this.#keys.set(entry.key, entry);
    this.#sorted = undefined;
    for (const entry of image?.history ?? []) {
      this.#history.push(entry);
      this.#historyBytes += entrySize(entry);
    }
  }

  /** Revision of the last change; 1 for a store that never changed. */
  get revision(): number {
    return this.#revision;
  }

  /** Revision that stands when the running commit() ends as it is now. */
  get pendingRevision(): number {
    return this.#revision + (this.#open !== undefined && this.#open.length > 0 ? 1 : 0);
  }

  /** Revisions below this one are gone. */
  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Number of keys. */
  get size(): number {
    return this.#keys.size;
  }

  get(key: string): StoredKey | undefined {
    return this.#keys.get(key);
  }

  /** Keys of a range in order, now or as of a past revision. @throws compacted or future revision, as etcd words it. */
  range(range: KeyRange, atRevision = 0): StoredKey[] {
    if (atRevision > 0 && atRevision !== this.#revision) return this.#rangeInPast(range, atRevision);
    if (range.end === "") {
      const found = this.#keys.get(range.start);
      return found === undefined ? [] : [found];
    }
    this.#sorted ??= [...this.#keys.keys()].sort();
    const sorted = this.#sorted;
    const found: StoredKey[] = [];
    for (let i = lowerBound(sorted, range.start); i < sorted.length; i++) {
      const key = sorted[i]!;
      if (range.end !== "\0" && key >= range.end) break;
      found.push(this.#keys.get(key)!);
    }
    return found;
  }

  /**
   * Runs `change`, whose put() and delete() calls make one revision together, and returns it; undefined when nothing
   * changed. If it throws, nothing has happened. Not re-entrant: nested transactions run within the outermost call.
   */
  commit<T>(change: () => T): { readonly result: T; readonly entry: RevisionEntry | undefined } {
    this.#open = [];
    let result: T;
    try {
      result = change();
    } catch (error) {
      for (const event of this.#open.toReversed()) this.#set(event.key, event.previous);
      this.#open = undefined;
      throw error;
    }
    const events = this.#open;
    this.#open = undefined;
    if (events.length === 0) return { result, entry: undefined };
    this.#revision++;
    const entry = { revision: this.#revision, events };
    this.#history.push(entry);
    this.#historyBytes += entrySize(entry);
    return { result, entry };
  }

  /** Within commit(): writes a key. */
  put(key: string, value: Buffer, lease: number): StoredKey {
    const previous = this.#keys.get(key);
    const revision = this.#revision + 1;
    const current = {
      key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      lease,
    };
    this.#record({ key, current, previous });
    return current;
  }

  /** Within commit(): deletes a key. */
  delete(key: string): void {
    const previous = this.#keys.get(key);
    if (previous !== undefined) this.#record({ key, current: undefined, previous });
  }

  /** Entries from a revision on, oldest first. The caller has checked that it is not compacted. */
  *entriesFrom(revision: number): Generator<RevisionEntry> {
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.#history.length; i++) yield this.#history[i]!;
  }

  /** Drops history below the revision. @throws compacted or future revision, as etcd words it. */
  compact(revision: number): void {
    if (revision > this.#revision) throw etcdErrors.futureRevision();
    if (revision <= this.#compactRevision) throw etcdErrors.compacted();
    const keep = this.#history.findIndex((entry) => entry.revision >= revision);
    this.#dropHistory(keep === -1 ? this.#history.length : keep);
    this.#compactRevision = revision;
  }

  /** Compacts to half of the limits when the history has outgrown them. Returns whether it did. */
  compactIfLarge(): boolean {
    if (this.#history.length <= this.#limits.revisions && this.#historyBytes <= this.#limits.bytes) return false;
    let drop = 0;
    let bytes = this.#historyBytes;
    while (
      drop < this.#history.length - 1 &&
      (this.#history.length - drop > this.#limits.revisions / 2 || bytes > this.#limits.bytes / 2)
    ) {
      bytes -= entrySize(this.#history[drop]!);
      drop++;
    }
    this.#dropHistory(drop);
    this.#compactRevision = this.#history[0]!.revision;
    return true;
  }

  #record(event: StoreEvent): void {
    if (this.#open === undefined) throw new Error("put and delete belong within commit()");
    this.#open.push(event);
    this.#set(event.key, event.current);
  }

  #set(key: string, state: StoredKey | undefined): void {
    const known = this.#keys.has(key);
    if (state === undefined) this.#keys.delete(key);
    else this.#keys.set(key, state);
    if (known !== (state !== undefined)) this.#sorted = undefined;
  }

  #rangeInPast(range: KeyRange, revision: number): StoredKey[] {
    if (revision > this.#revision) throw etcdErrors.futureRevision();
    if (revision < this.#compactRevision) throw etcdErrors.compacted();
    const state = new Map<string, StoredKey>();
    for (const entry of this.range(range)) state.set(entry.key, entry);
    for (const { events } of [...this.entriesFrom(revision + 1)].reverse()) {
      for (const event of events.toReversed()) {
        if (!inRange(event.key, range)) continue;
        if (event.previous === undefined) state.delete(event.key);
        else state.set(event.key, event.previous);
      }
    }
    return [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #dropHistory(count: number): void {
    for (const entry of this.#history.splice(0, count)) this.#historyBytes -= entrySize(entry);
  }
}

function entrySize(entry: RevisionEntry): number {
  let bytes = 64;
  for (const event of entry.events) bytes += 64 + event.key.length + (event.current?.value.length ?? 0);
  return bytes;
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
