/** Traces of a Jaeger, by the HTTP API of its query service (port 16686). */
import { askBackend, detailFrom, type Fetch, type SentSpan, summaryFrom, type TraceSource } from "./trace-source.ts";
import type {
  Attributes,
  AttributeValue,
  ResourceRecord,
  SpanKindName,
  TraceQuery,
  TraceSearchResult,
} from "./traces.ts";
import { SPAN_KINDS } from "./traces.ts";
import { KNOWN } from "./words.ts";

interface JaegerTag {
  readonly key: string;
  readonly value: AttributeValue;
}

interface JaegerSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references?: readonly { readonly refType: string; readonly traceID: string; readonly spanID: string }[];
  /** Microseconds. */
  readonly startTime: number;
  readonly duration: number;
  readonly tags?: readonly JaegerTag[];
  readonly logs?: readonly { readonly timestamp: number; readonly fields?: readonly JaegerTag[] }[];
  readonly processID: string;
}

interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly JaegerSpan[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string; readonly tags?: readonly JaegerTag[] }>>;
}

/** Jaeger asks for a service with every search. */
const DEFAULT_SERVICE = "ringlight-worker";
const DEFAULT_LIMIT = 50;
/** Tags by which Jaeger tells what OTLP has fields for. */
const FIELDS = new Set(["span.kind", "otel.status_code", "otel.status_description", "otel.scope.name", "error"]);

const attributesOf = (tags: readonly JaegerTag[] | undefined, except: ReadonlySet<string> = new Set()): Attributes =>
  Object.fromEntries((tags ?? []).filter(({ key }) => !except.has(key)).map(({ key, value }) => [key, value]));

/** Jaeger leaves out the zeros in front. */
const padded = (id: string, digits: number) => id.toLowerCase().padStart(digits, "0");

/** Spans of Jaeger's JSON. */
function spansOfJaeger({ spans, processes }: JaegerTrace): SentSpan[] {
  const resources = new Map<string, ResourceRecord>();
  for (const [id, { serviceName, tags }] of Object.entries(processes)) {
    const attributes = { "service.name": serviceName, ...attributesOf(tags) };
    const instance = attributes["service.instance.id" as keyof typeof attributes] as AttributeValue | undefined;
    resources.set(id, { service: serviceName, ...(typeof instance === "string" ? { instance } : {}), attributes });
  }
  return spans.map((span): SentSpan => {
    const tags = attributesOf(span.tags);
    const parent = (span.references ?? []).find(
      ({ refType, traceID }) => refType === "CHILD_OF" && traceID === span.traceID,
    );
    const links = (span.references ?? []).filter((reference) => reference !== parent);
    const kind = tags["span.kind"];
    const failed = tags.error === true || tags["otel.status_code"] === "ERROR";
    const message = tags["otel.status_description"];
    const scope = tags["otel.scope.name"];
    const record: SentSpan[1] = {
      traceId: padded(span.traceID, 32),
      spanId: padded(span.spanID, 16),
      ...(parent === undefined ? {} : { parentSpanId: padded(parent.spanID, 16) }),
      name: span.operationName,
      kind: (SPAN_KINDS as readonly string[]).includes(String(kind)) ? (kind as SpanKindName) : "internal",
      startMs: span.startTime / 1000,
      durationMs: span.duration / 1000,
      status: failed ? "error" : tags["otel.status_code"] === "OK" ? "ok" : "unset",
      ...(typeof message === "string" ? { statusMessage: message } : {}),
      ...(typeof scope === "string" ? { scope } : {}),
      attributes: attributesOf(span.tags, FIELDS),
      ...(span.logs?.length
        ? {
            events: span.logs.map(({ timestamp, fields }) => ({
              name: String(attributesOf(fields).event ?? "event"),
              atMs: timestamp / 1000,
              attributes: attributesOf(fields, new Set(["event"])),
            })),
          }
        : {}),
      ...(links.length > 0
        ? {
            links: links.map(({ traceID, spanID }) => ({
              traceId: padded(traceID, 32),
              spanId: padded(spanID, 16),
              attributes: {},
            })),
          }
        : {}),
    };
    return [resources.get(span.processID) ?? { service: "unknown_service", attributes: {} }, record];
  });
}

/** Reads traces from a Jaeger. @param base its URL, as http://127.0.0.1:16686 */
export function jaegerSource(base: string, ask: Fetch = fetch): TraceSource {
  const urlOf = (path: string) => new URL(path, base.endsWith("/") ? base : `${base}/`);
  const traces = async (url: URL): Promise<readonly JaegerTrace[]> => {
    const response = await askBackend(url, "application/json", ask);
    return response === undefined
      ? []
      : (((await response.json()) as { data: readonly JaegerTrace[] | null }).data ?? []);
  };
  return {
    type: "jaeger",
    search: async (query: TraceQuery): Promise<TraceSearchResult> => {
      const url = urlOf("api/traces");
      const limit = query.limit ?? DEFAULT_LIMIT;
      const tags: Record<string, string> = {};
      for (const { key, value } of query.attributes ?? []) tags[key] = value;
      for (const field of ["jobId", "pathHash", "mount", "outcome", "missReason"] as const) {
        if (query[field] !== undefined) tags[KNOWN[field]] = query[field];
      }
      if (query.instance !== undefined) tags["service.instance.id"] = query.instance;
      if (query.error === true) tags.error = "true";
      const now = Date.now();
      const asked: Record<string, string | undefined> = {
        service: query.service ?? DEFAULT_SERVICE,
        operation: query.name?.endsWith("*") ? undefined : query.name,
        tags: Object.keys(tags).length > 0 ? JSON.stringify(tags) : undefined,
        minDuration: query.minDurationMs === undefined ? undefined : `${query.minDurationMs}ms`,
        maxDuration: query.maxDurationMs === undefined ? undefined : `${query.maxDurationMs}ms`,
        start: String(Math.floor((query.fromMs ?? now - 3_600_000) * 1000)),
        end: String(Math.floor((query.toMs ?? now) * 1000)),
        limit: String(limit),
      };
      for (const [name, value] of Object.entries(asked)) if (value !== undefined) url.searchParams.set(name, value);
      const found = await traces(url);
      const summaries = found
        .map((trace) => summaryFrom(padded(trace.traceID, 32), spansOfJaeger(trace)))
        .sort((a, b) => b.startMs - a.startMs);
      return { traces: summaries, complete: found.length < limit };
    },
    detail: async (traceId, offset, limit) => {
      const [trace] = await traces(urlOf(`api/traces/${traceId}`));
      return trace === undefined ? undefined : detailFrom(traceId, spansOfJaeger(trace), offset, limit);
    },
  };
}
