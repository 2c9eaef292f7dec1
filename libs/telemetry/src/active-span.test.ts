import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { bytesAt, startOtlpReceiver } from "@ringlight/testing";
import {
  createLogger,
  currentSpan,
  detached,
  grpcTracer,
  newTraceContext,
  recordSpan,
  startSpan,
  startTelemetry,
} from "./index.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/** Runs work with a receiver; resolves with the names of the spans that arrived, and their parents' names or ids. */
async function sent(work: () => Promise<void> | void): Promise<Record<string, string>> {
  const receiver = await startOtlpReceiver();
  closers.push(() => receiver.close());
  const telemetry = startTelemetry({
    service: "s",
    instance: "i",
    version: "1",
    console: { url: receiver.url },
    env: { OTEL_LOGS_EXPORTER: "none" },
  });
  await work();
  await telemetry.close();
  const spans = receiver.requests.flatMap(({ records }) => records);
  const names = new Map(spans.map((span) => [bytesAt(span, 2).toString("hex"), bytesAt(span, 5).toString()]));
  return Object.fromEntries(
    spans.map((span) => {
      const parent = bytesAt(span, 4).toString("hex");
      return [bytesAt(span, 5).toString(), names.get(parent) ?? parent];
    }),
  );
}

describe("the spans of a request", () => {
  it("are forgotten together when it was fast, hit and succeeded", async () => {
    const spans = await sent(() => {
      const request = startSpan({ name: "request", kind: "server", caller: { traceparent: CALLER } });
      request.run(() => startSpan({ name: "part" }).end());
      assert.equal(request.end(), false);
    });
    assert.deepEqual(spans, {});
  });

  it("are kept together, as a tree below the caller's, when it missed", async () => {
    const spans = await sent(async () => {
      const request = startSpan({ name: "request", kind: "server", caller: { traceparent: CALLER } });
      await request.run(async () => {
        const part = startSpan({ name: "part" });
        await part.run(async () => {
          await Promise.resolve();
          currentSpan()?.missed();
          const context = newTraceContext(currentSpan()?.context.traceparent);
          recordSpan({ context, name: "store", startMs: 1, endMs: 2 });
        });
        part.end();
      });
      assert.equal(request.end(), true);
    });
    assert.deepEqual(spans, { request: "b7ad6b7169203331", part: "request", store: "part" });
  });

  it("are kept when a part failed, when it was slow, and when its caller asks for it", async () => {
    const one = (name: string, end: Parameters<ReturnType<typeof startSpan>["end"]>[0], traceparent = CALLER) =>
      startSpan({ name, kind: "server", caller: { traceparent } }).end(end);
    const spans = await sent(() => {
      one("fast", {});
      one("slow", { decisiveMs: 100 });
      one("failed", { error: new Error("x") });
      one("left", { error: new Error("x"), failed: false });
      one("sampled", {}, CALLER.replace(/00$/, "01"));
      const request = startSpan({ name: "with a failed part", kind: "server", caller: {} });
      request.run(() => startSpan({ name: "failed part" }).end({ error: new Error("x") }));
      request.end();
    });
    assert.deepEqual(Object.keys(spans).sort(), ["failed", "failed part", "sampled", "slow", "with a failed part"]);
  });

  it("are described when they are sent, once, and not where they are forgotten", async () => {
    const described: string[] = [];
    const request = (name: string, missed: boolean) => {
      const first = startSpan({ name, kind: "server", caller: { traceparent: CALLER } });
      const describe = (span: string) => () => {
        described.push(`${name} ${span}`);
        return { who: span };
      };
      first.run(() => startSpan({ name: `${name} part` }).end({ describe: describe("part") }));
      assert.deepEqual(
        described.filter((told) => told.startsWith(name)),
        [],
      );
      if (missed) first.missed();
      first.end({ describe: describe("request") });
    };
    const spans = await sent(() => {
      request("hit", false);
      request("miss", true);
    });
    assert.deepEqual(Object.keys(spans).sort(), ["miss", "miss part"]);
    assert.deepEqual(described, ["miss part", "miss request"]);
  });

  it("hand tracestate and baggage on, and are no parents of what outlives them", () => {
    const caller = { traceparent: CALLER, tracestate: "a=1", baggage: "team=x" };
    const request = startSpan({ name: "request", kind: "server", caller });
    request.run(() => {
      const { traceparent, ...others } = startSpan({ name: "call", kind: "client" }).headers();
      assert.match(traceparent ?? "", /^00-0af7651916cd43dd8448eb211c80319c-/);
      assert.deepEqual(others, { tracestate: "a=1", baggage: "team=x" });
      assert.equal(
        detached(() => currentSpan()),
        undefined,
      );
      request.end();
      assert.equal(currentSpan(), undefined);
    });
  });

  it("give log lines their ids", () => {
    const lines: string[] = [];
    const log = createLogger({ service: "s", instance: "i", destination: { write: (line) => void lines.push(line) } });
    const request = startSpan({ name: "request", kind: "server", caller: { traceparent: CALLER } });
    request.run(() => log.info("within", { a: 1 }));
    log.info("outside");
    assert.equal(JSON.parse(lines[0] ?? "").trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert.equal(JSON.parse(lines[0] ?? "").span_id, request.context.spanId);
    assert.equal(JSON.parse(lines[1] ?? "").trace_id, undefined);
  });
});

describe("spans of gRPC calls", () => {
  it("are named by the method, on both sides, and kept when the status is an error", async () => {
    const spans = await sent(() => {
      const server = grpcTracer.server({ method: "ringlight.v1.WorkerService/Stat", headers: { traceparent: CALLER } });
      server.run(() => {
        const client = grpcTracer.client({ method: "ringlight.v1.WorkerService/Read", address: "127.0.0.1:1" });
        assert.equal(client.end("NOT_FOUND", undefined), "0af7651916cd43dd8448eb211c80319c");
      });
      server.end("OK", 1);
    });
    assert.deepEqual(spans, {
      "ringlight.v1.WorkerService/Stat": "b7ad6b7169203331",
      "ringlight.v1.WorkerService/Read": "ringlight.v1.WorkerService/Stat",
    });
  });
});
