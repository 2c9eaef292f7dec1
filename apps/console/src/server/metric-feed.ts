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

/** What is known of one row of a worker's messages. */
interface RowState {
  /** Cumulative values of the message before. */
  before: readonly number[] | undefined;
  /** The worker's own series; undefined where a crowd keeps none. */
  readonly own: number | undefined;
  /** The series of the sum over all workers. */
  readonly sum: number;
}

interface WorkerState {
  startedMs: number;
  lastMs: number;
  /** Whether its own series are those of a crowd. */
  crowd: boolean;
  readonly rows: Map<string, RowState>;
  /** Gauges by the series of their sum. */
  gauges: Map<number, Row>;
}

export class MetricFeed {
  readonly #sink: MetricSink;
  readonly #sinceMs: number;
  /** Numbers of series by their source, metric and labels. */
  readonly #series = new Map<string, number>();
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
    const crowd = this.#workers.size + (state === undefined ? 1 : 0) > CROWD;
    if (state === undefined || !known) {
      state = { startedMs: stats.startedUnixMs, lastMs: nowMs, crowd, rows: new Map(), gauges: new Map() };
      this.#workers.set(workerId, state);
    } else if (state.crowd !== crowd) {
      state.crowd = crowd;
      for (const [key, { before }] of state.rows) {
        // Their series are looked up anew; what they counted from stays.
        state.rows.set(key, { before, own: undefined, sum: UNKNOWN });
      }
    }
    state.lastMs = nowMs;
    const counters = new Map<number, number[]>();
    const gauges = new Map<number, number[]>();
    const standing = new Map<number, Row>();
    for (const row of rowsOf(stats)) {
      const key = keyOf(row.metric, row.labels);
      let of = state.rows.get(key);
      if (of === undefined || of.sum === UNKNOWN) {
        of = this.#rowState(workerId, row, crowd, of?.before);
        state.rows.set(key, of);
      }
      const { values } = row;
      if (row.metric.kind === "gauge") {
        standing.set(of.sum, row);
        if (of.own !== undefined) addTo(gauges, of.own, values);
        continue;
      }
      const { before } = of;
      of.before = values;
      if (before === undefined && !fromZero) continue;
      const increase = increaseOf(values, before);
      if (of.own !== undefined) addTo(counters, of.own, increase);
      addTo(this.#sums, of.sum, increase);
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
      for (const [sum, { metric, values }] of state.gauges) {
        const total = totals.get(sum);
        const value = values[0] ?? 0;
        if (total === undefined) totals.set(sum, [value]);
        else total[0] = LARGEST.has(metric.name) ? Math.max(total[0]!, value) : total[0]! + value;
      }
    }
    this.#record(nowMs, nowMs, totals);
  }

  /** Forgets a worker that left the ring. */
  forget(workerId: string): void {
    this.#workers.delete(workerId);
  }

  #rowState(workerId: string, { metric, labels }: Row, crowd: boolean, before: RowState["before"]): RowState {
    const sum = this.#ref(CLUSTER_SOURCE, metric, labels);
    const kept = crowd ? CROWD_LABELS[metric.name] : Object.keys(labels);
    if (kept === undefined) return { before, own: undefined, sum };
    const own = Object.fromEntries([["worker", workerId], ...kept.map((name) => [name, labels[name] ?? ""])]);
    return { before, own: this.#ref(`worker:${workerId}`, metric, own), sum };
  }

  #ref(source: string, metric: AnyMetric, labels: Labels<string>): number {
    const place = `${source} ${keyOf(metric, labels)}`;
    let ref = this.#series.get(place);
    if (ref === undefined) {
      const { name, kind, unit } = metric;
      ref = this.#sink.series({
        source,
        name,
        labels,
        kind,
        unit,
        bounds: kind === "histogram" ? LATENCY_BOUNDS_S : [],
      });
      this.#series.set(place, ref);
    }
    return ref;
  }

  #record(fromMs: number, toMs: number, points: ReadonlyMap<number, readonly number[]>): void {
    if (points.size === 0) return;
    let width = 0;
    for (const point of points.values()) width += point.length;
    const refs = new Int32Array(points.size);
    const values = new Float64Array(width);
    let [place, at] = [0, 0];
    for (const [ref, point] of points) {
      refs[place++] = ref;
      for (const value of point) values[at++] = value;
    }
    this.#sink.record({ fromMs, toMs, refs, values });
  }
}

/** In place of a series' number that is to be looked up. */
const UNKNOWN = -1;

/** A metric's name with the values of its labels, which always come in one order. */
function keyOf({ name }: AnyMetric, labels: Labels<string>): string {
  let key = name;
  for (const label in labels) key += `\0${labels[label]}`;
  return key;
}

/** What values grew by; all of them where one fell, or there is nothing before. */
function increaseOf(values: readonly number[], before: readonly number[] | undefined): readonly number[] {
  if (before === undefined) return values;
  const increase = new Array<number>(values.length);
  for (let place = 0; place < values.length; place++) {
    const grown = values[place]! - (before[place] ?? 0);
    if (grown < 0) return values;
    increase[place] = grown;
  }
  return increase;
}

function addTo(into: Map<number, number[]>, ref: number, values: readonly number[]): void {
  const sum = into.get(ref);
  if (sum === undefined) into.set(ref, [...values]);
  else for (let place = 0; place < values.length; place++) sum[place] = (sum[place] ?? 0) + values[place]!;
}

/** A histogram's cumulative values: its buckets, all of them, and its sum. */
function histogram(counts: readonly number[], sum: number): number[] {
  const values = new Array<number>(BUCKETS + 1);
  for (let bucket = 0; bucket < BUCKETS; bucket++) values[bucket] = counts[bucket] ?? 0;
  values[BUCKETS] = sum;
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
