import assert from "node:assert/strict";
import test from "node:test";
import type { SpanRecord } from "@ringlight/trace-store";
import { fromOtlpJson, toOtlpJson } from "./otlp-json.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN: SpanRecord = {
  traceId: TRACE,
  spanId: "b7ad6b7169203331",
  parentSpanId: "00f067aa0ba902b7",
  name: "ringlight.pages",
  kind: "server",
  startMs: 1795700730250.125,
  durationMs: 12.345678,
  status: "error",
  statusMessage: "the store said 503",
  resource: 0,
  scope: "ringlight",
  attributes: { "ringlight.outcome": "miss", pages: 3, share: 0.5, cached: false, list: ["a", 1], deep: { x: "y" } },
  events: [{ name: "retry", atMs: 1795700730251, attributes: { attempt: 2 } }],
  links: [{ traceId: TRACE, spanId: "1111111111111111", attributes: {} }],
};
const DETAIL = {
  resources: [{ service: "ringlight-worker", instance: "w1", attributes: { "host.name": "a" } }],
  spans: [SPAN],
};

test("a trace that was saved is read back the same", () => {
  const [trace, ...others] = fromOtlpJson(toOtlpJson(DETAIL));
  assert.equal(others.length, 0);
  assert.equal(trace!.traceId, TRACE);
  assert.deepEqual(trace!.resources, DETAIL.resources);
  assert.deepEqual(trace!.spans, [SPAN]);
});

test("nanoseconds are text and the end is exact", () => {
  const span = JSON.parse(toOtlpJson(DETAIL)).resourceSpans[0].scopeSpans[0].spans[0] as Record<string, string>;
  assert.equal(span.startTimeUnixNano, "1795700730250125000");
  assert.equal(span.endTimeUnixNano, "1795700730262470678");
});

test("what Tempo answers, and a file of one object a line, are read too", () => {
  const { resourceSpans } = JSON.parse(toOtlpJson(DETAIL)) as { resourceSpans: unknown[] };
  const base64 = Buffer.from(TRACE, "hex").toString("base64");
  const tempo = JSON.stringify({ batches: resourceSpans })
    .replaceAll(TRACE, base64)
    .replace('"kind":2', '"kind":"SPAN_KIND_SERVER"');
  assert.equal(fromOtlpJson(tempo)[0]!.traceId, TRACE);
  assert.equal(fromOtlpJson(tempo)[0]!.spans[0]!.kind, "server");
  const line = JSON.stringify({ resourceSpans });
  const other = line.replaceAll(TRACE, "1".repeat(32));
  assert.deepEqual(
    fromOtlpJson(`${line}\n${other}\n`).map((trace) => trace.traceId),
    [TRACE, "1".repeat(32)],
  );
});

test("what is no trace is told apart from what is no JSON", () => {
  assert.deepEqual(fromOtlpJson('{"hello":[1]}'), []);
  assert.throws(() => fromOtlpJson("hello"), SyntaxError);
});
