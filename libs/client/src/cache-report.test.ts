import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "./client.ts";
import { FakeCluster } from "./fake-worker.ts";

test("what the workers hold and how it is used is added up, and says how many answered", async (t) => {
  const cluster = new FakeCluster();
  const endpoints = await cluster.start(3);
  t.after(() => cluster.close());
  const counts = Array.from({ length: 200 }, () => 0);
  // Uses that lie at most 2^(160/16) = 1 KiB apart.
  counts[159] = 1_000;
  const report = {
    requests: 2_000,
    counts,
    sampleRate: 0.5,
    sinceUnixMs: 10,
    tiers: [{ name: "ssd", limitBytes: 600, usedBytes: 500 }],
    workingSets: [{ windowMs: 60, bytes: 1_000 }],
  };
  cluster.reuse.set("w1", report);
  cluster.reuse.set("w2", { ...report, sinceUnixMs: 20, tiers: [{ name: "ssd", limitBytes: 2_048, usedBytes: 1 }] });
  const band = { from: 0, to: 10, pages: 1, bytes: 100 };
  cluster.contents.set("w1", {
    tiers: [{ name: "ssd", pages: 1, bytes: 100, ages: [band], uses: [band] }],
    paths: [{ path: "/demo/a", bytes: 100, pages: 1, objects: 1 }],
    hot: [{ path: "/demo/a", requests: 3, bytes: 30 }],
    other: { path: "", bytes: 7, pages: 1, objects: 1 },
  });
  cluster.contents.set("w2", {
    tiers: [{ name: "ssd", pages: 1, bytes: 100, ages: [band], uses: [{ ...band, from: 10 }] }],
    paths: [
      { path: "/demo/b", bytes: 900, pages: 9, objects: 1 },
      { path: "/demo/a", bytes: 100, pages: 1, objects: 1 },
    ],
    hot: [
      { path: "/demo/a", requests: 3, bytes: 30 },
      { path: "/demo/b", requests: 5, bytes: 30 },
    ],
    unnamedBytes: 11,
  });
  await cluster.kill("w3");
  const client = await connect({ endpoints });
  t.after(() => client.close());

  const curve = await client.missRatioCurve();
  assert.deepEqual([curve.answered, curve.workers, curve.requests, curve.sinceMs], [2, 3, 4_000, 20]);
  // Half of each worker's requests are reuses; those of the second fit, those of the first would in twice the size.
  assert.equal(curve.hitRatio, 0.25);
  assert.equal(curve.changes.find(({ tier, factor }) => tier === "ssd" && factor === 2)?.hitRatio, 0.5);
  assert.match(curve.advice ?? "", /^Twice the ssd would raise the hit rate from 25 % to 50 %\./);
  assert.deepEqual(curve.tiers, [{ name: "ssd", limitBytes: 2_648, usedBytes: 501 }]);
  assert.deepEqual(curve.workingSets, [{ windowMs: 60, bytes: 2_000 }]);

  const contents = await client.contents("/demo");
  assert.deepEqual([contents.answered, contents.workers], [2, 3]);
  assert.deepEqual(
    contents.paths.map(({ path, bytes, objects }) => [path, bytes, objects]),
    [
      ["/demo/b", 900, 1],
      ["/demo/a", 200, 2],
    ],
  );
  assert.deepEqual(
    contents.hot.map(({ path, requests }) => [path, requests]),
    [
      ["/demo/a", 6],
      ["/demo/b", 5],
    ],
  );
  assert.deepEqual([contents.otherBytes, contents.unnamedBytes], [7, 11]);
  assert.deepEqual(contents.tiers[0]?.ages, [{ ...band, pages: 2, bytes: 200 }]);
  assert.equal(contents.tiers[0]?.uses.length, 2);
});

test("a read is found by its id at the worker that remembers it", async (t) => {
  const cluster = new FakeCluster();
  const endpoints = await cluster.start(2);
  t.after(() => cluster.close());
  const id = "0123456789abcdef";
  cluster.remembered.set(id, "/demo/a");
  const client = await connect({ endpoints });
  t.after(() => client.close());
  assert.equal((await client.findRead(id.toUpperCase()))?.path, "/demo/a");
  assert.equal(await client.findRead("f".repeat(16)), undefined);
});
