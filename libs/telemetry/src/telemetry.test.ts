import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, describe, it } from "node:test";
import { RinglightError } from "@ringlight/core";
import { attributesAt, bytesAt, fieldsOf, messagesAt, startOtlpReceiver } from "@ringlight/testing";
import { newTraceContext, parseTraceparent, recordSpan, startTelemetry } from "./index.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

async function receiver(...options: Parameters<typeof startOtlpReceiver>) {
  const started = await startOtlpReceiver(...options);
  closers.push(() => started.close());
  return started;
}

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("parseTraceparent", () => {
  it("reads the standard's own example", () => {
    assert.deepEqual(parseTraceparent(PARENT), {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      sampled: true,
    });
    assert.equal(parseTraceparent(PARENT.replace(/01$/, "02"))?.sampled, false);
  });

  it("reads versions to come, and ignores what is malformed", () => {
    assert.equal(parseTraceparent(PARENT.replace(/^00/, "01"))?.sampled, true);
    assert.equal(parseTraceparent(`${PARENT.replace(/^00/, "01")}-more`)?.sampled, true);
    const bad = [
      undefined,
      "",
      "junk",
      PARENT.toUpperCase(),
      `${PARENT}-more`,
      PARENT.replace(/^00/, "ff"),
      PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0".repeat(32)),
      PARENT.replace("b7ad6b7169203331", "0".repeat(16)),
    ];
    for (const header of bad) assert.equal(parseTraceparent(header), undefined, header);
  });
});

describe("newTraceContext", () => {
  it("continues the caller's trace with a span of its own", () => {
    const context = newTraceContext(PARENT);
    assert.equal(context.traceId, "0af7651916cd43dd8448eb211c80319c");
    assert.equal(context.parentSpanId, "b7ad6b7169203331");
    assert.notEqual(context.spanId, context.parentSpanId);
    const child = newTraceContext(context.traceparent);
    assert.equal(child.traceId, context.traceId);
    assert.equal(child.parentSpanId, context.spanId);
    assert.equal(child.sampled, true);
  });

  it("begins a trace where there is none, never with the same ids", () => {
    const contexts = Array.from({ length: 2000 }, () => newTraceContext("junk"));
    for (const { traceparent, parentSpanId, sampled } of contexts) {
      assert.ok(parseTraceparent(traceparent));
      assert.deepEqual([parentSpanId, sampled], [undefined, false]);
    }
    assert.equal(new Set(contexts.map((context) => context.traceId)).size, 2000);
    assert.equal(new Set(contexts.map((context) => context.spanId)).size, 2000);
  });
});

describe("startTelemetry", () => {
  const identity = { service: "ringlight-worker", instance: "w1", version: "1.2.3" };

  it("does nothing when nobody receives", async () => {
    for (const env of [
      {},
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_SDK_DISABLED: "true" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_TRACES_EXPORTER: "none" },
    ]) {
      const tracing = startTelemetry({ ...identity, env });
      assert.equal(tracing.enabled, false);
      tracing.recordSpan({ context: newTraceContext(), name: "x", startMs: 0, endMs: 1 });
      await tracing.close();
    }
  });

  it("sends spans with the ids handed out before, over OTLP/HTTP in protobuf", async () => {
    const { requests, url } = await receiver();
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/`,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test%20bed",
    };
    const tracing = startTelemetry({ ...identity, env });
    const server = newTraceContext(PARENT);
    const fetch = newTraceContext(server.traceparent);
    const startMs = Date.now() - 50.25;
    const other = newTraceContext();
    tracing.recordSpan({
      context: fetch,
      name: "ufs get",
      kind: "client",
      startMs,
      endMs: startMs + 20,
      error: new RinglightError("RL_UFS_TIMEOUT", "too slow"),
      links: [other.traceparent, "junk"],
    });
    recordSpan({
      context: server,
      name: "s3.GetObject",
      kind: "server",
      startMs,
      endMs: startMs + 50.25,
      attributes: { "http.response.status_code": 200 },
    });
    await tracing.close();
    await tracing.close();
    recordSpan({ context: server, name: "after the end", startMs, endMs: startMs });

    assert.equal(requests.length, 1);
    const [request] = requests;
    assert.equal(request?.path, "/v1/traces");
    assert.equal(request?.headers["content-type"], "application/x-protobuf");
    assert.deepEqual(request?.resource, {
      "service.namespace": "ringlight",
      "service.name": "ringlight-worker",
      "service.instance.id": "w1",
      "service.version": "1.2.3",
      "process.pid": BigInt(process.pid),
      "deployment.environment.name": "test bed",
    });
    const [first, second] = request?.records ?? [];
    assert.ok(first && second);
    assert.equal(bytesAt(first, 1).toString("hex"), server.traceId);
    assert.equal(bytesAt(first, 2).toString("hex"), fetch.spanId);
    assert.equal(bytesAt(first, 4).toString("hex"), server.spanId);
    assert.equal(bytesAt(first, 5).toString(), "ufs get");
    assert.deepEqual(first.get(6), [3n]);
    assert.equal(attributesAt(first, 9)["error.type"], "RL_UFS_TIMEOUT");
    assert.deepEqual(
      messagesAt(first, 13).map((link) => bytesAt(link, 1).toString("hex")),
      [other.traceId],
    );
    const status = fieldsOf(bytesAt(first, 15));
    assert.deepEqual([bytesAt(status, 2).toString(), status.get(3)], ["too slow", [2n]]);
    assert.equal(bytesAt(second, 2).toString("hex"), server.spanId);
    assert.equal(bytesAt(second, 4).toString("hex"), "b7ad6b7169203331");
    assert.deepEqual(second.get(6), [2n]);
    assert.equal(attributesAt(second, 9)["http.response.status_code"], 200n);
    assert.equal(Number((second.get(8)?.[0] as bigint) - (second.get(7)?.[0] as bigint)) / 1e6, 50.25);
  });

  it("takes the traces' own endpoint as it stands, and before the general one", async () => {
    const { requests, url } = await receiver();
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/own`, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
    const tracing = startTelemetry({ ...identity, env });
    tracing.recordSpan({ context: newTraceContext(), name: "x", startMs: 1, endMs: 2 });
    await tracing.flush();
    assert.equal(requests[0]?.path, "/own");
    await tracing.close();
  });

  it("ends within its time when the receiver does not answer", async () => {
    const server = createServer(() => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const tracing = startTelemetry({ ...identity, env: { OTEL_EXPORTER_OTLP_ENDPOINT: url } });
    tracing.recordSpan({ context: newTraceContext(), name: "x", startMs: 1, endMs: 2 });
    const startedMs = performance.now();
    await tracing.close();
    assert.ok(performance.now() - startedMs < 8000);
  });
});
