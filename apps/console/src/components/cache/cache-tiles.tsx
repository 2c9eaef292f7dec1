"use client";
import type { MissRatioCurve } from "@ringlight/client";
import {
  describeRange,
  formatByteRate,
  formatPercent,
  formatRate,
  formatSize,
  StatTile,
  type TimeRange,
} from "@ringlight/ui";
import * as column from "../../columns.ts";
import { familyOf, overallHitRate, pageShares, recentMean, sumOf } from "../../state/derive.ts";
import type { SeriesView } from "../../wire.ts";

/** Steps that make "now". */
const NOW_STEPS = 5;

/** Hit rate, fill, working set, and how fast pages come and go. */
export function CacheTiles({
  series,
  curve,
  range,
}: {
  series: SeriesView | undefined;
  curve: MissRatioCurve | undefined;
  range: TimeRange;
}) {
  const hits = series ? addUp(pageShares(series, familyOf(series, "pages.hit."))) : undefined;
  const stored = series ? sumOf(series, familyOf(series, "stored.")) : undefined;
  const storedBytes = series ? sumOf(series, familyOf(series, "stored_bytes.")) : undefined;
  const evicted = series ? sumOf(series, familyOf(series, "evicted.")) : undefined;
  const refused = series ? sumOf(series, [column.pagesMiss("admission_refused")]) : undefined;
  const now = (values: readonly (number | null)[] | undefined) => (values ? recentMean(values, NOW_STEPS) : undefined);
  const used = curve?.tiers.reduce((sum, tier) => sum + tier.usedBytes, 0);
  const limit = curve?.tiers.reduce((sum, tier) => sum + tier.limitBytes, 0);
  const hour = curve?.workingSets.find(({ windowMs }) => windowMs === 3_600_000)?.bytes;
  const minutes = curve?.workingSets.find(({ windowMs }) => windowMs === 300_000)?.bytes;
  return (
    <div className="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-5">
      <StatTile
        label={`Hit rate, ${describeRange(range)}`}
        value={formatPercent(series ? overallHitRate(series) : undefined)}
        detail="of all page requests"
        trend={hits}
        colour="var(--rl-tier-mem)"
        testId="tile-hit-rate"
        exact={series ? overallHitRate(series) : undefined}
      />
      <StatTile
        label="In the cache"
        value={formatSize(used)}
        detail={`${formatPercent(used !== undefined && limit ? used / limit : undefined, 0)} of ${formatSize(limit)}`}
        testId="tile-cached"
        exact={used}
      />
      <StatTile
        label="Working set, last hour"
        value={formatSize(hour)}
        detail={`${formatSize(minutes)} in the last 5 min`}
        tone={hour !== undefined && limit !== undefined && hour > limit ? "warn" : "plain"}
        testId="tile-working-set"
        exact={hour}
      />
      <StatTile
        label="Admitted"
        value={formatRate(now(stored))}
        detail={`${formatByteRate(now(storedBytes))} written, ${formatRate(now(refused))} refused`}
        trend={stored}
        colour="var(--rl-tier-ssd)"
        testId="tile-admitted"
      />
      <StatTile
        label="Evicted"
        value={formatRate(now(evicted))}
        detail="pages that made room"
        trend={evicted}
        colour="var(--rl-w4)"
        testId="tile-evicted"
      />
    </div>
  );
}

function addUp(columns: readonly (readonly (number | null)[])[]): (number | null)[] {
  const [first, ...rest] = columns;
  if (!first) return [];
  return first.map((value, index) =>
    value === null ? null : rest.reduce((sum, values) => sum + (values[index] ?? 0), value),
  );
}
