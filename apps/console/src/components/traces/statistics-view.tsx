"use client";
/** The trace's spans by name, in numbers: the table twin of the flame view. */
import { DataTable, formatCount, formatLatency, formatPercent, Swatch, spanStatistics } from "@ringlight/ui";
import { useMemo } from "react";
import type { TraceModel } from "./trace-model.ts";

/** The table; a name filters the waterfall. */
export function StatisticsView({ model, onName }: { model: TraceModel; onName: (name: string) => void }) {
  const rows = useMemo(() => spanStatistics(model.tree, model.serviceOf, model.criticalMs), [model]);
  const whole = model.tree.endMs - model.tree.startMs;
  const time = (ms: number) => formatLatency(ms / 1000);
  return (
    <DataTable
      caption="Spans by service and name, those with the most time of their own first"
      rows={rows}
      maxHeight={640}
      rowKey={(row) => `${row.service} ${row.name}`}
      rowProps={() => ({ "data-testid": "statistics-row" })}
      columns={[
        {
          id: "name",
          title: "Name",
          cell: (row) => (
            <div className="flex items-center gap-2">
              <Swatch colour={model.colours.get(row.service) ?? ""} />
              <button type="button" className="rl-link" title="Find these spans" onClick={() => onName(row.name)}>
                {row.name}
              </button>
              <span className="text-xs text-subtle">{row.service}</span>
            </div>
          ),
        },
        { id: "count", title: "Spans", numeric: true, cell: (row) => formatCount(row.count) },
        {
          id: "errors",
          title: "Errors",
          numeric: true,
          cell: (row) => (
            <span className={row.errors > 0 ? "font-medium text-bad" : ""}>{formatCount(row.errors)}</span>
          ),
        },
        { id: "self", title: "Own time", numeric: true, cell: (row) => time(row.selfMs) },
        {
          id: "critical",
          title: "On the critical path",
          numeric: true,
          cell: (row) => (
            <span title={time(row.criticalMs)}>{formatPercent(whole > 0 ? row.criticalMs / whole : 0)}</span>
          ),
        },
        { id: "total", title: "Total", numeric: true, cell: (row) => time(row.totalMs) },
        { id: "min", title: "Min", numeric: true, cell: (row) => time(row.minMs) },
        { id: "mean", title: "Mean", numeric: true, cell: (row) => time(row.meanMs) },
        { id: "p50", title: "p50", numeric: true, cell: (row) => time(row.p50Ms) },
        { id: "p95", title: "p95", numeric: true, cell: (row) => time(row.p95Ms) },
        { id: "max", title: "Max", numeric: true, cell: (row) => time(row.maxMs) },
      ]}
    />
  );
}
