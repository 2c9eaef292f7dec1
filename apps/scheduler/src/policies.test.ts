/** Rules by path through a cluster of real processes: registry, workers, scheduler, command line and REST. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { type RuleStats, WorkerServiceClient } from "@ringlight/proto";
import { ClientPool, callStream, callUnary } from "@ringlight/rpc";
import { freePort, waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
const TIER_MIB = 16;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", `--mem=${TIER_MIB}MiB`, "--ssd=0"];
const CLI = resolve(import.meta.dirname, "../../cli/src/main.ts");
const directory = mkdtempSync(join(tmpdir(), "ringlight-policies-"));
const clients = new ClientPool(WorkerServiceClient);
let cluster: JobCluster;
let url: string;

before(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const schedulerFlags = [`--rest-port=${port}`];
  cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: FLAGS, schedulerFlags });
  await cluster.mount("data");
});
after(async () => {
  clients.close();
  await cluster?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `ringlight`. */
function ringlight(...args: readonly string[]): Promise<Ran> {
  const endpoint = cluster.view.workers.values().next().value?.addresses.grpc ?? "";
  return new Promise((resolve) => {
    const options = { env: { ...process.env, RINGLIGHT_ENDPOINT: endpoint, OTEL_SDK_DISABLED: "true" } };
    execFile(process.execPath, [CLI, ...args], options, (error, out, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, out, error: stderr });
    });
  });
}

function file(text: string): string {
  const path = join(directory, "rules.yaml");
  writeFileSync(path, text);
  return path;
}

async function applied(text: string): Promise<string> {
  const { code, out, error } = await ringlight("policy", "apply", file(text));
  assert.equal(code, 0, error);
  return out;
}

function fill(prefix: string, pages: number) {
  return Array.from({ length: pages }, (_, index) => {
    const key = `${prefix}/${String(index).padStart(5, "0")}`;
    const { etag, sizeBytes } = cluster.origin.putObject("data", key, { sizeBytes: PAGE, seed: index });
    return { key, version: etag, sizeBytes };
  });
}

const load = async (prefix: string) => cluster.end((await cluster.submit({ paths: [`/data/${prefix}/`] })).id);
const pagesOf = async (objects: ReturnType<typeof fill>) => (await cluster.audit("data", objects)) / PAGE;

/** What a rule comes to on all workers. */
async function usage(name: string): Promise<RuleStats> {
  const sum = { name, pages: 0, bytes: 0, quotaBytes: 0 };
  for (const { addresses } of cluster.view.workers.values()) {
    for await (const { rules } of callStream(clients.get(addresses.grpc), "watchStats", { intervalMs: 1_000 })) {
      const rule = rules.find((told) => told.name === name);
      sum.pages += rule?.pages ?? 0;
      sum.bytes += rule?.bytes ?? 0;
      sum.quotaBytes += rule?.quotaBytes ?? 0;
      break;
    }
  }
  return sum;
}

async function evictions(reason: string): Promise<number> {
  let sum = 0;
  for (const { addresses } of cluster.view.workers.values()) {
    const text = await (await fetch(`http://${addresses.rest}/metrics`)).text();
    for (const line of text.split("\n")) {
      if (!line.startsWith("ringlight_cache_evictions_total{") || !line.includes(`reason="${reason}"`)) continue;
      sum += Number(line.split(" ").at(-1));
    }
  }
  return sum;
}

test("a file with mistakes is refused with line and field, and changes nothing", async () => {
  const text = `rules:
  - name: scratch
    path: /data/tmp/
    ttl: soon
  - name: scratch
    path: data
    priority: highest
    qouta: 1GiB
  - path: /data/x/
    pin: yes please
`;
  const { code, error } = await ringlight("policy", "apply", file(text));
  assert.equal(code, 2, error);
  for (const expected of [
    /rules\.yaml:4: rules\[0\]\.ttl: "soon" is not a duration/,
    /rules\.yaml:6: rules\[1\]\.path: "data" is not a path/,
    /rules\.yaml:7: rules\[1\]\.priority: "highest" is none of low, normal, high/,
    /rules\.yaml:8: rules\[1\]\.qouta: there is no field "qouta"/,
    /rules\.yaml:9: rules\[2\]: name is missing/,
    /rules\.yaml:10: rules\[2\]\.pin: pin is "yes please"; it is true or false/,
  ]) {
    assert.match(error, expected);
  }
  assert.match((await ringlight("policy", "apply", file("rules: [a"))).error, /rules\.yaml:1: /);
  assert.deepEqual(cluster.view.policies, []);
});

test("apply says what it changes, once; diff and --dry-run write nothing; rm takes one out", async () => {
  const text = `rules:
  - { name: scratch, path: /data/tmp/, ttl: 90m, priority: low }
  - { name: tables, path: '/data/**/*.parquet', pin: true }
`;
  const added = "+ scratch  /data/tmp/  ttl: 90m, priority: low\n+ tables  /data/**/*.parquet  pin: true\n";
  assert.equal((await ringlight("policy", "diff", file(text))).out, added);
  assert.equal((await ringlight("policy", "apply", file(text), "--dry-run")).out, `${added}Nothing was written.\n`);
  assert.deepEqual(cluster.view.policies, []);
  assert.equal(await applied(text), `${added}Applied.\n`);
  assert.equal(await applied(text), "No change.\n");
  assert.equal(
    await applied(text.replace("90m", "2h")),
    "- scratch  /data/tmp/  ttl: 90m, priority: low\n+ scratch  /data/tmp/  ttl: 2h, priority: low\nApplied.\n",
  );
  const listed = JSON.parse((await ringlight("policy", "ls", "--json")).out) as { rules: { name: string }[] };
  assert.deepEqual(
    listed.rules.map(({ name }) => name),
    ["scratch", "tables"],
  );
  const yaml = (await ringlight("policy", "ls", "--yaml")).out;
  assert.equal(await applied(yaml), "No change.\n", "what ls --yaml prints is what apply reads");
  assert.equal((await ringlight("policy", "rm", "none")).code, 4);
  assert.equal((await ringlight("policy", "rm", "tables")).out, "- tables  /data/**/*.parquet  pin: true\nApplied.\n");
  await waitFor(() => cluster.view.policies.length === 1);
});

test("REST lists, replaces and removes the same rules", async () => {
  const call = async (method: string, path: string, body?: unknown) => {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await fetch(`${url}${path}`, { method, ...init });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const rules = [{ name: "a b", path: "/data/a/", quota: "1GiB" }];
  const before = (await call("GET", "/v1/policies")).body;
  assert.deepEqual(before, { rules: [{ name: "scratch", path: "/data/tmp/", ttl: "2h", priority: "low" }] });
  const dry = await call("PUT", "/v1/policies?dryRun=true", { rules });
  assert.deepEqual(dry.body, {
    rules,
    changes: [
      { kind: "added", after: rules[0] },
      { kind: "removed", before: (before.rules as unknown[])[0] },
    ],
  });
  assert.deepEqual((await call("GET", "/v1/policies")).body, before);
  assert.deepEqual((await call("PUT", "/v1/policies", { rules })).body, dry.body);
  const wrong = await call("PUT", "/v1/policies", { rules: [{ name: "x", path: "/data/", ttl: 5 }] });
  assert.deepEqual([wrong.status, wrong.body.code], [400, "RL_BAD_REQUEST"]);
  assert.match(String(wrong.body.message), /^rules\[0\]\.ttl: /);
  assert.equal((await call("DELETE", "/v1/policies/none")).status, 404);
  assert.deepEqual((await call("DELETE", "/v1/policies/a%20b")).body.rules, []);
  const { paths } = (await call("GET", "/openapi.json")).body as { paths: Record<string, object> };
  assert.deepEqual(Object.keys(paths["/v1/policies"] ?? {}), ["get", "put"]);
});

test("pages leave when their time is over, with the reason ttl, and Explain says so", async () => {
  await applied(
    "rules:\n  - { name: brief, path: /data/brief/, ttl: 3s }\n  - { name: all, path: /data, ttl: 1h, quota: 8TiB }\n",
  );
  const brief = fill("brief", 40);
  const other = fill("other", 40);
  await load("other");
  const job = await load("brief");
  assert.equal(job.state, "complete", job.reason);
  const loadedMs = performance.now();
  await waitFor(async () => (await pagesOf(brief)) === 0, { timeoutMs: 30_000 });
  assert.ok(performance.now() - loadedMs > 1_500, "not before");
  assert.equal(await pagesOf(other), 40);
  assert.equal(await evictions("ttl"), 40);
  const explained = JSON.parse((await ringlight("explain", `/data/${brief[7]?.key}`, "--json")).out) as {
    nextRead: { reason: string; evictedBy: string };
    policy: { ttlMs: number; rules: string[]; effects: { rule: string; field: string; decidedBy: string }[] };
  };
  assert.deepEqual([explained.nextRead.reason, explained.nextRead.evictedBy], ["evicted", "ttl"]);
  assert.deepEqual([explained.policy.ttlMs, explained.policy.rules], [3_000, ["brief", "all"]]);
  assert.deepEqual(
    explained.policy.effects.map(({ rule, field, decidedBy }) => [rule, field, decidedBy]),
    [
      ["brief", "ttl", ""],
      ["all", "ttl", "brief"],
      ["all", "quota", ""],
    ],
  );
  const { out } = await ringlight("explain", `/data/${brief[7]?.key}`);
  assert.match(out, /Rules +brief \(\/data\/brief\/\): ttl 3s\. Pages leave 3s after they came/);
  assert.match(out, / +all \(\/data\): ttl 1h\. No effect: the rule "brief" comes before it and decides ttl\./);
  assert.match(out, /left by a rule: its time was over/);
});

test("a pin keeps pages through pressure, for those that were here before it and after a restart, too", async () => {
  const pinned = fill("pinned", 100);
  await load("pinned");
  await applied("rules:\n  - { name: keep, path: /data/pinned/, pin: true }\n");
  await waitFor(async () => (await usage("keep")).pages === 100, { timeoutMs: 30_000, what: "names of the pages" });
  const flood = fill("flood", (4 * TIER_MIB * MIB) / PAGE);
  assert.equal((await load("flood")).state, "partial");
  assert.equal(await pagesOf(pinned), 100);
  assert.ok((await pagesOf(flood)) > 100);
  cluster.processes.get("worker-1")?.signal("SIGKILL");
  await waitFor(() => !cluster.view.workers.has("worker-1"), { timeoutMs: 20_000 });
  await cluster.startWorker("worker-1");
  await waitFor(async () => (await usage("keep")).pages === 100, {
    timeoutMs: 30_000,
    what: "the pages' rules after a restart",
  });
  fill("flood-2", (4 * TIER_MIB * MIB) / PAGE);
  await load("flood-2");
  assert.equal(await pagesOf(pinned), 100);
});

test("low priority leaves before high, whatever came last", async () => {
  await applied(`rules:
  - { name: tables, path: /data/high/, priority: high }
  - { name: logs, path: /data/low/, priority: low }
`);
  const high = fill("high", 150);
  const low = fill("low", 150);
  await load("high");
  await load("low");
  const normal = fill("normal", (3 * TIER_MIB * MIB) / PAGE);
  await load("normal");
  assert.equal(await pagesOf(high), 150);
  assert.equal(await pagesOf(low), 0);
  assert.ok((await pagesOf(normal)) > 100);
});

test("a quota bounds the bytes of a path on the whole cluster, and a load beyond it says that it is partial", async () => {
  await applied("rules:\n  - { name: bound, path: /data/bound/, quota: 4MiB }\n");
  const bound = fill("bound", (12 * MIB) / PAGE);
  const job = await load("bound");
  assert.equal(job.state, "partial", "not all of it can be there");
  await waitFor(async () => (await usage("bound")).bytes <= 4 * MIB, { timeoutMs: 10_000 });
  const { bytes, quotaBytes } = await usage("bound");
  assert.equal(quotaBytes, 4 * MIB, "the workers' parts are the whole");
  assert.ok(bytes > 3 * MIB, `${bytes} bytes are left`);
  assert.ok((await pagesOf(bound)) * PAGE <= 4 * MIB);
  assert.ok((await evictions("quota")) >= (12 * MIB - 4 * MIB) / PAGE);
  assert.match((await ringlight("policy", "ls")).out, /^bound +\/data\/bound\/ +– +– +– +4MiB +\d+ +(3\.\d|4) MiB$/m);
  for (const { addresses } of cluster.view.workers.values()) {
    const known = await callUnary(clients.get(addresses.grpc), "getCluster", {});
    assert.deepEqual(
      known.policies.map(({ name }) => name),
      ["bound"],
    );
  }
});
