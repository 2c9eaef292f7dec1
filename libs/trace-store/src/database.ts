/**
 * The file that everything is kept in: SQLite in WAL mode, opened by one process at a time. `synchronous=NORMAL`: what was
 * committed survives the end of the process by any signal; a loss of power may take the last moments, never the file.
 */
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { RinglightError } from "@ringlight/core";

const FILE = "telemetry.db";
/** Of the schema; a file of another number is put aside, for what it holds can be gathered anew. */
const SCHEMA_VERSION = 2;

/** A fragment of some 1.5 KB is the most of what is stored: of larger pages less is left over beside it, of these a tenth. */
const PAGE_BYTES = 8192;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS resource (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS trace (
    id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, start REAL NOT NULL, finish REAL NOT NULL,
    spans INTEGER NOT NULL, errors INTEGER NOT NULL, kept INTEGER NOT NULL, bytes INTEGER NOT NULL, tokens BLOB NOT NULL,
    info TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS trace_recent ON trace (id) WHERE kept = 0;
  CREATE INDEX IF NOT EXISTS trace_kept ON trace (kept, id) WHERE kept > 0;
  CREATE TABLE IF NOT EXISTS fragment (seq INTEGER PRIMARY KEY, trace INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS fragment_trace ON fragment (trace);
  CREATE TABLE IF NOT EXISTS token (hash INTEGER NOT NULL, trace INTEGER NOT NULL, PRIMARY KEY (hash, trace)) WITHOUT ROWID, STRICT;
  CREATE TABLE IF NOT EXISTS word (key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key, value)) WITHOUT ROWID, STRICT;
  CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, level INTEGER NOT NULL, resource INTEGER NOT NULL, trace_id BLOB, bytes INTEGER NOT NULL,
    message TEXT NOT NULL, rest TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS log_trace ON log (trace_id, id) WHERE trace_id IS NOT NULL;
  CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,
    bounds TEXT NOT NULL, last INTEGER NOT NULL, UNIQUE (source, name, labels)) STRICT;
  CREATE TABLE IF NOT EXISTS chunk (step INTEGER NOT NULL, start INTEGER NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (step, start, source)) WITHOUT ROWID, STRICT;
`;

/** SQLite's primary result code of an error, or undefined when it is another error. */
function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

export class Database {
  readonly path: string;
  /** Where a file that could not be read was put aside, if one was. */
  readonly putAside: string | undefined;
  #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or makes the file in the directory. A damaged file, and one of another schema, is renamed and begun anew.
   * @throws RL_CONFLICT when another process has it open, RL_NO_PERMISSION, RL_DISK_FULL, RL_INTERNAL
   */
  constructor(directory: string, maxBytes: number) {
    this.path = join(directory, FILE);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      try {
        this.#db = openFile(this.path, maxBytes);
      } catch (error) {
        const code = resultCode(error);
        if (code !== CORRUPT && code !== NOT_A_DATABASE && !(error instanceof OtherSchema)) throw error;
        this.putAside = `${this.path}.unreadable`;
        for (const end of ["", "-wal", "-shm"]) rmSync(this.putAside + end, { force: true });
        renameSync(this.path, this.putAside);
        for (const end of ["-wal", "-shm"]) rmSync(this.path + end, { force: true });
        this.#db = openFile(this.path, maxBytes);
      }
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** The statement, prepared once. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Does `work` wholly or not at all. @throws RL_DISK_FULL, RL_INTERNAL */
  transaction<T>(work: () => T): T {
    try {
      this.statement("BEGIN IMMEDIATE").run();
      const result = work();
      this.statement("COMMIT").run();
      return result;
    } catch (error) {
      try {
        if (this.#db.isTransaction) this.statement("ROLLBACK").run();
      } catch {
        // SQLite rolls back by itself on some errors.
      }
      throw this.explain(error);
    }
  }

  /** Bytes of pages that hold something. */
  usedBytes(): number {
    const pages = this.#pragma("page_count") - this.#pragma("freelist_count");
    return pages * this.#pragma("page_size");
  }

  /** Bytes on disk, with the journal. */
  fileBytes(): number {
    let bytes = 0;
    for (const end of ["", "-wal"]) {
      try {
        bytes += statSync(this.path + end).size;
      } catch {
        // There is no journal, or no file any more.
      }
    }
    return bytes;
  }

  /** Idempotent. */
  close(): void {
    if (this.#db.isOpen) this.#db.close();
    this.#statements.clear();
  }

  /** The error in Ringlight's words. */
  explain(error: unknown): RinglightError {
    if (error instanceof RinglightError) return error;
    const code = resultCode(error);
    const words = error instanceof Error ? error.message : String(error);
    const system = (error as NodeJS.ErrnoException | null)?.code;
    if (code === BUSY) {
      return new RinglightError(
        "RL_CONFLICT",
        `${this.path} is in use by another process; one console a data directory`,
      );
    }
    if (code === FULL || system === "ENOSPC") {
      return new RinglightError("RL_DISK_FULL", `${this.path} cannot grow: ${words}`, { cause: error });
    }
    if (system === "EACCES" || system === "EPERM" || system === "EROFS") {
      return new RinglightError("RL_NO_PERMISSION", `${this.path} cannot be made: ${words}`, { cause: error });
    }
    return new RinglightError("RL_INTERNAL", `${this.path}: ${words}`, { cause: error });
  }

  #pragma(name: string): number {
    const row = this.statement(`PRAGMA ${name}`).get() as Record<string, number>;
    return row[name] ?? 0;
  }
}

class OtherSchema extends Error {}

function openFile(path: string, maxBytes: number): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(
      `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;`,
    );
    db.exec("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 67108864;");
    // The same pages are written by commit after commit: the longer the journal, the fewer of them are written twice.
    db.exec("PRAGMA wal_autocheckpoint = 8000; PRAGMA temp_store = MEMORY; BEGIN IMMEDIATE;");
    const { user_version: found } = db.prepare("PRAGMA user_version").get() as { user_version: number };
    if (found !== 0 && found !== SCHEMA_VERSION) throw new OtherSchema(`schema ${found}`);
    db.exec(SCHEMA);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    const { page_size: pageBytes } = db.prepare("PRAGMA page_size").get() as { page_size: number };
    db.exec(`PRAGMA max_page_count = ${Math.ceil(maxBytes / pageBytes)};`);
    chmodSync(path, 0o600);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
