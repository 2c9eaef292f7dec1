/** Where the finished spans of this process go, once telemetry has started. */
import type { RecordedSpan } from "./otlp/records.ts";

let sink: ((span: RecordedSpan) => void) | undefined;

/** Sets where spans go; undefined for nowhere. */
export function setSpanSink(next: ((span: RecordedSpan) => void) | undefined): void {
  sink = next;
}

/** Sends a span. Costs nothing where nobody receives spans. */
export function sendSpan(span: RecordedSpan): void {
  sink?.(span);
}

/** True when somebody receives the spans of this process: without, attributes need not even be gathered. */
export function isTracing(): boolean {
  return sink !== undefined;
}
