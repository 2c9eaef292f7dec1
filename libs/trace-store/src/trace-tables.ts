/**
 * Traces in the file. A trace has a row with its summary, one fragment for each batch that brought spans of it, and a token
 * for each indexed attribute. Its number is the moment at which its first span came, in microseconds: rows lie in the
 * order of time, the newest are at the end, and pruning takes from the front.
 *
 * Two classes share the tables. Traces that the policy keeps leave only for others that are kept, and of those the ones
 * of the most numerous reason: a storm of misses pushes out no job.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Database } from "./database.ts";
import type { LooseSpan, ResourceSpanRecords } from "./otlp-records.ts";
import type { Resources } from "./resources.ts";
import { addSpan, KEPT_REASONS, type KeepPolicy, newTrace, type TraceInfo, type TraceRow } from "./trace-state.ts";
import type { Words } from "./words.ts";

/** Traces whose rows stay in memory for the spans that are still to come. */
const OPEN_TRACES = 20_000;
/** Most tokens of a trace; what its later spans add beyond is found by reading it. */
const TOKENS_LIMIT = 4096;
/** Most spans that are kept of one trace. */
const SPANS_LIMIT = 200_000;
/**
 * What the file takes for a trace, with its entries in the indexes and what is left over in pages: for its row, for each
 * token (8 bytes in the row, 26 in the index), and for each fragment beside its bytes.
 */
const ROW_BYTES = 400;
const TOKEN_BYTES = 34;
const FRAGMENT_BYTES = 30;
const FRAGMENT_SHARE = 1.1;
/** Fragments of more bytes are deflated; for the others the call itself costs more than the bytes are worth. */
const DEFLATE_FROM = 4096;
const TOKENS_A_STATEMENT = 32;
/** By the number of tokens that they store. */
const INSERT_TOKENS: Readonly<Record<number, string>> = Object.fromEntries(
  [1, TOKENS_A_STATEMENT].map((rows) => [
    rows,
    `INSERT OR IGNORE INTO token (hash, trace) VALUES ${Array(rows).fill("(?, ?)").join()}`,
  ]),
);
/** First byte of a fragment. */
const PLAIN = 0;
const DEFLATED = 1;

/** A row as SQLite gives it. */
export interface RawTrace {
  readonly id: number;
  readonly trace_id: Uint8Array;
  readonly version: number;
  readonly start: number;
  readonly finish: number;
  readonly spans: number;
  readonly errors: number;
  readonly kept: number;
  readonly bytes: number;
  readonly tokens: Uint8Array;
  readonly info: string;
}

/** Spans of a fragment, each with the number of its resource in the table. */
export type StoredSpan = readonly [resource: number, span: Omit<LooseSpan, "traceId">];

const tokensToBytes = (tokens: ReadonlySet<number>) => new Uint8Array(Float64Array.from(tokens).buffer);

/** The tokens of a row. */
export function tokensOf(bytes: Uint8Array): Float64Array {
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** A row as it came from the table. */
export function traceRow(raw: RawTrace): TraceRow {
  return {
    id: raw.id,
    traceId: Buffer.from(raw.trace_id).toString("hex"),
    version: raw.version,
    startMs: raw.start,
    endMs: raw.finish,
    spans: raw.spans,
    errors: raw.errors,
    kept: raw.kept,
    bytes: raw.bytes,
    tokens: new Set(tokensOf(raw.tokens)),
    info: JSON.parse(raw.info) as TraceInfo,
  };
}

/** Tokens and traces in turn, in the order of the index: most of what an entry costs is to find its place, and so it lies near the last one. */
function inIndexOrder(traces: readonly { readonly id: number; readonly tokens: Iterable<number> }[]): number[] {
  const tracesOf = new Map<number, number[]>();
  for (const { id, tokens } of traces) {
    for (const token of tokens) {
      const ids = tracesOf.get(token);
      if (ids === undefined) tracesOf.set(token, [id]);
      else ids.push(id);
    }
  }
  const pairs: number[] = [];
  for (const token of [...tracesOf.keys()].sort((a, b) => a - b)) {
    for (const id of tracesOf.get(token)!.sort((a, b) => a - b)) pairs.push(token, id);
  }
  return pairs;
}

function packFragment(spans: readonly StoredSpan[]): Uint8Array {
  const text = Buffer.from(JSON.stringify(spans));
  const deflated = text.length >= DEFLATE_FROM;
  const body = deflated ? deflateRawSync(text, { level: 1 }) : text;
  return Buffer.concat([Uint8Array.of(deflated ? DEFLATED : PLAIN), body]);
}

function unpackFragment(packed: Uint8Array): StoredSpan[] {
  const body = Buffer.from(packed.buffer, packed.byteOffset + 1, packed.byteLength - 1);
  return JSON.parse((packed[0] === DEFLATED ? inflateRawSync(body) : body).toString("utf8")) as StoredSpan[];
}

export class TraceTables {
  readonly #db: Database;
  readonly #words: Words;
  readonly #resources: Resources;
  readonly #policy: KeepPolicy;
  /** The most recently written traces, the newest at the end. */
  readonly #open = new Map<string, TraceRow>();
  /** By index in KEPT_REASONS. */
  readonly bytes: number[];
  readonly rows: number[];
  #lastId = 0;
  #lastVersion = 0;
  /** Spans that were left out since the start, because their trace had too many. */
  leftOut = 0;

  constructor(db: Database, words: Words, resources: Resources, policy: KeepPolicy) {
    this.#db = db;
    this.#words = words;
    this.#resources = resources;
    this.#policy = policy;
    this.bytes = KEPT_REASONS.map(() => 0);
    this.rows = KEPT_REASONS.map(() => 0);
    this.recount();
  }

  /** Reads the totals from the tables: at the start, and after a transaction that was rolled back. */
  recount(): void {
    this.#open.clear();
    this.bytes.fill(0);
    this.rows.fill(0);
    const sql =
      "SELECT kept, count(*) AS rows, sum(bytes) AS bytes, max(id) AS id, max(version) AS version FROM trace GROUP BY kept";
    for (const row of this.#db.statement(sql).iterate()) {
      const found = row as { kept: number; rows: number; bytes: number; id: number; version: number };
      this.bytes[found.kept] = found.bytes;
      this.rows[found.kept] = found.rows;
      this.#lastId = Math.max(this.#lastId, found.id);
      this.#lastVersion = Math.max(this.#lastVersion, found.version);
    }
  }

  /** Stores spans, within a transaction. Gives the rows of the traces that changed. */
  write(groups: readonly ResourceSpanRecords[], nowMs: number): TraceRow[] {
    const byTrace = new Map<string, { readonly row: TraceRow; readonly was: number; readonly spans: StoredSpan[] }>();
    for (const { resource, spans } of groups) {
      const resourceId = this.#resources.idOf(resource);
      const senderTokens = this.#words.resourceTokens(resourceId, resource);
      for (const span of spans) {
        let entry = byTrace.get(span.traceId);
        if (entry === undefined) {
          const row = this.#rowOf(span.traceId, nowMs);
          entry = { row, was: row.tokens.size, spans: [] };
          byTrace.set(span.traceId, entry);
        }
        const { row } = entry;
        if (row.spans >= SPANS_LIMIT) {
          this.leftOut++;
          continue;
        }
        const { traceId: _id, ...stored } = span;
        entry.spans.push([resourceId, stored]);
        const before = row.kept;
        addSpan(row, span, resource, this.#policy);
        if (row.kept !== before && row.version > 0) this.#move(row, before);
        if (row.tokens.size >= TOKENS_LIMIT) continue;
        this.#words.spanTokens(span, row.tokens);
        for (const token of senderTokens) row.tokens.add(token);
      }
    }
    const changed = [...byTrace.values()].filter(({ spans }) => spans.length > 0);
    this.#storeTokens(changed);
    for (const { row, was, spans } of changed) this.#store(row, was, spans);
    return changed.map(({ row }) => row);
  }

  /** The row of a trace by its id in hex. */
  find(traceId: string): TraceRow | undefined {
    const open = this.#open.get(traceId);
    if (open !== undefined) return open;
    const raw = this.#db.statement("SELECT * FROM trace WHERE trace_id = ?").get(Buffer.from(traceId, "hex"));
    return raw === undefined ? undefined : traceRow(raw as unknown as RawTrace);
  }

  /** All spans of a trace as they came. */
  spansOf(id: number): StoredSpan[] {
    const spans: StoredSpan[] = [];
    for (const row of this.#db.statement("SELECT body FROM fragment WHERE trace = ? ORDER BY seq").iterate(id)) {
      for (const span of unpackFragment((row as { body: Uint8Array }).body)) spans.push(span);
    }
    return spans;
  }

  /** Removes up to `most` of the oldest traces of a class (an index in KEPT_REASONS), within a transaction. */
  prune(kept: number, most: number, untilId = Number.MAX_SAFE_INTEGER): number {
    const sql =
      kept === 0
        ? "SELECT id, trace_id, bytes, tokens FROM trace INDEXED BY trace_recent WHERE kept = 0 AND id < ? ORDER BY id LIMIT ?"
        : "SELECT id, trace_id, bytes, tokens FROM trace WHERE kept = ? AND kept > 0 AND id < ? ORDER BY id LIMIT ?";
    const statement = this.#db.statement(sql);
    const rows = (kept === 0
      ? statement.all(untilId, most)
      : statement.all(kept, untilId, most)) as unknown as RawTrace[];
    this.#dropTokens(rows);
    for (const raw of rows) {
      this.#db.statement("DELETE FROM fragment WHERE trace = ?").run(raw.id);
      this.#db.statement("DELETE FROM trace WHERE id = ?").run(raw.id);
      this.#open.delete(Buffer.from(raw.trace_id).toString("hex"));
      this.bytes[kept]! -= raw.bytes;
      this.rows[kept]! -= 1;
    }
    return rows.length;
  }

  /** Removes the oldest traces of a class, up to `most`, till about so many bytes are free; within a transaction. */
  free(kept: number, bytes: number, most: number): number {
    const mean = this.bytes[kept]! / Math.max(1, this.rows[kept]!);
    return bytes > 0 ? this.prune(kept, Math.min(most, Math.ceil(bytes / Math.max(1, mean)))) : 0;
  }

  /** When the oldest trace of a class came, milliseconds; 0 when there is none. */
  oldestMs(kept: boolean): number {
    const sql = kept
      ? "SELECT min(id) AS id FROM trace WHERE kept > 0"
      : "SELECT id FROM trace INDEXED BY trace_recent WHERE kept = 0 ORDER BY id LIMIT 1";
    const row = this.#db.statement(sql).get() as { id: number | null } | undefined;
    return (row?.id ?? 0) / 1000;
  }

  #rowOf(traceId: string, nowMs: number): TraceRow {
    const known = this.find(traceId);
    if (known !== undefined) {
      this.#open.delete(traceId);
      this.#open.set(traceId, known);
      return known;
    }
    this.#lastId = Math.max(this.#lastId + 1, Math.floor(nowMs * 1000));
    const row = newTrace(this.#lastId, traceId);
    this.#open.set(traceId, row);
    if (this.#open.size > OPEN_TRACES) {
      const [oldest] = this.#open.keys();
      if (oldest !== undefined) this.#open.delete(oldest);
    }
    return row;
  }

  /** The trace belongs to another class now. */
  #move(row: TraceRow, before: number): void {
    this.bytes[before]! -= row.bytes;
    this.rows[before]! -= 1;
    this.bytes[row.kept]! += row.bytes;
    this.rows[row.kept]! += 1;
  }

  #dropTokens(rows: readonly RawTrace[]): void {
    const statement = this.#db.statement("DELETE FROM token WHERE hash = ? AND trace = ?");
    const pairs = inIndexOrder(rows.map(({ id, tokens }) => ({ id, tokens: tokensOf(tokens) })));
    for (let at = 0; at < pairs.length; at += 2) statement.run(pairs[at]!, pairs[at + 1]!);
  }

  /** Several to a statement, for what a statement costs beside its rows is most of what a token costs. */
  #storeTokens(changed: readonly { readonly row: TraceRow; readonly was: number }[]): void {
    const added = changed.map(({ row, was }) => ({
      id: row.id,
      tokens: was === 0 ? row.tokens : [...row.tokens].slice(was),
    }));
    const pairs = inIndexOrder(added);
    for (let at = 0; at < pairs.length; ) {
      const rows = pairs.length - at >= 2 * TOKENS_A_STATEMENT ? TOKENS_A_STATEMENT : 1;
      this.#db.statement(INSERT_TOKENS[rows]!).run(...pairs.slice(at, at + 2 * rows));
      at += 2 * rows;
    }
  }

  #store(row: TraceRow, tokensBefore: number, spans: readonly StoredSpan[]): void {
    const isNew = row.version === 0;
    this.#lastVersion++;
    row.version = this.#lastVersion;
    const body = packFragment(spans);
    this.#db.statement("INSERT INTO fragment (seq, trace, body) VALUES (?, ?, ?)").run(row.version, row.id, body);
    const added =
      Math.ceil(body.length * FRAGMENT_SHARE) +
      FRAGMENT_BYTES +
      (isNew ? ROW_BYTES : 0) +
      (row.tokens.size - tokensBefore) * TOKEN_BYTES;
    row.bytes += added;
    this.bytes[row.kept]! += added;
    if (isNew) this.rows[row.kept]! += 1;
    const info = JSON.stringify(row.info);
    const tokens = tokensToBytes(row.tokens);
    if (isNew) {
      this.#db
        .statement(
          "INSERT INTO trace (id, trace_id, version, start, finish, spans, errors, kept, bytes, tokens, info) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .run(
          row.id,
          Buffer.from(row.traceId, "hex"),
          row.version,
          row.startMs,
          row.endMs,
          row.spans,
          row.errors,
          row.kept,
          row.bytes,
          tokens,
          info,
        );
    } else {
      this.#db
        .statement(
          "UPDATE trace SET version = ?, start = ?, finish = ?, spans = ?, errors = ?, kept = ?, bytes = ?, tokens = ?, info = ? WHERE id = ?",
        )
        .run(row.version, row.startMs, row.endMs, row.spans, row.errors, row.kept, row.bytes, tokens, info, row.id);
    }
  }
}
