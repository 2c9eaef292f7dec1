/**
 * Select a window of a chart, and see what changed most against the window before it: which worker, mount, reason, API.
 * Each dimension's values are compared by the measure; a value's share says how much of the whole change it accounts for.
 */
import { formatDuration, MISS_REASONS, type MissReason } from "@ringlight/core";
import type { MetricQuery, TraceStore } from "@ringlight/trace-store";
import type { CompareMeasure, DimensionChange, WindowComparison } from "../wire-telemetry.ts";

/** How a measure is read from the metrics, and what it is taken apart by. */
interface Measure {
  readonly metric: string;
  readonly filter?: Readonly<Record<string, readonly string[]>>;
  readonly fn: "rate" | "avg";
  readonly unit: string;
  readonly dimensions: readonly string[];
  readonly word: string;
}

const MEASURES: Readonly<Record<CompareMeasure, Measure>> = {
  misses: {
    metric: "ringlight.cache.requests",
    filter: { outcome: ["miss"] },
    fn: "rate",
    unit: "{request}/s",
    dimensions: ["worker", "mount", "miss_reason"],
    word: "Misses",
  },
  errors: {
    metric: "ringlight.request.duration",
    filter: { status: ["4xx", "5xx", "aborted"] },
    fn: "rate",
    unit: "{request}/s",
    dimensions: ["worker", "api", "status"],
    word: "Failed requests",
  },
  requests: {
    metric: "ringlight.request.duration",
    fn: "rate",
    unit: "{request}/s",
    dimensions: ["worker", "api", "status"],
    word: "Requests",
  },
  latency: {
    metric: "ringlight.request.duration",
    fn: "avg",
    unit: "s",
    dimensions: ["worker", "api", "status"],
    word: "The mean time to the first byte",
  },
  ufs: {
    metric: "ringlight.ufs.request.duration",
    fn: "rate",
    unit: "{request}/s",
    dimensions: ["worker", "mount", "op", "status"],
    word: "Requests to the stores",
  },
};

export const COMPARE_MEASURES = Object.keys(MEASURES) as readonly CompareMeasure[];

/** Most values that are answered. */
const MOST_CHANGES = 20;

interface Totals {
  /** The measure over the window: a rate, or a mean. */
  readonly value: number | null;
  /** How much of the window's work the value stands for: means are weighed by it. */
  readonly weight: number;
}

/** The measure over a window, by the values of a label; under "" where no label is given. */
async function measured(
  store: Pick<TraceStore, "metric">,
  measure: Measure,
  window: { readonly fromMs: number; readonly toMs: number },
  label: string | undefined,
): Promise<Map<string, Totals>> {
  const query: MetricQuery = {
    metric: measure.metric,
    ...window,
    exemplars: false,
    ...(measure.filter && { filter: measure.filter }),
    ...(label === undefined ? {} : { groupBy: [label] }),
  };
  const seconds = (window.toMs - window.fromMs) / 1000;
  const increases = await store.metric({ ...query, fn: "increase" });
  const means = measure.fn === "avg" ? await store.metric({ ...query, fn: "avg" }) : undefined;
  const found = new Map<string, Totals>();
  increases.series.forEach(({ labels, values }, place) => {
    const weight = values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
    const known = values.some((value) => value !== null);
    const name = label === undefined ? "" : (labels[label] ?? "");
    if (means === undefined) {
      found.set(name, { value: known ? weight / seconds : null, weight });
      return;
    }
    const line = means.series[place]?.values ?? [];
    const sum = line.reduce<number>((total, mean, step) => total + (mean ?? 0) * (values[step] ?? 0), 0);
    found.set(name, { value: weight > 0 ? sum / weight : null, weight });
  });
  return found;
}

/** How much each value adds to the change of the whole: of means, by how much of the work it had. */
function changesOf(
  measure: Measure,
  dimension: string,
  before: ReadonlyMap<string, Totals>,
  after: ReadonlyMap<string, Totals>,
): (DimensionChange & { readonly size: number })[] {
  const weightOf = (all: ReadonlyMap<string, Totals>) => [...all.values()].reduce((sum, { weight }) => sum + weight, 0);
  const [weightBefore, weightAfter] = [weightOf(before), weightOf(after)];
  const part = (totals: Totals | undefined, weight: number) => {
    const value = totals?.value ?? 0;
    return measure.fn === "avg" ? (weight > 0 ? (value * (totals?.weight ?? 0)) / weight : 0) : value;
  };
  return [...new Set([...before.keys(), ...after.keys()])].map((value) => {
    const size = part(after.get(value), weightAfter) - part(before.get(value), weightBefore);
    return {
      dimension,
      value,
      before: before.get(value)?.value ?? null,
      after: after.get(value)?.value ?? null,
      share: 0,
      size,
    };
  });
}

function amount(value: number | null, unit: string): string {
  if (value === null) return "nothing";
  if (unit === "s") return formatDuration(value * 1000);
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} a second`;
}

function nameOf({ dimension, value }: DimensionChange): string {
  if (dimension === "miss_reason") {
    const info = Object.hasOwn(MISS_REASONS, value) ? MISS_REASONS[value as MissReason] : undefined;
    return info === undefined
      ? `the reason ${value || "unknown"}`
      : `the reason ${value} (${info.sentence.replace(/\.$/, "")})`;
  }
  return `${dimension} ${value || "(none)"}`;
}

function sentence(measure: Measure, before: number | null, after: number | null, changes: readonly DimensionChange[]) {
  const start = `${measure.word} went from ${amount(before, measure.unit)} to ${amount(after, measure.unit)}.`;
  const [first] = changes;
  if (first === undefined || Math.abs(first.share) < 0.05) return `${start} No worker, mount or reason stands out.`;
  return `${start} ${Math.round(Math.abs(first.share) * 100)} % of the change is ${nameOf(first)}.`;
}

/** Compares a window with the one of the same length before it. @throws RL_NOT_FOUND while the metric is unknown */
export async function compareWindow(
  store: Pick<TraceStore, "metric" | "search">,
  name: CompareMeasure,
  fromMs: number,
  toMs: number,
): Promise<WindowComparison> {
  const measure = MEASURES[name];
  const window = { fromMs, toMs };
  const baseline = { fromMs: fromMs - (toMs - fromMs), toMs: fromMs };
  const [wholeBefore, wholeAfter] = await Promise.all(
    [baseline, window].map((one) => measured(store, measure, one, undefined)),
  );
  const before = wholeBefore?.get("")?.value ?? null;
  const after = wholeAfter?.get("")?.value ?? null;
  const found: (DimensionChange & { readonly size: number })[] = [];
  for (const dimension of measure.dimensions) {
    const [was, is] = await Promise.all([baseline, window].map((one) => measured(store, measure, one, dimension)));
    // One value only explains nothing.
    const changes = changesOf(measure, dimension, was ?? new Map(), is ?? new Map());
    if (changes.length > 1 || dimension === "miss_reason") found.push(...changes);
  }
  const whole = (after ?? 0) - (before ?? 0);
  const scale = Math.max(Math.abs(whole), ...found.map(({ size }) => Math.abs(size)), Number.MIN_VALUE);
  const changes = found
    .map(({ size, ...change }) => ({ ...change, share: size / scale }))
    .filter(({ share }) => share !== 0)
    .sort((a, b) => Math.abs(b.share) - Math.abs(a.share))
    .slice(0, MOST_CHANGES);
  const { traces } = await store.search({
    ...window,
    limit: 200,
    ...(name === "errors" ? { error: true } : name === "misses" || name === "ufs" ? { outcome: "miss" } : {}),
  });
  const exemplars = [...traces]
    .sort((a, b) => b.durationMs - a.durationMs)
    .slice(0, 5)
    .map(({ traceId, startMs, durationMs }) => ({ traceId, atMs: startMs, value: durationMs / 1000 }));
  return {
    measure: name,
    unit: measure.unit,
    ...window,
    baselineFromMs: baseline.fromMs,
    baselineToMs: baseline.toMs,
    before,
    after,
    changes,
    summary: sentence(measure, before, after, changes),
    exemplars,
  };
}
