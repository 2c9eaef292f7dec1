/** What the charts show, computed from the columns of a series. */
import { LATENCY_BOUNDS_S, latencyQuantile, MISS_REASON_NAMES } from "@ringlight/core";
import { compareTiers } from "@ringlight/ui";
import * as column from "../columns.ts";
import type { SeriesView } from "../wire.ts";

type Values = readonly (number | null)[];

/** Values of a column; where the series has no such column, zero wherever something was seen. */
export function valuesOf(series: SeriesView, name: string): Values {
  return series.columns[name] ?? seenOf(series).map((covered) => (covered ? 0 : null));
}

/** Every chart of a page asks for it, of the same series. */
const seen = new WeakMap<SeriesView, boolean[]>();

/** For each step, whether any statistics covered it. */
function seenOf(series: SeriesView): readonly boolean[] {
  const known = seen.get(series);
  if (known !== undefined) return known;
  const counters = Object.entries(series.columns).filter(([name]) => !column.isGauge(name));
  const found = series.times.map((_, index) => counters.some(([, values]) => values[index] !== null));
  seen.set(series, found);
  return found;
}

/** Sum of columns, step by step; null where none is known. */
export function sumOf(series: SeriesView, names: readonly string[]): (number | null)[] {
  const columns = names.flatMap((name) => (series.columns[name] ? [series.columns[name]] : []));
  const covered = seenOf(series);
  return series.times.map((_, index) =>
    covered[index] ? columns.reduce((sum, values) => sum + (values[index] ?? 0), 0) : null,
  );
}

/** Tiers that the series knows, in the order of the hierarchy. */
export function tiersOf(series: SeriesView): string[] {
  const tiers = new Set([
    ...column.membersOf(series.columns, "pages.hit."),
    ...column.membersOf(series.columns, "gauge.limit."),
  ]);
  return [...tiers].sort(compareTiers);
}

/** Names of the columns of a family. */
export function familyOf(series: SeriesView, prefix: string): string[] {
  return Object.keys(series.columns).filter((name) => name.startsWith(prefix));
}

/** Each column's share of all page requests, 0 to 1; null in steps without requests. */
export function pageShares(series: SeriesView, names: readonly string[]): (number | null)[][] {
  const all = sumOf(series, familyOf(series, "pages."));
  return names.map((name) => {
    const values = valuesOf(series, name);
    return all.map((total, index) => (total ? (values[index] ?? 0) / total : null));
  });
}

/** Hits of all page requests over the whole series. */
export function overallHitRate(series: SeriesView): number | undefined {
  const total = (names: readonly string[]) =>
    sumOf(series, names).reduce<number>((sum, value) => sum + (value ?? 0), 0);
  const all = total(familyOf(series, "pages."));
  return all > 0 ? total(familyOf(series, "pages.hit.")) / all : undefined;
}

/** Miss reasons that occurred in the series, in the order of the table. */
export function missReasonsOf(series: SeriesView): string[] {
  const known = column.membersOf(series.columns, "pages.miss.");
  return MISS_REASON_NAMES.filter((reason) => known.includes(reason));
}

const BUCKETS = Array.from({ length: LATENCY_BOUNDS_S.length + 1 }, (_, bucket) => column.latency(bucket));

/** A quantile of the latency, step by step, seconds; null in steps without requests. */
export function latencySeries(series: SeriesView, q: number): (number | null)[] {
  const buckets = BUCKETS.map((name) => series.columns[name]);
  return series.times.map(
    (_, index) =>
      latencyQuantile(
        buckets.map((values) => values?.[index] ?? 0),
        q,
      ) ?? null,
  );
}

/** Mean of the last steps that are known. */
export function recentMean(values: Values, steps: number): number | undefined {
  const known = values.slice(-steps).filter((value): value is number => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : undefined;
}
