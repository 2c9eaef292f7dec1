/** Cold reads through a whole worker: how many requests they cost the store, and that what they bring is right. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster(1, ["--page-size=64KiB", "--segment-size=4MiB", "--mem=64MiB", "--ssd=0"]);
  await cluster.mount("data");
});
beforeEach(() => cluster.origin.resetCounts());
after(async () => {
  await cluster?.close();
});

const get = async (key: string, headers: Record<string, string> = {}) => {
  const response = await fetch(cluster.presigned(0, "data", key), { headers });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};
/** Requests that the origin has seen since the test began. */
const asked = () => {
  const { origin } = cluster;
  return { heads: origin.count({ op: "HeadObject" }), gets: origin.count({ op: "GetObject" }) };
};

test("a small object that is not known costs the store one GET and no HEAD", async () => {
  const { origin } = cluster;
  for (const sizeBytes of [1, 4096, PAGE - 1, PAGE, PAGE + 1, 10 * PAGE]) {
    const key = `small/${sizeBytes}`;
    origin.putObject("data", key, { sizeBytes, seed: sizeBytes });
    origin.resetCounts();
    const read = await get(key);
    assert.equal(read.status, 200);
    assert.ok(read.bytes.equals(origin.bytesOf("data", key)));
    assert.deepEqual(asked(), { heads: 0, gets: 1 }, key);
    assert.match(read.headers.get("cache-status") ?? "", /fwd=miss; detail=cold/);
  }
});

test("200 readers of an object that nobody knows cost the store one GET", async () => {
  const { origin } = cluster;
  origin.putObject("data", "crowd", { sizeBytes: 3 * PAGE + 5, seed: 1 });
  origin.latency(50);
  const reads = await Promise.all(Array.from({ length: 200 }, () => get("crowd")));
  origin.clearFaults();
  for (const { bytes } of reads) assert.ok(bytes.equals(origin.bytesOf("data", "crowd")));
  assert.deepEqual(asked(), { heads: 0, gets: 1 });
});

test("a range of an object that is not known brings the pages that it lies in", async () => {
  const { origin } = cluster;
  origin.putObject("data", "ranged", { sizeBytes: 20 * PAGE, seed: 2 });
  const read = await get("ranged", { range: `bytes=${3 * PAGE + 10}-${4 * PAGE + 9}` });
  assert.equal(read.status, 206);
  assert.equal(read.headers.get("content-range"), `bytes ${3 * PAGE + 10}-${4 * PAGE + 9}/${20 * PAGE}`);
  assert.ok(read.bytes.equals(origin.bytesOf("data", "ranged").subarray(3 * PAGE + 10, 4 * PAGE + 10)));
  assert.deepEqual(asked(), { heads: 0, gets: 1 });
  assert.equal(origin.requests.at(-1)?.range, `bytes=${3 * PAGE}-${5 * PAGE - 1}`);
});

test("a HEAD stays a HEAD, and conditions and suffix ranges ask for the metadata first", async () => {
  const { origin } = cluster;
  for (const key of ["h1", "h2", "h3"]) origin.putObject("data", key, { sizeBytes: 100, seed: 3 });
  const s3 = cluster.s3(0);
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket: "data", Key: "h1" }))).ContentLength, 100);
  s3.destroy();
  assert.deepEqual(asked(), { heads: 1, gets: 0 });
  assert.equal((await get("h2", { "if-match": '"other"' })).status, 412);
  assert.deepEqual(asked(), { heads: 2, gets: 0 });
  assert.equal((await get("h3", { range: "bytes=-10" })).bytes.length, 10);
  assert.deepEqual(asked(), { heads: 3, gets: 1 });
});

test("empty objects, ranges behind the end and missing objects are what they are", async () => {
  const { origin } = cluster;
  origin.putObject("data", "empty", "");
  origin.putObject("data", "short", "short");
  const empty = await get("empty");
  assert.deepEqual([empty.status, empty.bytes.length, empty.headers.get("content-length")], [200, 0, "0"]);
  assert.deepEqual(asked(), { heads: 1, gets: 1 });
  assert.equal((await get("short", { range: `bytes=${PAGE}-${PAGE + 1}` })).status, 416);
  assert.equal((await get("missing")).status, 404);
});

test("a large cold object is read once: nothing of it is asked for twice, and its bytes are right", async () => {
  const { origin } = cluster;
  origin.putObject("data", "large", { sizeBytes: 11 * MIB + 3, seed: 4 });
  const read = await get("large");
  assert.ok(read.bytes.equals(origin.bytesOf("data", "large")));
  const ranges = origin.requests.filter((request) => request.op === "GetObject").map((request) => request.range ?? "");
  const bytes = ranges.reduce((sum, range) => {
    const [from = "", to = ""] = range.slice("bytes=".length).split("-");
    return sum + Math.min(Number(to), 11 * MIB + 2) - Number(from) + 1;
  }, 0);
  assert.equal(bytes, 11 * MIB + 3);
  assert.equal(asked().heads, 0);
});
