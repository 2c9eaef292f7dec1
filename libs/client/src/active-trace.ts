/**
 * The trace of the program that uses the SDK. Where it has a tracer of OpenTelemetry JS, what it asks within a span goes on in
 * that span's trace without being told: the workers' spans become children of the program's own. Without one it costs a look.
 */
import { isSpanContextValid, trace } from "@opentelemetry/api";

/** W3C trace context of the span that is active where this is called; undefined where there is none. */
export function activeTraceparent(): string | undefined {
  const context = trace.getActiveSpan()?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return undefined;
  return `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, "0")}`;
}
