/** The trace that a request belongs to: the caller's, or a new one. */
import type { ReadStatus } from "@ringlight/core";
import { isKept, newTraceContext, parseTraceparent } from "@ringlight/telemetry";

/** What a piece of work knows of its trace: enough to make spans that are children of whoever asked for it. */
export interface RequestTrace {
  readonly traceId: string;
  /** W3C trace context of the asking span. */
  readonly traceparent: string;
}

/** The trace that a caller sent, or a new one where it sent none. */
export function traceOf(request: { readonly traceparent?: string | undefined }): RequestTrace {
  const known = parseTraceparent(request.traceparent);
  if (known !== undefined && request.traceparent !== undefined) {
    return { traceId: known.traceId, traceparent: request.traceparent };
  }
  return newTraceContext();
}

/** Whether a read is worth a span: it missed, fell back, was slow or failed, or the caller keeps the trace. */
export function isWorthASpan(status: ReadStatus, durationMs: number, sampled: boolean, failed: boolean): boolean {
  const missed = status.misses > 0 || status.joined > 0 || status.fellBack;
  return isKept({ durationMs, failed, missed, sampled });
}

/** What a read met, as attributes of its span. Paths and keys are not among them: they may be secrets. */
export function readAttributes(status: ReadStatus): Record<string, string | number | boolean> {
  const [tier] = status.bytesBySource.keys();
  return {
    "ringlight.outcome": status.misses > 0 ? "miss" : status.joined > 0 ? "joined" : "hit",
    ...(status.missReason && { "ringlight.miss.reason": status.missReason }),
    ...(tier !== undefined && { "ringlight.tier": tier }),
    "ringlight.served_by": status.servedBy.join(","),
    "ringlight.fell_back": status.fellBack,
  };
}
