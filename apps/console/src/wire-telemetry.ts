/** What the telemetry routes add to the records of the trace store, which pages import as types from `@ringlight/trace-store`. */
import type { TraceDetail } from "@ringlight/trace-store";

/**
 * `GET /api/traces/<id>?offset=0&limit=10000`. `source` is "embedded", or the type of the other backend (`traceSource`)
 * that the trace was read from.
 */
export interface TraceView extends TraceDetail {
  readonly source: "embedded" | "jaeger" | "tempo";
}

/** What changed of one value of one dimension between two windows. */
export interface DimensionChange {
  /** "worker", "mount", "miss_reason", "api", "status", "op". */
  readonly dimension: string;
  readonly value: string;
  /** In the window before, and in the selected one: in the measure's unit. */
  readonly before: number | null;
  readonly after: number | null;
  /** Share of the whole change that this value accounts for, -1 to 1; the list is sorted by its size. */
  readonly share: number;
}

/** What to compare: latency is the mean time to the first byte in seconds, the others are rates a second. */
export type CompareMeasure = "misses" | "errors" | "latency" | "requests" | "ufs";

/** `GET /api/compare-window?from&to&measure=misses`: the selected window against the one of the same length before it. */
export interface WindowComparison {
  readonly measure: CompareMeasure;
  readonly unit: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly baselineFromMs: number;
  readonly baselineToMs: number;
  readonly before: number | null;
  readonly after: number | null;
  readonly changes: readonly DimensionChange[];
  /** What changed, to be read out. */
  readonly summary: string;
  /** Traces of the selected window that stand for it, the slowest first. */
  readonly exemplars: readonly { readonly traceId: string; readonly atMs: number; readonly value: number }[];
}
