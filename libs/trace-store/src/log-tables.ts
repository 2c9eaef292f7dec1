/** Log records in the file, in the order in which they came. */
import type { Database } from "./database.ts";
import { LOG_LEVELS, type LogQuery, type LogResult, type StoredLog } from "./logs.ts";
import type { ResourceLogRecords } from "./otlp-records.ts";
import type { Resources } from "./resources.ts";
import type { Attributes } from "./traces.ts";

const DEFAULT_LIMIT = 200;
const MAX_LIMIT = 5000;
/** What a record takes beside its texts, about. */
const ROW_BYTES = 80;
/** How long a search for text may look, milliseconds. */
const PATIENCE_MS = 400;

interface RawLog {
  readonly id: number;
  readonly at: number;
  readonly level: number;
  readonly resource: number;
  readonly trace_id: Uint8Array | null;
  readonly bytes: number;
  readonly message: string;
  readonly rest: string;
}

export class LogTables {
  readonly #db: Database;
  readonly #resources: Resources;
  bytes = 0;
  rows = 0;

  constructor(db: Database, resources: Resources) {
    this.#db = db;
    this.#resources = resources;
    this.recount();
  }

  /** Reads the totals from the table: at the start, and after a transaction that was rolled back. */
  recount(): void {
    const sql = "SELECT count(*) AS rows, coalesce(sum(bytes), 0) AS bytes FROM log";
    const { rows, bytes } = this.#db.statement(sql).get() as { rows: number; bytes: number };
    this.rows = rows;
    this.bytes = bytes;
  }

  /** Stores records, within a transaction. */
  write(groups: readonly ResourceLogRecords[]): StoredLog[] {
    const insert = this.#db.statement(
      "INSERT INTO log (at, level, resource, trace_id, bytes, message, rest) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    const stored: StoredLog[] = [];
    for (const { resource, logs } of groups) {
      const resourceId = this.#resources.idOf(resource);
      const { service, instance } = resource;
      for (const log of logs) {
        const { spanId, attributes } = log;
        const rest = JSON.stringify({ ...(spanId === undefined ? {} : { spanId }), attributes });
        const bytes = ROW_BYTES + Buffer.byteLength(log.message) + rest.length;
        const traceId = log.traceId === undefined ? null : Buffer.from(log.traceId, "hex");
        const level = LOG_LEVELS.indexOf(log.level);
        const { lastInsertRowid } = insert.run(log.atMs, level, resourceId, traceId, bytes, log.message, rest);
        this.bytes += bytes;
        this.rows++;
        stored.push({ id: Number(lastInsertRowid), ...log, service, ...(instance === undefined ? {} : { instance }) });
      }
    }
    return stored;
  }

  /** The newest records that meet the query. */
  search(query: LogQuery): LogResult {
    const limit = Math.min(MAX_LIMIT, Math.max(1, Math.floor(query.limit ?? DEFAULT_LIMIT)));
    const passes = logMatcher(query);
    const beforeId = query.beforeId ?? Number.MAX_SAFE_INTEGER;
    const rows =
      query.traceId === undefined
        ? this.#db.statement("SELECT * FROM log WHERE id < ? ORDER BY id DESC").iterate(beforeId)
        : this.#db
            .statement("SELECT * FROM log WHERE trace_id = ? AND id < ? ORDER BY id DESC")
            .iterate(Buffer.from(query.traceId, "hex"), beforeId);
    const deadline = performance.now() + PATIENCE_MS;
    const logs: StoredLog[] = [];
    let lookedAt = 0;
    for (const row of rows) {
      const log = this.#log(row as unknown as RawLog);
      if (passes(log)) {
        if (logs.length >= limit) return { logs, more: true };
        logs.push(log);
      } else if (query.fromMs !== undefined && log.atMs < query.fromMs - 60_000) {
        // Records come about in the order of their times: what is a minute too old ends the search.
        break;
      }
      if (++lookedAt % 256 === 0 && performance.now() > deadline) return { logs, more: true };
    }
    return { logs, more: false };
  }

  /** How many records carry the id of a trace. */
  countOf(traceId: string): number {
    const row = this.#db
      .statement("SELECT count(*) AS found FROM log WHERE trace_id = ?")
      .get(Buffer.from(traceId, "hex"));
    return (row as { found: number }).found;
  }

  /** Removes up to `most` of the oldest records, those before a time if one is given; within a transaction. */
  prune(most: number, beforeMs = Number.MAX_SAFE_INTEGER): number {
    const rows = this.#db
      .statement("SELECT id, at, bytes FROM log ORDER BY id LIMIT ?")
      .all(most) as unknown as RawLog[];
    let removed = 0;
    for (const { id, at, bytes } of rows) {
      if (at >= beforeMs) break;
      this.#db.statement("DELETE FROM log WHERE id = ?").run(id);
      this.bytes -= bytes;
      this.rows--;
      removed++;
    }
    return removed;
  }

  /** When the oldest record is from, milliseconds; 0 when there is none. */
  oldestMs(): number {
    return (this.#db.statement("SELECT at FROM log ORDER BY id LIMIT 1").get() as { at: number } | undefined)?.at ?? 0;
  }

  #log(raw: RawLog): StoredLog {
    const { spanId, attributes } = JSON.parse(raw.rest) as { spanId?: string; attributes: Attributes };
    const { service, instance } = this.#resources.get(raw.resource) ?? { service: "unknown_service" };
    return {
      id: raw.id,
      atMs: raw.at,
      level: LOG_LEVELS[raw.level] ?? "info",
      message: raw.message,
      service,
      ...(instance === undefined ? {} : { instance }),
      ...(raw.trace_id === null ? {} : { traceId: Buffer.from(raw.trace_id).toString("hex") }),
      ...(spanId === undefined ? {} : { spanId }),
      attributes,
    };
  }
}

/** Tells whether a record meets the query. */
export function logMatcher(query: LogQuery): (log: StoredLog) => boolean {
  const least = query.level === undefined ? 0 : LOG_LEVELS.indexOf(query.level);
  const text = query.text?.toLowerCase();
  return (log) =>
    LOG_LEVELS.indexOf(log.level) >= least &&
    (query.service === undefined || log.service === query.service) &&
    (query.instance === undefined || log.instance === query.instance) &&
    (query.traceId === undefined || log.traceId === query.traceId) &&
    (query.fromMs === undefined || log.atMs >= query.fromMs) &&
    (query.toMs === undefined || log.atMs < query.toMs) &&
    (text === undefined ||
      log.message.toLowerCase().includes(text) ||
      JSON.stringify(log.attributes).toLowerCase().includes(text));
}
