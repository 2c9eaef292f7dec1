/**
 * Turns OTLP metrics into points of series: cumulative values into increases (a start time that moved, or a value that
 * fell, is a new beginning), exponential histograms into fixed buckets, summaries into gauges.
 */
import type {
  Exemplar,
  ExponentialHistogramDataPoint,
  ExportMetricsServiceRequest,
  KeyValue,
  Metric,
} from "@ringlight/proto/otlp";
import type { SeriesDefinition } from "./metric-series.ts";
import { attributesOf, msOf, resourceOf } from "./otlp-records.ts";
import type { ResourceRecord } from "./traces.ts";
import { attributeText } from "./words.ts";

/** One point of one series: increases since `fromMs`, or the value of a gauge. */
export interface MetricPoint {
  readonly definition: SeriesDefinition;
  readonly fromMs: number;
  readonly toMs: number;
  readonly values: readonly number[];
}

/** An exemplar as it came, with what it belongs to. */
export interface FoundExemplar {
  readonly metric: string;
  readonly atMs: number;
  readonly value: number;
  readonly traceId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Series whose last cumulative value is remembered. */
const STATES_LIMIT = 100_000;
const DELTA = 1;
/** The first point of a cumulative series says nothing of when it grew; a younger one counts from its start. */
const FIRST_SPAN_MS = 120_000;
/** Buckets that exponential histograms are sorted into, 1-2.5-5 steps. */
const DECADES = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6];
const EXPONENTIAL_BOUNDS = DECADES.flatMap((power) => [1, 2.5, 5].map((factor) => factor * 10 ** power));

interface Cumulative {
  readonly startNanos: string;
  readonly toMs: number;
  readonly values: readonly number[];
}

/** What one request gave. */
export interface DecodedPoints {
  readonly points: readonly MetricPoint[];
  readonly exemplars: readonly FoundExemplar[];
  readonly accepted: number;
}

interface DataPoint {
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly exemplars?: readonly Exemplar[];
}

export class OtlpMetricDecoder {
  readonly #states = new Map<string, Cumulative>();

  /** The points of a request; `skip` names metrics that this store is told of by another way. */
  decode(
    request: ExportMetricsServiceRequest,
    nowMs: number,
    skip: (name: string, resource: ResourceRecord) => boolean,
  ): DecodedPoints {
    const points: MetricPoint[] = [];
    const exemplars: FoundExemplar[] = [];
    let accepted = 0;
    for (const { resource: sender, scopeMetrics } of request.resourceMetrics) {
      const resource = resourceOf(sender);
      for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
        if (metric.name === "") continue;
        for (const { point, kind, bounds, values, cumulative } of distributions(metric)) {
          accepted++;
          if (skip(metric.name, resource)) continue;
          const labels = labelsOf(resource, point.attributes);
          const source = `otlp:${resource.service}/${resource.instance ?? ""}`;
          const definition: SeriesDefinition = { source, name: metric.name, labels, kind, unit: metric.unit, bounds };
          const toMs = msOf(point.timeUnixNano) || nowMs;
          for (const found of point.exemplars ?? []) exemplars.push(exemplarOf(metric.name, found, labels));
          if (kind === "gauge") points.push({ definition, fromMs: toMs, toMs, values });
          else if (!cumulative) {
            points.push({ definition, fromMs: msOf(point.startTimeUnixNano) || toMs - 1000, toMs, values });
          } else {
            const increase = this.#increase(definition, point.startTimeUnixNano, toMs, values);
            if (increase !== undefined) points.push({ definition, toMs, ...increase });
          }
        }
        for (const extra of summaries(metric)) {
          accepted++;
          const source = `otlp:${resource.service}/${resource.instance ?? ""}`;
          const labels = { ...labelsOf(resource, extra.point.attributes), quantile: extra.quantile };
          const toMs = msOf(extra.point.timeUnixNano) || nowMs;
          const definition: SeriesDefinition = {
            source,
            name: metric.name,
            labels,
            kind: "gauge",
            unit: metric.unit,
            bounds: [],
          };
          points.push({ definition, fromMs: toMs, toMs, values: [extra.value] });
        }
      }
    }
    return { points, exemplars: exemplars.filter(({ traceId }) => traceId !== ""), accepted };
  }

  #increase(
    definition: SeriesDefinition,
    startNanos: string,
    toMs: number,
    values: readonly number[],
  ): { readonly fromMs: number; readonly values: readonly number[] } | undefined {
    const key = JSON.stringify([definition.source, definition.name, definition.labels, definition.bounds]);
    const before = this.#states.get(key);
    if (before !== undefined && toMs <= before.toMs) return undefined;
    this.#states.delete(key);
    this.#states.set(key, { startNanos, toMs, values });
    if (this.#states.size > STATES_LIMIT) {
      const [oldest] = this.#states.keys();
      if (oldest !== undefined) this.#states.delete(oldest);
    }
    const startMs = msOf(startNanos);
    if (before === undefined) {
      // Known from its beginning, or else only from now on.
      return toMs - startMs <= FIRST_SPAN_MS && startMs > 0 ? { fromMs: startMs, values } : undefined;
    }
    const began =
      before.startNanos !== startNanos || values.some((value, index) => value < (before.values[index] ?? 0));
    if (began) return { fromMs: Math.max(startMs, before.toMs), values };
    return { fromMs: before.toMs, values: values.map((value, index) => value - (before.values[index] ?? 0)) };
  }
}

function labelsOf(resource: ResourceRecord, pairs: readonly KeyValue[]): Record<string, string> {
  const labels: Record<string, string> = { service: resource.service };
  if (resource.instance !== undefined) labels.instance = resource.instance;
  for (const [key, value] of Object.entries(attributesOf(pairs))) labels[key] = attributeText(value).slice(0, 256);
  return labels;
}

function exemplarOf(metric: string, found: Exemplar, labels: Readonly<Record<string, string>>): FoundExemplar {
  const traceId = found.traceId.length === 16 ? found.traceId.toString("hex") : "";
  return { metric, atMs: msOf(found.timeUnixNano), value: found.asDouble ?? Number(found.asInt ?? 0), traceId, labels };
}

interface Distribution {
  readonly point: DataPoint;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly bounds: readonly number[];
  readonly values: readonly number[];
  readonly cumulative: boolean;
}

function* distributions(metric: Metric): Generator<Distribution> {
  const numbers = metric.gauge?.dataPoints ?? metric.sum?.dataPoints ?? [];
  const counter = metric.sum?.isMonotonic === true;
  for (const point of numbers) {
    const value = point.asDouble ?? Number(point.asInt ?? Number.NaN);
    if (!Number.isFinite(value)) continue;
    const cumulative = metric.sum?.aggregationTemporality !== DELTA;
    yield { point, kind: counter ? "counter" : "gauge", bounds: [], values: [value], cumulative };
  }
  for (const point of metric.histogram?.dataPoints ?? []) {
    const bounds = point.explicitBounds;
    const counts = point.bucketCounts.length === bounds.length + 1 ? point.bucketCounts : undefined;
    // A histogram without buckets still has its count and sum.
    const values = counts === undefined ? [point.count, point.sum ?? 0] : [...counts, point.sum ?? 0];
    const cumulative = metric.histogram?.aggregationTemporality !== DELTA;
    yield { point, kind: "histogram", bounds: counts === undefined ? [] : bounds, values, cumulative };
  }
  for (const point of metric.exponentialHistogram?.dataPoints ?? []) {
    const values = [...fixedBuckets(point), point.sum ?? 0];
    const cumulative = metric.exponentialHistogram?.aggregationTemporality !== DELTA;
    yield { point, kind: "histogram", bounds: EXPONENTIAL_BOUNDS, values, cumulative };
  }
}

/** Counts by EXPONENTIAL_BOUNDS: each exponential bucket goes where its middle lies; zero and below into the first. */
function fixedBuckets(point: ExponentialHistogramDataPoint): number[] {
  const counts = new Array<number>(EXPONENTIAL_BOUNDS.length + 1).fill(0);
  counts[0] = point.zeroCount + (point.negative?.bucketCounts ?? []).reduce((sum, count) => sum + count, 0);
  const base = 2 ** (2 ** -point.scale);
  point.positive?.bucketCounts.forEach((count, index) => {
    const middle = base ** (point.positive!.offset + index + 0.5);
    let place = EXPONENTIAL_BOUNDS.findIndex((bound) => middle <= bound);
    if (place === -1) place = EXPONENTIAL_BOUNDS.length;
    counts[place]! += count;
  });
  return counts;
}

function* summaries(metric: Metric): Generator<{ point: DataPoint; quantile: string; value: number }> {
  for (const point of metric.summary?.dataPoints ?? []) {
    for (const { quantile, value } of point.quantileValues) {
      if (Number.isFinite(value)) yield { point, quantile: String(quantile), value };
    }
  }
}
