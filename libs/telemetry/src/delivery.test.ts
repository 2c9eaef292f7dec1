import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { attributesAt, bytesAt, fieldsOf, messagesAt, startOtlpReceiver } from "@ringlight/testing";
import { createLogger, keyHash, MetricRegistry, newTraceContext, renderPrometheus, startTelemetry } from "./index.ts";

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

async function receiver(...options: Parameters<typeof startOtlpReceiver>) {
  const started = await startOtlpReceiver(...options);
  closers.push(() => started.close());
  return started;
}

const identity = { service: "ringlight-worker", instance: "w1", version: "1.2.3" };
const span = () => ({ context: newTraceContext(), name: "x", startMs: 1000, endMs: 2000 });

/** What the process counts of its telemetry, as /metrics says it. */
function counted(telemetry: ReturnType<typeof startTelemetry>) {
  const registry = new MetricRegistry();
  telemetry.register(registry);
  return (line: string) => {
    const found = renderPrometheus(registry)
      .split("\n")
      .find((one) => one.startsWith(`ringlight_telemetry_${line} `));
    return found === undefined ? 0 : Number(found.split(" ").at(-1));
  };
}

describe("what a process sends", () => {
  it("goes to the console with the cluster token, and to the receiver that OTEL_* names with its own headers", async () => {
    const console = await receiver();
    const collector = await receiver();
    const telemetry = startTelemetry({
      ...identity,
      console: { url: console.url, token: "s3cret" },
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: "x-team=data%20platform",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      },
    });
    telemetry.recordSpan(span());
    await telemetry.close();
    assert.equal(console.requests[0]?.headers.authorization, "Bearer s3cret");
    assert.equal(collector.requests[0]?.headers.authorization, undefined);
    assert.equal(collector.requests[0]?.headers["x-team"], "data platform");
    assert.equal(collector.requests[0]?.headers["content-encoding"], "gzip");
    for (const { requests } of [console, collector]) {
      assert.deepEqual(
        requests.map(({ path, records }) => [path, records.length]),
        [["/v1/traces", 1]],
      );
    }
  });

  it("names objects to the console alone, unless told otherwise", async () => {
    const named = async (paths: "console" | "all" | "none" | undefined) => {
      const console = await receiver();
      const collector = await receiver();
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
      const telemetry = startTelemetry({ ...identity, console: { url: console.url }, env, paths });
      const attributes = { "ringlight.path": "/m/key", "aws.s3.key": "key", "ringlight.key.hash": keyHash("/m/key") };
      telemetry.recordSpan({ ...span(), attributes });
      await telemetry.close();
      return [console, collector].map(
        ({ requests }) => Object.keys(attributesAt(requests[0]?.records[0] ?? new Map(), 9)).length,
      );
    };
    assert.deepEqual(await named(undefined), [3, 1]);
    assert.deepEqual(await named("all"), [3, 3]);
    assert.deepEqual(await named("none"), [1, 1]);
  });

  it("goes nowhere with OTEL_SDK_DISABLED, and a signal nowhere with OTEL_<SIGNAL>_EXPORTER=none", async () => {
    const console = await receiver();
    const options = { ...identity, console: { url: console.url } };
    const disabled = startTelemetry({ ...options, env: { OTEL_SDK_DISABLED: "true" } });
    assert.equal(disabled.enabled, false);
    await disabled.close();
    const silent = startTelemetry({ ...options, env: { OTEL_TRACES_EXPORTER: "none" } });
    silent.recordSpan(span());
    createLogger({ service: "s", instance: "i", destination: { write: () => {} } }).info("still told");
    await silent.close();
    assert.deepEqual(
      console.requests.map(({ path }) => path),
      ["/v1/logs"],
    );
  });

  it("has log lines with level, trace and masked secrets", async () => {
    const console = await receiver();
    const telemetry = startTelemetry({ ...identity, console: { url: console.url }, env: {} });
    const { traceId, spanId } = newTraceContext();
    const log = createLogger({ service: "s", instance: "i", destination: { write: () => {} } });
    log.debug("not written, not sent");
    log
      .child({ password: "hunter2" })
      .warn("slow", { trace_id: traceId, span_id: spanId, token: "hunter2", mount: "demo", error: new Error("words") });
    await telemetry.close();
    assert.equal(console.requests.length, 1);
    const [record] = console.requests[0]?.records ?? [];
    assert.ok(record);
    assert.equal(bytesAt(record, 9).toString("hex"), traceId);
    assert.equal(bytesAt(record, 10).toString("hex"), spanId);
    assert.deepEqual([record.get(2), bytesAt(record, 3).toString()], [[13n], "WARN"]);
    assert.equal(bytesAt(fieldsOf(bytesAt(record, 5)), 1).toString(), "slow");
    const attributes = attributesAt(record, 6);
    assert.deepEqual(
      [attributes.password, attributes.token, attributes.mount, attributes["exception.message"]],
      ["********", "********", "demo", "words"],
    );
  });

  it("has metrics where a receiver of metrics is named, with exemplars", async () => {
    const collector = await receiver();
    const telemetry = startTelemetry({
      ...identity,
      env: { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.url}/m` },
    });
    const registry = new MetricRegistry();
    registry
      .counter({ name: "a.count", kind: "counter", unit: "{x}", help: "h", labels: ["l"] })
      .with({ l: "v" })
      .add(3);
    const { traceId } = newTraceContext();
    registry
      .histogram({ name: "a.time", kind: "histogram", unit: "s", help: "h", labels: [] }, [0.1, 1])
      .with({})
      .observe(0.5, traceId);
    telemetry.register(registry);
    await telemetry.close();
    assert.equal(collector.requests[0]?.path, "/m");
    const byName = new Map(collector.requests[0]?.records.map((metric) => [bytesAt(metric, 1).toString(), metric]));
    const [point] = messagesAt(fieldsOf(bytesAt(byName.get("a.count") ?? new Map(), 7)), 1);
    assert.deepEqual(attributesAt(point ?? new Map(), 7), { l: "v" });
    const [histogram] = messagesAt(fieldsOf(bytesAt(byName.get("a.time") ?? new Map(), 9)), 1);
    assert.ok(histogram);
    assert.deepEqual(histogram.get(4), [1n]);
    assert.equal(bytesAt(histogram, 6).readBigUInt64LE(8), 1n);
    assert.equal(bytesAt(histogram, 7).readDoubleLE(8), 1);
    assert.equal(bytesAt(messagesAt(histogram, 8)[0] ?? new Map(), 5).toString("hex"), traceId);
  });
});

describe("a receiver in trouble", () => {
  it("is asked again after the time that it names, and gets everything then", async () => {
    const console = await receiver((nth) =>
      nth === 0 ? { status: 429, headers: { "retry-after": "1" } } : { status: 200 },
    );
    const warnings: string[] = [];
    const telemetry = startTelemetry({
      ...identity,
      console: { url: console.url },
      env: {},
      warn: (message) => warnings.push(message),
    });
    const count = counted(telemetry);
    telemetry.recordSpan(span());
    const startedMs = performance.now();
    await Promise.all([telemetry.flush(), console.received(2)]);
    assert.ok(performance.now() - startedMs >= 950, "waited as long as the receiver said");
    assert.equal(console.requests[1]?.records.length, 1);
    assert.equal(count('sent_total{signal="traces",destination="console"}'), 1);
    assert.equal(warnings.length, 2, warnings.join("\n"));
    await telemetry.close();
  });

  it("costs records and never the process: what does not fit and what is refused is counted", async () => {
    const console = await receiver(() => ({ status: 400 }));
    const telemetry = startTelemetry({
      ...identity,
      console: { url: console.url },
      env: { OTEL_BSP_MAX_QUEUE_SIZE: "10" },
    });
    const count = counted(telemetry);
    for (let nth = 0; nth < 25; nth++) telemetry.recordSpan(span());
    await telemetry.flush();
    assert.equal(count('dropped_total{signal="traces",destination="console",reason="queue_full"}'), 15);
    assert.equal(count('dropped_total{signal="traces",destination="console",reason="refused"}'), 10);
    await telemetry.close();
  });

  it("may take a part: what it rejects is counted", async () => {
    const console = await receiver(() => ({ status: 200, body: Buffer.from([0x0a, 0x02, 0x08, 0x02]) }));
    const telemetry = startTelemetry({ ...identity, console: { url: console.url }, env: {} });
    const count = counted(telemetry);
    for (let nth = 0; nth < 5; nth++) telemetry.recordSpan(span());
    await telemetry.flush();
    assert.equal(count('sent_total{signal="traces",destination="console"}'), 3);
    assert.equal(count('dropped_total{signal="traces",destination="console",reason="rejected"}'), 2);
    await telemetry.close();
  });

  it("that is not there yet when a process starts gets what waited, and nobody is warned of it", async () => {
    const first = await receiver();
    const port = Number(new URL(first.url).port);
    first.close();
    const warnings: string[] = [];
    const warn = (message: string) => warnings.push(message);
    const telemetry = startTelemetry({ ...identity, console: { url: first.url }, env: {}, warn });
    telemetry.recordSpan(span());
    const flushed = telemetry.flush();
    const second = await receiver(undefined, port);
    await flushed;
    assert.equal(second.requests.length, 1);
    assert.deepEqual(warnings, []);
    await telemetry.close();
  });
});

describe("which traces are sampled", () => {
  it("is by OTEL_TRACES_SAMPLER where it is set, and heeds the caller unless it says otherwise", async () => {
    const console = await receiver();
    const options = { ...identity, console: { url: console.url } };
    const unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    const sampled = unsampled.replace(/00$/, "01");
    const seen = async (env: Record<string, string>, ratio = 0) => {
      const telemetry = startTelemetry({ ...options, env, keep: { ratio } });
      const result = [undefined, unsampled, sampled].map((parent) => newTraceContext(parent).sampled);
      await telemetry.close();
      return result;
    };
    assert.deepEqual(await seen({}), [false, false, true]);
    assert.deepEqual(await seen({}, 1), [true, false, true]);
    assert.deepEqual(await seen({ OTEL_TRACES_SAMPLER: "always_on" }), [true, true, true]);
    assert.deepEqual(await seen({ OTEL_TRACES_SAMPLER: "always_off" }, 1), [false, false, false]);
    const ratio = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "1" };
    assert.deepEqual(await seen(ratio), [true, false, true]);
  });
});
