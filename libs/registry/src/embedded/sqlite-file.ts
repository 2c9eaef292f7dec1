/**
 * The embedded registry's memory on disk: a SQLite file in WAL mode with full synchronisation. It holds the keys, the recent
 * events (so that a watch resumes across a restart) and the leases' ids and TTLs; a lease begins anew when the server
 * starts. One transaction a batch of changes. The file belongs to one server at a time: a lock is held while it is open.
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RinglightError } from "@ringlight/core";
import { keyBytes, keyOf } from "./key-range.ts";
import type { RevisionEntry, StoredKey, StoreEvent, StoreImage } from "./mvcc-store.ts";

/** A change to be stored. */
export type DiskChange =
  | { readonly kind: "entry"; readonly entry: RevisionEntry }
  | { readonly kind: "grant"; readonly id: number; readonly ttlS: number }
  | { readonly kind: "revoke"; readonly id: number }
  | { readonly kind: "compact"; readonly revision: number };

/** What was found on disk. */
export interface DiskImage {
  readonly store: StoreImage;
  readonly leases: readonly { readonly id: number; readonly ttlS: number }[];
  readonly clusterId: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS key (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
    version INTEGER NOT NULL, lease INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS event (
    revision INTEGER NOT NULL, position INTEGER NOT NULL, key BLOB NOT NULL, current TEXT, current_value BLOB,
    previous TEXT, previous_value BLOB, PRIMARY KEY (revision, position)) STRICT;
  CREATE TABLE IF NOT EXISTS lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL) STRICT;
`;

export class SqliteFile {
  readonly #db: DatabaseSync;
  readonly path: string;

  /** Opens or makes `registry.db` in the directory. @throws RL_NO_PERMISSION, RL_CONFLICT (in use), RL_INTERNAL (damaged). */
  constructor(dataDir: string) {
    this.path = join(dataDir, "registry.db");
    let db: DatabaseSync | undefined;
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      db = new DatabaseSync(this.path);
      db.exec("PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
      db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;");
      db.exec(SCHEMA);
      db.exec("COMMIT;");
      chmodSync(this.path, 0o600);
    } catch (error) {
      db?.close();
      throw this.#explain(error);
    }
    this.#db = db;
  }

  /** Reads everything. @throws RL_INTERNAL when the file is damaged. */
  load(): DiskImage {
    try {
      const meta = new Map(
        this.#db
          .prepare("SELECT name, value FROM meta")
          .all()
          .map((row) => [String(row.name), Number(row.value)]),
      );
      let clusterId = meta.get("cluster_id");
      if (clusterId === undefined) {
        clusterId = 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
        this.#setMeta("cluster_id", clusterId);
      }
      const keys = this.#db
        .prepare("SELECT key, value, created, modified, version, lease FROM key")
        .all()
        .map((row) => ({
          key: keyOf(row.key as Uint8Array),
          value: Buffer.from(row.value as Uint8Array),
          createRevision: Number(row.created),
          modRevision: Number(row.modified),
          version: Number(row.version),
          lease: Number(row.lease),
        }));
      const leases = this.#db
        .prepare("SELECT id, ttl FROM lease")
        .all()
        .map((row) => ({ id: Number(row.id), ttlS: Number(row.ttl) }));
      return {
        store: {
          revision: meta.get("revision") ?? 1,
          compactRevision: meta.get("compact_revision") ?? 0,
          keys,
          history: this.#loadHistory(),
        },
        leases,
        clusterId,
      };
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Stores a batch durably: when it returns, the batch survives a loss of power. If it throws, nothing was stored. */
  write(changes: readonly DiskChange[]): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const change of changes) this.#writeOne(change);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** Bytes of the file. */
  sizeBytes(): number {
    const row = this.#db
      .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
      .get();
    return Number(row?.bytes ?? 0);
  }

  close(): void {
    this.#db.close();
  }

  #writeOne(change: DiskChange): void {
    switch (change.kind) {
      case "entry": {
        const { revision, events } = change.entry;
        for (const [position, event] of events.entries()) this.#writeEvent(revision, position, event);
        this.#setMeta("revision", revision);
        break;
      }
      case "grant":
        this.#db.prepare("INSERT OR REPLACE INTO lease (id, ttl) VALUES (?, ?)").run(change.id, change.ttlS);
        break;
      case "revoke":
        this.#db.prepare("DELETE FROM lease WHERE id = ?").run(change.id);
        break;
      case "compact":
        this.#db.prepare("DELETE FROM event WHERE revision < ?").run(change.revision);
        this.#setMeta("compact_revision", change.revision);
        break;
    }
  }

  #writeEvent(revision: number, position: number, { key, current, previous }: StoreEvent): void {
    const bytes = keyBytes(key);
    this.#db
      .prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(
        revision,
        position,
        bytes,
        numbersOf(current),
        current?.value ?? null,
        numbersOf(previous),
        previous?.value ?? null,
      );
    if (current === undefined) this.#db.prepare("DELETE FROM key WHERE key = ?").run(bytes);
    else {
      this.#db
        .prepare("INSERT OR REPLACE INTO key VALUES (?, ?, ?, ?, ?, ?)")
        .run(bytes, current.value, current.createRevision, current.modRevision, current.version, current.lease);
    }
  }

  #loadHistory(): RevisionEntry[] {
    const history: { revision: number; events: StoreEvent[] }[] = [];
    for (const row of this.#db.prepare("SELECT * FROM event ORDER BY revision, position").iterate()) {
      const revision = Number(row.revision);
      const key = keyOf(row.key as Uint8Array);
      const event = {
        key,
        current: stateOf(key, row.current, row.current_value),
        previous: stateOf(key, row.previous, row.previous_value),
      };
      const last = history.at(-1);
      if (last?.revision === revision) last.events.push(event);
      else history.push({ revision, events: [event] });
    }
    return history;
  }

  #setMeta(name: string, value: number): void {
    this.#db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(name, value);
  }

  #explain(error: unknown): RinglightError {
    const reason = error instanceof Error ? error.message : String(error);
    if (/EACCES|EPERM|EROFS|readonly|unable to open/i.test(reason)) {
      return new RinglightError(
        "RL_NO_PERMISSION",
        `the registry cannot use ${this.path}: ${reason}; give this user access, or choose another data directory`,
        { cause: error },
      );
    }
    if (/locked|busy/i.test(reason)) {
      return new RinglightError(
        "RL_CONFLICT",
        `${this.path} is in use by another process; stop that registry, or choose another data directory`,
        { cause: error },
      );
    }
    if (/ENOSPC|full/i.test(reason)) {
      return new RinglightError(
        "RL_DISK_FULL",
        `the registry cannot write ${this.path}: ${reason}; free some space, or choose another data directory`,
        { cause: error },
      );
    }
    return new RinglightError(
      "RL_INTERNAL",
      `the registry cannot read ${this.path}: ${reason}; move the file away, and the running members will restore what they know`,
      { cause: error },
    );
  }
}

/** Numbers of a state as "created,modified,version,lease". */
function numbersOf(state: StoredKey | undefined): string | null {
  if (state === undefined) return null;
  return `${state.createRevision},${state.modRevision},${state.version},${state.lease}`;
}

function stateOf(key: string, numbers: unknown, value: unknown): StoredKey | undefined {
  if (typeof numbers !== "string" || !(value instanceof Uint8Array)) return undefined;
  const [createRevision = 0, modRevision = 0, version = 0, lease = 0] = numbers.split(",").map(Number);
  return { key, value: Buffer.from(value), createRevision, modRevision, version, lease };
}
