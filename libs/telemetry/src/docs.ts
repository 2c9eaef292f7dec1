/** docs/observability.md, made from the table of metrics. */
import { METRICS } from "./metric-names.ts";
import { prometheusName } from "./prometheus.ts";

/** The page as Markdown. */
export function renderObservabilityDocs(): string {
  const rows = Object.values(METRICS).map((definition) => {
    const name = prometheusName(definition) + (definition.kind === "counter" ? "_total" : "");
    const labels = definition.labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${definition.name}\` | \`${name}\` | ${definition.kind} | ${labels} | ${definition.help} |`;
  });
  return [
    "# Metrics, traces and logs",
    "",
    "This page is generated from `libs/telemetry/src/docs.ts` and the table of metrics beside it.",
    "",
    "## Metrics",
    "",
    "Each worker serves them at `/metrics` of its REST port (28080), as Prometheus text, or as OpenMetrics to clients that ask",
    "for it. Names are OpenTelemetry's where it has them. Paths and keys are never labels.",
    "",
    "| metric | in Prometheus | kind | labels | what |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    "`outcome` is hit, miss or joined (waited for another reader's fetch); `miss_reason` is one of [these](miss-reasons.md).",
    "`ringlight.cache.requests` counts pages on the worker that served them, so that the sum over all workers is the cluster's:",
    "a relayed read is counted once. `ringlight.ufs.request.duration` counts every GET and HEAD that was sent to a store, those",
    "that had to be repeated too (`status=retried`), so that its count is what the store itself counts.",
    "",
    "## Traces",
    "",
    "A read is one trace: `s3.GetObject` at the worker that the client asked, `ringlight.pages` at the owner, and",
    "`ringlight.ufs.get` for each request to the store. A client's `traceparent` header is continued. Spans are made after the",
    "work, for reads that missed, failed, fell back, took 100 ms or more to the first byte, or whose caller sampled the trace; a",
    "fast hit costs none. They are sent by OTLP over HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` or",
    "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a receiver.",
    "",
    "## On every answer",
    "",
    "`Cache-Status` (RFC 9211) says `ringlight; hit; detail=mem` or `ringlight; fwd=miss; detail=cold`, and who served it.",
    "`Server-Timing` carries the trace id, and the time spent waiting for the store.",
    "",
    "## Logs",
    "",
    "JSON lines on standard output, or text with `logFormat=text`. Under `ringlight up` they are files in",
    "`.ringlight/logs`, rotated by size. Fields that could hold a secret are masked.",
    "",
  ].join("\n");
}
