/**
 * A real Prometheus finds nothing wrong with what workers and the scheduler serve at /metrics, scrapes it, and keeps the
 * exemplars: the trace of a read that missed.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  freePort,
  type OtlpReceiver,
  type SpawnedProcess,
  spawnProcess,
  startOtlpReceiver,
  waitFor,
} from "@ringlight/testing";
import { type Cluster, startCluster } from "./cluster.ts";

const SERVED = ["scheduler", "worker-1"] as const;

let receiver: OtlpReceiver;
let cluster: Cluster;
let prometheus: SpawnedProcess;
let url: string;
const directory = mkdtempSync(join(tmpdir(), "ringlight-prometheus-"));
const targets = new Map<string, string>();

before(async () => {
  receiver = await startOtlpReceiver();
  cluster = await startCluster({
    portOffset: 1000,
    args: ["--no-console", "--no-demo-traffic", "--workers", "1"],
    // Traces are kept, and so become exemplars, only where somebody receives them.
    env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces` },
  });
  const [worker] = cluster.info().workers;
  targets.set("worker-1", worker?.rest ?? "");
  targets.set("scheduler", `127.0.0.1:${19_996 + cluster.portOffset}`);
  const port = await freePort();
  const jobs = [...targets].map(([name, target]) => ({ job_name: name, static_configs: [{ targets: [target] }] }));
  // JSON is YAML.
  const file = join(directory, "prometheus.yml");
  writeFileSync(file, JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: jobs }));
  prometheus = await spawnProcess("prometheus", [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(directory, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--enable-feature=exemplar-storage",
  ]);
  url = `http://127.0.0.1:${port}`;
});

after(async () => {
  await prometheus?.stop();
  await cluster?.remove();
  receiver?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function query<T>(path: string, parameters: Record<string, string>): Promise<T> {
  const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, data } = (await answer.json()) as { status: string; data: T };
  assert.equal(status, "success");
  return data;
}

for (const name of SERVED) {
  test(`promtool has nothing to say of the ${name}'s metrics`, async () => {
    const input = await (await fetch(`http://${targets.get(name)}/metrics`)).text();
    assert.match(input, /^process_cpu_time_seconds_total /m);
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
    assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  });
}

test("a Prometheus scrapes them, counts the misses and keeps the trace of one as an exemplar", async () => {
  await cluster.run("cat", "/demo/README.md");
  const missed = async () => {
    const { result } = await query<{ result: { value: [number, string] }[] }>("query", {
      query: 'sum(ringlight_cache_requests_total{outcome="miss"})',
    });
    return Number(result[0]?.value[1] ?? 0);
  };
  await waitFor(async () => (await missed()) >= 1, { timeoutMs: 30_000, intervalMs: 250, what: "the miss is scraped" });
  const exemplars = async () => {
    const data = await query<{ exemplars: { labels: { trace_id?: string } }[] }[]>("query_exemplars", {
      query: "ringlight_request_duration_seconds_bucket",
      start: String(Date.now() / 1000 - 600),
      end: String(Date.now() / 1000 + 60),
    });
    return data.flatMap((series) => series.exemplars.map(({ labels }) => labels.trace_id ?? ""));
  };
  await waitFor(async () => (await exemplars()).length > 0, {
    timeoutMs: 30_000,
    intervalMs: 250,
    what: "an exemplar",
  });
  for (const traceId of await exemplars()) assert.match(traceId, /^[0-9a-f]{32}$/);
  // Prometheus spreads first scrapes over the interval, so one target may be known long before it is looked at.
  const targetStates = async () => {
    const { activeTargets } = await query<{ activeTargets: { health: string; lastError: string }[] }>("targets", {});
    return activeTargets.map(({ health, lastError }) => [health, lastError]);
  };
  await waitFor(async () => (await targetStates()).every(([health]) => health !== "unknown"), {
    timeoutMs: 30_000,
    intervalMs: 250,
    what: "all targets are scraped",
  });
  assert.deepEqual(
    await targetStates(),
    SERVED.map(() => ["up", ""]),
  );
});
