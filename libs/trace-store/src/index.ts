export { jaegerSource } from "./jaeger-source.ts";
export type { LogLevelName, LogQuery, LogResult, LogWatchEvent, StoredLog } from "./logs.ts";
export { CLUSTER_SOURCE, type SeriesDefinition } from "./metric-series.ts";
export type {
  MetricExemplar,
  MetricFunction,
  MetricInfo,
  MetricKind,
  MetricLabels,
  MetricQuery,
  MetricResult,
  MetricSeries,
} from "./metrics.ts";
export { type ReceiverAnswer, receive, signalOf } from "./receiver.ts";
export type { StoreOptions } from "./store-options.ts";
export type { StoreStats, StoreUsage } from "./store-stats.ts";
export { tempoSource } from "./tempo-source.ts";
export type { TraceSource } from "./trace-source.ts";
export { TraceStore } from "./trace-store.ts";
export type {
  Attributes,
  AttributeValue,
  KeptReason,
  ResourceRecord,
  SpanEvent,
  SpanLink,
  SpanRecord,
  TraceClass,
  TraceDetail,
  TraceQuery,
  TraceSearchResult,
  TraceSummary,
  TraceValues,
  TraceWatchEvent,
} from "./traces.ts";
