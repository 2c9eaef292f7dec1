import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { jaegerSource } from "./jaeger-source.ts";
import { tempoSource } from "./tempo-source.ts";
import { traceBody } from "./test-records.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

/** A server that answers as a backend does. */
async function serve(context: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const JAEGER = {
  data: [
    {
      // Jaeger leaves out zeros in front.
      traceID: TRACE.slice(1),
      processes: {
        p1: { serviceName: "ringlight-worker", tags: [{ key: "service.instance.id", type: "string", value: "w1" }] },
        p2: { serviceName: "trainer" },
      },
      spans: [
        {
          traceID: TRACE.slice(1),
          spanID: "b9c7c989f97918e1",
          operationName: "ringlight.ufs.get",
          references: [{ refType: "CHILD_OF", traceID: TRACE.slice(1), spanID: "00f067aa0ba902b7" }],
          startTime: 1_700_000_000_001_000,
          duration: 4_000,
          tags: [
            { key: "ringlight.mount", type: "string", value: "lake" },
            { key: "span.kind", type: "string", value: "client" },
            { key: "error", type: "bool", value: true },
            { key: "otel.status_code", type: "string", value: "ERROR" },
            { key: "otel.status_description", type: "string", value: "slow down" },
          ],
          logs: [{ timestamp: 1_700_000_000_002_000, fields: [{ key: "event", type: "string", value: "retry" }] }],
          processID: "p1",
        },
        {
          traceID: TRACE.slice(1),
          spanID: "f067aa0ba902b7",
          operationName: "epoch",
          startTime: 1_700_000_000_000_000,
          duration: 9_000,
          tags: [],
          processID: "p2",
        },
      ],
    },
  ],
};

test("a trace of Jaeger comes with its tree, kinds, states and senders; a search asks by tags", async (context) => {
  const asked: URL[] = [];
  const url = await serve(context, (request, response) => {
    const found = new URL(request.url ?? "", "http://jaeger");
    asked.push(found);
    if (found.pathname.endsWith("/ffffffffffffffffffffffffffffffff")) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"data":null,"errors":[{"code":404}]}');
    } else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(JAEGER));
  });
  const jaeger = jaegerSource(url);
  const detail = await jaeger.detail(TRACE);
  assert.deepEqual(
    detail?.spans.map(({ name, kind, status, parentSpanId, resource }) => [
      name,
      kind,
      status,
      parentSpanId,
      detail.resources[resource]?.service,
    ]),
    [
      ["epoch", "internal", "unset", undefined, "trainer"],
      ["ringlight.ufs.get", "client", "error", "00f067aa0ba902b7", "ringlight-worker"],
    ],
  );
  assert.deepEqual(detail?.spans[1]?.attributes, { "ringlight.mount": "lake" });
  assert.equal(detail?.spans[1]?.events?.[0]?.name, "retry");
  assert.deepEqual([detail?.summary.name, detail?.summary.errorCount, detail?.summary.durationMs], ["epoch", 1, 9]);
  assert.equal(detail?.summary.traceId, TRACE);
  const { traces } = await jaeger.search({
    mount: "lake",
    error: true,
    minDurationMs: 5,
    fromMs: 1000,
    toMs: 2000,
    limit: 7,
  });
  assert.equal(traces[0]?.traceId, TRACE);
  const { searchParams } = asked.at(-1)!;
  assert.deepEqual(JSON.parse(searchParams.get("tags") ?? ""), { "ringlight.mount": "lake", error: "true" });
  assert.deepEqual(
    ["service", "minDuration", "start", "end", "limit"].map((name) => searchParams.get(name)),
    ["ringlight-worker", "5ms", "1000000", "2000000", "7"],
  );
  assert.equal(await jaeger.detail("f".repeat(32)), undefined);
});

test("a trace of Tempo comes as protobuf; a search asks in TraceQL", async (context) => {
  const asked: URL[] = [];
  const { bytes } = traceBody(
    [{ traceId: TRACE, name: "s3.GetObject", startMs: 1_700_000_000_000, durationMs: 3, attributes: { n: 1 } }],
    { service: "ringlight-worker" },
  );
  const hits = {
    traces: [
      {
        traceID: TRACE.slice(1),
        rootServiceName: "trainer",
        rootTraceName: "epoch",
        startTimeUnixNano: "1700000000000000000",
        durationMs: 12,
      },
    ],
  };
  const url = await serve(context, (request, response) => {
    const found = new URL(request.url ?? "", "http://tempo");
    asked.push(found);
    if (found.pathname === "/api/search") response.end(JSON.stringify(hits));
    else if (request.headers.accept === "application/protobuf") response.end(bytes);
    else response.writeHead(406).end();
  });
  const tempo = tempoSource(url);
  const detail = await tempo.detail(TRACE);
  assert.deepEqual([detail?.spans[0]?.name, detail?.spans[0]?.attributes], ["s3.GetObject", { n: 1 }]);
  const { traces } = await tempo.search({
    mount: 'a"b',
    name: "s3.*",
    minDurationMs: 5,
    attributes: [{ key: "n", value: "1" }],
  });
  assert.deepEqual([traces[0]?.traceId, traces[0]?.name, traces[0]?.durationMs], [TRACE, "epoch", 12]);
  assert.equal(
    asked.at(-1)?.searchParams.get("q"),
    '{ name =~ "s3\\\\..*" } && { traceDuration >= 5ms } && { .ringlight.mount = "a\\"b" } && { .n = 1 }',
  );
});

test("a backend that does not answer, or answers an error, is named with its words", async (context) => {
  const url = await serve(context, (_request, response) => response.writeHead(500).end("no ring"));
  await assert.rejects(tempoSource(url).search({}), {
    code: "RL_UFS_UNAVAILABLE",
    message: `${url} answered 500: no ring`,
  });
  await assert.rejects(jaegerSource("http://127.0.0.1:1").detail(TRACE), { code: "RL_UFS_UNAVAILABLE" });
});
