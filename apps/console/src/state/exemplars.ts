"use client";
import type { TraceSearchResult, TraceSummary } from "@ringlight/trace-store";
/** Single requests that stand for others on a chart: stored traces of the page's range, the slowest of each stretch of it. */
import { isMoving, type TimeRange } from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import type { Exemplar } from "../components/plot.tsx";
import type { ErrorBody } from "../wire.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { windowOf } from "./time-range.ts";

const EVERY_MS = 5_000;
const LOOKED_THROUGH = 300;
/** Marks on a chart at most. */
const MARKS = 16;

/** Requests of readers, not jobs or commands. */
const READS = /^(?:s3|rest|grpc)\b|^ringlight\.v1\.WorkerService\/Read/;

/** The slowest trace of each of so many stretches of a window. */
function slowestOfEach(
  traces: readonly TraceSummary[],
  window: { readonly fromMs: number; readonly toMs: number },
): TraceSummary[] {
  const stretchMs = Math.max(1, (window.toMs - window.fromMs) / MARKS);
  const slowest = new Map<number, TraceSummary>();
  for (const trace of traces) {
    const stretch = Math.floor((trace.startMs - window.fromMs) / stretchMs);
    const known = slowest.get(stretch);
    if (known === undefined || trace.durationMs > known.durationMs) slowest.set(stretch, trace);
  }
  return [...slowest.values()].sort((a, b) => a.startMs - b.startMs);
}

/** Marks for a chart of latencies (at each trace's duration) or of misses (at its foot). None while the store has none. */
export function useExemplars(range: TimeRange, kind: "latency" | "misses"): readonly Exemplar[] {
  const { paused, skewMs } = useLive();
  const query = useQuery<readonly Exemplar[], ErrorBody>({
    queryKey: ["exemplars", kind, range.from, range.to],
    queryFn: async ({ signal }) => {
      const window = windowOf(range, Date.now() + skewMs());
      const search = new URLSearchParams({
        from: String(Math.floor(window.fromMs)),
        to: String(Math.ceil(window.toMs)),
        limit: String(LOOKED_THROUGH),
        ...(kind === "misses" && { outcome: "miss" }),
      });
      const { traces } = await getJson<TraceSearchResult>(`/api/traces?${search}`, signal);
      const reads = traces.filter(({ name, outcome }) => READS.test(name) && outcome !== undefined);
      return slowestOfEach(reads, window).map((trace) => ({
        timeS: trace.startMs / 1000,
        value: kind === "latency" ? trace.durationMs / 1000 : 0,
        traceId: trace.traceId,
        label: `${trace.name}${trace.missReason ? `, miss (${trace.missReason})` : ""}`,
      }));
    },
    placeholderData: (before) => before,
    refetchInterval: paused || !isMoving(range) ? false : EVERY_MS,
    retry: false,
  });
  return query.data ?? [];
}
