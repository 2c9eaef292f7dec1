"use client";
import { MISS_REASONS, type MissReason } from "@ringlight/core";
import {
  CopyCommand,
  describeRange,
  formatByteRate,
  formatLatency,
  formatPercent,
  formatRate,
  formatSize,
  Skeleton,
  type TimeRange,
  tierColour,
} from "@ringlight/ui";
import { memo } from "react";
import * as column from "../columns.ts";
import { familyOf, latencySeries, missReasonsOf, pageShares, sumOf, tiersOf, valuesOf } from "../state/derive.ts";
import { useExemplars } from "../state/exemplars.ts";
import type { SeriesView } from "../wire.ts";
import { type PlotSeries, TimeSeries } from "./time-series.tsx";

/** Colours of miss reasons: warm, since each is a read of the store. */
const REASON_COLOURS: Readonly<Record<MissReason, string>> = {
  cold: "var(--rl-ufs)",
  evicted: "var(--rl-w4)",
  expired: "var(--rl-w5)",
  invalidated: "var(--rl-w3)",
  rebalanced: "var(--rl-w0)",
  owner_down: "var(--rl-bad)",
  admission_refused: "var(--rl-w7)",
  corrupt: "var(--rl-w9)",
  partial: "var(--rl-w11)",
};

/** Colours of APIs, in the order in which they are met. */
const API_COLOURS = ["var(--rl-w0)", "var(--rl-w1)", "var(--rl-w3)", "var(--rl-w6)", "var(--rl-w7)", "var(--rl-w11)"];

/** The charts of what is read and how well it is served: of the cluster, or of one worker. */
export const TrafficCharts = memo(function TrafficCharts({
  series,
  range,
  mount,
}: {
  series: SeriesView | undefined;
  range: TimeRange;
  /** A mount to name in the command that makes traffic. */
  mount: string | undefined;
}) {
  const exemplars = useExemplars(range, "latency");
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
  const empty = (what: string) => <NoTraffic what={what} range={range} mount={mount} />;
  const { times } = series;
  const tiers = tiersOf(series);

  const bytes: PlotSeries[] = [
    ...tiers.map((tier) => ({ name: tier, colour: tierColour(tier), values: valuesOf(series, column.bytesHit(tier)) })),
    { name: "joined", colour: "var(--rl-joined)", values: valuesOf(series, column.BYTES_JOINED) },
    { name: "UFS", colour: "var(--rl-ufs)", values: sumOf(series, [column.BYTES_MISS, column.BYTES_BYPASS]) },
  ];

  const apis = familyOf(series, "api.").sort();
  const requests: PlotSeries[] = (apis.length > 0 ? apis : [column.api("requests")]).map((name, index) => ({
    name: name.slice("api.".length),
    colour: API_COLOURS[index % API_COLOURS.length]!,
    values: valuesOf(series, name),
  }));
  const errors: PlotSeries[] = [
    { name: "4xx", colour: "var(--rl-ufs)", values: valuesOf(series, column.requests("4xx")) },
    { name: "5xx", colour: "var(--rl-bad)", values: valuesOf(series, column.requests("5xx")) },
    { name: "aborted", colour: "var(--rl-tier-other)", values: valuesOf(series, column.requests("aborted")) },
  ];

  const latency: PlotSeries[] = [
    { name: "p50", colour: "var(--rl-p50)", values: latencySeries(series, 0.5) },
    { name: "p95", colour: "var(--rl-p95)", values: latencySeries(series, 0.95) },
    { name: "p99", colour: "var(--rl-p99)", values: latencySeries(series, 0.99) },
  ];
  const ufs: PlotSeries[] = [
    { name: "GET", colour: "var(--rl-ufs)", values: valuesOf(series, column.ufs("get")) },
    { name: "HEAD", colour: "var(--rl-w0)", values: valuesOf(series, column.ufs("head")) },
    { name: "LIST", colour: "var(--rl-w3)", values: valuesOf(series, column.ufs("list")) },
    { name: "failed", colour: "var(--rl-bad)", values: valuesOf(series, column.UFS_ERRORS) },
  ];

  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <HitRateChart series={series} range={range} mount={mount} />
      <TimeSeries
        id="bytes"
        title="Bytes served"
        hint="cache against UFS"
        times={times}
        series={bytes}
        stacked
        binary
        format={formatByteRate}
        empty={empty("No byte was served")}
      />
      <MissChart series={series} range={range} />
      <TimeSeries
        id="latency"
        title="Latency"
        exemplars={exemplars}
        hint="time to first byte"
        times={times}
        series={latency}
        format={formatLatency}
        empty={empty("No request was answered")}
      />
      <TimeSeries
        id="requests"
        title="Requests"
        hint="by API"
        times={times}
        series={requests}
        stacked
        format={formatRate}
        empty={empty("No request came")}
      />
      <TimeSeries
        id="ufs"
        title="UFS requests"
        hint="calls of the stores behind the mounts"
        times={times}
        series={ufs}
        format={formatRate}
        empty={<p>No store was called ({describeRange(range)}).</p>}
      />
      <TimeSeries
        id="errors"
        title="Errors"
        hint="requests that did not succeed"
        times={times}
        series={errors}
        stacked
        format={formatRate}
        empty={<p>No request failed ({describeRange(range)}).</p>}
      />
      <UsageChart series={series} />
    </div>
  );
});

/** That nothing happened, and the command that makes it happen. */
function NoTraffic({ what, range, mount }: { what: string; range: TimeRange; mount: string | undefined }) {
  return (
    <>
      <p className="mb-2">
        {what} ({describeRange(range)}).
      </p>
      <CopyCommand command={`ringlight ${mount ? `cat /${mount}/<key> > /dev/null` : "mount add /data s3://bucket"}`} />
    </>
  );
}

/** Shares of the page requests: hits by tier, joined, missed. */
export function HitRateChart({
  series,
  range,
  mount,
}: {
  series: SeriesView;
  range: TimeRange;
  mount: string | undefined;
}) {
  const tiers = tiersOf(series);
  const hitNames = [...tiers.map(column.pagesHit), column.PAGES_JOINED, column.PAGES_BYPASS];
  const shares = pageShares(series, hitNames);
  const hits: PlotSeries[] = [
    ...tiers.map((tier, index) => ({ name: tier, colour: tierColour(tier), values: shares[index]! })),
    {
      name: "joined",
      colour: "var(--rl-joined)",
      values: shares[tiers.length]!,
      hint: "waited for a fetch of the same page that another reader had begun",
    },
  ];
  const allPages = sumOf(series, familyOf(series, "pages."));
  const missed = sumOf(series, familyOf(series, "pages.miss."));
  hits.push({
    name: "miss",
    colour: "var(--rl-ufs)",
    values: allPages.map((total, index) => (total ? (missed[index] ?? 0) / total : null)),
  });

  return (
    <TimeSeries
      id="hit-rate"
      title="Hit rate by tier"
      hint="share of page requests"
      times={series.times}
      series={hits}
      stacked
      top={1}
      format={(value) => formatPercent(value)}
      empty={<NoTraffic what="No page was asked for" range={range} mount={mount} />}
    />
  );
}

/** Misses by reason. */
export function MissChart({ series, range }: { series: SeriesView; range: TimeRange }) {
  const exemplars = useExemplars(range, "misses");
  const reasons = missReasonsOf(series);
  const misses: PlotSeries[] = (reasons.length > 0 ? reasons : ["cold"]).map((reason) => ({
    name: reason,
    colour: REASON_COLOURS[reason as MissReason] ?? "var(--rl-tier-other)",
    values: valuesOf(series, column.pagesMiss(reason)),
    hint: MISS_REASONS[reason as MissReason]?.sentence ?? "",
  }));

  return (
    <TimeSeries
      id="misses"
      title="Misses by reason"
      exemplars={exemplars}
      hint="pages a second"
      times={series.times}
      series={misses}
      stacked
      format={formatRate}
      empty={<p>No page request missed ({describeRange(range)}).</p>}
    />
  );
}

/** Bytes in the tiers. */
export function UsageChart({ series }: { series: SeriesView }) {
  const tiers = tiersOf(series);
  const usage: PlotSeries[] = tiers.map((tier) => ({
    name: tier,
    colour: tierColour(tier),
    values: series.columns[column.used(tier)] ?? series.times.map(() => null),
  }));
  const limitBytes = tiers.reduce(
    (sum, tier) => sum + (series.columns[column.limit(tier)]?.findLast((value) => value !== null) ?? 0),
    0,
  );

  return (
    <TimeSeries
      id="usage"
      title="Cached bytes"
      hint={limitBytes > 0 ? `by tier, of ${formatSize(limitBytes)} in all` : "by tier"}
      times={series.times}
      series={usage}
      stacked
      binary
      format={formatSize}
      empty={<p>Nothing is cached yet.</p>}
    />
  );
}
