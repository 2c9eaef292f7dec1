import assert from "node:assert/strict";
import test from "node:test";
import type { SpanRecord, TraceDetail } from "@ringlight/trace-store";
import { logLine } from "./logs.ts";
import { traceLines } from "./traces.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

const span = (spanId: string, parentSpanId: string | undefined, name: string, startMs: number): SpanRecord => ({
  traceId: TRACE,
  spanId,
  ...(parentSpanId === undefined ? {} : { parentSpanId }),
  name,
  kind: "internal",
  startMs: 1000 + startMs,
  durationMs: 5,
  status: "unset",
  resource: parentSpanId === undefined ? 0 : 1,
  attributes: name === "ringlight.pages" ? { "ringlight.outcome": "miss", "ringlight.miss.reason": "cold" } : {},
});

test("a trace is printed as a tree; a span whose parent is elsewhere is a root", () => {
  const detail: TraceDetail = {
    summary: {
      traceId: TRACE,
      version: 1,
      name: "s3.GetObject",
      service: "ringlight-worker",
      rooted: false,
      startMs: 1000,
      durationMs: 9,
      spanCount: 3,
      errorCount: 0,
      services: [],
      class: "recent",
    },
    resources: [
      { service: "training-job", attributes: {} },
      { service: "ringlight-worker", instance: "worker-2", attributes: {} },
    ],
    spans: [
      span("a", undefined, "epoch", 0),
      span("b", "a", "s3.GetObject", 1),
      span("c", "b", "ringlight.pages", 2),
      span("d", "elsewhere", "peer.Read", 4),
    ],
    offset: 0,
    total: 4,
    logCount: 0,
  };
  assert.deepEqual(traceLines(detail), [
    "SPAN                 BEGINS  DURATION  WHERE         OUTCOME",
    "epoch                 +0 µs      5 ms  training-job",
    "  s3.GetObject        +1 ms      5 ms  worker-2",
    "    ringlight.pages   +2 ms      5 ms  worker-2      miss cold",
    "peer.Read             +4 ms      5 ms  worker-2",
  ]);
});

test("a log line names its process, its fields and its trace", () => {
  const line = logLine({
    id: 1,
    atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    level: "warn",
    message: "the store refused",
    service: "ringlight-worker",
    instance: "worker-1",
    traceId: TRACE,
    attributes: { mount: "demo", tries: 3, why: "no such bucket" },
  });
  assert.equal(
    line,
    `2026-01-02T03:04:05.006Z WARN  worker-1 the store refused mount=demo tries=3 why="no such bucket" trace=${TRACE}`,
  );
});
