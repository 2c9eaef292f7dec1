"use client";
import {
  CopyCommand,
  ErrorState,
  formatCount,
  formatLatency,
  formatMoment,
  formatPercent,
  formatPlural,
  Icon,
  LoadingState,
  Panel,
  parseFilter,
  Swatch,
} from "@ringlight/ui";
import Link from "next/link";
import { type ReactNode, useCallback, useDeferredValue, useMemo, useState } from "react";
import { isOpenedId } from "../../state/opened-traces.ts";
import { toOtlpJson } from "../../state/otlp-json.ts";
import { useTrace } from "../../state/traces.ts";
import { useUrlState } from "../../state/url-state.ts";
import { saveFile } from "../chart-export.ts";
import { PageHeader, useTitle } from "../page-header.tsx";
import { DiffView } from "./diff-view.tsx";
import { FlameView } from "./flame-view.tsx";
import { Minimap } from "./minimap.tsx";
import { OpenFile } from "./open-file.tsx";
import { OutcomeCell } from "./outcome.tsx";
import { SpanDetail } from "./span-detail.tsx";
import { StatisticsView } from "./statistics-view.tsx";
import { findSpans, type TraceModel, traceModel } from "./trace-model.ts";
import { type TimeSlice, Waterfall } from "./waterfall.tsx";

const VIEWS = [
  ["waterfall", "Waterfall"],
  ["flame", "Flame"],
  ["stats", "Statistics"],
  ["diff", "Compare"],
] as const;

/** One trace: by time, by name, in numbers, or beside another. */
export function TracePage({ id }: { id: string }) {
  const query = useTrace(id);
  const model = useMemo(() => (query.data ? traceModel(query.data) : undefined), [query.data]);
  useTitle(model?.trace.summary.name ?? "Trace");
  if (!model) {
    const gone = query.error?.code === "RL_NOT_FOUND" || isOpenedId(id);
    return (
      <>
        <PageHeader title="Trace" lead={<BackLink />}>
          <OpenFile />
        </PageHeader>
        {query.error ? (
          <ErrorState
            error={
              gone
                ? {
                    ...query.error,
                    message: isOpenedId(id)
                      ? "The trace of a file lives in the tab that opened it."
                      : `The store does not have trace ${id}.`,
                    remedy: isOpenedId(id)
                      ? "Open the file again."
                      : "Recent traces make room for newer ones; misses, slow requests, errors and jobs are kept longer. Its spans may also still be on their way.",
                  }
                : query.error
            }
            onRetry={() => void query.refetch()}
          />
        ) : (
          <LoadingState what="the trace" rows={12} />
        )}
      </>
    );
  }
  return <TraceView id={id} model={model} />;
}

function BackLink() {
  return (
    <Link className="rl-link" href="/traces">
      All traces
    </Link>
  );
}

/** The part of the trace's time in the URL: "12.5-40", in per cent. */
function useSlice(): [TimeSlice, (slice: TimeSlice) => void] {
  const [text, setText] = useUrlState("zoom", "");
  const slice = useMemo<TimeSlice>(() => {
    const parts = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text);
    const [from, to] = [Number(parts?.[1]) / 100, Number(parts?.[2]) / 100];
    return parts && from < to && to <= 1 ? { from, to } : { from: 0, to: 1 };
  }, [text]);
  const set = (next: TimeSlice) =>
    setText(next.from <= 0 && next.to >= 1 ? "" : `${(next.from * 100).toFixed(2)}-${(next.to * 100).toFixed(2)}`);
  return [slice, set];
}

function TraceView({ id, model }: { id: string; model: TraceModel }) {
  const { trace, tree } = model;
  const { summary } = trace;
  const [view, setView] = useUrlState("view", "waterfall", { push: true });
  const [other, setOther] = useUrlState("other", "");
  const [span, setSpan] = useUrlState("span", "");
  const [filter, setFilter] = useUrlState("filter", "");
  const [only, setOnly] = useUrlState("only", "all");
  const [slice, setSlice] = useSlice();
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const typed = useDeferredValue(filter);
  const found = useMemo(() => findSpans(model, parseFilter(typed)), [model, typed]);
  const criticalTotal = model.critical.reduce((sum, section) => sum + section.toMs - section.fromMs, 0);
  const fold = useCallback((ids: readonly string[], close: boolean) => {
    setFolded((known) => {
      const next = new Set(known);
      for (const spanId of ids) {
        if (close) next.add(spanId);
        else next.delete(spanId);
      }
      return next;
    });
  }, []);
  const path = useMemo(
    () => trace.spans.map(({ attributes }) => attributes["ringlight.path"]).find((value) => typeof value === "string"),
    [trace.spans],
  );
  const select = useCallback((spanId: string) => setSpan(spanId), [setSpan]);
  const kindOf = only === "matches" || only === "critical" ? only : "all";
  const missing = summary.spanCount > trace.spans.length ? summary.spanCount - trace.spans.length : 0;

  return (
    <>
      <PageHeader
        title={
          <span className="inline-flex items-baseline gap-3">
            {summary.name || "Trace"}
            <span className="text-base font-normal text-muted tabular-nums">
              {formatLatency((tree.endMs - tree.startMs) / 1000)}
            </span>
          </span>
        }
        lead={<BackLink />}
      >
        {path === undefined ? null : (
          <Link className="rl-button" href={`/explain?${new URLSearchParams({ path })}`}>
            <Icon name="explain" size={14} />
            Explain the path
          </Link>
        )}
        <OpenFile />
        <button
          type="button"
          className="rl-button"
          title="Save as OTLP JSON, which this page, Jaeger and Tempo open"
          onClick={() => saveFile(`trace-${summary.traceId}.json`, toOtlpJson(trace), "application/json")}
        >
          <Icon name="download" size={14} />
          Save
        </button>
      </PageHeader>
      <dl className="mb-4 flex flex-wrap gap-x-8 gap-y-2 rounded-lg border border-line bg-surface px-4 py-2.5 text-[13px] shadow-card tabular-nums">
        <Fact name="Start">{formatMoment(tree.startMs)}</Fact>
        <Fact name="Spans">
          {formatCount(trace.spans.length)}
          {missing > 0 ? <span className="text-warn"> of {formatCount(summary.spanCount)}</span> : null}
        </Fact>
        <Fact name="Outcome">
          <OutcomeCell trace={summary} />
        </Fact>
        <Fact name="Depth">
          {formatPlural(
            tree.nodes.reduce((most, node) => Math.max(most, node.depth + 1), 0),
            "level",
          )}
        </Fact>
        <Fact name="Critical path">
          {`${formatPlural(model.criticalMs.size, "span")}, ${formatPercent(
            tree.endMs > tree.startMs ? criticalTotal / (tree.endMs - tree.startMs) : 0,
          )}`}
        </Fact>
        <Fact name="Services">
          <span className="flex flex-wrap gap-x-3">
            {[...new Set(trace.resources.map((resource) => resource.service))].map((service) => (
              <span key={service} className="inline-flex items-center gap-1.5">
                <Swatch colour={model.colours.get(service) ?? ""} />
                {service}
              </span>
            ))}
          </span>
        </Fact>
        {summary.jobId ? (
          <Fact name="Job">
            <Link className="rl-link font-mono text-xs" href={`/jobs/${encodeURIComponent(summary.jobId)}`}>
              {summary.jobId}
            </Link>
          </Fact>
        ) : null}
        {trace.logCount > 0 ? (
          <Fact name="Logs">
            <Link className="rl-link" href={`/logs?trace=${summary.traceId}`}>
              {formatPlural(trace.logCount, "line")}
            </Link>
          </Fact>
        ) : null}
        <Fact name="Trace id">
          <span className="font-mono text-xs">{summary.traceId}</span>
        </Fact>
      </dl>
      {tree.orphans > 0 || !summary.rooted ? (
        <p className="mb-3 flex items-center gap-1.5 text-xs font-medium text-warn" data-testid="answered">
          <Icon name="warning" size={13} />
          {tree.orphans > 0
            ? `${formatPlural(tree.orphans, "span")} of this trace ${tree.orphans === 1 ? "names a parent" : "name parents"} that did not arrive`
            : "The root of this trace has not arrived"}
          :{" "}
          {tree.orphans > 1
            ? "they belong to a caller that does not send its spans here, or are on their way."
            : "it belongs to a caller that does not send its spans here, or is on its way."}
        </p>
      ) : null}
      <Panel
        title={VIEWS.find(([name]) => name === view)?.[1] ?? "Waterfall"}
        flush
        actions={
          <fieldset className="flex rounded-md border border-line-strong bg-surface p-0.5">
            <legend className="sr-only">View</legend>
            {VIEWS.map(([name, words]) => (
              <button
                key={name}
                type="button"
                aria-pressed={view === name}
                className="rounded px-2.5 py-0.5 text-xs font-medium text-muted aria-pressed:bg-raised aria-pressed:text-text"
                onClick={() => setView(name)}
              >
                {words}
              </button>
            ))}
          </fieldset>
        }
      >
        {view === "flame" ? (
          <FlameView
            model={model}
            onSelect={(spanId) => {
              setView("waterfall");
              setSpan(spanId);
            }}
          />
        ) : view === "stats" ? (
          <StatisticsView
            model={model}
            onName={(name) => {
              setView("waterfall");
              setFilter(`name="${name}"`);
              setOnly("matches");
            }}
          />
        ) : view === "diff" ? (
          <DiffView model={model} other={other} onOther={setOther} />
        ) : (
          <>
            <div className="space-y-2 px-4 pb-2.5">
              <Minimap model={model} slice={slice} onSlice={setSlice} />
              <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
                <label className="relative block min-w-56 flex-1">
                  <span className="sr-only">Filter spans</span>
                  <Icon name="search" size={14} className="pointer-events-none absolute top-2 left-2.5 text-subtle" />
                  <input
                    className="rl-input h-[30px]! pl-8! text-xs!"
                    data-search=""
                    value={filter}
                    placeholder="words, or ringlight.outcome=miss duration>10"
                    spellCheck={false}
                    autoComplete="off"
                    onChange={(event) => setFilter(event.target.value)}
                  />
                </label>
                <span role="status" className="text-xs text-muted tabular-nums" data-testid="matches">
                  {found ? `${formatCount(found.size)} of ${formatCount(tree.nodes.length)} match` : ""}
                </span>
                <fieldset className="flex gap-3 text-xs text-muted">
                  <legend className="sr-only">Which spans</legend>
                  {(
                    [
                      ["all", "All"],
                      ["matches", "Matches only"],
                      ["critical", "Critical path only"],
                    ] as const
                  ).map(([value, words]) => (
                    <label key={value} className="flex items-center gap-1.5">
                      <input
                        type="radio"
                        name="only"
                        className="accent-(--rl-accent)"
                        checked={kindOf === value}
                        onChange={() => setOnly(value)}
                      />
                      {words}
                    </label>
                  ))}
                </fieldset>
                <span className="flex gap-1">
                  <button
                    type="button"
                    className="rl-button"
                    onClick={() =>
                      fold(
                        tree.nodes
                          .filter((node) => node.depth > 0 && node.children.length > 0)
                          .map((node) => node.span.spanId),
                        true,
                      )
                    }
                  >
                    Fold all
                  </button>
                  <button
                    type="button"
                    className="rl-button"
                    disabled={folded.size === 0}
                    onClick={() => setFolded(new Set())}
                  >
                    Unfold
                  </button>
                  {slice.from > 0 || slice.to < 1 ? (
                    <button type="button" className="rl-button" onClick={() => setSlice({ from: 0, to: 1 })}>
                      Whole time
                    </button>
                  ) : null}
                </span>
              </div>
            </div>
            <div
              className={
                span === "" ? "border-t border-line" : "grid border-t border-line xl:grid-cols-[minmax(0,1fr)_23rem]"
              }
            >
              <Waterfall
                model={model}
                slice={slice}
                selected={span === "" ? undefined : span}
                onSelect={select}
                found={found}
                only={kindOf}
                folded={folded}
                onFold={fold}
              />
              {span === "" ? null : (
                <SpanDetail
                  model={model}
                  spanId={span}
                  traceId={id}
                  onClose={() => setSpan("")}
                  onSelect={select}
                  onFilter={(next) => {
                    setFilter(next);
                    setOnly("all");
                  }}
                />
              )}
            </div>
          </>
        )}
      </Panel>
      {isOpenedId(id) ? null : (
        <div className="mt-3 flex">
          <CopyCommand command={`ringlight trace ${summary.traceId}`} />
        </div>
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-subtle">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
