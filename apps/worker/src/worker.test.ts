/** Whole workers over a real registry and an S3 origin: the read path from the S3 door to the store and back. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { waitFor } from "@ringlight/testing";
import { startTestCluster, type TestCluster } from "./test-cluster.ts";

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
let cluster: TestCluster;

before(async () => {
  cluster = await startTestCluster(3, ["--page-size=64KiB", "--segment-size=1MiB", "--mem=128MiB", "--ssd=256MiB"]);
  await cluster.mount("data");
});

after(async () => {
  await cluster?.close();
});

async function get(
  worker: number,
  key: string,
  input: Partial<GetObjectCommandInput> = {},
): Promise<{ bytes: Buffer; cacheStatus: string; status: number }> {
  const s3 = cluster.s3(worker);
  let cacheStatus = "";
  s3.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      cacheStatus = (result.response as { headers: Record<string, string> }).headers["cache-status"] ?? "";
      return result;
    },
    { step: "deserialize", name: "cacheStatus" },
  );
  try {
    const answer = await s3.send(new GetObjectCommand({ Bucket: "data", Key: key, ...input }));
    const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
    return { bytes, cacheStatus, status: answer.$metadata.httpStatusCode ?? 0 };
  } finally {
    s3.destroy();
  }
}

const statusOf = (error: unknown) => (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

test("every worker answers for every object with the right bytes, and the second read comes from the cache", async () => {
  for (const [index, sizeBytes] of [1, 4096, PAGE, PAGE + 1, MIB, 3 * MIB + 77].entries()) {
    const key = `any/${index}`;
    cluster.origin.putObject("data", key, { sizeBytes, seed: index });
    const expected = cluster.origin.bytesOf("data", key);
    const cold = await get(index % 3, key);
    assert.equal(cold.bytes.equals(expected), true, `${key} cold`);
    assert.match(cold.cacheStatus, /^ringlight; fwd=miss; detail=cold/);
    cluster.origin.resetCounts();
    // A page is a hit once it is stored, which happens a moment after its last byte was sent.
    await waitFor(async () => (await get(index % 3, key)).cacheStatus.startsWith("ringlight; hit"), {
      timeoutMs: 5000,
    });
    for (let worker = 0; worker < 3; worker++) {
      const warm = await get(worker, key);
      assert.equal(warm.bytes.equals(expected), true, `${key} warm at worker ${worker}`);
      assert.match(warm.cacheStatus, /^ringlight; hit; detail=(mem|ssd)/);
    }
    assert.equal(cluster.origin.count({ op: "GetObject" }), 0);
  }
});

/** Reads an object through a presigned URL and compares it piece by piece, so that many readers need no memory each. */
async function compare(url: URL, expected: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(url, (response) => {
    let at = 0;
    response.on("data", (chunk: Buffer) => {
      if (!chunk.equals(expected.subarray(at, at + chunk.length))) reject(new Error(`wrong bytes behind ${at}`));
      at += chunk.length;
    });
    response.once("error", reject);
    response.once("end", () => (at === expected.length ? resolve() : reject(new Error(`${at} bytes`))));
  });
  sent.once("error", reject).end();
  return promise;
}

test("two hundred concurrent cold readers of one object cause each byte to be read from the store once", async () => {
  const sizeBytes = 2 * MIB;
  cluster.origin.putObject("data", "crowd", { sizeBytes, seed: 99 });
  const expected = cluster.origin.bytesOf("data", "crowd");
  cluster.origin.resetCounts();
  await Promise.all(
    Array.from({ length: 200 }, (_, index) => compare(cluster.presigned(index % 3, "data", "crowd"), expected)),
  );
  const gets = cluster.origin.requests.filter(({ op, key }) => op === "GetObject" && key === "crowd");
  assert.equal(
    gets.reduce((sum, { bytes }) => sum + bytes, 0),
    sizeBytes,
  );
});

test("ranges, conditions and their errors are the same at the owner and at the others", async () => {
  const { etag } = cluster.origin.putObject("data", "conditions", { sizeBytes: 200_000, seed: 5 });
  const expected = cluster.origin.bytesOf("data", "conditions");
  for (let worker = 0; worker < 3; worker++) {
    assert.deepEqual((await get(worker, "conditions", { Range: "bytes=100-299" })).bytes, expected.subarray(100, 300));
    assert.deepEqual((await get(worker, "conditions", { Range: "bytes=-5" })).bytes, expected.subarray(-5));
    assert.deepEqual((await get(worker, "conditions", { Range: "bytes=199990-" })).bytes, expected.subarray(199_990));
    assert.equal((await get(worker, "conditions", { Range: "bytes=0-0" })).status, 206);
    assert.equal((await get(worker, "conditions", { IfMatch: etag })).status, 200);
    await assert.rejects(get(worker, "conditions", { Range: "bytes=200000-" }), (error) => statusOf(error) === 416);
    await assert.rejects(get(worker, "conditions", { IfNoneMatch: etag }), (error) => statusOf(error) === 304);
    await assert.rejects(get(worker, "conditions", { IfMatch: '"other"' }), (error) => statusOf(error) === 412);
    await assert.rejects(get(worker, "absent"), { name: "NoSuchKey" });
  }
});

test("a client that follows is sent to the owner by 307, and reads there what it reads anywhere", async () => {
  cluster.origin.putObject("data", "followed/a b+ü", { sizeBytes: 200_000, seed: 8 });
  const ask = (worker: number, headers: Record<string, string> = { "x-ringlight-follow": "307" }) =>
    fetch(cluster.presigned(worker, "data", "followed/a%20b+%C3%BC"), { headers, redirect: "manual" });
  const answers = await Promise.all([0, 1, 2].map((worker) => ask(worker)));
  const owners = answers.flatMap(({ status }, worker) => (status === 200 ? [worker] : []));
  assert.equal(owners.length, 1);
  const [owner = 0] = owners;
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    assert.equal(answer.status, 307);
    const location = new URL(answer.headers.get("location") ?? "");
    assert.equal(location.host, cluster.workers[owner]?.record.addresses.s3);
    assert.equal(location.pathname, "/data/followed/a%20b%2B%C3%BC");
    assert.match(await answer.text(), /<Code>TemporaryRedirect<\/Code>.*<Endpoint>/s);
  }
  // Whoever does not say so gets the bytes from wherever it asks.
  const expected = cluster.origin.bytesOf("data", "followed/a b+ü");
  for (const worker of [0, 1, 2]) {
    const answer = await ask(worker, {});
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(expected));
  }
});

test("an object that changes while it is read is cut off, not mixed", async () => {
  const sizeBytes = 24 * MIB;
  cluster.origin.putObject("data", "changing", { sizeBytes, seed: 1 });
  const first = cluster.origin.bytesOf("data", "changing");
  cluster.origin.changeDuring({ op: "GetObject", key: "changing" }, 100_000, { sizeBytes, seed: 2 }, { cut: true });
  await assert.rejects(async () => {
    const { bytes } = await get(0, "changing");
    assert.equal(bytes.equals(first), true, "a whole answer is one version");
    throw new Error("whole");
  });
  cluster.origin.clearFaults();
});

test("an object that is overwritten again and again before its first byte is read in the end", async () => {
  cluster.origin.putObject("data", "restless", { sizeBytes: 200_000, seed: 11 });
  cluster.origin.fail({ op: "GetObject", key: "restless" }, { status: 412, code: "PreconditionFailed", times: 6 });
  const { bytes } = await get(0, "restless");
  assert.equal(bytes.equals(cluster.origin.bytesOf("data", "restless")), true);
});

test("a strict mount sees a new version at once, and says that the old one had expired", async () => {
  await cluster.mount("strict", { freshness: { kind: "strict" } });
  cluster.origin.putObject("strict", "k", Buffer.from("first"));
  assert.equal((await get(1, "k", { Bucket: "strict" })).bytes.toString(), "first");
  cluster.origin.putObject("strict", "k", Buffer.from("second"));
  const again = await get(2, "k", { Bucket: "strict" });
  assert.equal(again.bytes.toString(), "second");
  assert.match(again.cacheStatus, /detail=expired/);
});

test("errors of the store are errors of the answer, with the store's own words, and nothing incomplete is cached", async () => {
  cluster.origin.putObject("data", "failing", { sizeBytes: MIB, seed: 3 });
  cluster.origin.fail({ op: "GetObject", key: "failing" }, { status: 403, code: "AccessDenied" });
  await assert.rejects(get(0, "failing"), (error) => statusOf(error) === 403);
  cluster.origin.clearFaults();
  assert.equal((await get(0, "failing")).bytes.equals(cluster.origin.bytesOf("data", "failing")), true);
});

test("a store that breaks off, stalls for a moment or resets the connection is asked again for the rest", async () => {
  for (const [index, fault] of (["truncate", "reset"] as const).entries()) {
    const key = `flaky/${fault}`;
    cluster.origin.putObject("data", key, { sizeBytes: 2 * MIB, seed: 10 + index });
    cluster.origin[fault]({ op: "GetObject", key }, 300_000, { times: 1 });
    assert.equal((await get(index, key)).bytes.equals(cluster.origin.bytesOf("data", key)), true, fault);
  }
  cluster.origin.clearFaults();
});

test("a listing of a million keys is paged without walking further than the page", async () => {
  await cluster.mount("million");
  cluster.origin.synthesize("million", { prefix: "keys/", count: 1_000_000 });
  cluster.origin.resetCounts();
  const s3 = cluster.s3(0);
  const page = await s3.send(new ListObjectsV2Command({ Bucket: "million", Prefix: "keys/", MaxKeys: 1000 }));
  assert.equal(page.Contents?.length, 1000);
  assert.equal(page.IsTruncated, true);
  assert.ok(cluster.origin.count() <= 2);
  const askedBefore = cluster.origin.count();
  const warm = await s3.send(new ListObjectsV2Command({ Bucket: "million", Prefix: "keys/", MaxKeys: 1000 }));
  assert.deepEqual(warm.Contents, page.Contents);
  assert.equal(cluster.origin.count(), askedBefore, "a first page that is warm is answered without the store");
  const next = await s3.send(
    new ListObjectsV2Command({ Bucket: "million", Prefix: "keys/", ContinuationToken: page.NextContinuationToken }),
  );
  assert.ok((next.Contents?.[0]?.Key ?? "") > (page.Contents?.at(-1)?.Key ?? "~"));
  const folders = await s3.send(new ListObjectsV2Command({ Bucket: "million", Delimiter: "/" }));
  assert.deepEqual(
    folders.CommonPrefixes?.map(({ Prefix }) => Prefix),
    ["keys/"],
  );
  s3.destroy();
});

test("a request without a signature, or with a wrong one, is refused", async () => {
  const endpoint = `http://${cluster.workers[0]?.record.addresses.s3}`;
  assert.equal((await fetch(`${endpoint}/data/any/0`)).status, 403);
  const stranger = cluster.s3(1);
  stranger.config.credentials = async () => ({ accessKeyId: "AKIASTRANGER", secretAccessKey: "x" });
  await assert.rejects(
    stranger.send(new HeadObjectCommand({ Bucket: "data", Key: "any/0" })),
    (error) => statusOf(error) === 403,
  );
  stranger.destroy();
});

test("health, readiness and metrics are served, and the metrics count what the store saw", async () => {
  let gets = 0;
  for (const { record } of cluster.workers) {
    const rest = `http://${record.addresses.rest}`;
    assert.equal((await fetch(`${rest}/healthz`)).status, 200);
    assert.equal((await fetch(`${rest}/readyz`)).status, 200);
    const text = await (await fetch(`${rest}/metrics`)).text();
    for (const [, count] of text.matchAll(
      /^ringlight_ufs_request_duration_seconds_count\{mount="counted",op="get"[^}]*\} (\d+)$/gm,
    )) {
      gets += Number(count);
    }
    assert.match(text, /^ringlight_cache_limit_bytes\{tier="mem"\} \d+$/m);
  }
  assert.equal(gets, 0);
  await cluster.mount("counted");
  cluster.origin.resetCounts();
  for (let index = 0; index < 5; index++) {
    cluster.origin.putObject("counted", `o${index}`, { sizeBytes: 5 * MIB, seed: index });
    await get(index % 3, `o${index}`, { Bucket: "counted" });
  }
  const seen = cluster.origin.count({ op: "GetObject", bucket: "counted" });
  const counted = async () => {
    let sum = 0;
    for (const { record } of cluster.workers) {
      const text = await (await fetch(`http://${record.addresses.rest}/metrics`)).text();
      for (const [, count] of text.matchAll(
        /^ringlight_ufs_request_duration_seconds_count\{mount="counted",op="get"[^}]*\} (\d+)$/gm,
      )) {
        sum += Number(count);
      }
    }
    return sum;
  };
  await waitFor(async () => (await counted()) === seen, { timeoutMs: 5000 });
});

test("when a worker ends, the others answer for what it owned", async () => {
  const expected = new Map<string, Buffer>();
  for (let index = 0; index < 12; index++) {
    cluster.origin.putObject("data", `left/${index}`, { sizeBytes: 2 * MIB + index, seed: 50 + index });
    expected.set(`left/${index}`, cluster.origin.bytesOf("data", `left/${index}`));
    await get(0, `left/${index}`);
  }
  await cluster.workers[2]?.close();
  let elsewhere = 0;
  for (const [key, bytes] of expected) {
    const read = await get(1, key);
    assert.equal(read.bytes.equals(bytes), true, key);
    if (read.cacheStatus.includes("detail=owner_down")) elsewhere++;
  }
  assert.ok(elsewhere > 0, "some of the objects were owned by the worker that ended");
});
