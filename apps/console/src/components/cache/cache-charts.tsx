"use client";
import {
  formatByteRate,
  formatPercent,
  formatRate,
  Skeleton,
  type TimeRange,
  tierColour,
  workerColour,
} from "@ringlight/ui";
import * as column from "../../columns.ts";
import { tiersOf, valuesOf } from "../../state/derive.ts";
import type { SeriesView } from "../../wire.ts";
import { TimeSeries } from "../time-series.tsx";
import { HitRateChart, MissChart, UsageChart } from "../traffic-charts.tsx";

/** Hit rate by tier and by mount, misses by reason, and pages that come and go. */
export function CacheCharts({
  series,
  range,
  mounts,
}: {
  series: SeriesView | undefined;
  range: TimeRange;
  mounts: readonly string[];
}) {
  if (!series) {
    return (
      <div role="status" className="grid gap-4 lg:grid-cols-2">
        <span className="sr-only">Loading the charts…</span>
        {[0, 1, 2, 3].map((index) => (
          <Skeleton key={index} className="h-64 w-full rounded-lg" />
        ))}
      </div>
    );
  }
  const tiers = tiersOf(series);
  const known = [...new Set([...mounts, ...column.membersOf(series.columns, "mount_pages.")])].sort();
  const byMount = known.map((mount, index) => {
    const pages = valuesOf(series, column.mountPages(mount));
    const hits = valuesOf(series, column.mountHits(mount));
    return {
      name: `/${mount}`,
      colour: workerColour(index),
      values: pages.map((count, step) => (count ? (hits[step] ?? 0) / count : null)),
    };
  });
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <HitRateChart series={series} range={range} mount={mounts[0]} />
      <TimeSeries
        id="hit-rate-mount"
        title="Hit rate by mount"
        hint="share of a mount's page requests"
        times={series.times}
        series={byMount}
        top={1}
        format={(value) => formatPercent(value)}
        empty={<p>{known.length === 0 ? "There is no mount." : "No page was asked for."}</p>}
      />
      <MissChart series={series} range={range} />
      <TimeSeries
        id="admission"
        title="Admitted and evicted"
        hint="pages a second, by tier"
        times={series.times}
        series={tiers.flatMap((tier) => [
          { name: `into ${tier}`, colour: tierColour(tier), values: valuesOf(series, column.stored(tier)) },
          {
            name: `out of ${tier}`,
            colour: tier === "mem" ? "var(--rl-w5)" : "var(--rl-w4)",
            values: valuesOf(series, column.evicted(tier)),
          },
        ])}
        format={formatRate}
        empty={<p>No page was admitted or evicted.</p>}
      />
      <TimeSeries
        id="written"
        title="Bytes written to tiers"
        hint="what filling the cache costs the disks"
        times={series.times}
        series={tiers.map((tier) => ({
          name: tier,
          colour: tierColour(tier),
          values: valuesOf(series, column.storedBytes(tier)),
        }))}
        stacked
        binary
        format={formatByteRate}
        empty={<p>Nothing was written.</p>}
      />
      <UsageChart series={series} />
    </div>
  );
}
