/**
 * The console's sources of other backends against real ones, where they are named: JAEGER_BINARY is the program of a Jaeger 2
 * (`go build github.com/jaegertracing/jaeger/cmd/jaeger`, which takes too long for every run of the tests). A cluster sends its
 * traces there by OTLP, and the source finds and reads them as the Traces page does.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePort, spawnProcess, waitFor } from "@ringlight/testing";
import { jaegerSource } from "@ringlight/trace-store";
import { startCluster } from "./cluster.ts";

const { JAEGER_BINARY } = process.env;
const ARRIVES_MS = 60_000;

if (JAEGER_BINARY !== undefined) {
  test("traces of a cluster are searched and read in a real Jaeger", async (context) => {
    const directory = mkdtempSync(join(tmpdir(), "ringlight-jaeger-"));
    context.after(() => rmSync(directory, { recursive: true, force: true }));
    const [otlp, http, grpc] = [await freePort(), await freePort(), await freePort()];
    const config = join(directory, "jaeger.yaml");
    const at = (port: number) => ({ endpoint: `127.0.0.1:${port}` });
    // JSON is YAML.
    writeFileSync(
      config,
      JSON.stringify({
        extensions: {
          jaeger_storage: { backends: { memory: { memory: { max_traces: 10_000 } } } },
          jaeger_query: { storage: { traces: "memory" }, http: at(http), grpc: at(grpc) },
        },
        receivers: { otlp: { protocols: { http: at(otlp) } } },
        exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
        service: {
          extensions: ["jaeger_storage", "jaeger_query"],
          pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } },
          telemetry: { metrics: { level: "none" } },
        },
      }),
    );
    const jaeger = await spawnProcess(JAEGER_BINARY, ["--config", config]);
    context.after(() => jaeger.stop());
    await waitFor(async () => (await fetch(`http://127.0.0.1:${http}/api/services`)).ok, {
      timeoutMs: ARRIVES_MS,
      intervalMs: 250,
      what: "Jaeger to answer",
    });
    const cluster = await startCluster({
      portOffset: 1000,
      args: ["--no-console", "--no-demo-traffic", "--workers", "1"],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${otlp}`,
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none",
      },
    });
    context.after(() => cluster.remove());
    await cluster.run("cat", "/demo/README.md");

    const source = jaegerSource(`http://127.0.0.1:${http}`);
    const found = await waitFor(
      async () => (await source.search({ service: "ringlight-worker", outcome: "miss", mount: "demo" })).traces[0],
      { timeoutMs: ARRIVES_MS, intervalMs: 250, what: "a trace of a miss" },
    );
    assert.ok(found);
    assert.match(found.traceId, /^[0-9a-f]{32}$/);
    assert.ok(found.spanCount >= 2, `${found.spanCount} spans`);
    const detail = await source.detail(found.traceId, 0, 1000);
    const pages = detail?.spans.find(({ name }) => name === "ringlight.pages");
    assert.equal(pages?.attributes["ringlight.outcome"], "miss");
    assert.equal(pages?.attributes["ringlight.miss.reason"], "cold");
    const parent = detail?.spans.find(({ spanId }) => spanId === pages?.parentSpanId);
    assert.equal(parent?.kind, "server");
    assert.equal(detail?.resources[pages?.resource ?? -1]?.instance, "worker-1");
    assert.ok(Math.abs((pages?.startMs ?? 0) - Date.now()) < 120_000, "times are those of the clock");
    assert.equal(await source.detail("0".repeat(31).concat("1"), 0, 10), undefined, "a trace that nobody has");
    assert.deepEqual((await source.search({ service: "ringlight-worker", outcome: "bypass" })).traces, []);
  });
}
