/** Steps of a time series: the server makes them, and the pages must know which the next answer will have. */

/** Points of a chart, whatever the range. */
const SERIES_POINTS = 300;

/** Steps that a chart takes at most for its width to tell them apart, seconds: whole, and never below a second. */
export function seriesStepS(windowMs: number): number {
  return Math.max(1, Math.round(windowMs / 1000 / SERIES_POINTS));
}
