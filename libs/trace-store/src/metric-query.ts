/** Answers metric queries: adds up the chunks of the matching series by group and step, and makes rates and quantiles of them. */
import { RinglightError } from "@ringlight/core";
import { CHUNK_STEPS, type MetricChunks, RESOLUTIONS } from "./metric-chunks.ts";
import { CLUSTER_SOURCE, type MetricSeriesTable, type Series, widthOf } from "./metric-series.ts";
import type { MetricFunction, MetricKind, MetricLabels, MetricQuery, MetricResult, MetricSeries } from "./metrics.ts";

/** Points of an answer when no step is asked for. */
const POINTS = 300;
const MAX_POINTS = 11_000;
/** Most lines of an answer: the largest. */
const MAX_SERIES = 200;
/** Most chunks that a query reads; past it a coarser resolution is taken. */
const MAX_CHUNKS = 6_000;
/** The newest samples may still be on their way. */
const SETTLE_MS = 1_500;
const DEFAULT_QUANTILES = [0.5, 0.95, 0.99];

const FUNCTIONS: Readonly<Record<MetricKind, readonly MetricFunction[]>> = {
  counter: ["rate", "increase"],
  gauge: ["sum", "avg", "min", "max"],
  histogram: ["quantile", "avg", "rate", "increase"],
};

interface Group {
  readonly labels: MetricLabels;
  readonly bounds: readonly number[];
  /** Steps × width; NaN where unknown. */
  readonly totals: Float64Array;
  /** Of a gauge: how many series stand in the step, and the lowest and highest of them. */
  readonly counts: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** Where a quantile lies in buckets, interpolated within one; undefined when there is nothing. */
function quantileOf(bounds: readonly number[], counts: readonly number[], q: number): number | undefined {
  let total = 0;
  for (const count of counts) total += count;
  if (!(total > 0)) return undefined;
  const rank = q * total;
  let seen = 0;
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index]!;
    if (count > 0 && seen + count >= rank) {
      const low = index === 0 ? Math.min(0, bounds[0] ?? 0) : bounds[index - 1]!;
      const high = bounds[index] ?? bounds.at(-1) ?? low;
      return low + (high - low) * Math.max(0, (rank - seen) / count);
    }
    seen += count;
  }
  return bounds.at(-1);
}

export class MetricReader {
  readonly #table: MetricSeriesTable;
  readonly #chunks: MetricChunks;

  constructor(table: MetricSeriesTable, chunks: MetricChunks) {
    this.#table = table;
    this.#chunks = chunks;
  }

  /** @throws RL_NOT_FOUND when no such metric is known, RL_BAD_REQUEST */
  query(query: MetricQuery, nowMs: number): Omit<MetricResult, "exemplars"> {
    const all = this.#table.named(query.metric);
    const [first] = all;
    if (first === undefined) throw new RinglightError("RL_NOT_FOUND", `no metric ${query.metric} has been seen`);
    const { kind, unit } = first;
    const fn = query.fn ?? FUNCTIONS[kind][0]!;
    if (!FUNCTIONS[kind].includes(fn)) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `${query.metric} is a ${kind}, of which there is no ${fn}; take one of ${FUNCTIONS[kind].join(", ")}`,
      );
    }
    if (!(query.toMs > query.fromMs)) throw new RinglightError("RL_BAD_REQUEST", "from must be before to");
    const groupBy = query.groupBy ?? [];
    const series = matching(all, query, kind);
    const resolution = pickResolution(query, nowMs, new Set(series.map(({ source }) => source)).size);
    const wanted = query.stepMs ?? (query.toMs - query.fromMs) / POINTS;
    const least = Math.max(wanted, (query.toMs - query.fromMs) / MAX_POINTS, resolution);
    const stepMs = Math.ceil(least / resolution) * resolution;
    const startMs = Math.floor(query.fromMs / stepMs) * stepMs;
    const endMs = Math.min(query.toMs, nowMs - SETTLE_MS);
    let steps = Math.max(0, Math.ceil((endMs - startMs) / stepMs));
    // A last step of which little is over says nothing yet.
    if (steps > 1 && endMs - (startMs + (steps - 1) * stepMs) < stepMs * 0.3) steps--;
    const groups = this.#gather(series, kind, groupBy, { startMs, stepMs, steps, resolution });
    const times = Array.from({ length: steps }, (_, index) => startMs + index * stepMs);
    const elapsedS = times.map((time) => Math.min(stepMs, endMs - time) / 1000);
    const made = groups.flatMap((group) => linesOf(group, kind, fn, query.quantiles ?? DEFAULT_QUANTILES, elapsedS));
    const truncated = made.length > MAX_SERIES;
    const kept = truncated ? largest(made, MAX_SERIES) : made;
    return { metric: query.metric, kind, unit, fn, stepMs, resolutionMs: resolution, times, series: kept, truncated };
  }

  #gather(
    series: readonly Series[],
    kind: MetricKind,
    groupBy: readonly string[],
    axis: { readonly startMs: number; readonly stepMs: number; readonly steps: number; readonly resolution: number },
  ): Group[] {
    const groups = new Map<string, Group>();
    const bySource = Map.groupBy(series, ({ source }) => source);
    const { startMs, stepMs, steps, resolution } = axis;
    for (const [source, members] of bySource) {
      const targets = members.map((one) => {
        const labels = Object.fromEntries(groupBy.map((label) => [label, one.labels[label] ?? ""]));
        const key = JSON.stringify([labels, one.bounds]);
        let group = groups.get(key);
        if (group === undefined) {
          const width = widthOf(one);
          const totals = new Float64Array(steps * width).fill(Number.NaN);
          const [counts, min, max] = [new Float64Array(steps), new Float64Array(steps), new Float64Array(steps)];
          group = { labels, bounds: one.bounds, totals, counts, min, max };
          groups.set(key, group);
        }
        return { id: one.id, group, width: widthOf(one) };
      });
      // Of a gauge the last value within a step stands for the step.
      const last = kind === "gauge" ? targets.map(() => new Float64Array(steps).fill(Number.NaN)) : undefined;
      this.#chunks.read(source, resolution, startMs, startMs + steps * stepMs, (chunkMs, columns) => {
        targets.forEach(({ id, group, width }, place) => {
          const values = columns.get(id);
          if (values === undefined) return;
          for (let slot = 0; slot < CHUNK_STEPS; slot++) {
            const step = Math.floor((chunkMs + slot * resolution - startMs) / stepMs);
            if (step < 0 || step >= steps) continue;
            if (last !== undefined) {
              const value = values[slot]!;
              if (!Number.isNaN(value)) last[place]![step] = value;
              continue;
            }
            for (let column = 0; column < width; column++) {
              const value = values[column * CHUNK_STEPS + slot]!;
              if (Number.isNaN(value)) continue;
              const at = step * width + column;
              const before = group.totals[at]!;
              group.totals[at] = Number.isNaN(before) ? value : before + value;
            }
          }
        });
      });
      for (const [place, values] of (last ?? []).entries()) addGauge(targets[place]!.group, values);
    }
    return [...groups.values()];
  }
}

function addGauge({ totals, counts, min, max }: Group, values: Float64Array): void {
  values.forEach((value, step) => {
    if (Number.isNaN(value)) return;
    const known = counts[step]! > 0;
    totals[step] = known ? totals[step]! + value : value;
    min[step] = known ? Math.min(min[step]!, value) : value;
    max[step] = known ? Math.max(max[step]!, value) : value;
    counts[step]! += 1;
  });
}

/** Series of the metric that pass the filter, from the sources that hold them apart or summed up, as the query needs it. */
function matching(all: readonly Series[], query: MetricQuery, kind: MetricKind): Series[] {
  const filter = Object.entries(query.filter ?? {});
  const byWorker = (query.groupBy ?? []).includes("worker") || query.filter?.worker !== undefined;
  const summedUp = all.some(({ source }) => source === CLUSTER_SOURCE);
  // The cluster's own series of a gauge is one number; what lies between the workers is only in theirs.
  const apart = byWorker || (kind === "gauge" && query.fn !== undefined && query.fn !== "sum");
  return all.filter(({ source, labels, kind: own }) => {
    if (own !== kind) return false;
    if (summedUp && (source === CLUSTER_SOURCE) === apart && !source.startsWith("otlp:")) return false;
    return filter.every(([label, values]) => values.includes(labels[label] ?? ""));
  });
}

function pickResolution(query: MetricQuery, nowMs: number, sources: number): number {
  const spanMs = query.toMs - query.fromMs;
  const fits = RESOLUTIONS.filter(({ stepMs, keepMs }) => {
    const chunks = (spanMs / (stepMs * CHUNK_STEPS)) * sources;
    return nowMs - query.fromMs <= keepMs + stepMs * CHUNK_STEPS && chunks <= MAX_CHUNKS;
  });
  // No finer than what is drawn.
  const step = query.stepMs ?? spanMs / POINTS;
  const coarse = fits.filter(({ stepMs }) => stepMs <= Math.max(step, fits[0]?.stepMs ?? 0));
  return (coarse.at(-1) ?? RESOLUTIONS.at(-1)!).stepMs;
}

function linesOf(
  group: Group,
  kind: MetricKind,
  fn: MetricFunction,
  quantiles: readonly number[],
  elapsedS: readonly number[],
): MetricSeries[] {
  const { labels, totals, bounds } = group;
  const steps = elapsedS.length;
  const line = (value: (step: number) => number | undefined): (number | null)[] =>
    Array.from({ length: steps }, (_, step) => {
      const found = value(step);
      return found === undefined || !Number.isFinite(found) ? null : found;
    });
  if (kind === "counter") {
    return [{ labels, values: line((step) => totals[step]! / (fn === "rate" ? elapsedS[step]! : 1)) }];
  }
  if (kind === "gauge") {
    const value = (step: number) => {
      if (group.counts[step] === 0) return undefined;
      if (fn === "avg") return totals[step]! / group.counts[step]!;
      return { min: group.min, max: group.max }[fn as string]?.[step] ?? totals[step];
    };
    return [{ labels, values: line(value) }];
  }
  const width = bounds.length + 2;
  const buckets = (step: number) => Array.from(totals.subarray(step * width, step * width + width - 1));
  const count = (step: number) => buckets(step).reduce((sum, one) => sum + one, 0);
  if (fn === "quantile") {
    return quantiles.map((quantile) => ({
      labels,
      quantile,
      values: line((step) => quantileOf(bounds, buckets(step), quantile)),
    }));
  }
  if (fn === "avg") return [{ labels, values: line((step) => totals[step * width + width - 1]! / count(step)) }];
  return [{ labels, values: line((step) => count(step) / (fn === "rate" ? elapsedS[step]! : 1)) }];
}

function largest(series: readonly MetricSeries[], most: number): MetricSeries[] {
  const size = ({ values }: MetricSeries) => values.reduce<number>((sum, value) => sum + Math.abs(value ?? 0), 0);
  return [...series].sort((a, b) => size(b) - size(a)).slice(0, most);
}
