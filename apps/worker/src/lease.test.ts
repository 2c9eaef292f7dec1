/** Leases on real workers: what the SDK reads past them, and what it must not read any more. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { connect, type RinglightClient } from "@ringlight/client";
import { waitFor } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: TestCluster;
let client: RinglightClient;

before(async () => {
  cluster = await startTestCluster(2, ["--page-size=64KiB", "--segment-size=1MiB", "--mem=64MiB", "--ssd=64MiB"]);
  await cluster.mount("data");
  await cluster.mount("brief", { freshness: { kind: "ttl", ttlMs: 400 } });
  await cluster.mount("counted");
  await cluster.mount("written", { readOnly: false });
  await cluster.mount("strict", { freshness: { kind: "strict" } });
  client = await connect({ endpoints: cluster.workers.map(({ record }) => record.addresses.grpc) });
});

after(async () => {
  client?.close();
  await cluster?.close();
});

async function whole(path: string, options: { offset?: number; length?: number } = {}) {
  const handle = client.read(path, options);
  const chunks: Uint8Array[] = [];
  for await (const chunk of handle.stream) chunks.push(chunk);
  return { bytes: Buffer.concat(chunks), summary: await handle.summary, object: await handle.object };
}

/** Reads a range until it is leased. */
async function leased(path: string, offset: number, length: number): Promise<Buffer> {
  await waitFor(
    async () => {
      await client.readRange(path, offset, length);
      return client.readNow(path, offset, length) !== undefined;
    },
    { timeoutMs: 5000 },
  );
  const bytes = client.readNow(path, offset, length);
  assert.ok(bytes);
  return bytes;
}

/** Page requests on all workers, whatever happened to them. */
function pageRequests(mount: string): number {
  const rows = cluster.workers.flatMap((worker) => worker.stats().pages).filter((row) => row.mount === mount);
  return rows.reduce((sum, row) => sum + row.count, 0);
}

function callsOf(api: string): number {
  const rows = cluster.workers.flatMap((worker) => worker.stats().apis).filter((row) => row.api === api);
  return rows.reduce((sum, row) => sum + row.count, 0);
}

test("a range read twice is leased, and from then on read from the page files with the right bytes", async () => {
  cluster.origin.putObject("data", "small", { sizeBytes: 5 * PAGE + 123, seed: 1 });
  const expected = cluster.origin.bytesOf("data", "small");
  for (const [offset, length] of [
    [0, 4096],
    [PAGE - 10, 20],
    [5 * PAGE, 4096],
    [3 * PAGE + 7, 2 * PAGE],
  ] as const) {
    const bytes = await leased("/data/small", offset, length);
    assert.equal(bytes.equals(expected.subarray(offset, offset + length)), true, `${length} bytes from ${offset} on`);
  }
  assert.equal(client.readNow("/data/small", expected.length, 1), undefined);
  assert.equal(client.readNow("/data/none", 0, 1), undefined);
  const target = Buffer.alloc(100);
  assert.equal(client.readNowInto("/data/small", 5 * PAGE + 100, target), 23);
  assert.equal(target.subarray(0, 23).equals(expected.subarray(-23)), true);
});

test("every read is counted once in the cluster, whether by lease or not", async () => {
  cluster.origin.putObject("counted", "object", { sizeBytes: 1000, seed: 2 });
  const counting = await connect({ endpoints: [cluster.workers[0]?.record.addresses.grpc ?? ""] });
  let reads = 0;
  const readUntilLeased = (path: string) =>
    waitFor(
      async () => {
        await counting.readRange(path, 0, 1000);
        reads++;
        return counting.readNow(path, 0, 10) !== undefined && ++reads > 0;
      },
      { timeoutMs: 5000 },
    );
  await readUntilLeased("/counted/object");
  for (let count = 0; count < 1000; count++, reads++) assert.ok(counting.readNow("/counted/object", 0, 10));
  // Of two pages the first one is leased: the read is not served from it, and no use of it.
  cluster.origin.putObject("counted", "pages", { sizeBytes: 2 * PAGE, seed: 3 });
  await readUntilLeased("/counted/pages");
  for (let count = 0; count < 100; count++) assert.equal(counting.readNow("/counted/pages", 0, 2 * PAGE), undefined);
  // What was not reported yet is reported with the leases' return.
  counting.close();
  await waitFor(() => pageRequests("counted") >= reads, { timeoutMs: 5000 });
  assert.equal(pageRequests("counted"), reads);
});

test("a stream reads what is cached on this host from page files, over several segments and owners", async () => {
  cluster.origin.putObject("data", "large", { sizeBytes: 3 * MIB + 77, seed: 3 });
  const expected = cluster.origin.bytesOf("data", "large");
  const cold = await whole("/data/large");
  assert.equal(cold.bytes.equals(expected), true);
  await waitFor(async () => (await whole("/data/large")).summary.misses === 0, { timeoutMs: 5000 });
  cluster.origin.resetCounts();
  const warm = await whole("/data/large", { offset: 12_345 });
  assert.equal(warm.bytes.equals(expected.subarray(12_345)), true);
  assert.equal(warm.summary.misses, 0);
  assert.equal(warm.object.sizeBytes, expected.length);
  assert.equal(cluster.origin.count({ op: "GetObject" }), 0);
});

test("a changed object is read anew when the mount's freshness has run out, and not one read later", async () => {
  cluster.origin.putObject("brief", "changing", { sizeBytes: 4096, seed: 4 });
  await leased("/brief/changing", 0, 4096);
  const before = cluster.origin.bytesOf("brief", "changing");
  cluster.origin.putObject("brief", "changing", { sizeBytes: 4096, seed: 5 });
  const changedMs = performance.now();
  const expected = cluster.origin.bytesOf("brief", "changing");
  await waitFor(
    async () => {
      const askedMs = performance.now();
      const bytes = await client.readRange("/brief/changing", 0, 4096);
      const isNew = bytes.equals(expected);
      assert.ok(isNew || bytes.equals(before), "bytes of one version");
      assert.ok(isNew || askedMs - changedMs <= 400, `stale ${Math.round(askedMs - changedMs)} ms after the change`);
      return isNew;
    },
    { timeoutMs: 5000 },
  );
});

test("revoke() resolves when no holder serves the object any more", async () => {
  cluster.origin.putObject("data", "revoked", { sizeBytes: 4096, seed: 6 });
  await leased("/data/revoked", 0, 4096);
  const startedMs = performance.now();
  await Promise.all(cluster.workers.map((worker) => worker.revokeLeases("data", "revoked")));
  assert.equal(client.readNow("/data/revoked", 0, 1), undefined);
  assert.ok(performance.now() - startedMs < 1500, "the holder was told, and did not have to run out");
  await leased("/data/revoked", 0, 4096);
});

test("a write through any worker is seen by every holder once it is acknowledged", async () => {
  cluster.origin.putObject("written", "object", { sizeBytes: 1, seed: 0 });
  for (let round = 0; round < 6; round++) {
    const body = Buffer.alloc(5000 + round, `round ${round} `);
    const s3 = cluster.s3(round % 2);
    try {
      await s3.send(new PutObjectCommand({ Bucket: "written", Key: "object", Body: body }));
    } finally {
      s3.destroy();
    }
    const now = client.readNow("/written/object", 0, 10_000);
    assert.ok(now === undefined || now.equals(body), `round ${round}`);
    assert.equal((await leased("/written/object", 0, 10_000)).equals(body), true);
  }
});

test("nothing is leased on a strict mount", async () => {
  cluster.origin.putObject("strict", "object", { sizeBytes: 4096, seed: 7 });
  for (let count = 0; count < 5; count++) {
    await client.readRange("/strict/object", 0, 100);
    assert.equal(client.readNow("/strict/object", 0, 100), undefined);
  }
});

test("many ranges are read in few calls, with each range's own bytes or error", async () => {
  const keys = Array.from({ length: 40 }, (_, index) => `many/${index}`);
  for (const [index, key] of keys.entries())
    cluster.origin.putObject("data", key, { sizeBytes: PAGE + 100, seed: index });
  const plain = await connect({ endpoints: [cluster.workers[0]?.record.addresses.grpc ?? ""], shortCircuit: false });
  try {
    const ranges = keys.flatMap((key, index) => [
      { path: `/data/${key}`, offset: index * 10, length: 1000 },
      { path: `/data/${key}`, offset: PAGE - 50, length: 200 },
    ]);
    const callsBefore = callsOf("grpc.ReadMany");
    for (let round = 0; round < 2; round++) {
      const answers = await plain.readMany(ranges);
      for (const [at, { path, offset, length }] of ranges.entries()) {
        const expected = cluster.origin.bytesOf("data", path.slice("/data/".length)).subarray(offset, offset + length);
        assert.equal(answers[at]?.equals(expected), true, `${path} from ${offset}`);
      }
    }
    // Two owners, twice; a call is counted when it has ended.
    assert.ok(callsOf("grpc.ReadMany") - callsBefore <= 4);
    await assert.rejects(plain.readRange("/data/no/such", 0, 10), { code: "RL_NOT_FOUND" });
    await assert.rejects(plain.readRange("/data/many/0", 10 * MIB, 10), { code: "RL_BAD_RANGE" });
    await assert.rejects(plain.readRange("/data/many/0", 0, 0), { code: "RL_BAD_REQUEST" });
  } finally {
    plain.close();
  }
});
