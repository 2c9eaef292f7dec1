/** The trace that a request belongs to: the caller's, or a new one. */
import { formatPath, type ReadStatus, type UfsObservation } from "@ringlight/core";
import { readAttributes } from "@ringlight/s3";
import {
  type ActiveSpan,
  currentSpan,
  keyHash,
  newTraceContext,
  originSpan,
  parseTraceparent,
} from "@ringlight/telemetry";

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

/** The work of a read that is going on here gets what the read met. */
export function noteRead(status: ReadStatus, span: ActiveSpan | undefined = currentSpan()): void {
  if (span === undefined) return;
  if (status.misses > 0 || status.joined > 0 || status.fellBack) span.missed();
  span.set(readAttributes(status));
}

/** Which object a span is about. The path itself goes only where `tracePaths` lets it. */
export function pathAttributes(mount: string, key: string): Record<string, string> {
  const path = formatPath({ mount, key });
  return { "ringlight.mount": mount, "ringlight.path": path, "ringlight.key.hash": keyHash(path) };
}

/** A task reads too many objects for a span of each request to their store. */
const TASK_METHOD = /\/RunTask$/;

/**
 * A request to the store of a mount becomes a part of the work that is going on. Reads of pages have spans of their own.
 * @returns the trace's id where it is certainly kept
 */
export function traceUfs(mount: string, { op, status, durationMs, bytes }: UfsObservation): string | undefined {
  const span = originSpan();
  if (span === undefined || TASK_METHOD.test(span.name)) return undefined;
  span.missed();
  const traceId = span.isKept ? span.context.traceId : undefined;
  if (op === "get" && status === "ok") return traceId;
  const nowMs = Date.now();
  span.add(() => ({
    context: newTraceContext(span.context.traceparent),
    name: `ringlight.ufs.${op}`,
    kind: "client",
    startMs: nowMs - durationMs,
    endMs: nowMs,
    attributes: {
      "ringlight.mount": mount,
      "ringlight.ufs.op": op,
      "ringlight.ufs.status": status,
      "ringlight.bytes": bytes,
    },
    ...(status !== "ok" && status !== "retried" && { error: status }),
  }));
  return traceId;
}
