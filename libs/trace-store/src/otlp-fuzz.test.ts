import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { RinglightError } from "@ringlight/core";
import {
  ExportLogsServiceRequest,
  ExportMetricsServiceRequest,
  ExportTraceServiceRequest,
} from "@ringlight/proto/otlp";
import fc from "fast-check";
import { decodeLogs, decodeMetrics, decodeTraces, encodeAcceptance, encodeRefusal } from "./otlp-body.ts";
import { OtlpMetricDecoder } from "./otlp-metrics.ts";
import { logRecords, spanRecords } from "./otlp-records.ts";
import { traceBody } from "./test-records.ts";

/** Decodes wholly, or refuses with the request's fault; never anything else. */
function survives(work: () => unknown): void {
  try {
    // What comes out is what is stored and sent to pages: JSON.
    JSON.stringify(work());
  } catch (error) {
    assert.ok(error instanceof RinglightError, String(error));
    assert.ok(error.code === "RL_BAD_REQUEST" || error.code === "RL_ENTITY_TOO_LARGE", error.code);
  }
}

const signals = [
  (bytes: Uint8Array, format: "protobuf" | "json", gzip: boolean) => spanRecords(decodeTraces({ format, gzip, bytes })),
  (bytes: Uint8Array, format: "protobuf" | "json", gzip: boolean) => logRecords(decodeLogs({ format, gzip, bytes }), 1),
  (bytes: Uint8Array, format: "protobuf" | "json", gzip: boolean) =>
    new OtlpMetricDecoder().decode(decodeMetrics({ format, gzip, bytes }), 1, () => false),
];

test("any bytes are decoded or refused, in both formats, packed and not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, packed) => {
      for (const signal of signals) {
        survives(() => signal(packed ? gzipSync(bytes) : bytes, "protobuf", packed));
        survives(() => signal(bytes, "json", packed));
      }
    }),
    { numRuns: 300 },
  );
});

test("any JSON is decoded or refused", () => {
  const names = [
    "resourceSpans",
    "scopeSpans",
    "spans",
    "traceId",
    "spanId",
    "attributes",
    "key",
    "value",
    "resource",
    "resourceLogs",
    "scopeLogs",
    "logRecords",
    "body",
    "resourceMetrics",
    "scopeMetrics",
    "metrics",
    "name",
    "sum",
    "dataPoints",
    "asInt",
    "histogram",
    "bucketCounts",
    "stringValue",
    "kvlistValue",
    "values",
    "startTimeUnixNano",
  ];
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 8 },
      fc.constantFrom(null, true, "", "00", "zz", "18446744073709551615", -1, 1.5, "NaN"),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const bytes = Buffer.from(JSON.stringify(value));
      for (const signal of signals) survives(() => signal(bytes, "json", false));
    }),
    { numRuns: 500 },
  );
});

test("a valid request with bytes changed, cut or repeated is decoded or refused", () => {
  const { bytes } = traceBody([
    {
      traceId: "0123456789abcdef0123456789abcdef",
      name: "n",
      startMs: 1e12,
      durationMs: 5,
      attributes: { a: "b", c: 1 },
      error: "e",
    },
  ]);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, value, cut) => {
      const changed = Uint8Array.from(bytes);
      changed[at] = value;
      survives(() => spanRecords(decodeTraces({ format: "protobuf", gzip: false, bytes: changed.subarray(0, cut) })));
      survives(() =>
        spanRecords(decodeTraces({ format: "protobuf", gzip: false, bytes: Buffer.concat([changed, changed]) })),
      );
    }),
    { numRuns: 500 },
  );
});

test("attributes nested without end are refused, not followed", () => {
  const text = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":${'{"arrayValue":{"values":['.repeat(20_000)}{}${"]}}".repeat(20_000)}}]}]}]}]}`;
  assert.throws(() => decodeTraces({ format: "json", gzip: false, bytes: Buffer.from(text) }), {
    code: "RL_BAD_REQUEST",
  });
});

test("answers decode as what the protocol says", async () => {
  const { ExportTraceServiceResponse } = await import("@ringlight/proto/otlp");
  const partial = encodeAcceptance("traces", "protobuf", { accepted: 1, rejected: 3, message: "why" });
  assert.deepEqual(ExportTraceServiceResponse.decode(partial).partialSuccess, {
    rejectedSpans: 3,
    errorMessage: "why",
  });
  assert.equal(encodeAcceptance("logs", "protobuf", { accepted: 1, rejected: 0, message: "" }).length, 0);
  assert.deepEqual(
    JSON.parse(Buffer.from(encodeAcceptance("metrics", "json", { accepted: 0, rejected: 2, message: "m" })).toString()),
    {
      partialSuccess: { rejectedDataPoints: "2", errorMessage: "m" },
    },
  );
  const long = "ü".repeat(300);
  const status = encodeRefusal("protobuf", 3, long);
  assert.deepEqual([status[0], status[1], status[2]], [0x08, 3, 0x12]);
  assert.equal(Buffer.from(status.subarray(5)).toString(), long);
  assert.deepEqual(ExportLogsServiceRequest.decode(Buffer.alloc(0)).resourceLogs, []);
  assert.deepEqual(ExportMetricsServiceRequest.decode(Buffer.alloc(0)).resourceMetrics, []);
  assert.deepEqual(ExportTraceServiceRequest.decode(Buffer.alloc(0)).resourceSpans, []);
});
