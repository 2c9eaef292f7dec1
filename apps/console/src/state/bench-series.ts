/** Lines of a run's charts, all on one axis of seconds: what the generators saw, and what the workers said of themselves. */
import type { BenchDetail, BenchMetrics, BenchWindow } from "../wire-bench.ts";

/** Values of one line by the axis. */
export type Line = readonly (number | null)[];

/** The lines of a run. */
export interface RunSeries {
  /** Seconds since the Unix epoch. */
  readonly times: readonly number[];
  readonly requests: Line;
  readonly bytes: Line;
  readonly errors: Line;
  readonly p50S: Line;
  readonly p99S: Line;
  /** Share of the answers by what they said of the cache, such as "hit mem" and "miss cold". */
  readonly outcomes: ReadonlyMap<string, Line>;
  readonly storeBytes: Line;
  readonly epoch: Line;
}

/** A second of a round, or the first one of a pause between rounds, in which another target has its turn and lines break off. */
type Row = BenchWindow | { readonly atMs: number };

const PAUSE_MS = 2000;

/** Makes the lines, of the window where one is given (milliseconds). */
export function runSeries(detail: BenchDetail, window?: { readonly fromMs: number; readonly toMs: number }): RunSeries {
  const inside = (atMs: number) => window === undefined || (atMs >= window.fromMs && atMs <= window.toMs);
  const windows = detail.windows.filter(({ atMs }) => inside(atMs)).sort((a, b) => a.atMs - b.atMs);
  const rows = windows.flatMap((row, at): Row[] => {
    const next = windows[at + 1];
    return next !== undefined && next.atMs - row.atMs > PAUSE_MS ? [row, { atMs: row.atMs + 1000 }] : [row];
  });
  const times = rows.map(({ atMs }) => atMs / 1000);
  const of = (value: (row: BenchWindow) => number | null): Line =>
    rows.map((row) => ("requests" in row ? value(row) : null));
  const seconds = (ms: number | null) => (ms === null ? null : ms / 1000);
  const kinds = [...new Set(windows.flatMap(({ outcomes }) => Object.keys(outcomes)))].sort();
  const outcomes = new Map(
    kinds.map((kind) => [
      kind,
      of(({ outcomes: all }) => {
        const total = Object.values(all).reduce((sum, count) => sum + count, 0);
        return total === 0 ? null : (all[kind] ?? 0) / total;
      }),
    ]),
  );
  return {
    times,
    requests: of(({ requests }) => requests),
    bytes: of(({ bytes }) => bytes),
    errors: of(({ errors }) => errors),
    p50S: of(({ p50Ms }) => seconds(p50Ms)),
    p99S: of(({ p99Ms }) => seconds(p99Ms)),
    outcomes,
    storeBytes: atTimes(rows, detail.metrics, (before, after) => {
      const spanS = (after.atMs - before.atMs) / 1000;
      return spanS > 0 ? Math.max(0, after.storeBytes - before.storeBytes) / spanS : null;
    }),
    epoch: atTimes(rows, detail.metrics, (_before, after) => after.epoch),
  };
}

/** For each second the value between the scrapes around it; null where there are none within three seconds. */
function atTimes(
  rows: readonly Row[],
  metrics: readonly BenchMetrics[],
  value: (before: BenchMetrics, after: BenchMetrics) => number | null,
): Line {
  const sorted = [...metrics].sort((a, b) => a.atMs - b.atMs);
  let at = 0;
  return rows.map((row) => {
    if (!("requests" in row)) return null;
    while (at < sorted.length && sorted[at]!.atMs < row.atMs) at++;
    const [before, after] = [sorted[at - 1], sorted[at]];
    if (before === undefined || after === undefined || after.atMs - row.atMs > 3000) return null;
    return value(before, after);
  });
}
