"use client";
import {
  Badge,
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatByteRate,
  formatLatency,
  LoadingState,
  Panel,
} from "@ringlight/ui";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { useBenchComparison, useBenchRun } from "../../state/bench.ts";
import { runSeries } from "../../state/bench-series.ts";
import type { BenchDetail } from "../../wire-bench.ts";
import { PageHeader } from "../page-header.tsx";
import { TimeSeries } from "../time-series.tsx";

/** Seconds of the measured rounds, counted from the start of the first: both runs on one axis. */
function aligned(detail: BenchDetail) {
  const series = runSeries(detail);
  const first = series.times[0] ?? 0;
  return { ...series, offsets: series.times.map((time) => Math.round(time - first)) };
}

/** Two runs beside each other: the sentence, the intervals, and both courses. */
export function ComparePage() {
  const parameters = useSearchParams();
  const [a, b] = [parameters.get("a") ?? "", parameters.get("b") ?? ""];
  const comparison = useBenchComparison(a, b);
  const [ofA, ofB] = [useBenchRun(a).data, useBenchRun(b).data];
  if (a === "" || b === "") {
    return (
      <>
        <PageHeader title="Compare runs" />
        <Panel title="Comparison">
          <EmptyState title="Which runs?" command="npm run bench -- runs">
            Choose two runs in the{" "}
            <Link className="rl-link" href="/runs">
              list
            </Link>
            .
          </EmptyState>
        </Panel>
      </>
    );
  }
  return (
    <>
      <PageHeader
        title="Compare runs"
        lead={[ofA, ofB].map((detail, at) => (
          <span key={at === 0 ? "a" : "b"}>
            {at === 0 ? "A " : " against B "}
            <Link className="rl-link" href={`/runs/${encodeURIComponent(at === 0 ? a : b)}`}>
              {detail ? `${detail.run.workload} at ${detail.run.target}` : at === 0 ? a : b}
            </Link>
          </span>
        ))}
      />
      <Panel title="Verdict" flush>
        {comparison.error ? (
          <ErrorState inset error={comparison.error} onRetry={() => void comparison.refetch()} />
        ) : !comparison.data ? (
          <LoadingState what="the comparison" rows={5} />
        ) : (
          <>
            <p className="px-4 pb-2 text-[15px] font-medium" data-testid="verdict">
              {comparison.data.sentence}
            </p>
            {comparison.data.warnings.map((warning) => (
              <p key={warning} className="px-4 pb-1 text-[13px] text-warn">
                {warning}
              </p>
            ))}
            <DataTable
              caption="The comparison by metric"
              rows={comparison.data.comparisons}
              rowKey={({ metric }) => metric}
              columns={[
                { id: "metric", title: "Metric", cell: ({ metric }) => metric },
                { id: "a", title: "A", numeric: true, cell: (row) => row.a.toPrecision(4) },
                { id: "b", title: "B", numeric: true, cell: (row) => row.b.toPrecision(4) },
                { id: "ratio", title: "B / A", numeric: true, cell: ({ ratio }) => ratio.estimate.toFixed(3) },
                {
                  id: "interval",
                  title: "99.5 % interval",
                  numeric: true,
                  // One round has no interval: its upper end is no number of JSON's.
                  cell: ({ ratio: { low, high } }) =>
                    low === null || high === null ? "one round" : `${low.toFixed(3)} to ${high.toFixed(3)}`,
                },
                { id: "effect", title: "Effect (Cliff's delta)", numeric: true, cell: (row) => row.effect.toFixed(2) },
                {
                  id: "verdict",
                  title: "Verdict",
                  cell: ({ verdict }) => (
                    <Badge tone={verdict === "faster" ? "ok" : verdict === "slower" ? "bad" : "idle"}>{verdict}</Badge>
                  ),
                },
              ]}
            />
          </>
        )}
        <div className="border-t border-line px-4 py-2.5">
          <CopyCommand command={`npm run bench -- compare ${ofA?.directory ?? a} ${ofB?.directory ?? b}`} />
        </div>
      </Panel>
      {ofA && ofB ? <Courses a={ofA} b={ofB} /> : null}
    </>
  );
}

/** Both runs over the time since their starts. */
function Courses({ a, b }: { a: BenchDetail; b: BenchDetail }) {
  const [ofA, ofB] = [aligned(a), aligned(b)];
  const offsets = [...new Set([...ofA.offsets, ...ofB.offsets])].sort((x, y) => x - y);
  const beginS = a.run.startedMs / 1000;
  const times = offsets.map((offset) => beginS + offset);
  const at = (side: typeof ofA, values: readonly (number | null)[]) =>
    offsets.map((offset) => {
      const index = side.offsets.indexOf(offset);
      return index === -1 ? null : (values[index] ?? null);
    });
  const name = (letter: string, detail: BenchDetail) => `${letter}: ${detail.run.target}`;
  const line = (pick: (side: typeof ofA) => readonly (number | null)[]) => [
    { name: name("A", a), colour: "var(--rl-w0)", values: at(ofA, pick(ofA)) },
    { name: name("B", b), colour: "var(--rl-w3)", values: at(ofB, pick(ofB)) },
  ];
  return (
    <div className="mt-4 grid gap-4 xl:grid-cols-2">
      <TimeSeries
        id="compare-bytes"
        title="Throughput"
        hint="B is moved to the start of A"
        binary
        times={times}
        format={formatByteRate}
        series={line((side) => side.bytes)}
      />
      <TimeSeries
        id="compare-p50"
        title="Median latency"
        hint="B is moved to the start of A"
        times={times}
        format={formatLatency}
        series={line((side) => side.p50S)}
      />
      <TimeSeries
        id="compare-p99"
        title="99th percentile"
        hint="B is moved to the start of A"
        times={times}
        format={formatLatency}
        series={line((side) => side.p99S)}
      />
    </div>
  );
}
