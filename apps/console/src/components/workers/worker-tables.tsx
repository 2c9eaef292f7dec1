"use client";
import { latencyQuantile, MISS_REASONS, type MissReason } from "@ringlight/core";
import {
  DataTable,
  formatCount,
  formatLatency,
  formatPercent,
  formatSize,
  Panel,
  Swatch,
  tierColour,
} from "@ringlight/ui";
import type { ApiView, PagesView, UfsView } from "../../wire.ts";

const SENTENCES: Readonly<Record<string, string>> = {
  hit: "The page was served from this tier.",
  joined: "The page was being fetched for another reader, and this one waited for the same fetch.",
  bypass: "A rule sent the request past the cache.",
};

/** Page requests by what happened, with what it means and what to do. */
export function OutcomeTable({ pages }: { pages: readonly PagesView[] }) {
  const merged = new Map<string, { outcome: string; detail: string; count: number; bytes: number }>();
  for (const row of pages) {
    const detail = row.outcome === "hit" ? row.tier : row.outcome === "miss" ? row.missReason || "cold" : "";
    const key = `${row.outcome} ${detail}`;
    const entry = merged.get(key) ?? { outcome: row.outcome, detail, count: 0, bytes: 0 };
    entry.count += row.count;
    entry.bytes += row.bytes;
    merged.set(key, entry);
  }
  const order = ["hit", "joined", "bypass", "miss"];
  const rows = [...merged.values()]
    .filter((row) => row.count > 0)
    .sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome) || b.count - a.count);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  return (
    <Panel title="Outcomes" hint="page requests since the worker's start" flush>
      {rows.length === 0 ? (
        <p className="px-4 pb-4 text-[13px] text-muted">No page was asked for since the start.</p>
      ) : (
        <DataTable
          caption="Page requests by outcome"
          rows={rows}
          rowKey={(row) => `${row.outcome} ${row.detail}`}
          columns={[
            {
              id: "outcome",
              title: "Outcome",
              cell: (row) => (
                <span className="inline-flex items-center gap-2 font-medium whitespace-nowrap">
                  <Swatch
                    colour={
                      row.outcome === "hit"
                        ? tierColour(row.detail)
                        : row.outcome === "miss"
                          ? "var(--rl-ufs)"
                          : "var(--rl-joined)"
                    }
                  />
                  {row.outcome} {row.detail}
                </span>
              ),
            },
            { id: "count", title: "Pages", numeric: true, cell: (row) => formatCount(row.count) },
            { id: "share", title: "Share", numeric: true, cell: (row) => formatPercent(row.count / total) },
            { id: "bytes", title: "Bytes", numeric: true, cell: (row) => formatSize(row.bytes) },
            {
              id: "sentence",
              title: "What it means",
              className: "min-w-64",
              cell: (row) =>
                row.outcome === "miss" ? MISS_REASONS[row.detail as MissReason]?.sentence : SENTENCES[row.outcome],
            },
            {
              id: "remedy",
              title: "What to do",
              className: "min-w-64 text-muted",
              cell: (row) => (row.outcome === "miss" ? MISS_REASONS[row.detail as MissReason]?.remedy : "–"),
            },
          ]}
        />
      )}
    </Panel>
  );
}

/** Requests of each API. */
export function ApiTable({ apis }: { apis: readonly ApiView[] }) {
  const rows = [...apis].sort((a, b) => (a.api < b.api ? -1 : 1));
  const count = (row: ApiView, statuses: readonly string[]) =>
    statuses.reduce((sum, status) => sum + (row.counts[status] ?? 0), 0);
  return (
    <Panel title="APIs" hint="since the worker's start; time to first byte" flush>
      {rows.length === 0 ? (
        <p className="px-4 pb-4 text-[13px] text-muted">No request came since the start.</p>
      ) : (
        <DataTable
          caption="Requests and latency of each API"
          rows={rows}
          rowKey={(row) => row.api}
          columns={[
            { id: "api", title: "API", cell: (row) => <span className="font-mono text-xs">{row.api}</span> },
            {
              id: "ok",
              title: "OK",
              numeric: true,
              cell: (row) => formatCount(count(row, ["2xx", "3xx"])),
            },
            { id: "4xx", title: "4xx", numeric: true, cell: (row) => formatCount(count(row, ["4xx"])) },
            {
              id: "5xx",
              title: "5xx",
              numeric: true,
              cell: (row) => {
                const failed = count(row, ["5xx"]);
                return <span className={failed > 0 ? "font-medium text-bad" : ""}>{formatCount(failed)}</span>;
              },
            },
            { id: "aborted", title: "Aborted", numeric: true, cell: (row) => formatCount(count(row, ["aborted"])) },
            { id: "bytes", title: "Sent", numeric: true, cell: (row) => formatSize(row.bytesOut) },
            ...[0.5, 0.95, 0.99].map((q) => ({
              id: `p${q}`,
              title: `p${q * 100}`,
              numeric: true,
              cell: (row: ApiView) => formatLatency(latencyQuantile(row.latencyCounts, q)),
            })),
          ]}
        />
      )}
    </Panel>
  );
}

/** That the store has no such object is an answer, not a failure. */
const OK_STATUSES = new Set(["ok", "RL_NOT_FOUND"]);

/** Calls of the stores behind the mounts. */
export function UfsTable({ ufs }: { ufs: readonly UfsView[] }) {
  const rows = [...ufs].sort((a, b) => (`${a.mount} ${a.op} ${a.status}` < `${b.mount} ${b.op} ${b.status}` ? -1 : 1));
  return (
    <Panel title="UFS calls" hint="since the worker's start" flush>
      {rows.length === 0 ? (
        <p className="px-4 pb-4 text-[13px] text-muted">No store was called since the start.</p>
      ) : (
        <DataTable
          caption="Calls of the stores by mount, operation and status"
          rows={rows}
          rowKey={(row) => `${row.mount} ${row.op} ${row.status}`}
          columns={[
            { id: "mount", title: "Mount", cell: (row) => <span className="font-mono text-xs">/{row.mount}</span> },
            { id: "op", title: "Call", cell: (row) => row.op.toUpperCase() },
            {
              id: "status",
              title: "Status",
              cell: (row) => (
                <span className={OK_STATUSES.has(row.status) ? "" : "font-medium text-bad"}>{row.status}</span>
              ),
            },
            { id: "count", title: "Calls", numeric: true, cell: (row) => formatCount(row.count) },
            { id: "bytes", title: "Read", numeric: true, cell: (row) => formatSize(row.bytes) },
            {
              id: "p50",
              title: "p50",
              numeric: true,
              cell: (row) => formatLatency(latencyQuantile(row.latencyCounts, 0.5)),
            },
            {
              id: "p99",
              title: "p99",
              numeric: true,
              cell: (row) => formatLatency(latencyQuantile(row.latencyCounts, 0.99)),
            },
          ]}
        />
      )}
    </Panel>
  );
}
