/**
 * Searches among the traces. Each condition on an attribute becomes a list of tokens of which one must stand on the trace;
 * the rarest condition leads through the index, newest first, and the others are checked on the rows that it finds. An
 * attribute without an index is looked for in the spans themselves. A search that takes too long stops and says how far
 * back it came.
 */
import { RinglightError } from "@ringlight/core";
import type { Database } from "./database.ts";
import type { Resources } from "./resources.ts";
import { summaryOf, type TraceRow } from "./trace-state.ts";
import { type RawTrace, type TraceTables, tokensOf, traceRow } from "./trace-tables.ts";
import type { ResourceRecord, SpanRecord, TraceDetail, TraceQuery, TraceSearchResult } from "./traces.ts";
import { attributeText, KNOWN, type Words } from "./words.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
/** How long a search may look, milliseconds: the store takes nothing in meanwhile. */
const PATIENCE_MS = 400;
/** A trace's number is when its first span came; its start is earlier, by as much as clocks and exporters allow. */
const CLOCK_SKEW_MS = 60_000;
const LATE_MS = 3_600_000;
/** Rows that are counted to tell which condition is the rarest. */
const PROBE = 5_000;
const MAX_WINDOW = 10_000;

/** A condition: one of the tokens, or, where the key has no index, what a span or its resource must show. */
interface Condition {
  readonly tokens: readonly number[];
  readonly check?: (span: Pick<SpanRecord, "attributes">, resource: ResourceRecord | undefined) => boolean;
}

export class TraceSearch {
  readonly #db: Database;
  readonly #tables: TraceTables;
  readonly #words: Words;
  readonly #resources: Resources;

  constructor(db: Database, tables: TraceTables, words: Words, resources: Resources) {
    this.#db = db;
    this.#tables = tables;
    this.#words = words;
    this.#resources = resources;
  }

  /** The newest traces that meet the query. @throws RL_BAD_REQUEST */
  search(query: TraceQuery): TraceSearchResult {
    const limit = Math.min(MAX_LIMIT, Math.max(1, Math.floor(query.limit ?? DEFAULT_LIMIT)));
    const conditions = this.#conditions(query);
    const from = query.fromMs === undefined ? 0 : Math.floor((query.fromMs - CLOCK_SKEW_MS) * 1000);
    // A job's first spans may come long after it began.
    const until =
      query.toMs === undefined || query.jobId !== undefined
        ? Number.MAX_SAFE_INTEGER
        : Math.floor((query.toMs + LATE_MS) * 1000);
    const before = Math.min(until, query.cursor === undefined ? Number.MAX_SAFE_INTEGER : cursorId(query.cursor));
    const deadline = performance.now() + PATIENCE_MS;
    const found: TraceRow[] = [];
    let lookedAt = 0;
    let lastId: number | undefined;
    let complete = true;
    let more = false;
    for (const raw of this.#candidates(conditions, query, from, before)) {
      if (found.length >= limit) {
        more = true;
        break;
      }
      lookedAt++;
      lastId = raw.id;
      // Most rows are none of the answer: what they hold is taken apart once they are.
      if (passes(timesOf(raw), query) && this.#meets(raw.id, tokensIn(raw), conditions)) found.push(traceRow(raw));
      else if (lookedAt % 64 === 0 && performance.now() > deadline) {
        complete = false;
        break;
      }
    }
    const traces = found.map(summaryOf).sort((a, b) => b.startMs - a.startMs);
    return {
      traces,
      complete,
      ...(more || !complete ? { next: String(lastId ?? 0) } : {}),
      ...(complete ? {} : { searchedBackToMs: (lastId ?? 0) / 1000 }),
    };
  }

  /** A test that tells whether a changed trace meets a query; what has no index is not tested. */
  matcher(query: TraceQuery): (row: TraceRow) => boolean {
    const conditions = this.#conditions(query).filter(({ check }) => check === undefined);
    return (row) => passes(row, query) && this.#meets(row.id, (token) => row.tokens.has(token), conditions);
  }

  has(traceId: string): boolean {
    return this.#tables.find(traceId) !== undefined;
  }

  /** A trace with its spans in the order of their starts; a span that was sent twice counts once. */
  detail(traceId: string, offset = 0, limit = MAX_WINDOW): Omit<TraceDetail, "logCount"> | undefined {
    const row = this.#tables.find(traceId);
    if (row === undefined) return undefined;
    const stored = new Map(this.#tables.spansOf(row.id).map((entry) => [entry[1].spanId, entry]));
    const ordered = [...stored.values()].sort(
      ([, a], [, b]) => a.startMs - b.startMs || b.durationMs - a.durationMs || (a.spanId < b.spanId ? -1 : 1),
    );
    const window = ordered.slice(offset, offset + Math.min(MAX_WINDOW, Math.max(1, limit)));
    const places = new Map<number, number>();
    const resources: ResourceRecord[] = [];
    const spans = window.map(([resourceId, span]): SpanRecord => {
      let place = places.get(resourceId);
      if (place === undefined) {
        place = resources.length;
        places.set(resourceId, place);
        resources.push(this.#resources.get(resourceId) ?? { service: "unknown_service", attributes: {} });
      }
      return { traceId, ...span, resource: place };
    });
    return { summary: summaryOf(row), resources, spans, offset, total: ordered.length };
  }

  *#candidates(conditions: readonly Condition[], query: TraceQuery, from: number, before: number): Generator<RawTrace> {
    const indexed = conditions.filter(({ tokens }) => tokens.length > 0);
    let leader: readonly number[] | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const { tokens } of indexed) {
      const count = this.#count(tokens, from);
      if (count < fewest) [leader, fewest] = [tokens, count];
    }
    // The index pays while it leaves out most traces; past that the rows themselves are as quick.
    if (leader !== undefined && (fewest < PROBE || conditions.length === indexed.length)) {
      const sql = `SELECT t.* FROM (SELECT DISTINCT trace FROM token WHERE hash IN (SELECT value FROM json_each(?))
        AND trace >= ? AND trace < ? ORDER BY trace DESC) AS found JOIN trace AS t ON t.id = found.trace`;
      const one =
        "SELECT t.* FROM token AS k CROSS JOIN trace AS t ON t.id = k.trace WHERE k.hash = ? AND k.trace >= ? AND k.trace < ? ORDER BY k.trace DESC";
      const [single] = leader;
      const rows =
        leader.length === 1 && single !== undefined
          ? this.#db.statement(one).iterate(single, from, before)
          : this.#db.statement(sql).iterate(JSON.stringify(leader), from, before);
      for (const row of rows) yield row as unknown as RawTrace;
      return;
    }
    const where = [
      query.class === "kept" ? "kept > 0" : query.class === "recent" ? "kept = 0" : "1",
      query.minDurationMs === undefined ? "1" : `finish - start >= ${Number(query.minDurationMs)}`,
      query.error === undefined ? "1" : query.error ? "errors > 0" : "errors = 0",
    ].join(" AND ");
    const sql = `SELECT * FROM trace WHERE id >= ? AND id < ? AND ${where} ORDER BY id DESC`;
    for (const row of this.#db.statement(sql).iterate(from, before)) yield row as unknown as RawTrace;
  }

  #count(tokens: readonly number[], from: number): number {
    const sql = "SELECT count(*) AS found FROM (SELECT 1 FROM token WHERE hash = ? AND trace >= ? LIMIT ?)";
    let count = 0;
    for (const token of tokens) {
      count += (this.#db.statement(sql).get(token, from, PROBE) as { found: number }).found;
      if (count >= PROBE) break;
    }
    return count;
  }

  #meets(id: number, has: (token: number) => boolean, conditions: readonly Condition[]): boolean {
    const unsure: Condition[] = [];
    for (const condition of conditions) {
      if (condition.tokens.some((token) => has(token))) continue;
      if (condition.check === undefined) return false;
      unsure.push(condition);
    }
    if (unsure.length === 0) return true;
    const spans = this.#tables.spansOf(id);
    return unsure.every(({ check }) => spans.some(([id, span]) => check?.(span, this.#resources.get(id))));
  }

  #conditions(query: TraceQuery): Condition[] {
    const conditions: Condition[] = [];
    if (query.service !== undefined) conditions.push({ tokens: [this.#words.service(query.service)] });
    if (query.instance !== undefined) {
      const ids = this.#resources.matching(({ instance }) => instance === query.instance);
      conditions.push({ tokens: ids.map((id) => this.#words.resource(id)) });
    }
    if (query.name !== undefined) conditions.push({ tokens: this.#words.names(query.name) });
    const attributes = [...(query.attributes ?? [])];
    for (const field of ["jobId", "pathHash", "mount", "outcome", "missReason"] as const) {
      const value = query[field];
      if (value !== undefined) attributes.push({ key: KNOWN[field], value });
    }
    for (const { key, value } of attributes) conditions.push(this.#attribute(key, value));
    return conditions;
  }

  #attribute(key: string, value: string): Condition {
    const token = this.#words.attribute(key, value);
    const resources = this.#resources.withAttribute(key, value).map((id) => this.#words.resource(id));
    if (token !== undefined) return { tokens: [token, ...resources] };
    return {
      tokens: [],
      check: (span, resource) => {
        const found = span.attributes[key] ?? resource?.attributes[key];
        return found !== undefined && attributeText(found) === value;
      },
    };
  }
}

function cursorId(cursor: string): number {
  const id = Number(cursor);
  if (!Number.isSafeInteger(id) || id < 0) {
    throw new RinglightError("RL_BAD_REQUEST", "the cursor is none of this search; start at the first page");
  }
  return id;
}

/** Whether a row holds a token. Its list is read when it is first asked. */
function tokensIn(raw: RawTrace): (token: number) => boolean {
  let tokens: Float64Array | undefined;
  return (token) => {
    tokens ??= tokensOf(raw.tokens);
    return tokens.includes(token);
  };
}

const timesOf = ({ start, finish, errors, kept }: RawTrace) => ({ startMs: start, endMs: finish, errors, kept });

/** What can be told from the row alone. */
function passes(row: Pick<TraceRow, "startMs" | "endMs" | "errors" | "kept">, query: TraceQuery): boolean {
  const durationMs = row.endMs - row.startMs;
  return (
    (query.fromMs === undefined || row.startMs >= query.fromMs) &&
    (query.toMs === undefined || row.startMs < query.toMs) &&
    (query.minDurationMs === undefined || durationMs >= query.minDurationMs) &&
    (query.maxDurationMs === undefined || durationMs <= query.maxDurationMs) &&
    (query.error === undefined || row.errors > 0 === query.error) &&
    (query.class === undefined || (query.class === "kept") === row.kept > 0)
  );
}
