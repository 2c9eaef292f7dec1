/** Puts newer steps of a series behind the known ones. */
import type { SeriesView } from "../wire.ts";

/** The known steps followed by the fresh ones, no longer than the range; the fresh ones alone where they do not fit. */
export function mergeSeries(known: SeriesView | undefined, fresh: SeriesView, rangeS: number): SeriesView {
  if (!known || known.stepS !== fresh.stepS || known.sinceMs !== fresh.sinceMs) return fresh;
  const last = known.times.at(-1);
  const times = [...known.times, ...fresh.times.filter((time) => last === undefined || time > last)];
  const added = times.length - known.times.length;
  const skipped = fresh.times.length - added;
  const drop = Math.max(0, times.length - Math.floor(rangeS / fresh.stepS));
  const columns: Record<string, (number | null)[]> = {};
  for (const name of new Set([...Object.keys(known.columns), ...Object.keys(fresh.columns)])) {
    // A column that appears later was nothing but zero before, wherever anything was seen at all.
    const before = known.columns[name] ?? zeroesLike(known);
    const after = fresh.columns[name] ?? zeroesLike(fresh);
    columns[name] = [...before, ...after.slice(skipped)].slice(drop);
  }
  return { ...fresh, times: times.slice(drop), columns };
}

function zeroesLike(series: SeriesView): (number | null)[] {
  return series.times.map((_, index) => {
    for (const name in series.columns) if (series.columns[name]![index] !== null) return 0;
    return null;
  });
}

/** Steps that a chart shows at least. */
const FEWEST_STEPS = 30;

/** Leaves out the steps before anything was seen, so that a console that started a moment ago fills its charts. */
export function trimSeries(series: SeriesView): SeriesView {
  const { times, columns } = series;
  let first = times.length;
  for (const name in columns) {
    const index = columns[name]!.findIndex((value) => value !== null);
    if (index >= 0) first = Math.min(first, index);
  }
  const drop = Math.min(first, times.length - FEWEST_STEPS);
  if (drop <= 0) return series;
  return {
    ...series,
    times: times.slice(drop),
    columns: Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(drop)])),
  };
}
