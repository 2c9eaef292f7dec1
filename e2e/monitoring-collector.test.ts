/**
 * docs/monitoring/otel-collector.yaml in the real OpenTelemetry Collector: what the processes of a cluster send arrives where the
 * file sends it on: metrics in a real Prometheus, traces and log lines at receivers of OTLP that stand for Tempo's and Loki's.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, type SpawnedProcess, spawnProcess, waitFor } from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";
import { type RunningCollector, runCollector, spansOf, toStdout } from "./otlp-collector.ts";

const EXAMPLE = fileURLToPath(new URL("../docs/monitoring/otel-collector.yaml", import.meta.url));
const ARRIVES_MS = 60_000;

const directory = mkdtempSync(join(tmpdir(), "ringlight-collector-"));
let behind: RunningCollector;
let example: RunningCollector;
let prometheus: SpawnedProcess;
let prometheusUrl: string;
let cluster: Cluster;

before(async () => {
  const [http, grpc, port, prometheusPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  behind = await runCollector([toStdout({ http, grpc, logsPath: "/otlp/v1/logs" })], http);
  const config = join(directory, "prometheus.yml");
  writeFileSync(config, "{}");
  prometheus = await spawnProcess("prometheus", [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
    "--web.enable-remote-write-receiver",
  ]);
  prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
  // The file as it is, but for the ports.
  const ports = {
    "receivers.otlp.protocols.http.endpoint": `127.0.0.1:${port}`,
    "exporters.otlp/tempo.endpoint": `127.0.0.1:${grpc}`,
    "exporters.prometheusremotewrite.endpoint": `${prometheusUrl}/api/v1/write`,
    "exporters.otlphttp/loki.endpoint": `http://127.0.0.1:${http}/otlp`,
  };
  const sets = Object.entries(ports).map(([key, value]) => `--set=${key}=${value}`);
  example = await runCollector([`--config=${EXAMPLE}`, ...sets], port);
  cluster = await startCluster({
    portOffset: 1000,
    args: ["--no-console", "--no-demo-traffic", "--workers", "1"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_METRIC_EXPORT_INTERVAL: "1000" },
  });
  await cluster.run("cat", "/demo/README.md");
});

after(async () => {
  await cluster?.remove();
  await example?.stop();
  await prometheus?.stop();
  await behind?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("a read's trace goes through the example's collector to the backend of traces", async () => {
  const names = () => new Set(spansOf(behind.lines()).map(({ name }) => name));
  await waitFor(() => names().has("ringlight.pages") && names().has("ringlight.ufs.get"), {
    timeoutMs: ARRIVES_MS,
    what: "the read's spans",
  });
});

test("the workers' metrics go on to Prometheus by remote write", async () => {
  const misses = async () => {
    const query = new URLSearchParams({ query: 'sum(ringlight_cache_requests_total{outcome="miss"})' });
    const answer = await fetch(`${prometheusUrl}/api/v1/query?${query}`);
    const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
    return Number(data.result[0]?.value[1] ?? 0);
  };
  await waitFor(async () => (await misses()) >= 1, {
    timeoutMs: ARRIVES_MS,
    intervalMs: 250,
    what: "the miss is counted",
  });
});

test("log lines go on to the backend of logs, each from its process", async () => {
  const lines = () => behind.lines().filter((line) => line.startsWith('{"resourceLogs"'));
  await waitFor(() => lines().some((line) => line.includes("ringlight-worker")), {
    timeoutMs: ARRIVES_MS,
    what: "log lines of the worker",
  });
  assert.match(lines().join("\n"), /"severityText":"INFO"/i);
});
