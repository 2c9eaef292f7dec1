/** Many writers and readers of the same keys at different workers: nothing stale, nothing torn, nothing cut off. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runWriteRace } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

/** 50,000 is the full race; the suite runs a shorter one with the same seed. */
const OPERATIONS = Number(process.env.RL_RACE_OPERATIONS ?? 3_000);

async function doorsOf(cluster: TestCluster) {
  const doors = [];
  for (const [index, worker] of cluster.workers.entries()) {
    const client = cluster.s3(index);
    const { accessKeyId, secretAccessKey } = await client.config.credentials();
    client.destroy();
    doors.push({ host: worker.record.addresses.s3, credentials: { accessKeyId, secretAccessKey } });
  }
  return doors;
}

describe("writes and reads of the same keys at three workers", () => {
  for (const freshness of [{ kind: "ttl", ttlMs: 60_000 }, { kind: "immutable" }] as const) {
    it(`show no reader a version older than the last acknowledged one, nor a mix, and cut none off (${freshness.kind})`, async () => {
      const cluster = await startTestCluster(3, ["--page-size=64KiB"]);
      try {
        cluster.origin.createBucket("bkt");
        await cluster.mount("bkt", { readOnly: false, freshness });
        // Some answers of the store are overtaken by writes.
        cluster.origin.lag({ op: "HeadObject" }, 20, { every: 3 });
        cluster.origin.lag({ op: "GetObject" }, 20, { every: 5 });
        const counts = await runWriteRace({ doors: await doorsOf(cluster), bucket: "bkt", operations: OPERATIONS });
        assert.equal(counts.failed, 0);
        assert.ok(counts.get > OPERATIONS / 3 && counts.put > OPERATIONS / 5 && counts.copy > 0 && counts.delete > 0);
      } finally {
        await cluster.close();
      }
    });
  }

  it("show neither while one of the workers ends", async () => {
    const cluster = await startTestCluster(3, ["--page-size=64KiB"]);
    try {
      cluster.origin.createBucket("bkt");
      await cluster.mount("bkt", { readOnly: false });
      const counts = await runWriteRace({
        doors: await doorsOf(cluster),
        bucket: "bkt",
        operations: OPERATIONS,
        atHalf: async () => cluster.workers[1]?.close(),
      });
      assert.ok(counts.get > OPERATIONS / 6);
    } finally {
      await cluster.close();
    }
  });
});
