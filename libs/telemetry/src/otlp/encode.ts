/**
 * Export requests of OTLP in protobuf, from what this process recorded. Field numbers are those of opentelemetry-proto 1.x:
 * trace.proto, logs.proto, common.proto, resource.proto.
 */
import { isRinglightError } from "@ringlight/core";
import { parseTraceparent } from "../trace-context.ts";
import { ProtoWriter } from "./proto-writer.ts";
import type { Attributes, AttributeValue, LogRecord, RecordedSpan } from "./records.ts";

const SCOPE_NAME = "ringlight";
const STATUS_ERROR = 2;
/** Our own spans' ids are random, so the random flag of W3C level 2 holds: 0x2. Only "sampled" is said. */
const SAMPLED = 1;

const KINDS = { internal: 1, server: 2, client: 3 } as const;

/** SeverityNumber of logs.proto. */
const SEVERITIES = { debug: 5, info: 9, warn: 13, error: 17 } as const;

/** Span attributes that name an object. */
const PATHS: ReadonlySet<string> = new Set(["ringlight.path", "aws.s3.key"]);

/** A request for /v1/traces, with the names of objects or without. */
export function encodeSpans(resource: Attributes, spans: readonly RecordedSpan[], withPaths: boolean): Buffer {
  const writer = new ProtoWriter();
  scoped(writer, resource, () => {
    for (const span of spans) writer.message(2, () => writeSpan(writer, span, withPaths ? undefined : PATHS));
  });
  return writer.finish();
}

/** A request for /v1/logs. */
export function encodeLogs(resource: Attributes, records: readonly LogRecord[]): Buffer {
  const writer = new ProtoWriter();
  scoped(writer, resource, () => {
    for (const record of records) writer.message(2, () => writeLog(writer, record));
  });
  return writer.finish();
}

/** The frame that all signals share: one resource, one scope; `write` fills field 2 of the scope's message. */
export function scoped(writer: ProtoWriter, resource: Attributes, write: () => void): void {
  writer.message(1, () => {
    writer.message(1, () => writeAttributes(writer, 1, resource));
    writer.message(2, () => {
      writer.message(1, () => writer.string(1, SCOPE_NAME));
      write();
    });
  });
}

/** Attributes as repeated KeyValue. */
export function writeAttributes(
  writer: ProtoWriter,
  field: number,
  attributes: Attributes,
  omitted?: ReadonlySet<string>,
): void {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || omitted?.has(key)) continue;
    writer.message(field, () => {
      writer.string(1, key);
      writer.message(2, () => writeValue(writer, value));
    });
  }
}

function writeValue(writer: ProtoWriter, value: AttributeValue): void {
  if (typeof value === "string") writer.string(1, value);
  else if (typeof value === "boolean") writer.int(2, value ? 1 : 0);
  else if (typeof value !== "number") {
    writer.message(5, () => {
      for (const item of value) writer.message(1, () => writeValue(writer, item));
    });
  } else if (Number.isSafeInteger(value)) writer.int(3, value);
  else writer.double(4, value);
}

function writeSpan(writer: ProtoWriter, span: RecordedSpan, omitted: ReadonlySet<string> | undefined): void {
  const { context, error } = span;
  writer.hex(1, context.traceId);
  writer.hex(2, context.spanId);
  if (context.tracestate) writer.string(3, context.tracestate);
  if (context.parentSpanId !== undefined) writer.hex(4, context.parentSpanId);
  writer.string(5, span.name);
  writer.int(6, KINDS[span.kind ?? "internal"]);
  writer.time(7, span.startMs);
  writer.time(8, Math.max(span.startMs, span.endMs));
  if (error !== undefined) writeAttributes(writer, 9, { "error.type": errorType(error) });
  if (span.attributes !== undefined) writeAttributes(writer, 9, span.attributes, omitted);
  for (const event of span.events ?? []) {
    writer.message(11, () => {
      writer.time(1, event.atMs);
      writer.string(2, event.name);
      if (event.attributes !== undefined) writeAttributes(writer, 3, event.attributes);
    });
  }
  for (const header of span.links ?? []) {
    const linked = parseTraceparent(header);
    if (linked === undefined) continue;
    writer.message(13, () => {
      writer.hex(1, linked.traceId);
      writer.hex(2, linked.spanId);
      writer.fixed32(6, linked.sampled ? SAMPLED : 0);
    });
  }
  if (error !== undefined) {
    writer.message(15, () => {
      writer.string(2, error instanceof Error ? error.message : String(error));
      writer.int(3, STATUS_ERROR);
    });
  }
  writer.fixed32(16, SAMPLED);
}

function writeLog(writer: ProtoWriter, record: LogRecord): void {
  writer.time(1, record.atMs);
  writer.int(2, SEVERITIES[record.level]);
  writer.string(3, record.level.toUpperCase());
  writer.message(5, () => writer.string(1, record.message));
  writeAttributes(writer, 6, record.attributes);
  if (record.traceId !== undefined) writer.hex(9, record.traceId);
  if (record.spanId !== undefined) writer.hex(10, record.spanId);
  writer.time(11, record.atMs);
}

function errorType(error: unknown): string {
  if (isRinglightError(error)) return error.code;
  return error instanceof Error ? error.name : "_OTHER";
}
