/** Deaths in the middle of jobs, in clusters of real processes. At the end what a job says is what an audit finds. */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=128MiB", "--ssd=0"];

function fill(cluster: JobCluster, prefix: string, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const key = `${prefix}${String(index).padStart(6, "0")}`;
    const settings = { sizeBytes: index % 40 === 0 ? 2 * MIB + index : PAGE + index, seed: index };
    const { etag, sizeBytes } = cluster.origin.putObject("data", key, settings);
    return { key, version: etag, sizeBytes };
  });
}

const total = (objects: readonly { readonly sizeBytes: number }[]) =>
  objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

test("a job goes on with another scheduler when the leader is killed, and repeats next to nothing", async () => {
  const cluster = await startJobCluster({ workers: 3, schedulers: 2, workerFlags: FLAGS });
  try {
    await cluster.mount("data");
    const objects = fill(cluster, "take/", 1_500);
    const rate = 20 * MIB;
    const { id } = await cluster.submit({ paths: ["/data/take/"], bytesPerSecond: rate });
    await cluster.until(id, ({ loaded }) => (loaded?.bytes ?? 0) > total(objects) / 4);
    const { leader } = cluster.view;
    const killedMs = Date.now();
    cluster.processes.get(leader ?? "")?.signal("SIGKILL");
    const taken = await cluster.until(id, ({ takeovers }) => takeovers > 0, 20_000);
    const takenMs = Date.now() - killedMs;
    assert.notEqual(taken.scheduler, leader);
    // The lease of 2 s has to run out first.
    assert.ok(takenMs < 2_000 + 5_000, `taken over after ${takenMs} ms`);
    const job = await cluster.end(id, 90_000);
    assert.deepEqual(
      [job.state, job.listed, job.takeovers],
      ["complete", { objects: 1_500, bytes: total(objects) }, 1],
      job.reason,
    );
    assert.equal((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), total(objects));
    assert.equal(await cluster.audit("data", objects), total(objects));
    const sent = cluster.origin.requests
      .filter(({ op }) => op === "GetObject")
      .reduce((sum, { bytes }) => sum + bytes, 0);
    // What was on its way when the leader died is cut off and read again: a batch a worker at most.
    assert.ok(sent < total(objects) + 3 * 16 * MIB, `${sent} of ${total(objects)} bytes were sent`);
  } finally {
    await cluster.close();
  }
});

test("the work of a worker that is killed goes to others, what it had is loaded again, and the count is exact", async () => {
  const cluster = await startJobCluster({ workers: 3, schedulers: 1, workerFlags: FLAGS });
  try {
    await cluster.mount("data");
    const objects = fill(cluster, "lose/", 1_200);
    const { id } = await cluster.submit({ paths: ["/data/lose/"], bytesPerSecond: 24 * MIB });
    await cluster.until(id, ({ loaded }) => (loaded?.bytes ?? 0) > total(objects) / 3);
    cluster.processes.get("worker-1")?.signal("SIGKILL");
    const job = await cluster.end(id, 90_000);
    assert.deepEqual([job.state, job.listed], ["complete", { objects: 1_200, bytes: total(objects) }], job.reason);
    assert.ok(job.pass > 1, "a load that was disturbed is gone through again");
    assert.equal((job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0), 1_200);
    assert.equal((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), total(objects));
    assert.equal(await cluster.audit("data", objects), total(objects), "all of it is with the two that live");
  } finally {
    await cluster.close();
  }
});

test("a store that fails, stalls and cuts makes a load slower, and no less true", async () => {
  const cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: [...FLAGS, "--ufs-timeout=1s"] });
  try {
    await cluster.mount("data");
    const objects = fill(cluster, "bad/", 600);
    const reads = ({ op, key }: { readonly op: string; readonly key: string }) =>
      op === "GetObject" && key !== "bad/000040";
    cluster.origin.fail(reads, { status: 500, every: 20 });
    cluster.origin.fail({ op: "ListObjectsV2" }, { status: 503, every: 2, times: 1 });
    cluster.origin.truncate(reads, 1000, { every: 31 });
    cluster.origin.stall(reads, 3_000, { every: 171 });
    cluster.origin.changeDuring(
      { key: "bad/000040", range: /^bytes=0-/ },
      500_000,
      { sizeBytes: 3 * MIB, seed: 99 },
      { cut: true },
    );
    const job = await cluster.end((await cluster.submit({ paths: ["/data/bad/"] })).id, 90_000);
    cluster.origin.clearFaults();
    const failed = await cluster.failed(job.id);
    assert.equal(job.listed?.objects, 600);
    const { loaded, cached } = job;
    assert.equal((loaded?.objects ?? 0) + (cached?.objects ?? 0) + failed.length, 600);
    assert.equal(job.state, failed.length === 0 ? "complete" : "partial");
    // The one that changed is cached as what it is now.
    const now = {
      key: "bad/000040",
      version: `${cluster.origin.putObject("data", "bad/000040", { sizeBytes: 3 * MIB, seed: 99 }).etag}`,
      sizeBytes: 3 * MIB,
    };
    const expected = objects.map((object) => (object.key === now.key ? now : object));
    assert.equal(await cluster.audit("data", expected), (loaded?.bytes ?? 0) + (cached?.bytes ?? 0));
  } finally {
    await cluster.close();
  }
});

test("verify finds bytes that were corrupted on the way, and loads them again", async () => {
  const cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: FLAGS });
  const corrupted = new Map<string, number>();
  /** Passes requests on to the origin, and flips a bit in the first bytes of some answers. */
  const proxy = createServer((incoming, outgoing) => {
    const url = new URL(cluster.origin.endpoint);
    const options = {
      host: url.hostname,
      port: url.port,
      path: incoming.url,
      method: incoming.method,
      headers: incoming.headers,
    };
    const passed = request(options, (answer) => {
      const key = (incoming.url ?? "").split("?")[0] ?? "";
      const left = incoming.method === "GET" ? (corrupted.get(key) ?? 0) : 0;
      if (left > 0) corrupted.set(key, left - 1);
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      let first = left > 0;
      answer.on("data", (chunk: Buffer) => {
        if (first) chunk[0] = (chunk[0] ?? 0) ^ 1;
        first = false;
        outgoing.write(chunk);
      });
      answer.once("end", () => outgoing.end()).once("error", () => outgoing.destroy());
    });
    passed.once("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = proxy.address() as AddressInfo;
    await cluster.mount("data", { options: { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1" } });
    const objects = fill(cluster, "true/", 60);
    const text = cluster.origin.putObject("data", "true/text", "it has an md5 ".repeat(5_000));
    objects.push({ key: "true/text", version: text.etag, sizeBytes: text.sizeBytes });
    corrupted.set("/data/true/000003", 1);
    corrupted.set("/data/true/text", 1);
    const { id } = await cluster.submit({ paths: ["/data/true/"], verify: true });
    const job = await cluster.end(id);
    const failed = await cluster.failed(id);
    assert.deepEqual(
      failed.map(({ path, code }) => [path, code]),
      [],
    );
    assert.equal(job.state, "complete");
    assert.equal(job.verifiedObjects, 61);
    assert.equal(await cluster.audit("data", objects), total(objects));
    assert.equal(corrupted.get("/data/true/000003"), 0);
  } finally {
    await cluster.close();
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
});

test("a worker that joins in the middle of a load has what it owns in the end", async () => {
  const cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: FLAGS });
  try {
    await cluster.mount("data");
    const objects = fill(cluster, "join/", 800);
    const { id } = await cluster.submit({ paths: ["/data/join/"], bytesPerSecond: 20 * MIB });
    await cluster.until(id, ({ loaded }) => (loaded?.objects ?? 0) > 200);
    // However long a busy machine takes to start a worker, the load is not over before it has joined.
    assert.equal((await cluster.control(id, "pause")).state, "paused");
    await cluster.startWorker("worker-9");
    await cluster.control(id, "resume");
    const job = await cluster.end(id, 90_000);
    assert.deepEqual([job.state, job.listed?.objects], ["complete", 800], job.reason);
    const dry = await cluster.end((await cluster.submit({ paths: ["/data/join/"], dryRun: true })).id);
    assert.deepEqual([dry.loaded?.objects, dry.cached?.objects], [0, 800], "every owner has what it owns");
    assert.ok((await cluster.audit("data", objects)) >= total(objects));
    const submitted = async () => (await cluster.list()).filter(({ spec }) => spec?.kind === "load");
    await waitFor(async () => (await submitted()).length === 2);
  } finally {
    await cluster.close();
  }
});

test("a job goes on when the registry was away for longer than a lease, and is true in the end", async () => {
  const cluster = await startJobCluster({ workers: 2, schedulers: 2, workerFlags: FLAGS });
  try {
    await cluster.mount("data");
    const objects = fill(cluster, "away/", 900);
    const { id } = await cluster.submit({ paths: ["/data/away/"], bytesPerSecond: 15 * MIB });
    await cluster.until(id, ({ loaded }) => (loaded?.bytes ?? 0) > total(objects) / 4);
    await cluster.wire.refuse();
    await waitFor(() => cluster.view.workers.size === 0 && cluster.view.leader === undefined, { timeoutMs: 15_000 });
    await cluster.wire.restore();
    const job = await cluster.end(id, 90_000);
    assert.deepEqual([job.state, job.listed], ["complete", { objects: 900, bytes: total(objects) }], job.reason);
    assert.ok(job.takeovers > 0);
    assert.equal((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), total(objects));
    assert.equal(await cluster.audit("data", objects), total(objects));
  } finally {
    await cluster.close();
  }
});
