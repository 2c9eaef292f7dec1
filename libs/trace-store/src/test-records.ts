/** OTLP requests for tests. */
import { randomBytes } from "node:crypto";
import { ExportTraceServiceRequest, type KeyValue } from "@ringlight/proto/otlp";
import type { OtlpBody } from "./otlp-body.ts";
import type { StoreOptions } from "./store-options.ts";

/** A span of a test. */
export interface TestSpan {
  readonly traceId: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly error?: string;
}

/** Small bounds. */
export function testOptions(directory: string): StoreOptions {
  const mib = 1024 * 1024;
  return {
    directory,
    recentBytes: 16 * mib,
    keptBytes: 16 * mib,
    logBytes: 4 * mib,
    metricBytes: 16 * mib,
    recentMs: 3_600_000,
    keptMs: 86_400_000,
    logMs: 86_400_000,
    slowMs: 500,
    ownMetrics: [],
  };
}

function keyValues(attributes: Readonly<Record<string, string | number | boolean>>): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : typeof value === "boolean"
          ? { boolValue: value }
          : Number.isInteger(value)
            ? { intValue: String(value) }
            : { doubleValue: value },
  }));
}

const nanos = (ms: number) => String(BigInt(Math.round(ms * 1000)) * 1000n);

/** A traces request of one sender as protobuf. */
export function traceBody(
  spans: readonly TestSpan[],
  sender: { readonly service?: string; readonly instance?: string } = {},
): OtlpBody {
  const resource = {
    "service.name": sender.service ?? "svc",
    ...(sender.instance === undefined ? {} : { "service.instance.id": sender.instance }),
  };
  const request = ExportTraceServiceRequest.create({
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource) },
        scopeSpans: [
          {
            spans: spans.map((span) => ({
              traceId: Buffer.from(span.traceId, "hex"),
              spanId: span.spanId === undefined ? randomBytes(8) : Buffer.from(span.spanId, "hex"),
              parentSpanId: Buffer.from(span.parentSpanId ?? "", "hex"),
              name: span.name,
              kind: 1,
              startTimeUnixNano: nanos(span.startMs),
              endTimeUnixNano: nanos(span.startMs + span.durationMs),
              attributes: keyValues(span.attributes ?? {}),
              ...(span.error === undefined ? {} : { status: { code: 2, message: span.error } }),
            })),
          },
        ],
      },
    ],
  });
  return { format: "protobuf", gzip: false, bytes: ExportTraceServiceRequest.encode(request).finish() };
}
