/**
 * Points of metrics at three resolutions: 1 s for an hour, 10 s for a day, 5 minutes for 30 days. Every increase is entered
 * in all three at once, so that nothing has to be condensed later. Sixty steps of all series of one source make a chunk,
 * which is open in memory while it fills and is written, deflated, every few seconds and when it is full.
 *
 * A step that no sample covered is unknown (NaN), which is something else than zero.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Database } from "./database.ts";

/**
 * Resolutions and how long each is kept, the finest first. `flushEvery`: a chunk of long steps changes as often as one of short
 * ones, but little of it does; it is written so many times more seldom, which is what may be lost with the process.
 */
export const RESOLUTIONS = [
  { stepMs: 1_000, keepMs: 3_600_000, flushEvery: 1 },
  { stepMs: 10_000, keepMs: 86_400_000, flushEvery: 3 },
  { stepMs: 300_000, keepMs: 30 * 86_400_000, flushEvery: 6 },
] as const;
/** Chunks of a resolution that are written each second at least: of a small cluster all. */
const LEAST_FLUSHED = 12;

/** Steps of a chunk. */
export const CHUNK_STEPS = 60;
/** Open chunks of a source and resolution: the one that fills, and the one before it for what comes late. */
const OPEN_CHUNKS = 2;

/** Columns of 60 steps by series: the values of a histogram's buckets lie one column after the other. */
type Columns = Map<number, Float32Array>;

interface OpenChunk {
  readonly source: string;
  readonly stepMs: number;
  readonly startMs: number;
  readonly columns: Columns;
  dirty: boolean;
}

/** Deflated: number of series, then id and columns of each, then their values. */
function packColumns(columns: Columns): Uint8Array {
  const entries = [...columns];
  const head = Int32Array.from([
    entries.length,
    ...entries.flatMap(([id, values]) => [id, values.length / CHUNK_STEPS]),
  ]);
  const parts = [head, ...entries.map(([, values]) => values)];
  return deflateRawSync(
    Buffer.concat(parts.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))),
    { level: 1 },
  );
}

function unpackColumns(packed: Uint8Array): Columns {
  const plain = inflateRawSync(packed);
  const bytes = plain.buffer.slice(plain.byteOffset, plain.byteOffset + plain.byteLength);
  const count = new Int32Array(bytes, 0, 1)[0] ?? 0;
  const head = new Int32Array(bytes, 4, count * 2);
  const columns: Columns = new Map();
  let at = 4 + count * 8;
  for (let index = 0; index < count; index++) {
    const length = head[index * 2 + 1]! * CHUNK_STEPS;
    columns.set(head[index * 2]!, new Float32Array(bytes, at, length));
    at += length * 4;
  }
  return columns;
}

export class MetricChunks {
  readonly #db: Database;
  /** By `stepMs/startMs/source`. */
  readonly #open = new Map<string, OpenChunk>();
  /** When the open ones start, by `stepMs/source`. */
  readonly #startsOf = new Map<string, Set<number>>();
  /** Bytes in the table by resolution. */
  readonly bytes = new Map<number, number>();

  constructor(db: Database) {
    this.#db = db;
    this.recount();
  }

  /** Reads the totals from the table. */
  recount(): void {
    for (const { stepMs } of RESOLUTIONS) this.bytes.set(stepMs, 0);
    const sql = "SELECT step, sum(length(body)) AS bytes FROM chunk GROUP BY step";
    for (const row of this.#db.statement(sql).iterate()) {
      const { step, bytes } = row as { step: number; bytes: number };
      this.bytes.set(step, bytes);
    }
  }

  /**
   * Enters what happened between two moments: increases (spread over the time that they came from), or, with `gauge`, values
   * as they stood at the end.
   */
  enter(
    source: string,
    series: number,
    fromMs: number,
    toMs: number,
    values: ArrayLike<number>,
    at: number,
    width: number,
    gauge: boolean,
  ): void {
    const spanMs = Math.max(1, toMs - fromMs);
    for (const { stepMs } of RESOLUTIONS) {
      const lastStep = Math.floor((toMs - 0.001) / stepMs);
      const firstStep = gauge ? lastStep : Math.max(Math.floor(fromMs / stepMs), lastStep - CHUNK_STEPS + 1);
      for (let step = firstStep; step <= lastStep; step++) {
        const columns = this.#columns(source, series, stepMs, step, width);
        if (columns === undefined) continue;
        const slot = step % CHUNK_STEPS;
        const overlapMs = Math.min(toMs, (step + 1) * stepMs) - Math.max(fromMs, step * stepMs);
        const share = gauge ? 1 : firstStep === lastStep ? 1 : Math.max(0, overlapMs) / spanMs;
        for (let column = 0; column < width; column++) {
          const place = column * CHUNK_STEPS + slot;
          const before = columns[place]!;
          const value = values[at + column]! * share;
          columns[place] = gauge || Number.isNaN(before) ? value : before + value;
        }
      }
    }
  }

  /** Calls `visit` for each chunk of the source that holds the series, in the order of time, open ones among them. */
  read(
    source: string,
    stepMs: number,
    fromMs: number,
    toMs: number,
    visit: (startMs: number, columns: ReadonlyMap<number, Float32Array>) => void,
  ): void {
    const spanMs = stepMs * CHUNK_STEPS;
    const first = Math.floor(fromMs / spanMs) * spanMs;
    const statement = this.#db.statement(
      "SELECT start, body FROM chunk WHERE step = ? AND start >= ? AND start < ? AND source = ? ORDER BY start",
    );
    // Looked up by their source: of a crowd of workers there are thousands, and this is asked of each of them.
    const open = [...(this.#startsOf.get(`${stepMs}/${source}`) ?? [])].sort((a, b) => a - b);
    const openUntil = (endMs: number) => {
      for (let start = open[0]; start !== undefined && start < endMs; start = open[0]) {
        open.shift();
        if (start >= first) visit(start, this.#open.get(`${stepMs}/${start}/${source}`)!.columns);
      }
    };
    for (const row of statement.iterate(stepMs, first, toMs, source)) {
      const { start, body } = row as { start: number; body: Uint8Array };
      openUntil(start);
      if (open[0] !== start) visit(start, unpackColumns(body));
    }
    openUntil(toMs);
  }

  /** Writes a share of what has changed, of coarse chunks a smaller one; within a transaction. */
  flush(share: number): void {
    const dirty = [...this.#open.values()].filter((chunk) => chunk.dirty);
    for (const { stepMs, flushEvery } of RESOLUTIONS) {
      const own = dirty.filter((chunk) => chunk.stepMs === stepMs);
      const most = share >= 1 ? own.length : Math.max(LEAST_FLUSHED, Math.ceil((own.length * share) / flushEvery));
      for (const chunk of own.slice(0, most)) {
        this.#write(chunk);
        // To the end of the line, so that every source has its turn.
        const key = `${chunk.stepMs}/${chunk.startMs}/${chunk.source}`;
        this.#open.delete(key);
        this.#open.set(key, chunk);
      }
    }
  }

  /** Removes what is past its time, and the oldest of the largest resolution while more than `limitBytes` are used. */
  prune(nowMs: number, limitBytes: number): void {
    for (const { stepMs, keepMs } of RESOLUTIONS) {
      const oldest = nowMs - keepMs - stepMs * CHUNK_STEPS;
      this.#remove("DELETE FROM chunk WHERE step = ? AND start < ? RETURNING length(body) AS bytes", stepMs, oldest);
    }
    for (let rounds = 0; rounds < 32 && this.totalBytes() > limitBytes; rounds++) {
      const [largest] = [...this.bytes].sort(([, a], [, b]) => b - a);
      if (largest === undefined) return;
      const found = this.#db.statement("SELECT min(start) AS start FROM chunk WHERE step = ?").get(largest[0]);
      const { start } = found as { start: number | null };
      if (start === null) return;
      this.#remove(
        "DELETE FROM chunk WHERE step = ? AND start <= ? RETURNING length(body) AS bytes",
        largest[0],
        start,
      );
    }
  }

  totalBytes(): number {
    let total = 0;
    for (const bytes of this.bytes.values()) total += bytes;
    return total;
  }

  #remove(sql: string, stepMs: number, start: number): void {
    for (const row of this.#db.statement(sql).all(stepMs, start)) {
      this.bytes.set(stepMs, (this.bytes.get(stepMs) ?? 0) - (row as { bytes: number }).bytes);
    }
  }

  #columns(source: string, series: number, stepMs: number, step: number, width: number): Float32Array | undefined {
    const spanMs = stepMs * CHUNK_STEPS;
    const startMs = Math.floor((step * stepMs) / spanMs) * spanMs;
    const key = `${stepMs}/${startMs}/${source}`;
    let chunk = this.#open.get(key);
    if (chunk === undefined) {
      this.#retire(source, stepMs, startMs);
      const stored = this.#db
        .statement("SELECT body FROM chunk WHERE step = ? AND start = ? AND source = ?")
        .get(stepMs, startMs, source) as { body: Uint8Array } | undefined;
      const columns = stored === undefined ? new Map<number, Float32Array>() : unpackColumns(stored.body);
      chunk = { source, stepMs, startMs, columns, dirty: false };
      this.#open.set(key, chunk);
      const starts = this.#startsOf.get(`${stepMs}/${source}`) ?? new Set();
      this.#startsOf.set(`${stepMs}/${source}`, starts.add(startMs));
    }
    chunk.dirty = true;
    let columns = chunk.columns.get(series);
    if (columns === undefined) {
      columns = new Float32Array(width * CHUNK_STEPS).fill(Number.NaN);
      chunk.columns.set(series, columns);
    }
    // A histogram that came back with other buckets: its series has another number, so this is never a mix.
    return columns.length === width * CHUNK_STEPS ? columns : undefined;
  }

  /** Closes chunks of the source that are too old for what still comes. */
  #retire(source: string, stepMs: number, newStartMs: number): void {
    const oldest = newStartMs - (OPEN_CHUNKS - 1) * stepMs * CHUNK_STEPS;
    for (let at = 1; at <= 3; at++) {
      const startMs = oldest - at * stepMs * CHUNK_STEPS;
      const key = `${stepMs}/${startMs}/${source}`;
      const chunk = this.#open.get(key);
      if (chunk === undefined) continue;
      if (chunk.dirty) this.#write(chunk);
      this.#open.delete(key);
      this.#startsOf.get(`${stepMs}/${source}`)?.delete(startMs);
    }
  }

  #write(chunk: OpenChunk): void {
    const body = packColumns(chunk.columns);
    const before = this.#db
      .statement("SELECT length(body) AS bytes FROM chunk WHERE step = ? AND start = ? AND source = ?")
      .get(chunk.stepMs, chunk.startMs, chunk.source) as { bytes: number } | undefined;
    this.#db
      .statement("INSERT OR REPLACE INTO chunk (step, start, source, body) VALUES (?, ?, ?, ?)")
      .run(chunk.stepMs, chunk.startMs, chunk.source, body);
    this.bytes.set(chunk.stepMs, (this.bytes.get(chunk.stepMs) ?? 0) + body.length - (before?.bytes ?? 0));
    chunk.dirty = false;
  }
}
