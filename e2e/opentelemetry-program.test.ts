/**
 * A training program with OpenTelemetry JS as its tracer: what it reads through the SDK within a span goes on in that span's
 * trace, and the console, which is the receiver of both, shows them as one tree.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

interface StoredTrace {
  readonly spans: readonly {
    readonly spanId: string;
    readonly parentSpanId?: string;
    readonly name: string;
    readonly resource: number;
  }[];
  readonly resources: readonly { readonly service?: string }[];
}

let origin: S3Origin;
let cluster: Cluster;

before(async () => {
  origin = await startS3Origin();
  origin.putObject("data", "object", { sizeBytes: 300_000, seed: 1 });
  cluster = await startCluster({
    portOffset: 1000,
    args: ["--mount", `/data=s3://data,endpoint=${origin.endpoint},region=us-east-1,credentials=env:ORIGIN`],
    env: { ORIGIN_ACCESS_KEY_ID: origin.accessKeyId, ORIGIN_SECRET_ACCESS_KEY: origin.secretAccessKey },
  });
});

after(async () => {
  await cluster?.remove();
  await origin?.close();
});

test("a program's own span and the workers' are one trace in the console", async () => {
  const console = cluster.info().console;
  assert.ok(console);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "training" }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${console}/v1/traces` }) })],
  });
  const client = await cluster.client();
  try {
    const { traceId, spanId } = await provider.getTracer("training").startActiveSpan("epoch", async (span) => {
      let bytes = 0;
      for await (const chunk of client.read("/data/object").stream) bytes += chunk.length;
      assert.equal(bytes, 300_000);
      span.end();
      return span.spanContext();
    });
    assert.equal(trace.getActiveSpan(), undefined);
    await provider.forceFlush();
    const stored = async (): Promise<StoredTrace | undefined> => {
      const answer = await fetch(`${console}/api/traces/${traceId}`);
      return answer.ok ? ((await answer.json()) as StoredTrace) : undefined;
    };
    let last: StoredTrace | undefined;
    const read = () => last?.spans.find(({ parentSpanId }) => parentSpanId === spanId);
    await waitFor(
      async () => {
        last = await stored();
        return read() !== undefined && last?.spans.some((span) => span.spanId === spanId) === true;
      },
      { what: "both sides of the trace in the console", timeoutMs: 60_000 },
    );
    assert.match(read()?.name ?? "", /WorkerService\/Read$/);
    assert.ok(
      last?.spans.some(({ name }) => name === "ringlight.ufs.get"),
      "the store's part is in it",
    );
  } finally {
    client.close();
    await provider.shutdown();
  }
});

test("the console's own calls are traces as well, and what it receives makes no further ones", async () => {
  const { console, workers } = cluster.info();
  assert.ok(console);
  const taken = await fetch(`${console}/api/workers/${workers[0]?.id}/profile`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: console },
    // It takes longer than what is kept as slow.
    body: JSON.stringify({ seconds: 1 }),
  });
  assert.equal(taken.status, 200, await taken.text());
  const own = async () => {
    const answer = await fetch(`${console}/api/traces?service=ringlight-console&limit=200`);
    return ((await answer.json()) as { traces: { name: string }[] }).traces.map(({ name }) => name);
  };
  const profile = "ringlight.v1.ProcessService/TakeCpuProfile";
  let names: string[] = [];
  await waitFor(
    async () => {
      names = await own();
      return names.includes(profile);
    },
    { what: "the trace of the console's call", timeoutMs: 60_000 },
  );
  // All are calls that it made, or requests of its own API; none is of a request that brought spans to /v1/.
  assert.deepEqual(
    names.filter((name) => !/^(ringlight\.v1\.|[A-Z]+ \/api\/)/.test(name)),
    [],
  );
});
