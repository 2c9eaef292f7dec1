/**
 * Traces as files: OTLP in its JSON encoding (opentelemetry-proto, "JSON Protobuf Encoding"), which Jaeger, Tempo and every
 * Collector read and write. Ids are hex, enumerations are numbers, 64-bit integers are decimal text.
 */
import type { Attributes, AttributeValue, ResourceRecord, SpanRecord, TraceDetail } from "@ringlight/trace-store";

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUSES = ["unset", "ok", "error"] as const;

type Json = Readonly<Record<string, unknown>>;

/** Nanoseconds of a moment in milliseconds, as text; the fraction of a millisecond keeps its microseconds. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

/** The end of a span: start and duration are added as nanoseconds, which no number holds together. */
function endNanos(startMs: number, durationMs: number): string {
  return String(BigInt(nanos(startMs)) + BigInt(Math.round(durationMs * 1e6)));
}

function writeValue(value: AttributeValue): Json {
  if (value === null) return {};
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(writeValue) } };
  return { kvlistValue: { values: writeAttributes(value as Attributes) } };
}

function writeAttributes(attributes: Attributes): Json[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: writeValue(value) }));
}

function writeSpan(span: SpanRecord): Json {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: KINDS.indexOf(span.kind),
    startTimeUnixNano: nanos(span.startMs),
    endTimeUnixNano: endNanos(span.startMs, span.durationMs),
    attributes: writeAttributes(span.attributes),
    events: (span.events ?? []).map((event) => ({
      timeUnixNano: nanos(event.atMs),
      name: event.name,
      attributes: writeAttributes(event.attributes),
    })),
    links: (span.links ?? []).map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      attributes: writeAttributes(link.attributes),
    })),
    status: {
      code: STATUSES.indexOf(span.status),
      ...(span.statusMessage === undefined ? {} : { message: span.statusMessage }),
    },
  };
}

/** A trace as OTLP JSON. */
export function toOtlpJson({ resources, spans }: Pick<TraceDetail, "resources" | "spans">): string {
  const resourceSpans = resources.map((resource, index) => {
    const scopes = new Map<string, SpanRecord[]>();
    for (const span of spans) {
      if (span.resource !== index) continue;
      const scope = span.scope ?? "";
      scopes.set(scope, [...(scopes.get(scope) ?? []), span]);
    }
    const own = {
      "service.name": resource.service,
      ...(resource.instance === undefined ? {} : { "service.instance.id": resource.instance }),
    };
    return {
      resource: { attributes: writeAttributes({ ...resource.attributes, ...own }) },
      scopeSpans: [...scopes].map(([name, scoped]) => ({
        scope: name === "" ? {} : { name },
        spans: scoped.map(writeSpan),
      })),
    };
  });
  return `${JSON.stringify({ resourceSpans }, undefined, 1)}\n`;
}

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isRecord) : []);

/** Ids are hex by the standard; Tempo's API gives them as base64. */
function readId(value: unknown, bytes: number): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  if (value.length === bytes * 2 && /^[0-9a-f]+$/i.test(value)) return value.toLowerCase();
  try {
    const raw = atob(value);
    if (raw.length !== bytes) return undefined;
    return [...raw].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined;
  }
}

/** Milliseconds of nanoseconds, which come as text, or as a number that has lost its last digits. */
function readNanos(value: unknown): bigint {
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return BigInt(Math.round(value));
  return 0n;
}
const toMs = (value: bigint) => Number(value / 1_000_000n) + Number(value % 1_000_000n) / 1e6;

function readValue(value: unknown): AttributeValue {
  if (!isRecord(value)) return null;
  if (typeof value.stringValue === "string") return value.stringValue;
  if (typeof value.boolValue === "boolean") return value.boolValue;
  if (typeof value.doubleValue === "number") return value.doubleValue;
  if (value.intValue !== undefined) {
    const exact = Number(value.intValue);
    return Number.isSafeInteger(exact) ? exact : String(value.intValue);
  }
  if (typeof value.bytesValue === "string") return value.bytesValue;
  if (isRecord(value.arrayValue)) return list(value.arrayValue.values).map(readValue);
  if (isRecord(value.kvlistValue)) return readAttributes(value.kvlistValue.values);
  return null;
}

function readAttributes(value: unknown): Attributes {
  return Object.fromEntries(list(value).map((pair) => [String(pair.key ?? ""), readValue(pair.value)]));
}

function readSpan(span: Json, resource: number, scope: string): SpanRecord | undefined {
  const traceId = readId(span.traceId, 16);
  const spanId = readId(span.spanId, 8);
  if (traceId === undefined || spanId === undefined) return undefined;
  const start = readNanos(span.startTimeUnixNano);
  const end = readNanos(span.endTimeUnixNano);
  const status = isRecord(span.status) ? span.status : {};
  const parentSpanId = readId(span.parentSpanId, 8);
  const word = <Word extends string>(words: readonly Word[], value: unknown): Word => {
    if (typeof value === "number") return words[value] ?? words[0]!;
    const name = String(value ?? "").toLowerCase();
    return words.find((candidate) => name.endsWith(candidate)) ?? words[0]!;
  };
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: String(span.name ?? ""),
    kind: word(KINDS, span.kind),
    startMs: toMs(start),
    durationMs: end > start ? toMs(end - start) : 0,
    status: word(STATUSES, status.code),
    ...(typeof status.message === "string" && status.message !== "" ? { statusMessage: status.message } : {}),
    resource,
    ...(scope === "" ? {} : { scope }),
    attributes: readAttributes(span.attributes),
    events: list(span.events).map((event) => ({
      name: String(event.name ?? ""),
      atMs: toMs(readNanos(event.timeUnixNano)),
      attributes: readAttributes(event.attributes),
    })),
    links: list(span.links).flatMap((link) => {
      const to = { traceId: readId(link.traceId, 16), spanId: readId(link.spanId, 8) };
      return to.traceId && to.spanId
        ? [{ traceId: to.traceId, spanId: to.spanId, attributes: readAttributes(link.attributes) }]
        : [];
    }),
  };
}

/** A trace that was read from a file. */
export type FileTrace = Pick<TraceDetail, "resources" | "spans"> & { readonly traceId: string };

/**
 * The traces of a file: OTLP JSON, one object or one a line, under `resourceSpans`, or under `batches` or `trace` as
 * Tempo's API answers.
 *
 * @throws SyntaxError when it is no JSON; an empty list means that no span was in it
 */
export function fromOtlpJson(text: string): FileTrace[] {
  let documents: unknown[];
  try {
    documents = [JSON.parse(text)];
  } catch (error) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) throw error;
    documents = lines.map((line) => JSON.parse(line) as unknown);
  }
  const traces = new Map<string, { resources: ResourceRecord[]; spans: SpanRecord[] }>();
  for (const outer of documents) {
    const document = isRecord(outer) && isRecord(outer.trace) ? outer.trace : outer;
    if (!isRecord(document)) continue;
    for (const batch of [...list(document.resourceSpans), ...list(document.batches)]) {
      const {
        "service.name": service,
        "service.instance.id": instance,
        ...attributes
      } = readAttributes(isRecord(batch.resource) ? batch.resource.attributes : []);
      const resource: ResourceRecord = {
        service: typeof service === "string" ? service : "unknown_service",
        ...(typeof instance === "string" ? { instance } : {}),
        attributes,
      };
      const places = new Map<string, number>();
      for (const scoped of [...list(batch.scopeSpans), ...list(batch.instrumentationLibrarySpans)]) {
        const scope = isRecord(scoped.scope) ? String(scoped.scope.name ?? "") : "";
        for (const raw of list(scoped.spans)) {
          const traceId = readId(raw.traceId, 16) ?? "";
          const trace = traces.get(traceId) ?? { resources: [], spans: [] };
          const place = places.get(traceId) ?? trace.resources.length;
          const span = readSpan(raw, place, scope);
          if (!span) continue;
          if (!places.has(traceId)) {
            trace.resources.push(resource);
            places.set(traceId, place);
          }
          trace.spans.push(span);
          traces.set(traceId, trace);
        }
      }
    }
  }
  return [...traces].map(([traceId, { resources, spans }]) => ({
    traceId,
    resources,
    spans: spans.sort((a, b) => a.startMs - b.startMs),
  }));
}
