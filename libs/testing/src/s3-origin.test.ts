import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { after, afterEach, before, describe, it } from "node:test";
import {
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { generatedBytes, randomBytes, type S3Origin, startS3Origin } from "./index.ts";

describe("the S3 origin, read by the AWS SDK", () => {
  let origin: S3Origin;
  let s3: S3Client;
  const Bucket = "data";

  before(async () => {
    origin = await startS3Origin({ verifySignatures: true });
    const { endpoint, region, accessKeyId, secretAccessKey } = origin;
    const credentials = { accessKeyId, secretAccessKey };
    s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
    origin.createBucket(Bucket);
  });
  afterEach(() => {
    origin.clearFaults();
    origin.resetCounts();
  });
  after(async () => {
    s3.destroy();
    await origin.close();
  });

  it("stores what is put, with its metadata, under any key", async () => {
    for (const Key of ["plain", "a b+c/ü%2F~'()!*", "./../dots//twice/", "\u{1f600}"]) {
      const body = randomBytes(7, 1000);
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key,
          Body: body,
          ContentType: "image/x",
          Metadata: { colour: "red" },
          CacheControl: "no-store",
        }),
      );
      const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
      assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), body);
      assert.equal(got.ContentType, "image/x");
      assert.equal(got.CacheControl, "no-store");
      assert.deepEqual(got.Metadata, { colour: "red" });
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
      assert.equal(head.ContentLength, 1000);
      assert.equal(head.ETag, got.ETag);
      await s3.send(new DeleteObjectCommand({ Bucket, Key }));
      await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key })), { name: "NotFound" });
    }
  });

  it("answers every form of single range", async () => {
    origin.putObject(Bucket, "r", { sizeBytes: 10_000_000, seed: 3 });
    const get = async (Range: string) => {
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: "r", Range }));
      return [got.ContentRange, Buffer.from((await got.Body?.transformToByteArray()) ?? [])] as const;
    };
    for (const [range, start, end] of [
      ["bytes=0-0", 0, 0],
      ["bytes=4000000-8500000", 4_000_000, 8_500_000],
      ["bytes=9999990-", 9_999_990, 9_999_999],
      ["bytes=-8", 9_999_992, 9_999_999],
      ["bytes=5-99999999", 5, 9_999_999],
    ] as const) {
      const [contentRange, bytes] = await get(range);
      assert.equal(contentRange, `bytes ${start}-${end}/10000000`);
      assert.ok(bytes.equals(origin.bytesOf(Bucket, "r", start, end + 1)), range);
    }
    await assert.rejects(get("bytes=10000000-"), { name: "InvalidRange" });
    assert.equal(origin.count({ op: "GetObject" }), 6);
    assert.equal(origin.requests.at(-1)?.status, 416);
  });

  it("honours conditional headers", async () => {
    const { etag } = origin.putObject(Bucket, "c", "x", { modifiedMs: Date.parse("2025-01-01T00:00:00Z") });
    const status = async (input: object) => {
      const answer = s3.send(new GetObjectCommand({ Bucket, Key: "c", ...input }));
      return answer.then(
        (got) => got.$metadata.httpStatusCode,
        (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
      );
    };
    assert.equal(await status({ IfMatch: etag }), 200);
    assert.equal(await status({ IfMatch: '"other"' }), 412);
    assert.equal(await status({ IfNoneMatch: etag }), 304);
    assert.equal(await status({ IfNoneMatch: '"other"' }), 200);
    assert.equal(await status({ IfModifiedSince: new Date("2025-06-01") }), 304);
    assert.equal(await status({ IfModifiedSince: new Date("2024-06-01") }), 200);
    assert.equal(await status({ IfUnmodifiedSince: new Date("2024-06-01") }), 412);
  });

  it("lists with prefix, delimiter and pages of any size, in both versions", async () => {
    const keys = ["a", "a/1", "a/2", "a/b/3", "b&<x>", "c/", "c/4", "c\uffee", "c\u{1f600}"];
    origin.createBucket("listed");
    for (const key of keys) origin.putObject("listed", key, key);
    for (const MaxKeys of [1, 2, 1000]) {
      const seen: string[] = [];
      for (let token: string | undefined, more = true; more; ) {
        const page = await s3.send(
          new ListObjectsV2Command({ Bucket: "listed", MaxKeys, ContinuationToken: token, EncodingType: "url" }),
        );
        for (const row of page.Contents ?? []) seen.push(decodeURIComponent(row.Key ?? ""));
        token = page.NextContinuationToken;
        more = page.IsTruncated ?? false;
      }
      assert.deepEqual(seen, keys);
      const rolled: string[] = [];
      for (let marker: string | undefined, more = true; more; ) {
        const page = await s3.send(
          new ListObjectsCommand({ Bucket: "listed", MaxKeys, Marker: marker, Delimiter: "/" }),
        );
        for (const row of page.CommonPrefixes ?? []) rolled.push(row.Prefix ?? "");
        for (const row of page.Contents ?? []) rolled.push(row.Key ?? "");
        marker = page.NextMarker;
        more = page.IsTruncated ?? false;
      }
      assert.deepEqual(rolled.sort(), ["a", "a/", "b&<x>", "c/", "c\uffee", "c\u{1f600}"].sort());
    }
    assert.ok((await s3.send(new ListBucketsCommand({}))).Buckets?.some((bucket) => bucket.Name === "listed"));
    assert.equal((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
  });

  it("lists a million computed keys and serves their bytes", async () => {
    origin.synthesize("million", { prefix: "k/", count: 1_000_000, keysPerDirectory: 1000 });
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: "million", Prefix: "k/", Delimiter: "/", MaxKeys: 999 }),
    );
    assert.equal(page.CommonPrefixes?.length, 999);
    assert.equal(page.IsTruncated, true);
    const last = await s3.send(new ListObjectsV2Command({ Bucket: "million", StartAfter: "k/000999/999997" }));
    assert.deepEqual(
      last.Contents?.map((row) => row.Key),
      ["k/000999/999998", "k/000999/999999"],
    );
    const got = await s3.send(new GetObjectCommand({ Bucket: "million", Key: "k/000999/999999" }));
    assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), generatedBytes(999_999, 0, 1024));
  });

  it("refuses a wrong secret, and fails as ordered", async () => {
    const { endpoint, region, accessKeyId } = origin;
    const credentials = { accessKeyId, secretAccessKey: "wrong" };
    const stranger = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
    await assert.rejects(stranger.send(new ListBucketsCommand({})), { name: "SignatureDoesNotMatch" });
    stranger.destroy();
    origin.putObject(Bucket, "f", "fine");
    origin.fail({ key: "f" }, { status: 503, code: "SlowDown", times: 1, every: 2 });
    const get = () => s3.send(new GetObjectCommand({ Bucket, Key: "f" }));
    await get();
    await assert.rejects(get(), { name: "SlowDown" });
    await get();
  });
});

describe("the S3 origin's faults on the wire", () => {
  let origin: S3Origin;
  before(async () => {
    origin = await startS3Origin();
    origin.putObject("b", "k", { sizeBytes: 3_000_000, seed: 1 });
  });
  afterEach(() => origin.clearFaults());
  after(() => origin.close());

  /** Reads the object over plain HTTP: what came, and how it ended. */
  const read = (headers: Record<string, string> = {}) =>
    new Promise<{ bytes: Buffer; ended: string }>((resolve) => {
      const chunks: Buffer[] = [];
      const done = (ended: string) => resolve({ bytes: Buffer.concat(chunks), ended });
      const request = httpRequest(`${origin.endpoint}/b/k`, { agent: false, headers }, (response) => {
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => done("end"));
        response.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
      });
      request.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
      request.end();
    });

  it("cuts a body after exactly the bytes ordered", async () => {
    origin.truncate({ key: "k" }, 1_500_001, { times: 1 });
    const cut = await read();
    assert.equal(cut.bytes.length, 1_500_001);
    assert.equal(cut.ended, "ECONNRESET");
    assert.ok(cut.bytes.equals(origin.bytesOf("b", "k", 0, 1_500_001)));
    assert.equal((await read()).ended, "end");
  });

  it("resets, slows and delays", async () => {
    origin.reset({ key: "k" }, 10, { times: 1 });
    assert.equal((await read()).ended, "ECONNRESET");
    origin.slow({ key: "k" }, 30_000_000, { times: 1 });
    origin.stall({ key: "k" }, 30, { afterBytes: 1000, times: 1 });
    const began = performance.now();
    assert.equal((await read()).bytes.length, 3_000_000);
    assert.ok(performance.now() - began > 100);
  });

  it("changes an object while it is read: the response goes on with the old bytes, or is cut", async () => {
    const old = origin.bytesOf("b", "k");
    origin.changeDuring({ key: "k" }, 1_000_000, "new", {});
    assert.ok((await read()).bytes.equals(old));
    assert.equal((await read()).bytes.toString(), "new");
    origin.putObject("b", "k", { sizeBytes: 3_000_000, seed: 1 });
    origin.changeDuring({ key: "k" }, 1_000_000, "newer", { cut: true });
    assert.equal((await read()).bytes.length, 1_000_000);
    assert.equal((await read()).bytes.toString(), "newer");
    origin.putObject("b", "k", { sizeBytes: 3_000_000, seed: 1 });
  });

  it("answers a bucket named in the host", async () => {
    const address = new URL(origin.endpoint);
    const body = await new Promise<string>((resolve, reject) => {
      const headers = { host: `b.localhost:${origin.port}` };
      httpRequest(
        { host: address.hostname, port: origin.port, path: "/k", method: "GET", headers, agent: false },
        (response) => {
          response.resume();
          response.on("end", () => resolve(String(response.statusCode)));
        },
      )
        .on("error", reject)
        .end();
    });
    assert.equal(body, "200");
  });
});
