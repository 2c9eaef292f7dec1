"use client";
/** What changed most in the page's window against the window of the same length before it. */
import {
  DataTable,
  describeRange,
  EmptyState,
  ErrorState,
  formatLatency,
  formatMoment,
  formatPercent,
  formatRate,
  isMoving,
  LoadingState,
  NOTHING,
  Panel,
  type TimeRange,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { getJson } from "../state/fetch-json.ts";
import { useLive } from "../state/live.tsx";
import { windowOf } from "../state/time-range.ts";
import { useUrlState } from "../state/url-state.ts";
import type { ErrorBody } from "../wire.ts";
import type { CompareMeasure, DimensionChange, WindowComparison } from "../wire-telemetry.ts";

const EVERY_MS = 10_000;
const SHOWN = 12;

const MEASURES: readonly (readonly [CompareMeasure, string])[] = [
  ["misses", "Misses"],
  ["latency", "Latency"],
  ["errors", "Errors"],
  ["requests", "Requests"],
  ["ufs", "UFS requests"],
];

/** Chosen by a drag on any chart, or with Shift and the arrow keys: a window is zoomed to, and taken apart here. */
export function ChangesPanel({ range, fallback = "misses" }: { range: TimeRange; fallback?: CompareMeasure }) {
  const { paused, skewMs } = useLive();
  const [measure, setMeasure] = useUrlState("measure", fallback);
  const query = useQuery<WindowComparison, ErrorBody>({
    queryKey: ["compare-window", measure, range.from, range.to],
    queryFn: ({ signal }) => {
      const { fromMs, toMs } = windowOf(range, Date.now() + skewMs());
      const search = new URLSearchParams({
        from: String(Math.floor(fromMs)),
        to: String(Math.ceil(toMs)),
        measure,
      });
      return getJson(`/api/compare-window?${search}`, signal);
    },
    placeholderData: (before) => before,
    refetchInterval: paused || !isMoving(range) ? false : EVERY_MS,
  });
  const found = query.data;
  const format = (value: number | null) => (found?.unit === "s" ? formatLatency(value) : formatRate(value));
  return (
    <Panel
      title="What changed"
      hint={`${describeRange(range)}, against the time before it`}
      actions={
        <label className="flex items-center gap-2 text-xs text-muted">
          Measure
          <select
            className="rl-input h-7 w-auto py-0 text-xs"
            value={measure}
            onChange={(event) => setMeasure(event.target.value)}
          >
            {MEASURES.map(([id, name]) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      }
    >
      <div data-testid="changes" data-measure={found?.measure}>
        {query.error && !found ? (
          <ErrorState error={query.error} onRetry={() => void query.refetch()} />
        ) : !found ? (
          <LoadingState what="what changed" rows={3} />
        ) : found.changes.length === 0 ? (
          <EmptyState title="Nothing changed that was measured">
            Drag over a spike of any chart, or choose it with Shift and the arrow keys, and it is taken apart here.
          </EmptyState>
        ) : (
          <div className="space-y-3">
            <p className="max-w-prose text-[13px] font-medium">{found.summary}</p>
            <DataTable<DimensionChange>
              caption="Values of the dimensions by their share of the change"
              maxHeight={280}
              rows={found.changes.slice(0, SHOWN)}
              rowKey={({ dimension, value }) => `${dimension} ${value}`}
              columns={[
                {
                  id: "value",
                  title: "What",
                  cell: ({ dimension, value }) => (
                    <span className="whitespace-nowrap">
                      <span className="text-muted">{dimension.replaceAll("_", " ")}</span>{" "}
                      <span className="font-medium">{value || NOTHING}</span>
                    </span>
                  ),
                },
                {
                  id: "bar",
                  title: <span className="sr-only">Share</span>,
                  className: "w-1/4 min-w-20",
                  cell: ({ share }) => (
                    <span
                      aria-hidden="true"
                      className="block h-2 rounded-full"
                      style={{
                        width: `${Math.min(100, Math.abs(share) * 100)}%`,
                        background: share >= 0 ? "var(--rl-w4)" : "var(--rl-tier-mem)",
                      }}
                    />
                  ),
                },
                { id: "share", title: "Of the change", numeric: true, cell: ({ share }) => formatPercent(share, 0) },
                { id: "before", title: "Before", numeric: true, cell: ({ before }) => format(before) },
                { id: "after", title: "Now", numeric: true, cell: ({ after }) => format(after) },
              ]}
            />
            {found.exemplars.length > 0 ? (
              <p className="text-xs text-muted">
                Traces of it:{" "}
                {found.exemplars.slice(0, 5).map(({ traceId, atMs }) => (
                  <Link
                    key={traceId}
                    className="rl-link mr-2 font-mono"
                    href={`/traces/${traceId}`}
                    title={formatMoment(atMs)}
                  >
                    {traceId.slice(0, 8)}
                  </Link>
                ))}
              </p>
            ) : null}
          </div>
        )}
      </div>
    </Panel>
  );
}
