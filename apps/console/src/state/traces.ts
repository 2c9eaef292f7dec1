"use client";
import type { TraceSearchResult, TraceSummary, TraceValues, TraceWatchEvent } from "@ringlight/trace-store";
/** Traces as the pages read them: searches, single traces, the live watch, and traces opened from files. */
import { parseFilter, type TimeRange } from "@ringlight/ui";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { ErrorBody } from "../wire.ts";
import type { TraceView } from "../wire-telemetry.ts";
import { getJson } from "./fetch-json.ts";
import { useLive } from "./live.tsx";
import { openedTrace } from "./opened-traces.ts";
import { windowOf } from "./time-range.ts";

/** What the search form holds, each under its name in the search route's query; empty means: whatever. */
export interface TraceForm {
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly min: string;
  readonly max: string;
  readonly outcome: string;
  readonly reason: string;
  readonly mount: string;
  /** A path of the namespace; the route takes its hash. */
  readonly path: string;
  readonly job: string;
  /** Conditions `key=value`, as the span filter writes them; the route takes each as `attr`. */
  readonly attribute: string;
  /** "true": with failed spans, "false": without. */
  readonly error: string;
  readonly limit: string;
}

/** Milliseconds of "250ms", "1.5s", "2m", or a bare number of milliseconds; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*(us|µs|ms|s|m|h)?$/.exec(text.trim());
  if (!parts) return undefined;
  const factor = { us: 0.001, µs: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[parts[2] ?? "ms"];
  return factor === undefined ? undefined : Number(parts[1]) * factor;
}

/** The form as the search route's query, without its range. What is half typed is left out. */
export function traceQuery(form: TraceForm): URLSearchParams {
  const query = new URLSearchParams();
  for (const field of Object.keys(form) as (keyof TraceForm)[]) {
    const value = form[field].trim();
    if (value === "" || field === "attribute" || field === "path") continue;
    const ms = field === "min" || field === "max" ? parseDurationMs(value) : undefined;
    if (ms !== undefined) query.set(field, `${ms}ms`);
    else if (field !== "min" && field !== "max") query.set(field, value);
  }
  for (const { key, op, value } of parseFilter(form.attribute)) {
    if (key !== undefined && op === "=") query.append("attr", `${key}=${value}`);
  }
  return query;
}

/** The hash that spans carry of their path, so that a search needs no index of paths: 16 hex digits of its SHA-256. */
async function pathHash(path: string): Promise<string | undefined> {
  // Browsers hash only for pages that came over TLS or from this machine.
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", new TextEncoder().encode(path));
  if (!digest) return undefined;
  return [...new Uint8Array(digest).subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The query with the path's hash, or with the path itself where it cannot be hashed here. */
async function traceQueryOfPath(form: TraceForm): Promise<URLSearchParams> {
  const query = traceQuery(form);
  const path = form.path.trim();
  if (path === "") return query;
  const hash = await pathHash(path);
  if (hash === undefined) query.append("attr", `ringlight.path=${path}`);
  else query.set("path", hash);
  return query;
}

/** Finds traces of a range. */
export function useTraceSearch(form: TraceForm, range: TimeRange) {
  return useQuery<TraceSearchResult & { readonly fromMs: number; readonly toMs: number }, ErrorBody>({
    queryKey: ["traces", form, range.from, range.to],
    queryFn: async ({ signal }) => {
      const window = windowOf(range);
      const query = await traceQueryOfPath(form);
      query.set("from", String(Math.floor(window.fromMs)));
      query.set("to", String(Math.ceil(window.toMs)));
      return { ...(await getJson<TraceSearchResult>(`/api/traces?${query}`, signal)), ...window };
    },
    placeholderData: keepPreviousData,
  });
}

/** Services, names and attributes that the store has seen, for completion. */
export function useTraceValues() {
  return useQuery<TraceValues, ErrorBody>({
    queryKey: ["trace-values"],
    queryFn: ({ signal }) => getJson("/api/traces/values", signal),
    staleTime: 30_000,
    retry: false,
  });
}

/** Traces that came or changed since the watch began, newest first; only while it is on and the page is not paused. */
export function useTraceWatch(
  form: TraceForm,
  on: boolean,
): { readonly traces: readonly TraceSummary[]; readonly dropped: number } {
  const { paused } = useLive();
  const [traces, setTraces] = useState<readonly TraceSummary[]>([]);
  const [dropped, setDropped] = useState(0);
  const key = JSON.stringify(form);
  useEffect(() => {
    if (!on || paused) return;
    const asked = JSON.parse(key) as TraceForm;
    const limit = Number(asked.limit);
    let known = new Map<string, TraceSummary>();
    let source: EventSource | undefined;
    let frame = 0;
    let left = false;
    const show = () => {
      frame = 0;
      const newest = [...known.values()].sort((a, b) => b.startMs - a.startMs).slice(0, limit);
      known = new Map(newest.map((trace) => [trace.traceId, trace]));
      setTraces(newest);
    };
    const take = (event: MessageEvent<string>) => {
      const news = JSON.parse(event.data) as TraceWatchEvent;
      if (news.type === "dropped") {
        setDropped((count) => count + news.count);
        return;
      }
      if (news.type === "snapshot") known = new Map();
      for (const trace of news.traces) {
        const before = known.get(trace.traceId);
        if (!before || before.version < trace.version) known.set(trace.traceId, trace);
      }
      // One painting a frame, however many messages come.
      if (frame === 0) frame = requestAnimationFrame(show);
    };
    void traceQueryOfPath(asked).then((query) => {
      if (left) return;
      source = new EventSource(`/api/traces/live?${query}`);
      for (const name of ["snapshot", "traces", "dropped"]) source.addEventListener(name, take);
    });
    return () => {
      left = true;
      source?.close();
      if (frame !== 0) cancelAnimationFrame(frame);
    };
  }, [key, on, paused]);
  return { traces, dropped };
}

/** Spans that one answer holds at most; a larger trace is read piece by piece. */
const PIECE = 10_000;
/** Spans of one trace that a page reads. */
const MOST_SPANS = 100_000;

async function readTrace(id: string, signal: AbortSignal): Promise<TraceView> {
  const opened = openedTrace(id);
  if (opened) return opened;
  const address = (offset: number) => `/api/traces/${encodeURIComponent(id)}?offset=${offset}&limit=${PIECE}`;
  const first = await getJson<TraceView>(address(0), signal);
  const spans = [...first.spans];
  while (spans.length < Math.min(first.total, MOST_SPANS)) {
    const next = await getJson<TraceView>(address(spans.length), signal);
    if (next.spans.length === 0) break;
    for (const span of next.spans) spans.push(span);
  }
  return { ...first, spans };
}

/** After a trace's last change it is asked for again this long: spans of other processes come later. */
const SETTLING_MS = 15_000;

/** One trace with all its spans. A young one is read again until it has settled. */
export function useTrace(id: string | undefined) {
  const { paused } = useLive();
  const client = useQueryClient();
  return useQuery<TraceView, ErrorBody>({
    queryKey: ["trace", id],
    enabled: id !== undefined && id !== "",
    queryFn: async ({ signal }) => {
      const fresh = await readTrace(id ?? "", signal);
      const known = client.getQueryData<TraceView>(["trace", id]);
      // The same trace keeps its identity, so that a page of 10,000 rows is not drawn anew for nothing.
      return known && known.summary.version === fresh.summary.version && known.spans.length === fresh.spans.length
        ? known
        : fresh;
    },
    structuralSharing: false,
    refetchInterval: (query) => {
      const trace = query.state.data;
      if (paused || !trace || openedTrace(id ?? "")) return false;
      const endMs = trace.summary.startMs + trace.summary.durationMs;
      return Date.now() - endMs < SETTLING_MS ? 2000 : false;
    },
    retry: (count, error) => count < 1 && error.code !== "RL_NOT_FOUND",
  });
}
