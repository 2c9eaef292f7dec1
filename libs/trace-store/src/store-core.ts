/**
 * The store itself, on one thread and without waiting: takes in batches, commits them together, prunes a little after
 * each commit, answers queries. The thread around it (store-thread.ts) keeps it off the console's own event loop.
 */
import { RinglightError } from "@ringlight/core";
import { Database } from "./database.ts";
import { LogTables } from "./log-tables.ts";
import type { LogQuery, LogResult, StoredLog } from "./logs.ts";
import { MetricChunks } from "./metric-chunks.ts";
import { MetricReader } from "./metric-query.ts";
import { MetricSeriesTable, type Series, type SeriesDefinition, widthOf } from "./metric-series.ts";
import type { MetricExemplar, MetricInfo, MetricQuery, MetricResult } from "./metrics.ts";
import { type Acceptance, decodeLogs, decodeMetrics, decodeTraces, type OtlpBody, type Signal } from "./otlp-body.ts";
import { type FoundExemplar, type MetricPoint, OtlpMetricDecoder } from "./otlp-metrics.ts";
import { logRecords, type ResourceLogRecords, type ResourceSpanRecords, spanRecords } from "./otlp-records.ts";
import { Resources } from "./resources.ts";
import { ORDINARY_MISSES, type StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";
import { TraceSearch } from "./trace-search.ts";
import type { TraceRow } from "./trace-state.ts";
import { TraceTables } from "./trace-tables.ts";
import type { TraceDetail, TraceQuery, TraceSearchResult, TraceValues } from "./traces.ts";
import { Words } from "./words.ts";

/** Beyond the bounds of the kinds: indexes, free pages, what waits to be pruned. */
const SLACK = 1.5;
const SLACK_BYTES = 64 * 1024 * 1024;
/** Traces and records that one slice of pruning removes. */
const PRUNE_SLICE = 500;
const EXEMPLARS_LIMIT = 2_000;
/** Exemplars of an answer, and of one of its steps. */
const EXEMPLARS_ANSWER = 120;
const EXEMPLARS_STEP = 2;
const METRIC_FLUSH_SHARE = 1 / 10;
const HOUR_MS = 3_600_000;

/** A batch of points from the console's own observer: values of the series `refs`, one after another. */
export interface PointBatch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly refs: Int32Array;
  readonly values: Float64Array;
}

/** What a commit changed, for those who watch. */
export interface Changes {
  readonly traces: readonly TraceRow[];
  readonly logs: readonly StoredLog[];
}

/** Metrics whose exemplars are the traces themselves, and which traces those are. */
const TRACE_EXEMPLARS: Readonly<Record<string, TraceQuery>> = {
  "ringlight.request.duration": {},
  "ringlight.ufs.request.duration": {},
  "ringlight.cache.requests": { outcome: "miss" },
};

export class StoreCore {
  readonly #options: StoreOptions;
  readonly #db: Database;
  readonly #resources: Resources;
  readonly #words: Words;
  readonly #traces: TraceTables;
  readonly #search: TraceSearch;
  readonly #logs: LogTables;
  readonly #series: MetricSeriesTable;
  readonly #chunks: MetricChunks;
  readonly #reader: MetricReader;
  readonly #decoder = new OtlpMetricDecoder();
  readonly #own: ReadonlySet<string>;
  readonly #exemplars: FoundExemplar[] = [];
  /** Series of the observer by the number that it uses. */
  readonly #refs: SeriesDefinition[] = [];
  /** The same as they stand in the table, once they were looked up there. */
  #refSeries: (Series | undefined)[] = [];
  #pendingSpans: ResourceSpanRecords[] = [];
  #pendingLogs: ResourceLogRecords[] = [];
  #pendingPoints: MetricPoint[] = [];
  #pendingBatches: PointBatch[] = [];
  #failure: string | undefined;
  #seriesSavedMs = 0;
  readonly #counts = { spans: 0, logs: 0, points: 0, rejected: 0, prunedTraces: 0, prunedLogs: 0 };

  /** @throws RL_CONFLICT, RL_NO_PERMISSION, RL_DISK_FULL, RL_INTERNAL */
  constructor(options: StoreOptions) {
    this.#options = options;
    const limit = options.recentBytes + options.keptBytes + options.logBytes + options.metricBytes;
    this.#db = new Database(options.directory, limit * SLACK + SLACK_BYTES);
    this.#resources = new Resources(this.#db);
    this.#words = new Words(this.#db);
    const policy = { slowMs: options.slowMs, ordinaryMisses: ORDINARY_MISSES };
    this.#traces = new TraceTables(this.#db, this.#words, this.#resources, policy);
    this.#search = new TraceSearch(this.#db, this.#traces, this.#words, this.#resources);
    this.#logs = new LogTables(this.#db, this.#resources);
    this.#series = new MetricSeriesTable(this.#db);
    this.#chunks = new MetricChunks(this.#db);
    this.#reader = new MetricReader(this.#series, this.#chunks);
    this.#own = new Set(options.ownMetrics);
  }

  /** Where an unreadable file was put, if one was found. */
  get putAside(): string | undefined {
    return this.#db.putAside;
  }

  /** Records that wait for the next commit. */
  get waiting(): boolean {
    return (
      this.#pendingSpans.length + this.#pendingLogs.length + this.#pendingPoints.length + this.#pendingBatches.length >
      0
    );
  }

  /** Decodes a body and puts its records before the next commit. @throws RL_BAD_REQUEST, RL_ENTITY_TOO_LARGE */
  take(signal: Signal, body: OtlpBody, nowMs: number): Acceptance {
    if (signal === "traces") {
      const { groups, accepted, rejected, message } = spanRecords(decodeTraces(body));
      this.#pendingSpans.push(...groups);
      this.#counts.spans += accepted;
      this.#counts.rejected += rejected;
      return { accepted, rejected, message };
    }
    if (signal === "logs") {
      const { groups, accepted } = logRecords(decodeLogs(body), nowMs);
      this.#pendingLogs.push(...groups);
      this.#counts.logs += accepted;
      return { accepted, rejected: 0, message: "" };
    }
    const { points, exemplars, accepted } = this.#decoder.decode(
      decodeMetrics(body),
      nowMs,
      (name, { attributes }) => attributes["service.namespace"] === "ringlight" && this.#own.has(name),
    );
    this.#pendingPoints.push(...points);
    this.#exemplars.push(...exemplars);
    if (this.#exemplars.length > EXEMPLARS_LIMIT) this.#exemplars.splice(0, this.#exemplars.length - EXEMPLARS_LIMIT);
    this.#counts.points += accepted;
    return { accepted, rejected: 0, message: "" };
  }

  /** Names the series of the observer; their number is their place. */
  define(definitions: readonly SeriesDefinition[]): void {
    this.#refs.push(...definitions);
  }

  /** Points of the observer. */
  record(batch: PointBatch): void {
    this.#pendingBatches.push(batch);
  }

  /**
   * Writes what waits, and prunes a slice. What cannot be written is dropped, and the reason stands in the statistics.
   * @throws RL_DISK_FULL, RL_INTERNAL
   */
  commit(nowMs: number): Changes {
    const [spans, logs, points, batches] = [
      this.#pendingSpans,
      this.#pendingLogs,
      this.#pendingPoints,
      this.#pendingBatches,
    ];
    this.#pendingSpans = [];
    this.#pendingLogs = [];
    this.#pendingPoints = [];
    this.#pendingBatches = [];
    try {
      const changes = this.#db.transaction(() => {
        this.#prune(
          nowMs,
          spans.reduce((sum, group) => sum + group.spans.length, 0),
        );
        const traces = spans.length > 0 ? this.#traces.write(spans, nowMs) : [];
        const stored = logs.length > 0 ? this.#logs.write(logs) : [];
        for (const point of points) this.#enter(point);
        for (const batch of batches) this.#enterBatch(batch);
        return { traces, logs: stored };
      });
      this.#failure = undefined;
      return changes;
    } catch (error) {
      this.#afterFailure(error);
      throw error;
    }
  }

  /** Once a second: part of the open metrics to the file, and what is too old out of it. */
  maintain(nowMs: number, share = METRIC_FLUSH_SHARE): void {
    try {
      this.#db.transaction(() => {
        this.#prune(nowMs, 0);
        this.#chunks.flush(share);
        this.#chunks.prune(nowMs, this.#options.metricBytes);
        if (nowMs - this.#seriesSavedMs > HOUR_MS) {
          if (this.#seriesSavedMs > 0) this.#series.saveTimes();
          this.#series.prune(nowMs - 31 * 24 * HOUR_MS);
          this.#refSeries = [];
          this.#seriesSavedMs = nowMs;
        }
      });
    } catch (error) {
      this.#afterFailure(error);
    }
  }

  search(query: TraceQuery): TraceSearchResult {
    return this.#search.search(query);
  }

  matcher(query: TraceQuery): (row: TraceRow) => boolean {
    return this.#search.matcher(query);
  }

  detail(traceId: string, offset?: number, limit?: number): TraceDetail | undefined {
    const found = this.#search.detail(traceId, offset, limit);
    return found === undefined ? undefined : { ...found, logCount: this.#logs.countOf(traceId) };
  }

  stored(traceIds: readonly string[]): string[] {
    return traceIds.filter((id) => this.#search.has(id));
  }

  values(key: string, prefix: string, limit: number): TraceValues {
    return {
      services: this.#words.services(key === "" ? prefix : "", limit),
      names: this.#words.spanNames(key === "" ? prefix : "", limit),
      attributeKeys: this.#words.keys(key === "" ? prefix : "", limit),
      attributeValues: key === "" ? [] : this.#words.values(key, prefix, limit),
    };
  }

  logs(query: LogQuery): LogResult {
    return this.#logs.search(query);
  }

  metrics(): readonly MetricInfo[] {
    return this.#series.describe();
  }

  metric(query: MetricQuery, nowMs: number): MetricResult {
    const answer = this.#reader.query(query, nowMs);
    return { ...answer, exemplars: query.exemplars === false ? [] : this.#exemplarsOf(query, answer.stepMs) };
  }

  stats(): Omit<StoreStats, "refusedRequests"> {
    const { recentBytes, keptBytes, logBytes, metricBytes } = this.#options;
    const [recent = 0, ...kept] = this.#traces.bytes;
    const [recentRows = 0, ...keptRows] = this.#traces.rows;
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    return {
      recent: { usedBytes: recent, limitBytes: recentBytes, rows: recentRows, oldestMs: this.#traces.oldestMs(false) },
      kept: { usedBytes: sum(kept), limitBytes: keptBytes, rows: sum(keptRows), oldestMs: this.#traces.oldestMs(true) },
      logs: {
        usedBytes: this.#logs.bytes,
        limitBytes: logBytes,
        rows: this.#logs.rows,
        oldestMs: this.#logs.oldestMs(),
      },
      metrics: { usedBytes: this.#chunks.totalBytes(), limitBytes: metricBytes, rows: this.#series.size, oldestMs: 0 },
      fileBytes: this.#db.fileBytes(),
      receivedSpans: this.#counts.spans,
      receivedLogs: this.#counts.logs,
      receivedPoints: this.#counts.points,
      rejectedRecords: this.#counts.rejected + this.#traces.leftOut,
      prunedTraces: this.#counts.prunedTraces,
      prunedLogs: this.#counts.prunedLogs,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  /** Writes what waits and closes the file. Idempotent. */
  close(nowMs: number): void {
    try {
      if (this.waiting) this.commit(nowMs);
    } catch {
      // Said already; there is nothing else to be done with it.
    }
    this.maintain(nowMs, 1);
    this.#db.close();
  }

  /** Everything that was counted or remembered in the transaction is read anew. */
  #afterFailure(error: unknown): void {
    this.#failure = error instanceof Error ? error.message : String(error);
    try {
      this.#resources.reload();
      this.#traces.recount();
      this.#logs.recount();
      this.#series.reload();
      this.#refSeries = [];
      this.#chunks.recount();
      // A full disk: make room, so that the next commit finds some.
      if (error instanceof RinglightError && error.code === "RL_DISK_FULL") {
        this.#db.transaction(() => {
          this.#counts.prunedTraces += this.#traces.prune(0, PRUNE_SLICE);
          this.#counts.prunedLogs += this.#logs.prune(PRUNE_SLICE);
        });
      }
    } catch {
      // The disk takes nothing at all: what is stored stays readable, and the next commit tries again.
    }
  }

  /** @param coming spans that are about to be written: so many traces may leave for them, and some more */
  #prune(nowMs: number, coming: number): void {
    const { recentBytes, keptBytes, logBytes, recentMs, keptMs, logMs } = this.#options;
    const traces = this.#traces;
    const count = (removed: number) => {
      this.#counts.prunedTraces += removed;
      return removed;
    };
    const most = PRUNE_SLICE + coming;
    if (count(traces.free(0, traces.bytes[0]! - recentBytes, most)) === 0) {
      count(traces.prune(0, PRUNE_SLICE, (nowMs - recentMs) * 1000));
    }
    const [, ...kept] = traces.bytes;
    const total = kept.reduce((sum, bytes) => sum + bytes, 0);
    count(traces.free(kept.indexOf(Math.max(...kept)) + 1, total - keptBytes, most));
    for (let reason = 1; reason < traces.bytes.length; reason++) {
      if (traces.rows[reason]! > 0) count(traces.prune(reason, PRUNE_SLICE, (nowMs - keptMs) * 1000));
    }
    if (this.#logs.bytes > logBytes) this.#counts.prunedLogs += this.#logs.prune(PRUNE_SLICE * 4);
    else if (this.#logs.rows > 0) this.#counts.prunedLogs += this.#logs.prune(PRUNE_SLICE, nowMs - logMs);
  }

  #enter({ definition, fromMs, toMs, values }: MetricPoint): void {
    const series = this.#series.find(definition);
    if (series === undefined) {
      this.#counts.rejected++;
      return;
    }
    series.lastMs = Math.max(series.lastMs, toMs);
    const width = Math.min(widthOf(series), values.length);
    this.#chunks.enter(definition.source, series.id, fromMs, toMs, values, 0, width, definition.kind === "gauge");
  }

  #enterBatch({ fromMs, toMs, refs, values }: PointBatch): void {
    let at = 0;
    for (const ref of refs) {
      const definition = this.#refs[ref];
      if (definition === undefined) return;
      const width = widthOf(definition);
      this.#refSeries[ref] ??= this.#series.find(definition);
      const series = this.#refSeries[ref];
      if (series !== undefined) {
        series.lastMs = toMs;
        this.#chunks.enter(definition.source, series.id, fromMs, toMs, values, at, width, definition.kind === "gauge");
      }
      at += width;
    }
  }

  #exemplarsOf(query: MetricQuery, stepMs: number): MetricExemplar[] {
    const found: MetricExemplar[] = this.#exemplars
      .filter(({ metric, atMs, labels }) => metric === query.metric && inWindow(atMs, query) && passes(labels, query))
      .map(({ metric: _metric, ...exemplar }) => exemplar);
    const traces = TRACE_EXEMPLARS[query.metric];
    if (traces !== undefined) found.push(...this.#tracesAsExemplars(query, traces));
    const perStep = new Map<number, number>();
    return found
      .sort((a, b) => b.value - a.value)
      .filter(({ atMs }) => {
        const step = Math.floor(atMs / stepMs);
        const taken = perStep.get(step) ?? 0;
        perStep.set(step, taken + 1);
        return taken < EXEMPLARS_STEP;
      })
      .slice(0, EXEMPLARS_ANSWER);
  }

  /** The slowest traces of the window stand for its latencies: they are stored, so the link never leads nowhere. */
  #tracesAsExemplars(query: MetricQuery, base: TraceQuery): MetricExemplar[] {
    const one = (label: string) => {
      const values = query.filter?.[label];
      return values?.length === 1 && values[0] !== "" ? values[0] : undefined;
    };
    const [mount, missReason, instance] = [one("mount"), one("miss_reason"), one("worker")];
    const { traces } = this.#search.search({
      ...base,
      ...(mount === undefined ? {} : { mount }),
      ...(missReason === undefined ? {} : { missReason }),
      ...(instance === undefined ? {} : { instance }),
      fromMs: query.fromMs,
      toMs: query.toMs,
      limit: 1000,
    });
    return traces
      .filter(({ jobId }) => jobId === undefined)
      .map((trace) => ({
        atMs: trace.startMs,
        value: trace.durationMs / 1000,
        traceId: trace.traceId,
        labels: {
          ...(trace.instance === undefined ? {} : { worker: trace.instance }),
          ...(trace.mount === undefined ? {} : { mount: trace.mount }),
          ...(trace.missReason === undefined ? {} : { miss_reason: trace.missReason }),
        },
      }));
  }
}

const inWindow = (atMs: number, { fromMs, toMs }: MetricQuery) => atMs >= fromMs && atMs < toMs;

function passes(labels: Readonly<Record<string, string>>, { filter }: MetricQuery): boolean {
  return Object.entries(filter ?? {}).every(([label, values]) => values.includes(labels[label] ?? ""));
}
