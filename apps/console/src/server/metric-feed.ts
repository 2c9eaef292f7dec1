/**
 * Records what workers tell of themselves as metrics in the trace store, under the names and labels of libs/telemetry: for
 * each worker, and summed up over all of them. Increases are taken against the message before; a process that is new, or a
 * counter that fell, begins from zero.
 *
 * In a crowd of workers only the sums keep all labels: there each worker has a few series of its own.
 */
import { LATENCY_BOUNDS_S } from "@ringlight/core";
import type { WorkerStats } from "@ringlight/proto";
import { type Labels, METRICS, type MetricDefinition } from "@ringlight/telemetry";
import { CLUSTER_SOURCE, type SeriesDefinition } from "@ringlight/trace-store";

/** Where points go: the trace store. */
export interface MetricSink {
  series(definition: SeriesDefinition): number;
  record(batch: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly refs: Int32Array;
    readonly values: Float64Array;
  }): void;
}

/** Workers past which each one's series are few. */
const CROWD = 64;
/** A worker that has been silent for so long is no longer in the sums of gauges. */
const SILENT_MS = 5_000;

/** Labels that a worker's own series keep in a crowd. */
const CROWD_LABELS: Readonly<Record<string, readonly string[]>> = {
  [METRICS.cacheRequests.name]: ["outcome"],
  [METRICS.requestDuration.name]: ["status"],
  [METRICS.requestIo.name]: [],
  [METRICS.ufsIo.name]: [],
  [METRICS.cacheUsage.name]: ["tier"],
  [METRICS.cacheLimit.name]: ["tier"],
  [METRICS.cpuTime.name]: [],
  [METRICS.memoryUsage.name]: [],
  [METRICS.eventLoopDelayP99.name]: [],
};

/** Gauges of which the cluster's value is the largest of the workers', not their sum. */
const LARGEST = new Set<string>([METRICS.eventLoopDelayP99.name, METRICS.ringEpoch.name]);

const BUCKETS = LATENCY_BOUNDS_S.length + 1;

type AnyMetric = MetricDefinition<string>;

/** The metrics that are recorded here. */
export const FED_METRICS: readonly string[] = [
  METRICS.cacheRequests,
  METRICS.cacheIo,
  METRICS.cacheEvictions,
  METRICS.cacheUsage,
  METRICS.cacheLimit,
  METRICS.cachePages,
  METRICS.requestDuration,
  METRICS.requestIo,
  METRICS.ufsRequestDuration,
  METRICS.ufsIo,
  METRICS.relayIo,
  METRICS.fallbacks,
  METRICS.ringEpoch,
  METRICS.cpuTime,
  METRICS.memoryUsage,
  METRICS.heapUsage,
  METRICS.eventLoopDelayP99,
].map(({ name }) => name);

/** A row of a message: cumulative values, or a gauge's. */
interface Row {
  readonly metric: AnyMetric;
  readonly labels: Labels<string>;
  readonly values: readonly number[];
}

/** One series' number and how many values a point of it has. */
interface Target {
  readonly ref: number;
  readonly width: number;
}

interface WorkerState {
  startedMs: number;
  lastMs: number;
  /** Cumulative values by row. */
  readonly before: Map<string, readonly number[]>;
  /** Gauges by row. */
  gauges: Map<string, Row>;
}

export class MetricFeed {
  readonly #sink: MetricSink;
  readonly #sinceMs: number;
  readonly #targets = new Map<string, Target>();
  readonly #workers = new Map<string, WorkerState>();
  #sums = new Map<number, number[]>();
  #sumsFromMs = Number.POSITIVE_INFINITY;
  #sumsToMs = 0;

  /** @param sinceMs when the console began to watch: a process that began later counts from zero */
  constructor(sink: MetricSink, sinceMs: number) {
    this.#sink = sink;
    this.#sinceMs = sinceMs;
  }

  /** Takes a worker's message in. */
  take(workerId: string, stats: WorkerStats, nowMs: number): void {
    let state = this.#workers.get(workerId);
    const known = state !== undefined && state.startedMs === stats.startedUnixMs;
    const fromZero = known || state !== undefined || stats.startedUnixMs >= this.#sinceMs;
    const fromMs = known ? state!.lastMs : Math.max(stats.startedUnixMs, state?.lastMs ?? 0);
    if (state === undefined || !known) {
      state = { startedMs: stats.startedUnixMs, lastMs: nowMs, before: new Map(), gauges: new Map() };
      this.#workers.set(workerId, state);
    }
    state.lastMs = nowMs;
    const crowd = this.#workers.size > CROWD;
    const counters = new Map<number, number[]>();
    const gauges = new Map<number, number[]>();
    const standing = new Map<string, Row>();
    for (const row of rowsOf(stats)) {
      const key = `${row.metric.name} ${JSON.stringify(row.labels)}`;
      if (row.metric.kind === "gauge") {
        standing.set(key, row);
        this.#put(gauges, row, key, workerId, crowd, row.values);
        continue;
      }
      const before = state.before.get(key);
      state.before.set(key, row.values);
      const base =
        before === undefined || row.values.some((value, place) => value < (before[place] ?? 0)) ? [] : before;
      if (before === undefined && !fromZero) continue;
      const increase = row.values.map((value, place) => value - (base[place] ?? 0));
      this.#put(counters, row, key, workerId, crowd, increase);
      const sum = this.#target(CLUSTER_SOURCE, row.metric, row.labels, `${CLUSTER_SOURCE} ${key}`);
      addTo(this.#sums, sum.ref, increase);
    }
    state.gauges = standing;
    if (fromMs < nowMs) {
      this.#record(fromMs, nowMs, counters);
      this.#sumsFromMs = Math.min(this.#sumsFromMs, fromMs);
      this.#sumsToMs = Math.max(this.#sumsToMs, nowMs);
    }
    this.#record(nowMs, nowMs, gauges);
  }

  /** Once a second: records the sums over all workers. */
  tick(nowMs: number): void {
    if (this.#sums.size > 0 && this.#sumsFromMs < this.#sumsToMs) {
      this.#record(this.#sumsFromMs, this.#sumsToMs, this.#sums);
      this.#sums = new Map();
      this.#sumsFromMs = Number.POSITIVE_INFINITY;
      this.#sumsToMs = 0;
    }
    const totals = new Map<number, number[]>();
    for (const state of this.#workers.values()) {
      if (nowMs - state.lastMs > SILENT_MS) continue;
      for (const [key, { metric, labels, values }] of state.gauges) {
        const { ref } = this.#target(CLUSTER_SOURCE, metric, labels, `${CLUSTER_SOURCE} ${key}`);
        const [value = 0] = values;
        const [before] = totals.get(ref) ?? [];
        if (before === undefined) totals.set(ref, [value]);
        else totals.set(ref, [LARGEST.has(metric.name) ? Math.max(before, value) : before + value]);
      }
    }
    this.#record(nowMs, nowMs, totals);
  }

  /** Forgets a worker that left the ring. */
  forget(workerId: string): void {
    this.#workers.delete(workerId);
  }

  #put(
    into: Map<number, number[]>,
    row: Row,
    key: string,
    workerId: string,
    crowd: boolean,
    values: readonly number[],
  ): void {
    const kept = crowd ? CROWD_LABELS[row.metric.name] : undefined;
    if (crowd && kept === undefined) return;
    const labels =
      kept === undefined ? row.labels : Object.fromEntries(kept.map((name) => [name, row.labels[name] ?? ""]));
    const place = `${workerId} ${crowd ? `${row.metric.name} ${JSON.stringify(labels)}` : key}`;
    const { ref } = this.#target(`worker:${workerId}`, row.metric, { worker: workerId, ...labels }, place);
    addTo(into, ref, values);
  }

  #target(source: string, metric: AnyMetric, labels: Labels<string>, place: string): Target {
    let target = this.#targets.get(place);
    if (target === undefined) {
      const bounds = metric.kind === "histogram" ? LATENCY_BOUNDS_S : [];
      const { name, kind, unit } = metric;
      const ref = this.#sink.series({ source, name, labels, kind, unit, bounds });
      target = { ref, width: kind === "histogram" ? BUCKETS + 1 : 1 };
      this.#targets.set(place, target);
    }
    return target;
  }

  #record(fromMs: number, toMs: number, points: ReadonlyMap<number, readonly number[]>): void {
    if (points.size === 0) return;
    this.#sink.record({
      fromMs,
      toMs,
      refs: Int32Array.from(points.keys()),
      values: Float64Array.from([...points.values()].flat()),
    });
  }
}

function addTo(into: Map<number, number[]>, ref: number, values: readonly number[]): void {
  const sum = into.get(ref);
  if (sum === undefined) into.set(ref, [...values]);
  else
    values.forEach((value, place) => {
      sum[place] = (sum[place] ?? 0) + value;
    });
}

/** A histogram's cumulative values: its buckets, all of them, and its sum. */
function histogram(counts: readonly number[], sum: number): number[] {
  const values = Array.from({ length: BUCKETS }, (_, bucket) => counts[bucket] ?? 0);
  values.push(sum);
  return values;
}

function* rowsOf(stats: WorkerStats): Generator<Row> {
  const row = (metric: AnyMetric, labels: Labels<string>, ...values: number[]): Row => ({ metric, labels, values });
  for (const { tier, outcome, missReason, mount, count, bytes } of stats.pages) {
    const labels = { tier, outcome, miss_reason: missReason, mount };
    yield row(METRICS.cacheRequests, labels, count);
    yield row(METRICS.cacheIo, labels, bytes);
  }
  for (const { api, status, bytesOut, latencyCounts, latencySumS } of stats.apis) {
    // The console's own stream lasts as long as the console, which is no latency.
    if (api === "grpc.WatchStats") continue;
    yield row(METRICS.requestDuration, { api, status }, ...histogram(latencyCounts, latencySumS));
    yield row(METRICS.requestIo, { api, status }, bytesOut);
  }
  for (const { mount, op, status, bytes, latencyCounts, latencySumS } of stats.ufs) {
    yield row(METRICS.ufsRequestDuration, { mount, op, status }, ...histogram(latencyCounts, latencySumS));
    yield row(METRICS.ufsIo, { mount, op, status }, bytes);
  }
  for (const { name: tier, usedBytes, limitBytes, pages, evictedPages, ttlPages, quotaPages } of stats.tiers) {
    yield row(METRICS.cacheUsage, { tier }, usedBytes);
    yield row(METRICS.cacheLimit, { tier }, limitBytes);
    yield row(METRICS.cachePages, { tier }, pages);
    yield row(METRICS.cacheEvictions, { tier, reason: "space" }, evictedPages);
    yield row(METRICS.cacheEvictions, { tier, reason: "ttl" }, ttlPages);
    yield row(METRICS.cacheEvictions, { tier, reason: "quota" }, quotaPages);
  }
  yield row(METRICS.relayIo, {}, stats.relayedBytes);
  yield row(METRICS.fallbacks, {}, stats.fallbacks);
  yield row(METRICS.ringEpoch, {}, stats.epoch);
  if (stats.process) {
    yield row(METRICS.cpuTime, {}, stats.process.cpuSeconds);
    yield row(METRICS.memoryUsage, {}, stats.process.rssBytes);
    yield row(METRICS.heapUsage, {}, stats.process.heapUsedBytes);
    yield row(METRICS.eventLoopDelayP99, {}, stats.process.eventLoopDelayP99Ms / 1000);
  }
}
