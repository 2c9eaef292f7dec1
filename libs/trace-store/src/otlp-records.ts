/** Turns decoded OTLP messages into the store's records, and leaves out what has no valid id. */
import type {
  AnyValue,
  ExportLogsServiceRequest,
  ExportTraceServiceRequest,
  KeyValue,
  LogRecord,
  Resource,
  Span,
} from "@ringlight/proto/otlp";
import { LOG_LEVELS, type LogLevelName, type StoredLog } from "./logs.ts";
import {
  type Attributes,
  type AttributeValue,
  type ResourceRecord,
  SPAN_KINDS,
  SPAN_STATUSES,
  type SpanKindName,
  type SpanRecord,
  type SpanStatusName,
} from "./traces.ts";

/** Longest text that is kept of a value, a name or a message, in UTF-16 units. */
const TEXT_LIMIT = 8192;
/** Most attributes, events and links that are kept of one span or record. */
const ITEM_LIMIT = 128;

/** By number; a sender may use numbers that are not known here. */
const KINDS: readonly (SpanKindName | undefined)[] = SPAN_KINDS;
const STATUSES: readonly (SpanStatusName | undefined)[] = SPAN_STATUSES;

const bounded = (value: string) => (value.length > TEXT_LIMIT ? `${value.slice(0, TEXT_LIMIT)}…` : value);

function attributeValue(value: AnyValue | undefined): AttributeValue {
  if (value === undefined) return null;
  if (value.stringValue !== undefined) return bounded(value.stringValue);
  if (value.intValue !== undefined) {
    const number = Number(value.intValue);
    return Number.isSafeInteger(number) ? number : value.intValue;
  }
  if (value.boolValue !== undefined) return value.boolValue;
  // JSON has no NaN and no infinity.
  if (value.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue) ? value.doubleValue : String(value.doubleValue);
  }
  if (value.arrayValue !== undefined) return value.arrayValue.values.slice(0, ITEM_LIMIT).map(attributeValue);
  if (value.kvlistValue !== undefined) return attributesOf(value.kvlistValue.values);
  if (value.bytesValue !== undefined) return bounded(value.bytesValue.toString("base64"));
  return null;
}

/** Attributes as an object; of a key that comes twice the last value holds. */
export function attributesOf(pairs: readonly KeyValue[]): Attributes {
  const attributes: Record<string, AttributeValue> = {};
  const count = Math.min(pairs.length, ITEM_LIMIT);
  for (let index = 0; index < count; index++) {
    const { key, value } = pairs[index]!;
    // Assigning to this key would set the prototype.
    if (key !== "__proto__") attributes[key] = attributeValue(value);
  }
  return attributes;
}

/** Who sent it. */
export function resourceOf(resource: Resource | undefined): ResourceRecord {
  const attributes = attributesOf(resource?.attributes ?? []);
  const service = attributes["service.name"];
  const instance = attributes["service.instance.id"];
  return {
    service: typeof service === "string" && service !== "" ? service : "unknown_service",
    ...(typeof instance === "string" && instance !== "" ? { instance } : {}),
    attributes,
  };
}

/** Milliseconds of decimal nanoseconds, with fractions. */
export const msOf = (nanos: string) => Number(nanos) / 1e6;

const isZero = (id: Buffer) => id.every((byte) => byte === 0);
const validId = (id: Buffer, bytes: number) => id.length === bytes && !isZero(id);

/** A span whose resource is known by who holds it. */
export type LooseSpan = Omit<SpanRecord, "resource">;

/** Spans of one sender. */
export interface ResourceSpanRecords {
  readonly resource: ResourceRecord;
  readonly spans: readonly LooseSpan[];
}

/** What a request gave. */
export interface Decoded<T> {
  readonly groups: readonly T[];
  readonly accepted: number;
  readonly rejected: number;
  readonly message: string;
}

function spanOf(span: Span, scope: string): LooseSpan {
  const start = BigInt(span.startTimeUnixNano);
  const end = BigInt(span.endTimeUnixNano);
  const dropped =
    span.droppedAttributesCount +
    span.droppedEventsCount +
    span.droppedLinksCount +
    Math.max(0, span.attributes.length - ITEM_LIMIT) +
    Math.max(0, span.events.length - ITEM_LIMIT) +
    Math.max(0, span.links.length - ITEM_LIMIT);
  const message = span.status?.message;
  return {
    traceId: span.traceId.toString("hex"),
    spanId: span.spanId.toString("hex"),
    ...(validId(span.parentSpanId, 8) ? { parentSpanId: span.parentSpanId.toString("hex") } : {}),
    name: bounded(span.name),
    kind: KINDS[span.kind] ?? "unspecified",
    startMs: msOf(span.startTimeUnixNano),
    durationMs: end > start ? Number(end - start) / 1e6 : 0,
    status: STATUSES[span.status?.code ?? 0] ?? "unset",
    ...(message ? { statusMessage: bounded(message) } : {}),
    ...(scope ? { scope } : {}),
    attributes: attributesOf(span.attributes),
    ...(span.events.length > 0
      ? {
          events: span.events.slice(0, ITEM_LIMIT).map((event) => ({
            name: bounded(event.name),
            atMs: msOf(event.timeUnixNano),
            attributes: attributesOf(event.attributes),
          })),
        }
      : {}),
    ...(span.links.length > 0
      ? {
          links: span.links
            .filter((link) => validId(link.traceId, 16) && validId(link.spanId, 8))
            .slice(0, ITEM_LIMIT)
            .map((link) => ({
              traceId: link.traceId.toString("hex"),
              spanId: link.spanId.toString("hex"),
              attributes: attributesOf(link.attributes),
            })),
        }
      : {}),
    ...(dropped > 0 ? { dropped } : {}),
  };
}

/** The spans of a request. One without valid ids or without a start is left out and counted. */
export function spanRecords(request: ExportTraceServiceRequest): Decoded<ResourceSpanRecords> {
  const groups: ResourceSpanRecords[] = [];
  let accepted = 0;
  let rejected = 0;
  for (const { resource, scopeSpans } of request.resourceSpans) {
    const spans: LooseSpan[] = [];
    for (const { scope, spans: found } of scopeSpans) {
      const name = bounded(scope?.name ?? "");
      for (const span of found) {
        if (!validId(span.traceId, 16) || !validId(span.spanId, 8) || !/^[1-9]/.test(span.startTimeUnixNano)) {
          rejected++;
          continue;
        }
        spans.push(spanOf(span, name));
      }
    }
    if (spans.length > 0) groups.push({ resource: resourceOf(resource), spans });
    accepted += spans.length;
  }
  const message =
    rejected > 0 ? "spans without a trace id of 16 bytes, a span id of 8 bytes or a start time were left out" : "";
  return { groups, accepted, rejected, message };
}

/** OTLP's 24 severities are four to a level; where none is told, the text decides. */
function levelOf({ severityNumber, severityText }: LogRecord): LogLevelName {
  const byNumber = LOG_LEVELS[Math.floor((severityNumber - 1) / 4)];
  if (byNumber !== undefined) return byNumber;
  const word = severityText.toLowerCase();
  if (word.startsWith("warn")) return "warn";
  if (word.startsWith("crit")) return "fatal";
  return LOG_LEVELS.find((level) => word.startsWith(level)) ?? "info";
}

/** A log record that has no place in the store yet. */
export type LooseLog = Omit<StoredLog, "id" | "service" | "instance">;

/** Log records of one sender. */
export interface ResourceLogRecords {
  readonly resource: ResourceRecord;
  readonly logs: readonly LooseLog[];
}

function logOf(record: LogRecord, nowMs: number): LooseLog {
  const at = msOf(record.timeUnixNano) || msOf(record.observedTimeUnixNano) || nowMs;
  const body = attributeValue(record.body);
  const attributes = attributesOf(record.attributes);
  return {
    atMs: at,
    level: levelOf(record),
    message: typeof body === "string" ? body : body === null ? record.eventName : bounded(JSON.stringify(body)),
    ...(validId(record.traceId, 16) ? { traceId: record.traceId.toString("hex") } : {}),
    ...(validId(record.spanId, 8) ? { spanId: record.spanId.toString("hex") } : {}),
    attributes: record.eventName ? { "event.name": record.eventName, ...attributes } : attributes,
  };
}

/** The log records of a request; none is left out. */
export function logRecords(request: ExportLogsServiceRequest, nowMs: number): Decoded<ResourceLogRecords> {
  const groups: ResourceLogRecords[] = [];
  let accepted = 0;
  for (const { resource, scopeLogs } of request.resourceLogs) {
    const logs = scopeLogs.flatMap(({ logRecords: found }) => found.map((record) => logOf(record, nowMs)));
    if (logs.length > 0) groups.push({ resource: resourceOf(resource), logs });
    accepted += logs.length;
  }
  return { groups, accepted, rejected: 0, message: "" };
}
