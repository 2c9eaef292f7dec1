"use client";
import {
  describeRange,
  formatByteRate,
  formatCount,
  formatLatency,
  formatPercent,
  formatRate,
  formatSize,
  NOTHING,
  StatTile,
  type TimeRange,
} from "@ringlight/ui";
import { useMemo } from "react";
import * as column from "../../columns.ts";
import { familyOf, latencySeries, overallHitRate, pageShares, recentMean, sumOf } from "../../state/derive.ts";
import type { SeriesView, Tick } from "../../wire.ts";

/** An event loop that is late by more answers everybody late. */
const SATURATED_MS = 100;
/** Steps that make "now": a single second is too nervous to read. */
const NOW_STEPS = 5;

/** The numbers that matter most: now, over the range, and since the start. */
export function Tiles({
  tick,
  series,
  range,
}: {
  tick: Tick | undefined;
  series: SeriesView | undefined;
  range: TimeRange;
}) {
  const totals = tick?.totals ?? {};
  const sums = useMemo(() => (series ? sumsOf(series) : undefined), [series]);
  const now = (values: readonly (number | null)[] | undefined) => (values ? recentMean(values, NOW_STEPS) : undefined);
  const cacheTotal = column.sumFamily(totals, "bytes.hit.");
  const ufsTotal = (totals[column.BYTES_MISS] ?? 0) + (totals[column.BYTES_BYPASS] ?? 0);
  const failed = totals[column.requests("5xx")] ?? 0;
  const saturation = tick?.load;
  const gets = tick ? (totals[column.ufs("get")] ?? 0) : undefined;
  return (
    <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
      <StatTile
        label={`Hit rate, ${describeRange(range)}`}
        value={formatPercent(sums?.hitRate)}
        detail={`${formatPercent(column.hitRate(totals))} since start`}
        trend={sums?.hits}
        colour="var(--rl-tier-mem)"
        testId="tile-hit-rate"
        exact={sums?.hitRate}
      />
      <StatTile
        label="From cache"
        value={formatByteRate(now(sums?.cache))}
        detail={`${formatSize(cacheTotal)} since start`}
        trend={sums?.cache}
        colour="var(--rl-tier-ssd)"
        testId="tile-cache-bytes"
        exact={cacheTotal}
      />
      <StatTile
        label="From UFS"
        value={formatByteRate(now(sums?.ufs))}
        detail={`${formatSize(ufsTotal)} since start`}
        trend={sums?.ufs}
        colour="var(--rl-ufs)"
        testId="tile-ufs-bytes"
        exact={ufsTotal}
      />
      <StatTile
        label="Requests"
        value={formatRate(now(sums?.requests))}
        detail={`${formatCount(column.sumFamily(totals, "req."))} since start`}
        trend={sums?.requests}
        testId="tile-requests"
        exact={column.sumFamily(totals, "req.")}
      />
      <StatTile
        label="Errors"
        value={formatRate(now(sums?.errors))}
        detail={`${formatCount(failed)} answers of 5xx since start`}
        tone={(now(sums?.errors) ?? 0) > 0 ? "bad" : "plain"}
        trend={sums?.errors}
        colour="var(--rl-bad)"
        testId="tile-errors"
        exact={failed}
      />
      <StatTile
        label="Time to first byte, p99"
        value={formatLatency(now(sums?.p99))}
        detail="S3 and other readers' requests"
        trend={sums?.p99}
        colour="var(--rl-p99)"
        testId="tile-p99"
      />
      <StatTile
        label="Saturation"
        value={formatLatency(saturation?.loopDelayMs === undefined ? undefined : saturation.loopDelayMs / 1000)}
        detail={
          saturation ? `worst loop delay; ${saturation.cores.toFixed(1)} cores, ${saturation.fetches} fetches` : NOTHING
        }
        tone={(saturation?.loopDelayMs ?? 0) > SATURATED_MS ? "warn" : "plain"}
        testId="tile-saturation"
        exact={saturation?.loopDelayMs}
      />
      <StatTile
        label="UFS GETs, total"
        value={gets === undefined ? NOTHING : formatCount(gets)}
        detail={`now ${formatRate(now(sums?.gets))}`}
        trend={sums?.gets}
        colour="var(--rl-ufs)"
        testId="tile-ufs-gets"
        exact={gets}
      />
    </div>
  );
}

/** What the tiles show of a series. */
function sumsOf(series: SeriesView) {
  return {
    hitRate: overallHitRate(series),
    cache: sumOf(series, familyOf(series, "bytes.hit.")),
    ufs: sumOf(series, [column.BYTES_MISS, column.BYTES_BYPASS]),
    requests: sumOf(series, familyOf(series, "req.")),
    errors: sumOf(series, [column.requests("5xx")]),
    gets: sumOf(series, [column.ufs("get")]),
    p99: latencySeries(series, 0.99),
    hits: sumColumns(pageShares(series, familyOf(series, "pages.hit."))),
  };
}

function sumColumns(columns: readonly (readonly (number | null)[])[]): (number | null)[] {
  const [first, ...rest] = columns;
  if (!first) return [];
  return first.map((value, index) =>
    value === null ? null : rest.reduce((sum, values) => sum + (values[index] ?? 0), value),
  );
}
