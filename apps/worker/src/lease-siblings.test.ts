/** Workers of one host: what one owns, the other serves from its page files. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { waitFor } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster(2, ["--page-size=64KiB", "--segment-size=1MiB", "--mem=64MiB", "--ssd=64MiB"]);
  await cluster.mount("data");
  await cluster.mount("brief", { freshness: { kind: "ttl", ttlMs: 400 } });
});

after(async () => {
  await cluster?.close();
});

interface Got {
  readonly bytes: Buffer;
  readonly headers: Headers;
}

async function get(worker: number, mount: string, key: string, range?: readonly [number, number]): Promise<Got> {
  const url = cluster.presigned(worker, mount, key);
  const answer = await fetch(url, range && { headers: { range: `bytes=${range[0]}-${range[1]}` } });
  assert.ok(answer.ok, `HTTP status ${answer.status}`);
  return { bytes: Buffer.from(await answer.arrayBuffer()), headers: answer.headers };
}

const relayed = () => cluster.workers.reduce((sum, worker) => sum + worker.stats().relayedBytes, 0);

function pageRequests(mount: string): number {
  const rows = cluster.workers.flatMap((worker) => worker.stats().pages).filter((row) => row.mount === mount);
  return rows.reduce((sum, row) => sum + row.count, 0);
}

test("objects of a sibling are relayed at first, and then served from its page files", async () => {
  const keys = Array.from({ length: 12 }, (_, index) => `object-${index}`);
  for (const [index, key] of keys.entries()) {
    cluster.origin.putObject("data", key, { sizeBytes: 3 * PAGE + index, seed: index });
  }
  for (const key of keys) {
    const expected = cluster.origin.bytesOf("data", key);
    await waitFor(
      async () => {
        const before = relayed();
        for (let worker = 0; worker < 2; worker++) {
          const { bytes, headers } = await get(worker, "data", key);
          assert.equal(bytes.equals(expected), true, key);
          assert.equal(headers.get("content-length"), String(expected.length));
        }
        return relayed() === before;
      },
      { timeoutMs: 10_000 },
    );
    const { bytes, headers } = await get(0, "data", key, [PAGE - 100, 2 * PAGE + 99]);
    assert.equal(bytes.equals(expected.subarray(PAGE - 100, 2 * PAGE + 100)), true);
    assert.match(headers.get("cache-status") ?? "", /^ringlight; hit; detail=mem/);
  }
  // Both workers answered for all of them, and each owns some.
  assert.ok(relayed() > 0);
});

test("a sibling's object is leased from the second time on that it is asked for", async () => {
  const relayedBy = async (worker: number, key: string) => {
    const before = relayed();
    const { headers } = await get(worker, "data", key);
    return { bytes: relayed() - before, hit: /; hit/.test(headers.get("cache-status") ?? "") };
  };
  const owned: string[] = [];
  for (let index = 0; owned.length < 2; index++) {
    const key = `once-${index}`;
    cluster.origin.putObject("data", key, { sizeBytes: 5000, seed: index });
    if ((await relayedBy(0, key)).bytes === 0) owned.push(key);
  }
  const [once = "", often = ""] = owned;
  for (const key of owned) await waitFor(async () => (await relayedBy(0, key)).hit, { timeoutMs: 10_000 });
  assert.equal((await relayedBy(1, once)).bytes, 5000);
  // Leases are given meanwhile: another object of the same worker needs no relay any more.
  await waitFor(async () => (await relayedBy(1, often)).bytes === 0, { timeoutMs: 10_000 });
  assert.equal((await relayedBy(1, once)).bytes, 5000);
  await waitFor(async () => (await relayedBy(1, once)).bytes === 0, { timeoutMs: 10_000 });
});

test("hits on a sibling's pages are counted once, by their owner", async () => {
  for (let index = 0; index < 4; index++) {
    cluster.origin.putObject("counted", `object-${index}`, { sizeBytes: 1000, seed: index });
  }
  await cluster.mount("counted");
  let reads = 0;
  for (let round = 0; round < 30; round++) {
    for (let index = 0; index < 4; index++) {
      for (let worker = 0; worker < 2; worker++, reads++) await get(worker, "counted", `object-${index}`);
    }
  }
  await waitFor(() => pageRequests("counted") >= reads, { timeoutMs: 5000 });
  assert.equal(pageRequests("counted"), reads);
});

test("a read of which only the first pages are leased goes to the owner whole, and is counted there once", async () => {
  const keys = Array.from({ length: 6 }, (_, index) => `object-${index}`);
  for (const [index, key] of keys.entries()) {
    cluster.origin.putObject("partly", key, { sizeBytes: 3 * PAGE, seed: index });
  }
  await cluster.mount("partly");
  let requests = 0;
  for (const key of keys) {
    await get(0, "partly", key, [0, 2 * PAGE - 1]);
    requests += 2;
    await waitFor(
      async () => {
        const before = relayed();
        const { headers } = await get(0, "partly", key, [0, PAGE - 1]);
        requests++;
        return relayed() === before && /; hit/.test(headers.get("cache-status") ?? "");
      },
      { timeoutMs: 10_000 },
    );
    await get(0, "partly", key);
    requests += 3;
  }
  await waitFor(() => pageRequests("partly") >= requests, { timeoutMs: 5000 });
  assert.equal(pageRequests("partly"), requests);
});

test("a sibling's object of several segments is read whole, wherever its segments live", async () => {
  cluster.origin.putObject("data", "large", { sizeBytes: 4 * MIB + 5, seed: 77 });
  const expected = cluster.origin.bytesOf("data", "large");
  for (let round = 0; round < 12; round++) {
    for (let worker = 0; worker < 2; worker++) {
      assert.equal((await get(worker, "data", "large")).bytes.equals(expected), true);
    }
  }
});

test("a sibling's object that changed is seen when the mount's freshness has run out", async () => {
  for (let index = 0; index < 4; index++) {
    const key = `changing-${index}`;
    cluster.origin.putObject("brief", key, { sizeBytes: 5000, seed: 1 });
    const before = cluster.origin.bytesOf("brief", key);
    for (let round = 0; round < 10; round++) await get(round % 2, "brief", key);
    cluster.origin.putObject("brief", key, { sizeBytes: 5000, seed: 2 });
    const changedMs = performance.now();
    const expected = cluster.origin.bytesOf("brief", key);
    for (let worker = 0; worker < 2; worker++) {
      await waitFor(
        async () => {
          const askedMs = performance.now();
          const { bytes } = await get(worker, "brief", key);
          assert.ok(bytes.equals(expected) || (bytes.equals(before) && askedMs - changedMs <= 400));
          return bytes.equals(expected);
        },
        { timeoutMs: 5000 },
      );
    }
  }
});

test("when a sibling ends, its objects are still served", async () => {
  const keys = Array.from({ length: 6 }, (_, index) => `object-${index}`);
  for (const key of keys) await get(0, "data", key);
  await cluster.workers[1]?.close();
  for (const key of keys) {
    assert.equal((await get(0, "data", key)).bytes.equals(cluster.origin.bytesOf("data", key)), true);
  }
});
