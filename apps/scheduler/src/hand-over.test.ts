/** A ring that grows: what living workers hold goes over to the new owners, and no store is asked for it again. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { segmentKey } from "@ringlight/core";
import { WorkerServiceClient } from "@ringlight/proto";
import { buildRing } from "@ringlight/ring";
import { ClientPool, callStream, callUnary } from "@ringlight/rpc";
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

/** The pages of all objects, by the first owner in a ring of these members. */
function ownersOfPages(members: JobCluster["view"]["members"]): string[] {
  const ring = buildRing(members);
  return objects.flatMap(({ key, sizeBytes }) =>
    Array.from({ length: Math.ceil(sizeBytes / PAGE) }, (_, page) => {
      const [owner = ""] = ring.owners(segmentKey("data", key, Math.floor((page * PAGE) / MIB)), 1);
      return owner;
    }),
  );
}

/** Page requests of readers that were no hits, on all workers together. */
async function misses(): Promise<number> {
  let sum = 0;
  for (const { addresses } of cluster.view.workers.values()) {
    for await (const { pages } of callStream(clients.get(addresses.grpc), "watchStats", { intervalMs: 1_000 })) {
      for (const { outcome, count } of pages) if (outcome !== "hit") sum += count;
      break;
    }
  }
  return sum;
}

/** Pages that a worker holds. */
async function held(workerId: string): Promise<number> {
  const address = cluster.view.workers.get(workerId)?.addresses.grpc ?? "";
  const asked = { objects: objects.map(({ key, ...object }) => ({ path: `/data/${key}`, ...object })) };
  const answer = await callUnary(clients.get(address), "coverage", asked);
  return answer.objects.flatMap(({ cached }) => cached).reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

test("a worker that joins is given what it owns now by those who had it, while readers read, and the store is not asked", async () => {
  const load = await cluster.end((await cluster.submit({ paths: ["/data/"] })).id);
  assert.equal(load.state, "complete");
  await waitFor(() => cluster.view.members.every(({ joinedMs }) => Date.now() - joinedMs > STOOD_MS), {
    timeoutMs: 20_000,
  });
  assert.equal(await readAll("worker-0"), total());
  const readBefore = gets();
  const before = ownersOfPages(cluster.view.members);
  await cluster.startWorker("worker-2");
  const now = ownersOfPages(cluster.view.members);
  const moved = now.filter((owner, page) => owner !== before[page]).length;
  assert.equal(moved, now.filter((owner) => owner === "worker-2").length, "only to the new one");
  assert.ok(moved > now.length / 5 && moved < now.length / 2, `${moved} of ${now.length} pages have another owner`);
  const missedBefore = await misses();
  // From now on and until the hand-over is over, readers ask the new worker for everything.
  let reads = 0;
  let missed = 0;
  const isOver = async () =>
    (await cluster.list()).some(
      ({ spec, state }) => spec?.kind === "rebalance" && state !== "running" && state !== "queued",
    );
  do {
    const stillToMove = moved - (await held("worker-2"));
    assert.equal(await readAll("worker-2"), total());
    const fell = (await misses()) - missedBefore - missed;
    missed += fell;
    reads++;
    // The hit rate of this reading of everything falls by no more than the share still to move when it began.
    const words = `reading ${reads}: ${fell} of ${now.length} pages were no hits, ${stillToMove} had still to move`;
    assert.ok(fell <= stillToMove, words);
  } while (!(await isOver()));
  assert.ok(missed <= moved, `${missed} misses over ${reads} readings, and ${moved} pages moved`);
  const job = (await cluster.list()).find(({ spec }) => spec?.kind === "rebalance");
  assert.deepEqual([job?.state, job?.failed], ["complete", { objects: 0, bytes: 0 }], job?.reason);
  assert.deepEqual(job?.spec?.paths, ["/data"]);
  assert.equal(gets(), readBefore, `the store was asked during ${reads} readings of everything`);
  assert.equal(await held("worker-2"), moved);
  const missedLast = await misses();
  assert.equal(await readAll("worker-0"), total());
  assert.equal(await misses(), missedLast, "once all has moved, every page is a hit again");
  // Every owner has what it owns now.
  const dry = await cluster.end((await cluster.submit({ paths: ["/data/"], dryRun: true })).id);
  assert.deepEqual([dry.loaded?.objects, dry.cached], [0, { objects: 300, bytes: total() }]);
  assert.ok((await cluster.audit("data", objects)) > total(), "the old owners keep theirs until they need the room");
});

test("what moved before a worker joined and another one followed is found with any of its owners", async () => {
  const readBefore = gets();
  const epochBefore = cluster.view.epoch;
  await cluster.startWorker("worker-3");
  await cluster.startWorker("worker-4");
  const handOvers = async () =>
    (await cluster.list()).filter(({ spec }) => spec?.kind === "rebalance" && (spec.toEpoch ?? 0) > epochBefore);
  await waitFor(
    async () =>
      (await handOvers()).some(({ spec, state }) => spec?.toEpoch === cluster.view.epoch && state === "complete"),
    { timeoutMs: 30_000, what: "the hand-over to the last ring" },
  );
  // The one that the second worker met on its way may have brought in what moved to both.
  assert.ok((await handOvers()).some(({ loaded }) => (loaded?.bytes ?? 0) > 0));
  const dry = await cluster.end((await cluster.submit({ paths: ["/data/"], dryRun: true })).id);
  assert.deepEqual([dry.loaded?.objects, dry.cached], [0, { objects: 300, bytes: total() }]);
  assert.equal(await readAll("worker-4"), total());
  assert.equal(gets(), readBefore);
});
