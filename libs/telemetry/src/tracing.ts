/**
 * Spans, made after the work is done and only where they are worth it (slow, missed, failed or sampled), with ids that were
 * handed out beforehand: see trace-context.ts. They go to the SDK's batch processor and from there out by OTLP over HTTP.
 */
import { type Attributes, type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { isRinglightError } from "@ringlight/core";
import { parseTraceparent, type TraceContext } from "./trace-context.ts";

/** A finished piece of work. */
export interface RecordedSpan {
  readonly context: TraceContext;
  readonly name: string;
  /** "internal" if left out. */
  readonly kind?: "internal" | "server" | "client";
  /** Milliseconds since the Unix epoch; fractions count. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: Attributes;
  /** Whatever was thrown. */
  readonly error?: unknown;
  /** Traceparents of spans elsewhere that belong to this one. */
  readonly links?: readonly string[];
}

/** Options of startTracing. */
export interface TracingOptions {
  /** The process's kind, becomes service.name: "ringlight-worker". */
  readonly service: string;
  /** Which of its kind; becomes service.instance.id. */
  readonly instance: string;
  readonly version: string;
  /** Where OpenTelemetry's own OTEL_* variables are looked up; the process's environment if left out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Tracing of one process. */
export interface Tracing {
  /** False where nobody receives spans: do not even gather attributes then. */
  readonly enabled: boolean;
  recordSpan(span: RecordedSpan): void;
  /** Sends what is waiting. */
  flush(): Promise<void>;
  /** Sends what is waiting, for at most 3 s, and stops. Idempotent. */
  close(): Promise<void>;
}

const NO_TRACING: Tracing = { enabled: false, recordSpan: () => {}, flush: async () => {}, close: async () => {} };
const SCOPE = { name: "ringlight" };
const EXPORT_TIMEOUT_MS = 3000;
const CLOSE_TIMEOUT_MS = 3000;
const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

let processTracing: Tracing = NO_TRACING;

/** Records a span with the tracing that this process started last. Costs nothing where there is none. */
export function recordSpan(span: RecordedSpan): void {
  processTracing.recordSpan(span);
}

/** Starts tracing if OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says where to. */
export function startTracing(options: TracingOptions): Tracing {
  const env = options.env ?? process.env;
  const url = tracesUrl(env);
  if (url === undefined) {
    processTracing = NO_TRACING;
    return NO_TRACING;
  }
  const resource = resourceFromAttributes({
    "service.namespace": "ringlight",
    "service.name": options.service,
    "service.instance.id": options.instance,
    "service.version": options.version,
    ...resourceAttributes(env.OTEL_RESOURCE_ATTRIBUTES),
  });
  const timeoutMillis = Number(env.OTEL_EXPORTER_OTLP_TIMEOUT) || EXPORT_TIMEOUT_MS;
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url, timeoutMillis }),
    scheduledDelayMillis: 1000,
  });
  let closing: Promise<void> | undefined;
  const tracing: Tracing = {
    enabled: true,
    recordSpan: (span) => processor.onEnd(readableSpan(span, resource)),
    flush: () => processor.forceFlush().catch(() => {}),
    close: () => {
      closing ??= bounded(processor.shutdown());
      if (processTracing === tracing) processTracing = NO_TRACING;
      return closing;
    },
  };
  processTracing = tracing;
  return tracing;
}

function tracesUrl(env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none") return undefined;
  if (env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  return base ? `${base.replace(/\/+$/, "")}/v1/traces` : undefined;
}

/** key=value,key=value with percent-encoding, as OTEL_RESOURCE_ATTRIBUTES has it. */
function resourceAttributes(text: string | undefined): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const pair of (text ?? "").split(",")) {
    const equals = pair.indexOf("=");
    if (equals <= 0) continue;
    const value = pair.slice(equals + 1).trim();
    try {
      attributes[pair.slice(0, equals).trim()] = decodeURIComponent(value);
    } catch {
      attributes[pair.slice(0, equals).trim()] = value;
    }
  }
  return attributes;
}

/** The shutdown, or the end of patience with a receiver that does not answer. */
async function bounded(shutdown: Promise<void>): Promise<void> {
  const patience = Promise.withResolvers<void>();
  const timer = setTimeout(patience.resolve, CLOSE_TIMEOUT_MS);
  await Promise.race([shutdown.catch(() => {}), patience.promise]);
  clearTimeout(timer);
}

const hrTime = (ms: number): HrTime => {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
};

function readableSpan(span: RecordedSpan, resource: Resource): ReadableSpan {
  const { context, error } = span;
  // The flag tells the processor to take the span; whether the caller samples is another matter.
  const own = { traceId: context.traceId, spanId: context.spanId, traceFlags: 1 };
  const failed = error !== undefined;
  const links = (span.links ?? []).flatMap((header) => {
    const linked = parseTraceparent(header);
    return linked
      ? [{ context: { traceId: linked.traceId, spanId: linked.spanId, traceFlags: linked.sampled ? 1 : 0 } }]
      : [];
  });
  return {
    name: span.name,
    kind: KINDS[span.kind ?? "internal"],
    spanContext: () => own,
    ...(context.parentSpanId === undefined
      ? {}
      : {
          parentSpanContext: { traceId: context.traceId, spanId: context.parentSpanId, traceFlags: 1, isRemote: true },
        }),
    startTime: hrTime(span.startMs),
    endTime: hrTime(span.endMs),
    duration: hrTime(Math.max(0, span.endMs - span.startMs)),
    status: failed ? { code: SpanStatusCode.ERROR, message: errorMessage(error) } : { code: SpanStatusCode.UNSET },
    attributes: failed ? { "error.type": errorType(error), ...span.attributes } : (span.attributes ?? {}),
    links,
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function errorType(error: unknown): string {
  if (isRinglightError(error)) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}
