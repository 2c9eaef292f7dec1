/** Jobs in a cluster of real processes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: JobCluster;

interface StoredObject {
  readonly key: string;
  readonly version: string;
  readonly sizeBytes: number;
}

before(async () => {
  const workerFlags = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=128MiB", "--ssd=0"];
  cluster = await startJobCluster({ workers: 3, schedulers: 2, workerFlags });
  await cluster.mount("data");
});

after(async () => {
  await cluster?.close();
});

function fill(prefix: string, count: number, sizeOf: (index: number) => number): StoredObject[] {
  return Array.from({ length: count }, (_, index) => {
    const key = `${prefix}${String(index).padStart(6, "0")}`;
    const { etag, sizeBytes } = cluster.origin.putObject("data", key, { sizeBytes: sizeOf(index), seed: index });
    return { key, version: etag, sizeBytes };
  });
}

const total = (objects: readonly StoredObject[]) => objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

test("a load brings in every byte below its path once, and says exactly that", async () => {
  const objects = fill("plain/", 500, (index) => (index % 50 === 0 ? 3 * MIB + index : (index * 977) % (2 * PAGE)));
  fill("plain-2/", 3, () => PAGE);
  cluster.origin.resetCounts();
  const { id } = await cluster.submit({ paths: ["/data/plain"] });
  const job = await cluster.end(id);
  assert.equal(job.state, "complete", job.reason);
  assert.deepEqual(job.listed, { objects: 500, bytes: total(objects) });
  assert.equal(job.listingEnded, true);
  const done = (job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0);
  assert.equal(done, 500);
  assert.equal(job.loaded?.bytes, total(objects));
  assert.equal(job.readBytes, total(objects));
  assert.equal(await cluster.audit("data", objects), total(objects));
  const sent = cluster.origin.requests
    .filter(({ op }) => op === "GetObject")
    .reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(sent, total(objects), "every byte was read from the store once");
  const again = await cluster.end((await cluster.submit({ paths: ["/data/plain/"] })).id);
  assert.deepEqual(
    [again.state, again.loaded, again.cached],
    ["complete", { objects: 0, bytes: 0 }, { objects: 500, bytes: total(objects) }],
  );
});

test("what fails is listed with its path and reason, the job is partial, and a retry does just that", async () => {
  const objects = fill("faulty/", 200, () => 2 * PAGE);
  const bad = /faulty\/0000[05]0$/;
  cluster.origin.fail({ key: bad, op: "GetObject" }, { status: 403, code: "AccessDenied" });
  cluster.origin.fail({ key: "faulty/000123", op: "GetObject" }, { status: 500, code: "InternalError", times: 1 });
  const { id } = await cluster.submit({ paths: ["/data/faulty/"] });
  const job = await cluster.end(id);
  cluster.origin.clearFaults();
  assert.equal(job.state, "partial");
  assert.deepEqual(job.failed, { objects: 2, bytes: 4 * PAGE });
  assert.deepEqual(job.loaded, { objects: 198, bytes: 198 * 2 * PAGE });
  assert.equal(job.reasonCode, "RL_UFS_DENIED");
  const failed = await cluster.failed(id);
  assert.deepEqual(failed.map(({ path, code }) => [path, code]).sort(), [
    ["/data/faulty/000000", "RL_UFS_DENIED"],
    ["/data/faulty/000050", "RL_UFS_DENIED"],
  ]);
  assert.equal(await cluster.audit("data", objects), 198 * 2 * PAGE);
  cluster.origin.resetCounts();
  const retried = await cluster.end((await cluster.retry(id)).id);
  assert.deepEqual(
    [retried.state, retried.listed, retried.loaded],
    ["complete", { objects: 2, bytes: 4 * PAGE }, { objects: 2, bytes: 4 * PAGE }],
  );
  assert.equal(retried.retryOf, id);
  assert.equal(cluster.origin.count({ op: "GetObject" }), 2);
  assert.equal(await cluster.audit("data", objects), total(objects));
  await assert.rejects(cluster.retry(retried.id), { code: "RL_CONFLICT" });
});

test("a job that may not be partial ends as failed at the first object that cannot be loaded", async () => {
  fill("strict/", 100, () => PAGE);
  cluster.origin.fail({ key: "strict/000007", op: "GetObject" }, { status: 403, code: "AccessDenied" });
  const job = await cluster.end((await cluster.submit({ paths: ["/data/strict/"], failOnPartial: true })).id);
  cluster.origin.clearFaults();
  assert.equal(job.state, "failed");
  assert.match(job.reason, /strict\/000007: RL_UFS_DENIED/);
});

test("patterns, single objects and manifests name objects; a path of nothing fails the job with its name", async () => {
  fill("names/a/", 3, () => 100);
  fill("names/b/c/", 4, () => 100);
  cluster.origin.putObject(
    "data",
    "names/list.txt",
    "/data/names/a/000001\n# a remark\n\n/data/names/b/c/000002\n/data/names/none\n",
  );
  const listed = async (spec: Parameters<JobCluster["submit"]>[0], manifest?: string) => {
    const job = await cluster.end((await cluster.submit(spec, manifest)).id);
    return [job.state, job.listed?.objects, job.failed?.objects];
  };
  assert.deepEqual(await listed({ paths: ["/data/names/*/*1"] }), ["complete", 1, 0]);
  assert.deepEqual(await listed({ paths: ["/data/names/**/00000[12]"] }), ["complete", 4, 0]);
  assert.deepEqual(await listed({ paths: ["/data/names/{a,b/c}/*0"] }), ["complete", 2, 0]);
  assert.deepEqual(await listed({ paths: ["/data/names/a/000002", "/data/names/b"] }), ["complete", 5, 0]);
  assert.deepEqual(await listed({ paths: ["/data/names/none"] }), ["failed", 1, 1]);
  assert.deepEqual(await listed({ paths: ["/data/names/none", "/data/names/a"] }), ["partial", 4, 1]);
  assert.deepEqual(await listed({ manifestPath: "/data/names/list.txt" }), ["partial", 3, 1]);
  assert.deepEqual(await listed({}, "/data/names/a/000000\n/data/names/a/000001"), ["complete", 2, 0]);
  await assert.rejects(cluster.submit({ paths: ["/nomount/x"] }), { code: "RL_NO_SUCH_MOUNT" });
  await assert.rejects(cluster.submit({ paths: ["/data/[x"] }), { code: "RL_BAD_REQUEST" });
});

test("a dry run says what would be loaded and whether it fits, and loads nothing", async () => {
  const objects = fill("dry/", 40, () => PAGE);
  await cluster.end((await cluster.submit({ paths: ["/data/dry/00000?"] })).id);
  cluster.origin.resetCounts();
  const job = await cluster.end((await cluster.submit({ paths: ["/data/dry"], dryRun: true })).id);
  assert.deepEqual(
    [job.state, job.loaded, job.cached],
    ["complete", { objects: 30, bytes: 30 * PAGE }, { objects: 10, bytes: 10 * PAGE }],
  );
  assert.ok(
    job.cacheLimitBytes === 3 * 128 * MIB && job.cacheFreeBytes > 0 && job.cacheFreeBytes < job.cacheLimitBytes,
  );
  assert.equal(cluster.origin.count({ op: "GetObject" }), 0);
  assert.equal(await cluster.audit("data", objects), 10 * PAGE);
});

test("free drops what is cached at every worker, and says how much that was", async () => {
  const objects = fill("free/", 60, () => PAGE);
  await cluster.end((await cluster.submit({ paths: ["/data/free"], replicas: 2 })).id);
  assert.equal(await cluster.audit("data", objects), 2 * total(objects), "two copies");
  const job = await cluster.end((await cluster.submit({ kind: "free", paths: ["/data/free"] })).id);
  assert.deepEqual([job.state, job.loaded], ["complete", { objects: 60, bytes: 2 * total(objects) }]);
  assert.equal(await cluster.audit("data", objects), 0);
});

test("two submissions of the same work are one job while it lasts, and jobs run in the order of their priority", async () => {
  fill("queue/", 20, () => PAGE);
  cluster.origin.stall({ key: /^queue\//, op: "GetObject" }, 2_000);
  const spec = (index: number, priority = 0) => ({
    paths: [`/data/queue/${String(index).padStart(6, "0")}`],
    priority,
  });
  const running = await Promise.all([0, 1, 2, 3].map((index) => cluster.submit(spec(index))));
  await Promise.all(running.map(({ id }) => cluster.until(id, ({ state }) => state === "running")));
  const low = await cluster.submit(spec(4, 1));
  const high = await cluster.submit(spec(5, 9));
  const same = await cluster.submit(spec(4, 7));
  assert.equal(same.id, low.id);
  assert.equal((await cluster.job(high.id)).state, "queued");
  cluster.origin.clearFaults();
  const [first, second] = await Promise.all([cluster.end(high.id), cluster.end(low.id)]);
  assert.ok(first.startedUnixMs <= second.startedUnixMs);
  const later = await cluster.submit(spec(4));
  assert.notEqual(later.id, low.id, "what has ended is not the same job");
  assert.equal((await cluster.end(later.id)).cached?.objects, 1);
});

test("a paused job does nothing until it is resumed, and a stopped one ends as stopped", async () => {
  const objects = fill("pause/", 300, () => 4 * PAGE);
  const { id } = await cluster.submit({ paths: ["/data/pause/"], bytesPerSecond: 20 * MIB });
  await cluster.until(id, ({ loaded }) => (loaded?.objects ?? 0) > 20);
  const paused = await cluster.control(id, "pause");
  assert.equal(paused.state, "paused");
  const held = await cluster.audit("data", objects);
  cluster.origin.resetCounts();
  assert.ok(held < total(objects));
  const resumed = await cluster.control(id, "resume");
  assert.ok(["queued", "running"].includes(resumed.state));
  const job = await cluster.end(id);
  assert.deepEqual([job.state, job.listed], ["complete", { objects: 300, bytes: total(objects) }]);
  assert.equal((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), total(objects));
  assert.equal(await cluster.audit("data", objects), total(objects));
  fill("stop/", 300, () => 4 * PAGE);
  const other = await cluster.submit({ paths: ["/data/stop/"], bytesPerSecond: 10 * MIB });
  await cluster.until(other.id, ({ loaded }) => (loaded?.objects ?? 0) > 0);
  assert.equal((await cluster.control(other.id, "stop")).state, "stopped");
  await assert.rejects(cluster.control(other.id, "resume"), { code: "RL_CONFLICT" });
});

test("a bandwidth is kept by the whole cluster", async () => {
  const objects = fill("rate/", 150, (index) => (index % 3 === 0 ? MIB : PAGE));
  const limit = 12 * MIB;
  const job = await cluster.end((await cluster.submit({ paths: ["/data/rate/"], bytesPerSecond: limit })).id);
  assert.equal(job.state, "complete", job.reason);
  const reads = cluster.origin.requests.filter(({ key, op }) => key.startsWith("rate/") && op === "GetObject");
  const times = reads.map(({ atMs }) => atMs).sort((a, b) => a - b);
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
  const rate = total(objects) / seconds;
  assert.ok(rate < limit * 1.1, `${(rate / MIB).toFixed(2)} MiB/s over ${seconds.toFixed(1)} s`);
  assert.ok(rate > limit * 0.7, `${(rate / MIB).toFixed(2)} MiB/s over ${seconds.toFixed(1)} s`);
});

test("a load of more than the tiers hold is partial, and says what is cached in the end", async () => {
  const objects = fill("huge/", 900, () => MIB / 2);
  const job = await cluster.end((await cluster.submit({ paths: ["/data/huge/"] })).id, 90_000);
  assert.equal(job.state, "partial", JSON.stringify(job));
  assert.equal(job.phase, "audit");
  const held = await cluster.audit("data", objects);
  assert.equal((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0), held);
  assert.equal(job.refused?.bytes, total(objects) - held);
  assert.match(job.reason, /evicted/);
  await cluster.end((await cluster.submit({ kind: "free", paths: ["/data/huge/"] })).id);
});
