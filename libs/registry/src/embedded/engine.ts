/**
 * The heart of the embedded registry: store, leases and disk under one rule, **nothing is visible before it is durable**.
 * Operations run at once in memory and in order; what they changed is written in one disk transaction at the end of the
 * event-loop turn, and only then are callers answered and watchers told. A failed write throws the unwritten changes away
 * by reading the disk again, and fails their callers: nobody has seen them. Without a directory all of this stays in memory.
 */
import type { Clock } from "@ringlight/core";
import type { ResponseHeader } from "@ringlight/proto/etcd";
import { EtcdStatusError, etcdErrors } from "./etcd-error.ts";
import { LeaseTable } from "./lease-table.ts";
import { type HistoryLimits, MvccStore } from "./mvcc-store.ts";
import type { DiskChange, DiskImage, SqliteFile } from "./sqlite-file.ts";

const LEASE_TICK_MS = 200;
const MEMBER_ID = 1;

interface Waiting {
  readonly done: () => void;
  readonly fail: (error: Error) => void;
}

export interface EngineOptions {
  readonly clock: Clock;
  readonly disk?: SqliteFile;
  readonly historyLimits?: HistoryLimits;
  /** Told when the disk fails, and when it works again. */
  readonly onDiskError: (error: unknown) => void;
}

export class RegistryEngine {
  readonly leases: LeaseTable;
  readonly #options: EngineOptions;
  #store: MvccStore;
  #clusterId: number;
  #changes: DiskChange[] = [];
  #waiting: Waiting[] = [];
  #flushScheduled = false;
  #visibleRevision: number;
  #closed = false;
  readonly #commitListeners = new Set<() => void>();
  readonly #ticker: NodeJS.Timeout;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.leases = new LeaseTable(options.clock);
    const image = options.disk?.load();
    this.#store = new MvccStore(image?.store, options.historyLimits);
    this.#clusterId = image?.clusterId ?? 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
    if (image !== undefined) this.#adoptLeases(image);
    this.#visibleRevision = this.#store.revision;
    this.#ticker = setInterval(() => this.#expireLeases(), LEASE_TICK_MS);
  }

  get store(): MvccStore {
    return this.#store;
  }

  get memberId(): number {
    return MEMBER_ID;
  }

  /** Revision up to which everything is durable: what watchers may know. */
  get visibleRevision(): number {
    return this.#visibleRevision;
  }

  get diskBytes(): number {
    return this.#options.disk?.sizeBytes() ?? 0;
  }

  header(revision = this.#store.pendingRevision): ResponseHeader {
    return { clusterId: this.#clusterId, memberId: MEMBER_ID, revision, raftTerm: 1 };
  }

  /** Calls the listener whenever visibleRevision has grown or history was compacted. */
  onCommit(listener: () => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  /** Runs an operation and answers when everything that it changed or saw is durable. */
  run<T>(operation: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(etcdErrors.stopped());
        return;
      }
      let result: T;
      try {
        result = operation();
      } catch (error) {
        reject(error);
        return;
      }
      // Nothing is pending, so that nothing undurable was seen.
      if (this.#changes.length === 0) {
        resolve(result);
        return;
      }
      this.#waiting.push({ done: () => resolve(result), fail: reject });
      this.#scheduleFlush();
    });
  }

  /** Within run(): makes one revision of what `change` does to the store. */
  mutate<T>(change: () => T): T {
    const { result, entry } = this.#store.commit(change);
    if (entry !== undefined) {
      for (const event of entry.events) {
        this.leases.move(event.key, event.previous?.lease ?? 0, event.current?.lease ?? 0);
      }
      this.#record({ kind: "entry", entry });
      if (this.#store.compactIfLarge()) this.#record({ kind: "compact", revision: this.#store.compactRevision });
    }
    return result;
  }

  /** Within run(): grants a lease; id 0 means any. */
  grantLease(id: number, ttlS: number): { readonly id: number; readonly ttlS: number } {
    const lease = this.leases.grant(id, ttlS);
    this.#record({ kind: "grant", id: lease.id, ttlS: lease.ttlS });
    return lease;
  }

  /** Within run(): ends a lease and deletes its keys in one revision. @throws lease not found. */
  revokeLease(id: number): void {
    const lease = this.leases.require(id);
    const keys = [...lease.keys].sort();
    this.mutate(() => {
      for (const key of keys) this.#store.delete(key);
    });
    this.leases.remove(id);
    this.#record({ kind: "revoke", id });
  }

  /** Within run(): drops history below the revision. */
  compact(revision: number): void {
    this.#store.compact(revision);
    this.#record({ kind: "compact", revision });
  }

  /** Writes what is pending, fails who comes later, and closes the disk. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#options.disk?.close();
  }

  #record(change: DiskChange): void {
    this.#changes.push(change);
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#closed) return;
    const changes = this.#changes;
    const waiting = this.#waiting;
    this.#changes = [];
    this.#waiting = [];
    if (changes.length > 0 && this.#options.disk !== undefined) {
      try {
        this.#options.disk.write(changes);
      } catch (error) {
        this.#fallBackToDisk(error, waiting);
        return;
      }
    }
    this.#visibleRevision = this.#store.revision;
    for (const caller of waiting) caller.done();
    if (changes.length > 0) for (const listener of this.#commitListeners) listener();
  }

  /** The disk refused: the changes never happened. */
  #fallBackToDisk(error: unknown, waiting: readonly Waiting[]): void {
    this.#options.onDiskError(error);
    const failure = etcdErrors.notPersisted(error instanceof Error ? error.message : String(error));
    for (const caller of waiting) caller.fail(failure);
    try {
      const image = this.#options.disk?.load();
      if (image === undefined) return;
      this.#store = new MvccStore(image.store, this.#options.historyLimits);
      this.#adoptLeases(image);
    } catch (loadError) {
      this.#options.onDiskError(loadError);
    }
  }

  #adoptLeases(image: DiskImage): void {
    this.leases.clear();
    for (const lease of image.leases) this.leases.grant(lease.id, lease.ttlS);
    for (const key of image.store.keys) this.leases.move(key.key, 0, key.lease);
    this.#clusterId = image.clusterId;
  }

  #expireLeases(): void {
    for (const lease of this.leases.tick()) {
      this.run(() => this.revokeLease(lease.id)).catch((error: unknown) => {
        if (!(error instanceof EtcdStatusError)) this.#options.onDiskError(error);
      });
    }
  }
}
