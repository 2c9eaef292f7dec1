export {
  type ActiveSpan,
  type CallerTrace,
  currentSpan,
  detached,
  originSpan,
  recordSpan,
  type SpanEnd,
  type SpanStart,
  startSpan,
} from "./active-span.ts";
export { grpcTracer } from "./grpc-tracer.ts";
export { type DoneWork, isKept, type KeepRules, slowMs } from "./keep.ts";
export { keyHash } from "./key-hash.ts";
export { createLogger, type LogFields, type Logger, type LoggerOptions, type LogLevel } from "./logger.ts";
export { METRICS } from "./metric-names.ts";
export {
  Counter,
  type CounterSeries,
  type Exemplar,
  Gauge,
  Histogram,
  type HistogramSeries,
  type Labels,
  type Metric,
  type MetricDefinition,
  MetricRegistry,
  type Sample,
} from "./metrics.ts";
export type { Attributes, AttributeValue, LogRecord, RecordedSpan, SpanEvent } from "./otlp/records.ts";
export { type ProcessMetrics, type ProcessReading, processMetrics } from "./process-metrics.ts";
export {
  acceptsOpenMetrics,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  type PrometheusOptions,
  renderPrometheus,
} from "./prometheus.ts";
export { isTracing } from "./span-sink.ts";
export { startTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";
export {
  keptTraceContext,
  newTraceContext,
  parseTraceparent,
  samplesRoot,
  type TraceContext,
  type Traceparent,
} from "./trace-context.ts";
