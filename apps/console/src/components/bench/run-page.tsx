"use client";
import {
  CopyCommand,
  DataTable,
  ErrorState,
  formatByteRate,
  formatLatency,
  formatMoment,
  formatPercent,
  formatPlural,
  formatRate,
  formatSize,
  formatTime,
  LoadingState,
  Panel,
  StatTile,
} from "@ringlight/ui";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { useMemo } from "react";
import { useBenchRun, useBenchRuns } from "../../state/bench.ts";
import { runSeries } from "../../state/bench-series.ts";
import type { BenchDetail } from "../../wire-bench.ts";
import { PageHeader } from "../page-header.tsx";
import { RunCharts } from "./run-charts.tsx";
import { RunState } from "./runs-page.tsx";

const seconds = (ms: number | null | undefined) => (ms === null || ms === undefined ? undefined : ms / 1000);
const SLOWEST = 20;

/** The window that was zoomed to, of the URL; undefined for all of the run. */
function useZoom(): { readonly fromMs: number; readonly toMs: number } | undefined {
  const parameters = useSearchParams();
  const [from, to] = [Number(parameters.get("from")), Number(parameters.get("to"))];
  return useMemo(() => (from > 0 && to > from ? { fromMs: from, toMs: to } : undefined), [from, to]);
}

/** One run; it is live while it goes on. */
export function RunPage({ id }: { id: string }) {
  const query = useBenchRun(id);
  const zoom = useZoom();
  const detail = query.data;
  const series = useMemo(() => (detail === undefined ? undefined : runSeries(detail, zoom)), [detail, zoom]);
  if (detail === undefined || series === undefined) {
    return (
      <>
        <PageHeader title={id} />
        <Panel title="Run" flush>
          {query.error ? (
            <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            <LoadingState what="the run" rows={6} />
          )}
        </Panel>
      </>
    );
  }
  const { run } = detail;
  const shown = run.median ?? run.warmUp;
  return (
    <>
      <PageHeader
        title={`${run.title}, ${run.target}`}
        lead={
          <>
            <RunState run={run} /> started {formatMoment(run.startedMs)}, {formatPlural(run.rounds.length, "round")}
            {run.warmUp === undefined ? "" : " after the warm-up"}
            {run.failure === undefined ? "" : `: ${run.failure}`}
            {zoom ? (
              <>
                {" · "}
                <Link className="rl-link" href={`/runs/${encodeURIComponent(id)}`}>
                  all of the run
                </Link>
              </>
            ) : null}
          </>
        }
      >
        <CompareLinks id={id} interleaved={run.interleaved} />
      </PageHeader>
      <div className="mb-4 grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-6" data-testid="run-figures">
        <StatTile label="Requests" value={formatRate(shown?.requestsPerSecond)} detail="median of the rounds" />
        <StatTile label="Bytes" value={formatByteRate(shown?.bytesPerSecond)} />
        <StatTile label="p50" value={formatLatency(seconds(shown?.p50Ms))} />
        <StatTile label="p99" value={formatLatency(seconds(shown?.p99Ms))} />
        {shown?.training ? (
          <StatTile
            label="Accelerator utilisation"
            value={formatPercent(shown.training.utilization)}
            tone={shown.training.passes ? "plain" : "warn"}
            detail={`${shown.training.passes ? "passes" : "fails"} at ${formatPercent(shown.training.passMark, 0)}`}
          />
        ) : (
          <StatTile label="Errors" value={String(shown?.errors ?? 0)} tone={shown?.errors ? "bad" : "plain"} />
        )}
        <StatTile
          label="Hits"
          value={formatPercent(shown?.server?.hitRate)}
          detail={shown?.server ? `${formatSize(shown.server.storeBytes)} from the store` : "no metrics of workers"}
        />
      </div>
      <RunCharts series={series} spans={detail.spans} />
      <div className="mt-4 grid gap-4">
        <Rounds detail={detail} />
        <Slowest detail={detail} zoom={zoom} />
        <Panel title="How to run it again">
          <div className="flex flex-col gap-2 text-[13px]">
            <CopyCommand command={detail.manifest.command.join(" ")} />
            <CopyCommand command={`npm run bench -- report ${detail.directory}`} />
            <p className="text-muted">
              Seed {detail.manifest.seed}, requests {detail.manifest.planDigest.slice(0, 16) || "of the trace"},
              revision {detail.manifest.git.revision.slice(0, 12)}
              {detail.manifest.git.dirty ? " with changes" : ""}, {detail.manifest.machine.cpus} x{" "}
              {detail.manifest.machine.cpu}
            </p>
          </div>
        </Panel>
      </div>
    </>
  );
}

/** The runs that this one was interleaved with. */
function CompareLinks({ id, interleaved }: { id: string; interleaved: string }) {
  const { data } = useBenchRuns();
  const others = (data?.runs ?? []).filter(
    (other) => interleaved !== "" && other.interleaved === interleaved && other.id !== id,
  );
  return others.map((other) => (
    <Link
      key={other.id}
      className="rl-button"
      href={`/runs/compare?a=${encodeURIComponent(other.id)}&b=${encodeURIComponent(id)}`}
    >
      Compare with {other.target}
    </Link>
  ));
}

function Rounds({ detail: { run } }: { detail: BenchDetail }) {
  const rows = [...(run.warmUp ? [run.warmUp] : []), ...run.rounds];
  return (
    <Panel title="Rounds" hint="the warm-up is the first access, and is not measured" flush>
      <DataTable
        caption="Rounds of the run"
        rows={rows}
        rowKey={({ round }) => String(round)}
        columns={[
          {
            id: "round",
            title: "Round",
            cell: ({ round, startedMs, seconds: long }) => (
              <Link className="rl-link" href={`?from=${startedMs}&to=${Math.round(startedMs + long * 1000)}`}>
                {round === 0 ? "warm-up" : `round ${round}`}
              </Link>
            ),
          },
          { id: "rate", title: "Requests/s", numeric: true, cell: (row) => formatRate(row.requestsPerSecond) },
          { id: "bytes", title: "Bytes/s", numeric: true, cell: (row) => formatByteRate(row.bytesPerSecond) },
          { id: "p50", title: "p50", numeric: true, cell: (row) => formatLatency(seconds(row.p50Ms)) },
          { id: "p99", title: "p99", numeric: true, cell: (row) => formatLatency(seconds(row.p99Ms)) },
          { id: "p999", title: "p99.9", numeric: true, cell: (row) => formatLatency(seconds(row.p999Ms)) },
          { id: "au", title: "AU", numeric: true, cell: (row) => formatPercent(row.training?.utilization) },
          { id: "hits", title: "Hits", numeric: true, cell: (row) => formatPercent(row.server?.hitRate) },
          { id: "errors", title: "Errors", numeric: true, cell: (row) => row.errors },
          {
            id: "remark",
            title: "Remark",
            cell: (row) => [...row.saturation.reasons, row.firstError].filter(Boolean).join("; "),
          },
        ]}
      />
    </Panel>
  );
}

function Slowest({ detail, zoom }: { detail: BenchDetail; zoom: ReturnType<typeof useZoom> }) {
  const rows = detail.spans
    .filter(({ atMs }) => zoom === undefined || (atMs >= zoom.fromMs && atMs <= zoom.toMs))
    .sort((a, b) => b.latencyMs - a.latencyMs)
    .slice(0, SLOWEST);
  return (
    <Panel
      title="Slowest requests"
      hint="of each second the slowest, every thousandth, and those that asked for a trace"
      flush
    >
      <DataTable
        caption="Slowest requests of the run"
        maxHeight={420}
        rows={rows}
        rowKey={(span) => `${span.round} ${span.atMs} ${span.op} ${span.key} ${span.offset} ${span.latencyMs}`}
        columns={[
          { id: "at", title: "At", cell: (span) => <span className="tabular-nums">{formatTime(span.atMs)}</span> },
          { id: "latency", title: "Latency", numeric: true, cell: (span) => formatLatency(span.latencyMs / 1000) },
          {
            id: "request",
            title: "Request",
            cell: (span) => (
              <span className="break-all">
                {span.op} {span.key} {span.length > 0 ? `${span.offset}+${span.length}` : ""}
              </span>
            ),
          },
          { id: "outcome", title: "Outcome", cell: (span) => span.outcome || span.error },
          {
            id: "trace",
            title: "Trace",
            cell: (span) =>
              !span.isStored ? (
                <span title={span.traceId && "No trace was kept: fast hits cost none"}>–</span>
              ) : (
                <Link className="rl-link font-mono text-xs" href={`/traces/${span.traceId}`}>
                  {span.traceId.slice(0, 16)}
                </Link>
              ),
          },
        ]}
      />
    </Panel>
  );
}
