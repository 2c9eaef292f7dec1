/** The OpenTelemetry protocol (OTLP): what senders of traces, metrics and logs put on the wire. Apart from ringlight.v1, whose names it would cross. */
export * from "./gen/opentelemetry/proto/collector/logs/v1/logs_service.ts";
export * from "./gen/opentelemetry/proto/collector/metrics/v1/metrics_service.ts";
export * from "./gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
export * from "./gen/opentelemetry/proto/common/v1/common.ts";
export * from "./gen/opentelemetry/proto/logs/v1/logs.ts";
export * from "./gen/opentelemetry/proto/metrics/v1/metrics.ts";
export * from "./gen/opentelemetry/proto/resource/v1/resource.ts";
export * from "./gen/opentelemetry/proto/trace/v1/trace.ts";
