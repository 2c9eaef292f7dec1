"use client";
import {
  Badge,
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatByteRate,
  formatLatency,
  formatMoment,
  formatPercent,
  formatRate,
  LoadingState,
  Panel,
} from "@ringlight/ui";
import Link from "next/link";
import { useBenchRuns } from "../../state/bench.ts";
import { useUrlSet } from "../../state/url-state.ts";
import type { BenchRun } from "../../wire-bench.ts";
import { PageHeader } from "../page-header.tsx";

const seconds = (ms: number | null | undefined) => (ms === null || ms === undefined ? undefined : ms / 1000);

/** State of a run, in words. */
export function RunState({ run }: { run: BenchRun }) {
  if (run.state === "running") return <Badge tone="ok">running</Badge>;
  if (run.state === "failed")
    return (
      <Badge tone="bad" title={run.failure}>
        failed
      </Badge>
    );
  const saturated = run.rounds.some(({ saturation }) => saturation.saturated);
  const errors = run.rounds.some((round) => round.errors > 0);
  if (errors) return <Badge tone="bad">with errors</Badge>;
  return saturated ? (
    <Badge tone="warn" title="The generator was the limit">
      generator limited
    </Badge>
  ) : (
    <Badge tone="idle">done</Badge>
  );
}

/** Benchmark runs, newest first; two of them can be chosen and compared. */
export function RunsPage() {
  const query = useBenchRuns();
  const [picked, pick] = useUrlSet("pick");
  const runs = query.data?.runs;
  // The older one is what the newer is judged against.
  const [a, b] = [...picked].sort();
  return (
    <>
      <PageHeader title="Runs" lead={query.data ? `of the benchmark harness in ${query.data.directory}` : undefined} />
      <Panel
        title="Benchmark runs"
        hint="newest first; choose two to compare them"
        flush
        actions={
          picked.size === 2 && a !== undefined && b !== undefined ? (
            <Link className="rl-button" href={`/runs/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}`}>
              Compare
            </Link>
          ) : null
        }
      >
        {query.error && !query.data ? (
          <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
        ) : !runs ? (
          <LoadingState what="the runs" rows={6} />
        ) : runs.length === 0 ? (
          <EmptyState title="No benchmark has run here yet" command="npm run bench -- quick">
            Runs appear here as they go on, when they are written to the directory that the console reads.
          </EmptyState>
        ) : (
          <DataTable
            caption="Runs of the harness, newest first"
            rows={runs}
            rowKey={({ id }) => id}
            rowProps={({ id }) => ({ "data-run": id })}
            columns={[
              {
                id: "run",
                title: "Run",
                cell: (run) => (
                  <span className="flex items-center gap-2">
                    <input
                      type="checkbox"
                      aria-label={`Compare ${run.workload} at ${run.target}`}
                      checked={picked.has(run.id)}
                      disabled={!picked.has(run.id) && picked.size >= 2}
                      onChange={() => pick(run.id)}
                    />
                    <Link className="rl-link" href={`/runs/${encodeURIComponent(run.id)}`} title={run.title}>
                      {run.workload}
                    </Link>
                  </span>
                ),
              },
              { id: "target", title: "Target", cell: (run) => run.target },
              {
                id: "started",
                title: "Started",
                cell: (run) => <span className="whitespace-nowrap tabular-nums">{formatMoment(run.startedMs)}</span>,
              },
              { id: "state", title: "State", cell: (run) => <RunState run={run} /> },
              { id: "rounds", title: "Rounds", numeric: true, cell: (run) => run.rounds.length },
              {
                id: "rate",
                title: "Requests/s",
                numeric: true,
                cell: (run) => formatRate(run.median?.requestsPerSecond),
              },
              {
                id: "bytes",
                title: "Bytes/s",
                numeric: true,
                cell: (run) => formatByteRate(run.median?.bytesPerSecond),
              },
              { id: "p50", title: "p50", numeric: true, cell: (run) => formatLatency(seconds(run.median?.p50Ms)) },
              { id: "p99", title: "p99", numeric: true, cell: (run) => formatLatency(seconds(run.median?.p99Ms)) },
              { id: "au", title: "AU", numeric: true, cell: (run) => formatPercent(run.median?.training?.utilization) },
              { id: "hits", title: "Hits", numeric: true, cell: (run) => formatPercent(run.median?.server?.hitRate) },
            ]}
          />
        )}
        <div className="border-t border-line px-4 py-2.5">
          <CopyCommand command="npm run bench -- runs" />
        </div>
      </Panel>
    </>
  );
}
