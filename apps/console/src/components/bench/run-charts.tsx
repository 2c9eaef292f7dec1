"use client";
import { formatByteRate, formatCount, formatLatency, formatPercent, formatRate, tierColour } from "@ringlight/ui";
import type { RunSeries } from "../../state/bench-series.ts";
import type { BenchSpan } from "../../wire-bench.ts";
import { TimeSeries } from "../time-series.tsx";

const OTHER_COLOURS = ["var(--rl-ufs)", "var(--rl-joined)", "var(--rl-bad)", "var(--rl-w3)", "var(--rl-w0)"];
/** Requests that are marked on the chart of latencies. */
const MOST_MARKS = 60;

/** The charts of a run: what the generators saw beside what the workers said, on one axis. */
export function RunCharts({ series, spans }: { series: RunSeries; spans: readonly BenchSpan[] }) {
  const { times } = series;
  const traced = spans
    .filter(
      ({ isStored, atMs }) => isStored && atMs / 1000 >= (times[0] ?? 0) - 1 && atMs / 1000 <= (times.at(-1) ?? 0) + 1,
    )
    .sort((a, b) => b.latencyMs - a.latencyMs)
    .slice(0, MOST_MARKS);
  const kinds = [...series.outcomes];
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      <TimeSeries
        id="run-latency"
        title="Latency"
        hint="from the intended start; the marks are requests whose traces are kept"
        times={times}
        format={formatLatency}
        series={[
          { name: "p50", colour: "var(--rl-p50)", values: series.p50S },
          { name: "p99", colour: "var(--rl-p99)", values: series.p99S },
        ]}
        exemplars={traced.map(({ atMs, latencyMs, traceId, op, key, outcome }) => ({
          timeS: atMs / 1000,
          value: latencyMs / 1000,
          traceId,
          label: `${op} ${key} ${outcome}`,
        }))}
      />
      <TimeSeries
        id="run-bytes"
        title="Throughput"
        hint="bytes that readers got, and bytes that workers read from the store"
        binary
        times={times}
        format={formatByteRate}
        series={[
          { name: "readers", colour: "var(--rl-accent)", values: series.bytes },
          { name: "store", colour: "var(--rl-ufs)", values: series.storeBytes },
        ]}
      />
      <TimeSeries
        id="run-requests"
        title="Requests"
        hint="answers a second, and those that were wrong"
        times={times}
        format={formatRate}
        series={[
          { name: "answers", colour: "var(--rl-accent)", values: series.requests },
          { name: "errors", colour: "var(--rl-bad)", values: series.errors },
        ]}
      />
      <TimeSeries
        id="run-outcomes"
        title="Answers by tier and reason"
        hint="as each answer said of itself"
        stacked
        top={1}
        times={times}
        format={formatPercent}
        series={kinds.map(([kind, values], index) => ({
          name: kind,
          colour: kind.startsWith("hit ") ? tierColour(kind.slice(4)) : OTHER_COLOURS[index % OTHER_COLOURS.length]!,
          values,
        }))}
        empty="The target says nothing of a cache."
      />
      <TimeSeries
        id="run-epoch"
        title="Ring's epoch"
        hint="a step is a change of the members"
        times={times}
        format={formatCount}
        heightPx={90}
        series={[{ name: "epoch", colour: "var(--rl-w0)", values: series.epoch }]}
        empty="No metrics of workers were read in this run."
      />
    </div>
  );
}
