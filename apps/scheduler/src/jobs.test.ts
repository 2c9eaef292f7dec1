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
