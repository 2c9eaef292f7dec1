/** The trace that a request belongs to: the caller's, or a new one. */
import { newTraceContext } from "@ringlight/telemetry";

/** What a request carries of its trace. */
export interface RequestTrace {
  readonly traceId: string;
  /** W3C trace context to send to others. */
  readonly traceparent: string;
}

/** Continues the caller's trace, or begins one. */
export function traceOf(request: { readonly traceparent?: string | undefined }): RequestTrace {
  const { traceId, traceparent } = newTraceContext(request.traceparent);
  return { traceId, traceparent };
}
