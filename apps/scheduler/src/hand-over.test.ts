/** A ring that grows: what living workers hold goes over to the new owners, and no store is asked for it again. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WorkerServiceClient } from "@ringlight/proto";
import { ClientPool, callStream } from "@ringlight/rpc";
import { waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=128MiB", "--ssd=0"];
/** Rings that stood shorter than 5 s are not looked back at by readers. */
const STOOD_MS = 5_500;

const clients = new ClientPool(WorkerServiceClient);
let cluster: JobCluster;
let objects: { key: string; version: string; sizeBytes: number }[];

before(async () => {
  cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: FLAGS });
  await cluster.mount("data");
  objects = Array.from({ length: 300 }, (_, index) => {
    const key = `warm/${String(index).padStart(4, "0")}`;
    const settings = { sizeBytes: index % 30 === 0 ? 3 * MIB + index : PAGE + index, seed: index };
    const { etag, sizeBytes } = cluster.origin.putObject("data", key, settings);
    return { key, version: etag, sizeBytes };
  });
});
after(async () => {
  clients.close();
  await cluster?.close();
});

const gets = () => cluster.origin.requests.filter(({ op }) => op === "GetObject").length;
const total = () => objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Reads every object by way of one worker, and returns the bytes that came. */
async function readAll(workerId: string): Promise<number> {
  const address = cluster.view.workers.get(workerId)?.addresses.grpc ?? "";
  let bytes = 0;
  for (const { key } of objects) {
    const request = { path: `/data/${key}`, offset: 0, length: 0, version: "", sizeBytes: 0 };
    for await (const { data } of callStream(clients.get(address), "read", request)) bytes += data.length;
  }
  return bytes;
}

test("a worker that joins is given what it owns now by those who had it, while readers read, and the store is not asked", async () => {
  const load = await cluster.end((await cluster.submit({ paths: ["/data/"] })).id);
  assert.equal(load.state, "complete");
  await waitFor(() => cluster.view.members.every(({ joinedMs }) => Date.now() - joinedMs > STOOD_MS), {
    timeoutMs: 20_000,
  });
  const readBefore = gets();
  await cluster.startWorker("worker-2");
  // From now on and until the hand-over is over, readers ask the new worker for everything.
  let reads = 0;
  const isOver = async () =>
    (await cluster.list()).some(
      ({ spec, state }) => spec?.kind === "rebalance" && state !== "running" && state !== "queued",
    );
  do {
    assert.equal(await readAll("worker-2"), total());
    reads++;
  } while (!(await isOver()));
  const job = (await cluster.list()).find(({ spec }) => spec?.kind === "rebalance");
  assert.deepEqual([job?.state, job?.failed], ["complete", { objects: 0, bytes: 0 }], job?.reason);
  assert.deepEqual(job?.spec?.paths, ["/data"]);
  assert.equal(gets(), readBefore, `the store was asked during ${reads} readings of everything`);
  // Every owner has what it owns now.
  const dry = await cluster.end((await cluster.submit({ paths: ["/data/"], dryRun: true })).id);
  assert.deepEqual([dry.loaded?.objects, dry.cached], [0, { objects: 300, bytes: total() }]);
  assert.ok((await cluster.audit("data", objects)) > total(), "the old owners keep theirs until they need the room");
});

test("what moved before a worker joined and another one followed is found with any of its owners", async () => {
  const readBefore = gets();
  await cluster.startWorker("worker-3");
  await cluster.startWorker("worker-4");
  const epochNow = () => cluster.view.epoch;
  const job = await waitFor(
    async () => {
      const jobs = (await cluster.list()).filter(({ spec }) => spec?.kind === "rebalance");
      return jobs.find(({ spec, state }) => spec?.toEpoch === epochNow() && state === "complete");
    },
    { timeoutMs: 30_000, what: "the hand-over to the last ring" },
  );
  assert.ok((job?.loaded?.bytes ?? 0) > 0);
  const dry = await cluster.end((await cluster.submit({ paths: ["/data/"], dryRun: true })).id);
  assert.deepEqual([dry.loaded?.objects, dry.cached], [0, { objects: 300, bytes: total() }]);
  assert.equal(await readAll("worker-4"), total());
  assert.equal(gets(), readBefore);
});
