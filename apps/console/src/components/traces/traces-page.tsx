"use client";
import type { TraceSummary } from "@ringlight/trace-store";
import {
  absoluteRange,
  CopyCommand,
  DataAge,
  DataTable,
  describeRange,
  EmptyState,
  ErrorState,
  formatCount,
  formatLatency,
  formatMoment,
  formatTime,
  Icon,
  LoadingState,
  Menu,
  Panel,
  Swatch,
  type TimeRange,
} from "@ringlight/ui";
import Link from "next/link";
import { useRouter, useSearchParams } from "next/navigation";
import { useCallback, useMemo, useState } from "react";
import { commandLine } from "../../state/command-line.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { useRange, windowOf } from "../../state/time-range.ts";
import { type TraceForm, traceQuery, useTraceSearch, useTraceWatch } from "../../state/traces.ts";
import { saveFile, toCsv } from "../chart-export.ts";
import { PageHeader } from "../page-header.tsx";
import { RangePicker } from "../time-picker.tsx";
import { DurationScatter } from "./duration-scatter.tsx";
import { OpenFile } from "./open-file.tsx";
import { OutcomeCell, outcomeLook, outcomeOf } from "./outcome.tsx";
import { serviceColours } from "./service-colours.ts";
import { TraceFilters } from "./trace-filters.tsx";

const EMPTY_FORM: TraceForm = {
  service: "",
  instance: "",
  name: "",
  min: "",
  max: "",
  outcome: "",
  reason: "",
  mount: "",
  path: "",
  job: "",
  attribute: "",
  error: "",
  limit: "200",
};
const FIELDS = Object.keys(EMPTY_FORM) as (keyof TraceForm)[];
const RANGE = { from: "now-15m", to: "now" };

/** The form in the URL. Typing replaces the address; it makes no step of the history. */
function useTraceForm(): [TraceForm, (field: keyof TraceForm, value: string) => void] {
  const parameters = useSearchParams();
  const form = Object.fromEntries(FIELDS.map((field) => [field, parameters.get(field) ?? EMPTY_FORM[field]]));
  const set = useCallback((field: keyof TraceForm, value: string) => {
    const url = new URL(window.location.href);
    if (value === EMPTY_FORM[field]) url.searchParams.delete(field);
    else url.searchParams.set(field, value);
    window.history.replaceState(null, "", url);
  }, []);
  return [form as unknown as TraceForm, set];
}

/** Finding traces: a form, a plot of durations, and the list; live if wanted. */
export function TracesPage() {
  const [form, setField] = useTraceForm();
  const [range, setRange] = useRange(RANGE);
  const router = useRouter();
  const [live, setLive] = useState(false);
  const [hovered, setHovered] = useState<string | undefined>();
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const search = useTraceSearch(form, range);
  const watch = useTraceWatch(form, live);
  const { snapshot } = useCluster();
  const { paused } = useLive();
  const now = useNow(1000);
  const traces = live ? watch.traces : (search.data?.traces ?? []);
  const shown = live
    ? { fromMs: Math.min(...traces.map((trace) => trace.startMs), (now ?? 0) - 60_000), toMs: now ?? 0 }
    : { fromMs: search.data?.fromMs ?? 0, toMs: search.data?.toMs ?? 1 };
  const choose = (id: string) =>
    setChosen((ids) => (ids.includes(id) ? ids.filter((other) => other !== id) : [...ids.slice(-1), id]));
  const narrowed = FIELDS.some((field) => field !== "limit" && form[field] !== "");
  const mount = snapshot?.mounts[0]?.record.name;

  const files = [
    { label: "Save the list as CSV", onSelect: () => saveFile("ringlight-traces.csv", listCsv(traces), "text/csv") },
    {
      label: "Save the list as JSON",
      onSelect: () =>
        saveFile("ringlight-traces.json", `${JSON.stringify(traces, undefined, 2)}\n`, "application/json"),
    },
    { label: "Copy link to this search", onSelect: () => void navigator.clipboard?.writeText(window.location.href) },
  ];

  return (
    <>
      <PageHeader title="Traces">
        <OpenFile />
        <button
          type="button"
          className={`rl-button ${live ? "rl-button-primary" : ""}`}
          aria-pressed={live}
          title="Show traces as they come"
          onClick={() => setLive(!live)}
        >
          <Icon name={live ? "pause" : "play"} size={13} />
          {live ? "Watching" : "Watch live"}
        </button>
        <RangePicker fallback={RANGE} />
      </PageHeader>
      <div className="space-y-4">
        <Panel
          title="Search"
          hint={live ? "as they come" : describeRange(range)}
          flush
          actions={
            <>
              {live ? (
                <span className="text-xs text-subtle tabular-nums">
                  {paused ? "paused" : `${formatCount(traces.length)} so far`}
                </span>
              ) : (
                <DataAge
                  ageMs={now === undefined || search.dataUpdatedAt === 0 ? undefined : now - search.dataUpdatedAt}
                  staleAfterMs={Number.POSITIVE_INFINITY}
                />
              )}
              <button
                type="button"
                className="rl-icon-button"
                aria-label="Search again"
                title="Search again"
                onClick={() => void search.refetch()}
              >
                <Icon name="refresh" size={14} className={search.isFetching ? "animate-spin" : ""} />
              </button>
              <Menu label="Save" icon={<Icon name="download" size={15} />} items={files} />
            </>
          }
        >
          <TraceFilters form={form} onChange={setField} />
          {traces.length > 0 ? (
            <div className="border-t border-line px-4 pt-2 pb-3">
              <DurationScatter
                traces={traces}
                window={shown}
                hovered={hovered}
                onHover={setHovered}
                onWindow={(window) => setRange(absoluteRange(window))}
              />
              <Legend traces={traces} />
            </div>
          ) : null}
        </Panel>

        {search.error && !search.data && !live ? (
          <ErrorState error={search.error} onRetry={() => void search.refetch()} />
        ) : !search.data && !live ? (
          <Panel title="Results" flush>
            <LoadingState what="the traces" rows={8} />
          </Panel>
        ) : (
          <Panel
            title="Results"
            hint={resultHint(traces.length, live, search.data?.next !== undefined)}
            flush
            actions={
              <>
                {live && watch.dropped > 0 ? (
                  <span className="text-xs font-medium text-warn" data-testid="answered">
                    {formatCount(watch.dropped)} were too many to show; search to see them
                  </span>
                ) : null}
                {!live && search.data && !search.data.complete ? (
                  <span className="inline-flex items-center gap-1 text-xs font-medium text-warn" data-testid="answered">
                    <Icon name="warning" size={13} />
                    looked back to {formatMoment(search.data.searchedBackToMs ?? shown.fromMs)} only; shorten the range
                  </span>
                ) : null}
                {chosen.length > 0 ? (
                  <button
                    type="button"
                    className="rl-button"
                    disabled={chosen.length !== 2}
                    onClick={() => router.push(`/traces/${chosen[0]}?view=diff&other=${chosen[1]}`)}
                  >
                    {chosen.length === 2 ? "Compare the two" : "Choose one more"}
                  </button>
                ) : null}
              </>
            }
          >
            {traces.length === 0 ? (
              <EmptyState
                title={
                  live
                    ? "No trace has come yet"
                    : narrowed
                      ? "No trace has all that was asked for"
                      : "No trace was kept in this range"
                }
                command={`ringlight cat /${mount ?? "mount"}/KEY > /dev/null`}
              >
                {narrowed
                  ? "Widen the range, or take a condition away."
                  : "Misses, slow requests, errors and jobs are always kept; fast hits by sampling. A read makes one:"}
              </EmptyState>
            ) : (
              <TraceTable traces={traces} hovered={hovered} onHover={setHovered} chosen={chosen} onChoose={choose} />
            )}
            <div className="flex flex-wrap items-center gap-3 border-t border-line px-4 py-2.5">
              <CopyCommand command={searchLine(form, range)} />
              {!live && search.data?.next !== undefined ? (
                <button
                  type="button"
                  className="rl-button"
                  onClick={() => {
                    const last = search.data?.traces.at(-1);
                    if (last) setRange(absoluteRange({ fromMs: windowOf(range).fromMs, toMs: last.startMs }));
                  }}
                >
                  Older ones
                </button>
              ) : null}
            </div>
          </Panel>
        )}
      </div>
    </>
  );
}

function resultHint(count: number, live: boolean, more: boolean): string {
  const words = `${formatCount(count)} ${count === 1 ? "trace" : "traces"}, newest first`;
  return live ? words : more ? `${words}; there are more` : words;
}

/** The search as the command that does the same. */
function searchLine(form: TraceForm, range: TimeRange): string {
  const query = traceQuery(form);
  if (form.path.trim() !== "") query.set("path", form.path.trim());
  query.set("from", range.from);
  query.set("to", range.to);
  return commandLine("traces", query);
}

function Legend({ traces }: { traces: readonly TraceSummary[] }) {
  const counts = new Map<string, number>();
  for (const trace of traces) counts.set(outcomeOf(trace), (counts.get(outcomeOf(trace)) ?? 0) + 1);
  return (
    <ul className="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted tabular-nums">
      {(["error", "miss", "joined", "hit", "bypass", "other"] as const)
        .filter((outcome) => counts.has(outcome))
        .map((outcome) => (
          <li key={outcome} className="flex items-center gap-1.5">
            <Swatch colour={outcomeLook(outcome).colour} />
            {outcome === "other" ? "no page read" : outcome} {formatCount(counts.get(outcome) ?? 0)}
          </li>
        ))}
      <li className="ml-auto text-subtle">size: spans · drag to zoom · click opens</li>
    </ul>
  );
}

function TraceTable({
  traces,
  hovered,
  onHover,
  chosen,
  onChoose,
}: {
  traces: readonly TraceSummary[];
  hovered: string | undefined;
  onHover: (id: string | undefined) => void;
  chosen: readonly string[];
  onChoose: (id: string) => void;
}) {
  const longest = useMemo(() => Math.max(...traces.map((trace) => trace.durationMs), 0.001), [traces]);
  const colours = useMemo(() => serviceColours(traces.flatMap((trace) => trace.services)), [traces]);
  return (
    <DataTable
      caption="Traces found, newest first"
      rows={traces}
      maxHeight={640}
      rowKey={(trace) => trace.traceId}
      rowProps={(trace) => ({
        "data-testid": "trace-row",
        "data-trace": trace.traceId,
        className: trace.traceId === hovered ? "bg-raised/60" : "",
        onMouseEnter: () => onHover(trace.traceId),
        onMouseLeave: () => onHover(undefined),
      })}
      columns={[
        {
          id: "name",
          title: "Trace",
          cell: (trace) => (
            <div className="flex items-center gap-2.5">
              <input
                type="checkbox"
                className="accent-(--rl-accent)"
                aria-label={`Choose ${trace.name} of ${formatTime(trace.startMs)} to compare`}
                checked={chosen.includes(trace.traceId)}
                onChange={() => onChoose(trace.traceId)}
              />
              <div className="min-w-0">
                <Link className="rl-link font-medium" href={`/traces/${trace.traceId}`}>
                  {trace.name || trace.traceId.slice(0, 8)}
                </Link>
                <div className="flex items-center gap-1.5 text-xs text-subtle">
                  {trace.services.slice(0, 3).map((service) => (
                    <span key={service} className="inline-flex items-center gap-1">
                      <Swatch colour={colours.get(service) ?? ""} />
                      {service}
                    </span>
                  ))}
                  {trace.instance ? <span>· {trace.instance}</span> : null}
                </div>
              </div>
            </div>
          ),
        },
        { id: "outcome", title: "Outcome", cell: (trace) => <OutcomeCell trace={trace} /> },
        {
          id: "mount",
          title: "Mount",
          cell: (trace) =>
            trace.mount ? (
              <span className="font-mono text-xs">/{trace.mount}</span>
            ) : (
              <span className="text-subtle">–</span>
            ),
        },
        {
          id: "kept",
          title: "Kept for",
          cell: (trace) => (
            <span className="text-xs text-muted">
              {trace.keptFor ?? "recent"}
              {trace.jobId ? (
                <>
                  {" "}
                  <Link className="rl-link font-mono" href={`/jobs/${encodeURIComponent(trace.jobId)}`}>
                    {trace.jobId.slice(0, 8)}
                  </Link>
                </>
              ) : null}
            </span>
          ),
        },
        { id: "spans", title: "Spans", numeric: true, cell: (trace) => formatCount(trace.spanCount) },
        {
          id: "start",
          title: "Start",
          numeric: true,
          cell: (trace) => <span title={formatMoment(trace.startMs)}>{formatTime(trace.startMs)}</span>,
        },
        {
          id: "duration",
          title: "Duration",
          numeric: true,
          className: "w-44",
          cell: (trace) => (
            <div className="flex items-center justify-end gap-2">
              <span>{formatLatency(trace.durationMs / 1000)}</span>
              <span aria-hidden="true" className="h-1.5 w-20 overflow-hidden rounded-full bg-raised">
                <span
                  className="block h-full rounded-full"
                  style={{
                    width: `${Math.max(2, (trace.durationMs / longest) * 100)}%`,
                    background: outcomeLook(outcomeOf(trace)).colour,
                  }}
                />
              </span>
            </div>
          ),
        },
      ]}
    />
  );
}

function listCsv(traces: readonly TraceSummary[]): string {
  return toCsv(
    ["trace", "name", "service", "start", "duration_ms", "spans", "errors", "outcome", "miss_reason", "mount", "job"],
    traces.map((trace) => [
      trace.traceId,
      trace.name,
      trace.service,
      new Date(trace.startMs).toISOString(),
      trace.durationMs,
      trace.spanCount,
      trace.errorCount,
      trace.outcome,
      trace.missReason,
      trace.mount,
      trace.jobId,
    ]),
  );
}
