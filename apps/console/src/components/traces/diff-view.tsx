"use client";
/** Two traces laid over each other, place by place. */
import {
  CopyCommand,
  DataTable,
  type DiffNode,
  diffTraces,
  EmptyState,
  ErrorState,
  formatLatency,
  formatMoment,
  Icon,
  LoadingState,
  Swatch,
} from "@ringlight/ui";
import Link from "next/link";
import { type FormEvent, useMemo, useState } from "react";
import { useTrace } from "../../state/traces.ts";
import { OpenFile } from "./open-file.tsx";
import { type TraceModel, traceModel } from "./trace-model.ts";

const time = (ms: number) => formatLatency(ms / 1000);

/** Asks for the other trace, and shows what differs. */
export function DiffView({
  model,
  other,
  onOther,
}: {
  model: TraceModel;
  other: string;
  onOther: (traceId: string) => void;
}) {
  const [typed, setTyped] = useState("");
  const query = useTrace(other === "" ? undefined : other);
  const second = useMemo(() => (query.data ? traceModel(query.data) : undefined), [query.data]);
  if (other === "") {
    const submit = (event: FormEvent) => {
      event.preventDefault();
      if (typed.trim() !== "") onOther(typed.trim().toLowerCase());
    };
    return (
      <EmptyState title="Compare with which trace?">
        <form onSubmit={submit} className="mt-2 flex flex-wrap items-center justify-center gap-2">
          <label>
            <span className="sr-only">Trace id</span>
            <input
              className="rl-input w-80! font-mono text-xs!"
              placeholder="trace id, 32 hex digits"
              value={typed}
              spellCheck={false}
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          <button type="submit" className="rl-button rl-button-primary">
            Compare
          </button>
          <OpenFile onOpened={([id]) => id && onOther(id)} />
        </form>
        <p className="mt-3">Two traces of a search can also be chosen there by their boxes.</p>
      </EmptyState>
    );
  }
  if (query.error && !second) return <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />;
  if (!second) return <LoadingState what="the other trace" rows={6} />;
  return <DiffTable a={model} b={second} otherId={other} onDrop={() => onOther("")} />;
}

function DiffTable({ a, b, otherId, onDrop }: { a: TraceModel; b: TraceModel; otherId: string; onDrop: () => void }) {
  const [changesOnly, setChangesOnly] = useState(false);
  const all = useMemo(() => diffTraces(a.tree, b.tree, a.serviceOf, b.serviceOf), [a, b]);
  const whole = Math.max(a.tree.endMs - a.tree.startMs, b.tree.endMs - b.tree.startMs, 1e-6);
  // A tenth of a per cent of the longer trace is noise.
  const changed = (row: DiffNode) =>
    row.kind !== "both" || row.a.count !== row.b.count || Math.abs(row.deltaMs) > whole / 1000;
  const rows = changesOnly ? all.filter(changed) : all;
  const biggest = Math.max(1e-6, ...all.map((row) => Math.abs(row.deltaMs)));
  const durationA = a.tree.endMs - a.tree.startMs;
  const durationB = b.tree.endMs - b.tree.startMs;
  return (
    <div>
      <div className="flex flex-wrap items-center gap-x-6 gap-y-2 px-4 pb-3 text-[13px] tabular-nums">
        <span>
          <span className="font-semibold">A</span> {time(durationA)}, {a.tree.nodes.length} spans,{" "}
          {formatMoment(a.tree.startMs)}
        </span>
        <span>
          <span className="font-semibold">B</span>{" "}
          <Link className="rl-link" href={`/traces/${otherId}`}>
            {time(durationB)}, {b.tree.nodes.length} spans, {formatMoment(b.tree.startMs)}
          </Link>
        </span>
        <span className={durationB > durationA ? "font-medium text-warn" : "font-medium text-ok"}>
          B is{" "}
          {durationB === durationA
            ? "as long as A"
            : `${time(Math.abs(durationB - durationA))} ${durationB > durationA ? "longer" : "shorter"}`}
        </span>
        <span className="ml-auto flex items-center gap-3">
          <label className="flex items-center gap-1.5 text-xs text-muted">
            <input
              type="checkbox"
              className="accent-(--rl-accent)"
              checked={changesOnly}
              onChange={(event) => setChangesOnly(event.target.checked)}
            />
            Changes only
          </label>
          <button type="button" className="rl-button" onClick={onDrop}>
            <Icon name="close" size={13} />
            Another one
          </button>
        </span>
      </div>
      <DataTable
        caption="Spans of both traces, place by place"
        rows={rows}
        maxHeight={600}
        rowKey={(row) => row.key}
        rowProps={(row) => ({ "data-testid": "diff-row", "data-kind": row.kind })}
        columns={[
          {
            id: "name",
            title: "Span",
            cell: (row) => (
              <div className="flex items-center gap-2" style={{ paddingLeft: Math.min(row.depth, 20) * 13 }}>
                <Swatch colour={a.colours.get(row.service) ?? b.colours.get(row.service) ?? ""} />
                <span>{row.name}</span>
                <span className="text-xs text-subtle">{row.service}</span>
                {row.kind === "both" ? null : (
                  <span className={`text-xs font-medium ${row.kind === "only-a" ? "text-warn" : "text-accent"}`}>
                    {row.kind === "only-a" ? "A only" : "B only"}
                  </span>
                )}
              </div>
            ),
          },
          {
            id: "count",
            title: "Spans, A → B",
            numeric: true,
            cell: (row) => (row.a.count === row.b.count ? row.a.count : <b>{`${row.a.count} → ${row.b.count}`}</b>),
          },
          { id: "a", title: "A", numeric: true, cell: (row) => (row.a.count > 0 ? time(row.a.totalMs) : "–") },
          { id: "b", title: "B", numeric: true, cell: (row) => (row.b.count > 0 ? time(row.b.totalMs) : "–") },
          {
            id: "delta",
            title: "Difference",
            numeric: true,
            className: "w-52",
            cell: (row) => (
              <div className="flex items-center justify-end gap-2">
                <span className={changed(row) ? "font-medium" : "text-subtle"}>
                  {row.deltaMs === 0 ? "0" : `${row.deltaMs > 0 ? "+" : "−"}${time(Math.abs(row.deltaMs))}`}
                </span>
                <span aria-hidden="true" className="relative h-2 w-24 rounded-full bg-raised">
                  <span className="absolute inset-y-0 left-1/2 w-px bg-line-strong" />
                  <span
                    className={`absolute inset-y-0 rounded-full ${row.deltaMs > 0 ? "bg-warn" : "bg-ok"}`}
                    style={{
                      left: row.deltaMs > 0 ? "50%" : `${50 - (Math.abs(row.deltaMs) / biggest) * 50}%`,
                      width: `${(Math.abs(row.deltaMs) / biggest) * 50}%`,
                    }}
                  />
                </span>
              </div>
            ),
          },
        ]}
      />
      <div className="px-4 py-2.5">
        <CopyCommand command={`ringlight trace ${otherId}`} />
      </div>
    </div>
  );
}
