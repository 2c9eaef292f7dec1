import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ExportTraceServiceRequest } from "@ringlight/proto/otlp";
import { type TestSpan, testOptions, traceBody } from "./test-records.ts";
import { TraceStore } from "./trace-store.ts";

async function openStore(context: TestContext, options: Partial<ReturnType<typeof testOptions>> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "trace-store-"));
  const store = await TraceStore.open({ ...testOptions(directory), ...options });
  context.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { store, directory };
}

const id = (bytes: number) => randomBytes(bytes).toString("hex");

test("spans that came in two requests are one trace, found by what stands on them", async (context) => {
  const { store } = await openStore(context);
  const traceId = id(16);
  const root = id(8);
  const now = Date.now();
  const child: TestSpan = {
    traceId,
    parentSpanId: root,
    name: "ringlight.ufs.get",
    startMs: now + 1,
    durationMs: 20,
    attributes: {
      "ringlight.mount": "data",
      "ringlight.miss.reason": "evicted",
      "ringlight.outcome": "miss",
      bytes: 1234,
    },
  };
  await store.ingest("traces", traceBody([child], { service: "ringlight-worker", instance: "w1" }));
  await store.ingest(
    "traces",
    traceBody([{ traceId, spanId: root, name: "GET", startMs: now, durationMs: 25 }], { service: "trainer" }),
  );
  for (const query of [
    {},
    { service: "trainer" },
    { service: "ringlight-worker" },
    { instance: "w1" },
    { name: "ringlight.ufs.get" },
    { name: "ringlight.*" },
    { mount: "data", missReason: "evicted" },
    { attributes: [{ key: "bytes", value: "1234" }] },
    { minDurationMs: 20, maxDurationMs: 30 },
    { class: "kept" as const },
  ]) {
    const { traces } = await store.search(query);
    assert.deepEqual(
      traces.map((trace) => trace.traceId),
      [traceId],
      JSON.stringify(query),
    );
  }
  for (const query of [
    { service: "other" },
    { mount: "data", missReason: "cold" },
    { minDurationMs: 60 },
    { error: true },
  ]) {
    assert.deepEqual((await store.search(query)).traces, [], JSON.stringify(query));
  }
  const [summary] = (await store.search({})).traces;
  assert.deepEqual(
    [summary?.name, summary?.service, summary?.spanCount, summary?.keptFor, summary?.rooted],
    ["GET", "trainer", 2, "miss", true],
  );
  assert.equal(Math.round(summary!.durationMs), 25);
  assert.deepEqual(await store.stored(["0".repeat(32), traceId]), [traceId]);
  const detail = await store.detail(traceId);
  assert.deepEqual(
    detail?.spans.map(({ name, resource }) => [name, detail.resources[resource]?.service]),
    [
      ["GET", "trainer"],
      ["ringlight.ufs.get", "ringlight-worker"],
    ],
  );
});

test("gzip and JSON give the same spans as protobuf", async (context) => {
  const { store } = await openStore(context);
  const span: TestSpan = {
    traceId: id(16),
    spanId: id(8),
    name: "n",
    startMs: Date.now(),
    durationMs: 3,
    attributes: { a: 1 },
  };
  await store.ingest("traces", traceBody([span], { service: "a" }));
  const plain = traceBody([{ ...span, traceId: id(16) }], { service: "a" });
  await store.ingest("traces", { ...plain, gzip: true, bytes: gzipSync(plain.bytes) });
  const json = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "a" } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: id(16),
                spanId: span.spanId,
                name: "n",
                kind: 1,
                startTimeUnixNano: String(BigInt(Math.round(span.startMs)) * 1_000_000n),
                endTimeUnixNano: String(BigInt(Math.round(span.startMs + 3)) * 1_000_000n),
                attributes: [{ key: "a", value: { intValue: "1" } }],
                somethingNew: { of: "a later version" },
              },
            ],
          },
        ],
      },
    ],
  };
  await store.ingest("traces", { format: "json", gzip: false, bytes: Buffer.from(JSON.stringify(json)) });
  const { traces } = await store.search({});
  assert.equal(traces.length, 3);
  const details = await Promise.all(traces.map(({ traceId }) => store.detail(traceId)));
  const bare = details.map((detail) => detail?.spans.map(({ traceId: _id, ...rest }) => ({ ...rest, scope: "" })));
  assert.deepEqual(bare[0], bare[1]);
  assert.deepEqual(bare[1], bare[2]);
});

test("what was acknowledged is found after a restart, in both classes", async (context) => {
  const { store, directory } = await openStore(context);
  const failed = id(16);
  const fine = id(16);
  const at = Date.now();
  await store.ingest("traces", traceBody([{ traceId: failed, name: "f", startMs: at, durationMs: 1, error: "no" }]));
  await store.ingest("traces", traceBody([{ traceId: fine, name: "g", startMs: at, durationMs: 1 }]));
  await store.close();
  const again = await TraceStore.open(testOptions(directory));
  context.after(() => again.close());
  const { traces } = await again.search({});
  assert.deepEqual(
    new Map(traces.map((trace) => [trace.traceId, trace.keptFor])),
    new Map([
      [failed, "error"],
      [fine, undefined],
    ]),
  );
  assert.equal((await again.search({ name: "g" })).traces.length, 1);
  assert.ok((await again.values("", "", 10)).names.includes("f"));
});

test("recent traces leave when their bytes are used up, kept ones stay", async (context) => {
  const { store } = await openStore(context, { recentBytes: 64 * 1024 });
  const kept = id(16);
  const at = Date.now();
  await store.ingest("traces", traceBody([{ traceId: kept, name: "k", startMs: at, durationMs: 1, error: "no" }]));
  for (let round = 0; round < 10; round++) {
    const spans = Array.from(
      { length: 200 },
      (_, index): TestSpan => ({
        traceId: id(16),
        name: "n",
        startMs: at + round,
        durationMs: 1,
        attributes: { index },
      }),
    );
    await store.ingest("traces", traceBody(spans));
  }
  await store.ingest("traces", traceBody([{ traceId: id(16), name: "last", startMs: at, durationMs: 1 }]));
  const stats = await store.stats();
  assert.ok(stats.prunedTraces > 500, `${stats.prunedTraces} pruned`);
  assert.ok(stats.recent.rows < 1000, `${stats.recent.rows} recent`);
  assert.equal((await store.search({ class: "kept" })).traces[0]?.traceId, kept);
});

test("exemplars of a latency are stored traces, and an answer without them has the same numbers", async (context) => {
  const { store } = await openStore(context);
  const end = Math.floor((Date.now() - 10_000) / 10_000) * 10_000;
  const ref = store.series({
    source: "cluster",
    name: "ringlight.request.duration",
    labels: {},
    kind: "histogram",
    unit: "s",
    bounds: [0.01, 0.1],
  });
  store.record({
    fromMs: end - 10_000,
    toMs: end,
    refs: Int32Array.of(ref),
    values: Float64Array.of(0, 20, 0, 0.5),
  });
  const traceId = id(16);
  await store.ingest("traces", traceBody([{ traceId, name: "GET", startMs: end - 5_000, durationMs: 25 }]));
  const query = { metric: "ringlight.request.duration", fn: "rate", fromMs: end - 60_000, toMs: end } as const;
  const { exemplars, series } = await store.metric(query);
  assert.deepEqual(
    exemplars.map((exemplar) => [exemplar.traceId, exemplar.value]),
    [[traceId, 0.025]],
  );
  assert.equal(series[0]?.values.at(-1), 2);
  const without = await store.metric({ ...query, exemplars: false });
  assert.deepEqual([without.exemplars, without.series], [[], series]);
});

test("a watch tells a snapshot and then each trace once for each change", async (context) => {
  const { store } = await openStore(context);
  const before = id(16);
  const after = id(16);
  const at = Date.now();
  await store.ingest("traces", traceBody([{ traceId: before, name: "a", startMs: at, durationMs: 1 }]));
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  const stop = store.watchTraces({ service: "svc" }, (event) => {
    if (event.type === "dropped") return;
    for (const trace of event.traces) seen.push(`${event.type} ${trace.traceId === before ? "before" : "after"}`);
    if (event.type === "traces") done.resolve();
  });
  await store.ingest(
    "traces",
    traceBody([{ traceId: id(16), name: "x", startMs: at, durationMs: 1 }], { service: "other" }),
  );
  await store.ingest("traces", traceBody([{ traceId: after, name: "b", startMs: at, durationMs: 1 }]));
  await done.promise;
  stop();
  assert.deepEqual(seen, ["snapshot before", "traces after"]);
});

test("a body that is no OTLP is refused with what is wrong, and a span without an id is left out and counted", async (context) => {
  const { store } = await openStore(context);
  const json = (value: unknown) => ({
    format: "json" as const,
    gzip: false,
    bytes: Buffer.from(JSON.stringify(value)),
  });
  // A message of 127 bytes of which one came. Bytes at random are protobuf in one of eight cases: an end of a group, nothing more.
  const cutShort = Uint8Array.of(0x0a, 0x7f, 0x01);
  await assert.rejects(
    store.ingest("traces", json({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 5 }] }] }] })),
    /resourceSpans\[0\]\.scopeSpans\[0\]\.spans\[0\]\.traceId must be an id as hex digits/,
  );
  await assert.rejects(store.ingest("traces", { format: "protobuf", gzip: true, bytes: Buffer.from("x") }), /not gzip/);
  await assert.rejects(store.ingest("traces", { format: "protobuf", gzip: false, bytes: cutShort }), {
    code: "RL_BAD_REQUEST",
  });
  const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
  await assert.rejects(store.ingest("traces", { format: "protobuf", gzip: true, bytes: bomb }), {
    code: "RL_ENTITY_TOO_LARGE",
  });
  const request = ExportTraceServiceRequest.create({
    resourceSpans: [
      { scopeSpans: [{ spans: [{ traceId: Buffer.alloc(16), spanId: randomBytes(8), startTimeUnixNano: "1" }] }] },
    ],
  });
  const bytes = ExportTraceServiceRequest.encode(request).finish();
  const taken = await store.ingest("traces", { format: "protobuf", gzip: false, bytes });
  assert.equal(taken.rejected, 1);
});
