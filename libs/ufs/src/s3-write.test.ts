import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";
import { isRinglightError, systemClock, type Ufs, type UfsWriteBody, type UfsWrites } from "@ringlight/core";
import { randomBytes, type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { openUfs } from "./index.ts";
import { bodyOf, ufsWriteContract } from "./ufs-write-contract.ts";

for (const prefix of ["", "deep/er"]) {
  ufsWriteContract(`s3:// with prefix "${prefix}"`, async () => {
    const origin = await startS3Origin({ verifySignatures: true, minPartBytes: 5000 });
    origin.createBucket("bucket");
    const ufs = await openUfs(
      {
        uri: `s3://bucket/${prefix}`,
        options: {
          endpoint: prefix === "" ? origin.endpoint : origin.virtualHostEndpoint,
          addressing: prefix === "" ? "path" : "virtual",
        },
        credentials: { kind: "env", prefix: "T" },
      },
      { env: { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: origin.secretAccessKey } },
    );
    return {
      ufs,
      minPartBytes: 5000,
      keepsTags: true,
      leavesOutParts: true,
      conditionalDeletes: true,
      close: async () => {
        await ufs.close();
        await origin.close();
      },
    };
  });
}

describe("writes to s3:// when the store is in trouble", () => {
  let origin: S3Origin;
  let ufs: Ufs;
  let writes: UfsWrites;
  before(async () => {
    origin = await startS3Origin();
    origin.createBucket("bkt");
    const options = { endpoint: origin.endpoint };
    ufs = await openUfs(
      { uri: "s3://bkt", options, credentials: { kind: "anonymous" } },
      { stallTimeoutMs: 1_000, timeoutMs: 2_000 },
    );
    assert.ok(ufs.writes);
    writes = ufs.writes;
  });
  afterEach(() => {
    origin.clearFaults();
    origin.resetCounts();
  });
  after(async () => {
    await ufs?.close();
    await origin?.close();
  });
  const code = (expected: string) => (error: unknown) => isRinglightError(error) && error.code === expected;

  it("sends small bodies again, large and conditional ones not", async () => {
    origin.fail({ op: "PutObject" }, { status: 500, times: 2 });
    await writes.put("small", { body: bodyOf("again") });
    assert.equal(origin.count({ op: "PutObject" }), 3);
    origin.fail({ op: "PutObject" }, { status: 500, times: 1 });
    await assert.rejects(writes.put("large", { body: bodyOf(randomBytes(1, 2_000_000)) }), code("RL_UFS_ERROR"));
    origin.fail({ op: "PutObject" }, { status: 500, times: 1 });
    const conditions = { ifNoneMatch: "*" };
    await assert.rejects(writes.put("cond", { body: bodyOf("x"), conditions }), code("RL_UFS_ERROR"));
    assert.equal(origin.count({ op: "PutObject" }), 5);
    origin.fail({ op: "PutObject" }, { status: 503, code: "SlowDown", times: 1 });
    await writes.put("cond", { body: bodyOf("x"), conditions });
    origin.loseAnswer({ op: "PutObject" }, { times: 1 });
    await writes.put("small", { body: bodyOf("lost once") });
    assert.equal(origin.bytesOf("bkt", "small").toString(), "lost once");
  });

  it("gives up on a store that falls silent, at any point", async () => {
    origin.stall({ op: "PutObject" }, Number.POSITIVE_INFINITY);
    const large = randomBytes(1, 40_000_000);
    await assert.rejects(writes.put("silent", { body: bodyOf(large, 1_000_000) }), code("RL_UFS_TIMEOUT"));
    await assert.rejects(
      writes.put("silent", { body: bodyOf("x"), conditions: { ifNoneMatch: "*" } }),
      code("RL_UFS_TIMEOUT"),
    );
    assert.equal(origin.object("bkt", "silent"), undefined);
  });

  it("does not hurry a slow client", async () => {
    const stallTimeoutMs = 150;
    const strict = await openUfs(
      { uri: "s3://bkt", options: { endpoint: origin.endpoint }, credentials: { kind: "anonymous" } },
      { stallTimeoutMs },
    );
    // The client is silent for longer than the store may be.
    async function* slowly() {
      for (let piece = 0; piece < 4; piece++) {
        await systemClock.sleep(2 * stallTimeoutMs);
        yield randomBytes(piece, 300_000);
      }
    }
    await strict.writes?.put("slow", { body: { sizeBytes: 1_200_000, stream: slowly() } });
    assert.equal(origin.object("bkt", "slow")?.sizeBytes, 1_200_000);
    await strict.close();
  });

  it("ends what is under way when the mount is closed", async () => {
    const closing = await openUfs({
      uri: "s3://bkt",
      options: { endpoint: origin.endpoint },
      credentials: { kind: "anonymous" },
    });
    origin.stall({ op: "PutObject" }, Number.POSITIVE_INFINITY);
    const put = (key: string, sizeBytes: number) =>
      closing.writes?.put(key, { body: bodyOf(randomBytes(1, sizeBytes), 300_000) }) ?? Promise.resolve();
    const ended = [put("small", 1_000), put("large", 3_000_000)].map((under) =>
      assert.rejects(under, code("RL_CANCELLED")),
    );
    await waitFor(() => origin.requests.filter(({ op }) => op === "PutObject").length === 2, { timeoutMs: 10_000 });
    await closing.close();
    await Promise.all(ended);
    await assert.rejects(put("later", 1_000), code("RL_CANCELLED"));
  });

  it("leaves the old object when the connection breaks", async () => {
    origin.putObject("bkt", "k", "old");
    origin.cutUpload({ key: "k" }, 1_000_000, { times: 1 });
    const body = bodyOf(randomBytes(1, 5_000_000));
    await assert.rejects(writes.put("k", { body }), code("RL_UFS_UNAVAILABLE"));
    assert.equal(origin.bytesOf("bkt", "k").toString(), "old");
  });

  it("passes the store's own refusals on, and tells of errors behind a 200", async () => {
    const long = "x".repeat(1025);
    await assert.rejects(writes.put(long, { body: bodyOf("x") }), (error) => {
      assert.ok(isRinglightError(error, "RL_BAD_REQUEST"));
      assert.deepEqual([error.s3?.code, error.s3?.status], ["KeyTooLongError", 400]);
      return true;
    });
    origin.fail({ op: "CopyObject" }, { status: 200, code: "InternalError" });
    await assert.rejects(writes.copy("to", { sourceKey: "k" }), code("RL_UFS_ERROR"));
  });

  it("stops sending when the store has refused already", async () => {
    origin.fail({ op: "PutObject" }, { status: 403, code: "AccessDenied" });
    let pieces = 0;
    async function* endless() {
      for (; pieces < 2000; pieces++) yield Buffer.alloc(1_000_000);
    }
    const body: UfsWriteBody = { sizeBytes: 2_000_000_000, stream: endless() };
    await assert.rejects(writes.put("denied", { body }), code("RL_UFS_DENIED"));
    assert.ok(pieces < 2000);
  });

  it("sends checksums ahead where they are known, and behind the body where the store takes that", async () => {
    const options = { endpoint: origin.endpoint, "checksum-trailers": "true" };
    const trailing = await openUfs({ uri: "s3://bkt", options, credentials: { kind: "anonymous" } });
    for (const size of [5, 2_000_000]) {
      const bytes = randomBytes(1, size);
      let ended = false;
      const body: UfsWriteBody = {
        sizeBytes: size,
        stream: (async function* () {
          yield* bodyOf(bytes).stream;
          ended = true;
        })(),
        checksum: {
          algorithm: "SHA256",
          value: () => (ended ? createHash("sha256").update(bytes).digest("base64") : undefined),
        },
      };
      const { checksums } = (await trailing.writes?.put("sum", { body })) ?? {};
      assert.deepEqual(checksums, {
        type: "FULL_OBJECT",
        values: { SHA256: createHash("sha256").update(bytes).digest("base64") },
      });
      assert.deepEqual((await trailing.head("sum")).checksums, checksums);
      assert.ok(origin.bytesOf("bkt", "sum").equals(bytes));
    }
    await trailing.close();
  });

  it("asks for the parts of an object that has checksums of them, page by page, and takes a store at its word that has none", async () => {
    let knows = true;
    const asked: string[] = [];
    const store = createServer((request, response) => {
      asked.push(`${request.method} ${request.headers["x-amz-part-number-marker"] ?? ""}`.trim());
      response.setHeader("etag", '"0123456789abcdef0123456789abcdef-2"');
      if (request.method === "HEAD") {
        response.setHeader("x-amz-checksum-crc32", "AAAAAA==-2");
        response.setHeader("x-amz-checksum-type", "COMPOSITE");
        response.writeHead(200, { "content-length": "8" }).end();
      } else if (knows) {
        const number = Number(request.headers["x-amz-part-number-marker"]) + 1;
        const part = `<Part><PartNumber>${number}</PartNumber><Size>4</Size><ChecksumCRC32>AAAAA${number}==</ChecksumCRC32></Part>`;
        const page = `<IsTruncated>${number < 2}</IsTruncated><NextPartNumberMarker>${number}</NextPartNumberMarker>${part}`;
        response.end(`<GetObjectAttributesResponse><ObjectParts>${page}</ObjectParts></GetObjectAttributesResponse>`);
      } else response.writeHead(501).end("<Error><Code>NotImplemented</Code></Error>");
    });
    await new Promise<void>((resolve) => store.listen(0, "127.0.0.1", resolve));
    const { port } = store.address() as AddressInfo;
    const options = { endpoint: `http://127.0.0.1:${port}` };
    const over = await openUfs({ uri: "s3://bkt", options, credentials: { kind: "anonymous" } });
    const told = await over.writes?.attributes("k");
    assert.deepEqual(told?.parts, [
      { partNumber: 1, sizeBytes: 4, checksums: { CRC32: "AAAAA1==" } },
      { partNumber: 2, sizeBytes: 4, checksums: { CRC32: "AAAAA2==" } },
    ]);
    assert.deepEqual(told?.meta.checksums, { type: "COMPOSITE", values: { CRC32: "AAAAAA==-2" } });
    assert.deepEqual(asked, ["HEAD", "GET 0", "GET 1"]);
    knows = false;
    for (const wanted of [["HEAD", "GET 0"], ["HEAD"]]) {
      asked.length = 0;
      const bare = await over.writes?.attributes("k");
      assert.deepEqual([bare?.parts, bare?.meta.sizeBytes], [undefined, 8]);
      assert.deepEqual(asked, wanted);
    }
    await over.close();
    await new Promise((resolve) => store.close(resolve));
  });

  it("finds the place of a part, and makes and removes the bucket", async () => {
    const { uploadId } = await writes.createUpload("parts", {});
    const first = randomBytes(1, 5 * 1024 * 1024);
    const parts = [];
    for (const [index, data] of [first, Buffer.from("end")].entries()) {
      const { etag } = await writes.uploadPart("parts", uploadId, index + 1, bodyOf(data, 1_000_000));
      parts.push({ partNumber: index + 1, etag });
    }
    await writes.completeUpload("parts", uploadId, { parts });
    const place = await writes.headPart("parts", 2);
    assert.deepEqual([place.range, place.partsCount], [{ start: first.length, end: first.length + 2 }, 2]);
    assert.equal(place.meta.sizeBytes, first.length + 3);
    await assert.rejects(writes.headPart("parts", 3), code("RL_BAD_RANGE"));
    await assert.rejects(writes.deleteBucket(), code("RL_NOT_EMPTY"));
    const other = await openUfs({
      uri: "s3://fresh",
      options: { endpoint: origin.endpoint },
      credentials: { kind: "anonymous" },
    });
    await other.writes?.createBucket();
    await other.check();
    await other.writes?.deleteBucket();
    await assert.rejects(other.check());
    await other.close();
  });
});
