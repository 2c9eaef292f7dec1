import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, beforeEach, test } from "node:test";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3ServiceException,
} from "@aws-sdk/client-s3";
import { CHECKSUM_ALGORITHMS, checksumBase64 } from "@ringlight/checksum";
import { ODD_KEYS } from "./odd-keys.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;

before(async () => {
  server = await startTestServer();
});
beforeEach(() => {
  for (const bucket of ["bkt", "other", "sealed"]) {
    server.backend.removeBucket(bucket);
    server.backend.addBucket(bucket);
  }
  server.backend.writes.readOnly.add("sealed");
});
after(() => server.close());

const refusedWith = (name: string) => (error: S3ServiceException) => {
  assert.equal(error.name, name, error.message);
  return true;
};

const put = (headers: Record<string, string>, body = "hello", rawUrl = "/bkt/key") =>
  server.ask(rawUrl, {
    method: "PUT",
    headers: { "content-length": String(Buffer.byteLength(body)), ...headers },
    body,
  });

test("PutObject keeps bytes, headers, metadata, tags and storage class, and answers with the ETag", async () => {
  const answer = await server.sdk.send(
    new PutObjectCommand({
      Bucket: "bkt",
      Key: "key",
      Body: "hello",
      ContentType: "text/x",
      ContentEncoding: "gzip",
      ContentDisposition: "inline",
      ContentLanguage: "de",
      CacheControl: "no-cache",
      Expires: new Date("2030-01-01T00:00:00Z"),
      StorageClass: "STANDARD_IA",
      Metadata: { color: "red", Shape: "round" },
      Tagging: "a=1&b=two%20words",
    }),
  );
  const etag = `"${createHash("md5").update("hello").digest("hex")}"`;
  assert.equal(answer.ETag, etag);
  const got = await server.sdk.send(new GetObjectCommand({ Bucket: "bkt", Key: "key" }));
  assert.equal(await got.Body?.transformToString(), "hello");
  assert.deepEqual(
    [got.ContentType, got.ContentEncoding, got.ContentDisposition, got.ContentLanguage, got.CacheControl],
    ["text/x", "gzip", "inline", "de", "no-cache"],
  );
  assert.deepEqual(got.Metadata, { color: "red", shape: "round" });
  assert.deepEqual([got.StorageClass, got.TagCount, got.ETag], ["STANDARD_IA", 2, etag]);
  assert.equal(got.ExpiresString, "Tue, 01 Jan 2030 00:00:00 GMT");
});

test("odd keys are written, listed and removed", async () => {
  for (const key of ODD_KEYS) {
    const rawUrl = `/bkt/${encodeURIComponent(key)}`;
    assert.equal((await put({}, `bytes of ${key}`, rawUrl)).status, 200, key);
    assert.equal((await server.ask(rawUrl)).body.toString(), `bytes of ${key}`, key);
  }
  assert.deepEqual(
    server.backend.keys("bkt"),
    [...ODD_KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  for (const key of ODD_KEYS) {
    const answer = await server.ask(`/bkt/${encodeURIComponent(key)}`, { method: "DELETE" });
    assert.equal(answer.status, 204, key);
  }
  assert.deepEqual(server.backend.keys("bkt"), []);
});

test("the SDK's bodies of every kind arrive whole: empty, small, large, streamed", async () => {
  for (const size of [0, 1, 70_000, 3_000_000]) {
    const bytes = Buffer.alloc(size, "ringlight");
    await server.sdk.send(new PutObjectCommand({ Bucket: "bkt", Key: "plain", Body: bytes }));
    assert.ok(bytes.equals(server.backend.get("bkt", "plain").bytes), `plain ${size}`);
    const Body = Readable.from(size === 0 ? [] : [bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)]);
    await server.sdk.send(new PutObjectCommand({ Bucket: "bkt", Key: "stream", Body, ContentLength: size }));
    const stored = server.backend.get("bkt", "stream");
    assert.ok(bytes.equals(stored.bytes), `stream ${size}`);
    assert.equal(stored.meta.contentEncoding, undefined);
  }
});

test("checksums of all five kinds are verified, kept, and told on reads that ask", async () => {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const header = `x-amz-checksum-${algorithm.toLowerCase()}`;
    const value = checksumBase64(algorithm, Buffer.from("hello"));
    const answer = await put({ [header]: value });
    assert.deepEqual([answer.status, answer.headers[header]], [200, value]);
    const read = await server.ask("/bkt/key", { headers: { "x-amz-checksum-mode": "ENABLED" } });
    assert.deepEqual([read.headers[header], read.headers["x-amz-checksum-type"]], [value, "FULL_OBJECT"]);
    assert.equal((await server.ask("/bkt/key")).headers[header], undefined);
    const ranged = await server.ask("/bkt/key", { headers: { "x-amz-checksum-mode": "ENABLED", range: "bytes=0-1" } });
    assert.equal(ranged.headers[header], undefined);
    const wrong = await put({ [header]: checksumBase64(algorithm, Buffer.from("hellO")) }, "hello", "/bkt/wrong");
    assert.deepEqual([wrong.status, wrong.code], [400, "BadDigest"], algorithm);
    const broken = await put({ [header]: "bad" }, "hello", "/bkt/wrong");
    assert.deepEqual([broken.status, broken.code], [400, "InvalidRequest"], algorithm);
  }
  assert.deepEqual(server.backend.keys("bkt"), ["key"]);
});

test("more than one checksum, or one that is announced and not sent, is InvalidRequest", async () => {
  const crc32 = checksumBase64("CRC32", Buffer.from("hello"));
  const sha1 = checksumBase64("SHA1", Buffer.from("hello"));
  const two = await put({ "x-amz-checksum-crc32": crc32, "x-amz-checksum-sha1": sha1 });
  const none = await put({ "x-amz-sdk-checksum-algorithm": "CRC32" });
  const other = await put({ "x-amz-sdk-checksum-algorithm": "CRC32C", "x-amz-checksum-crc32": crc32 });
  const unknown = await put({ "x-amz-sdk-checksum-algorithm": "MD9", "x-amz-checksum-crc32": crc32 });
  for (const answer of [two, none, other, unknown])
    assert.deepEqual([answer.status, answer.code], [400, "InvalidRequest"]);
});

test("Content-MD5 is verified: a wrong one is BadDigest, one that is none InvalidDigest", async () => {
  const md5 = createHash("md5").update("hello").digest("base64");
  assert.equal((await put({ "content-md5": md5 })).status, 200);
  const wrong = await put({ "content-md5": createHash("md5").update("x").digest("base64") }, "hello", "/bkt/new");
  assert.deepEqual([wrong.status, wrong.code], [400, "BadDigest"]);
  for (const bad of ["", "YWJyYWNhZGFicmE=", "not base64 at all!"]) {
    assert.equal((await put({ "content-md5": bad }, "hello", "/bkt/new")).code, "InvalidDigest", bad);
  }
  assert.deepEqual(server.backend.keys("bkt"), ["key"]);
});

test("If-Match and If-None-Match decide about writes", async () => {
  const etag = (await put({ "if-none-match": "*" }, "one")).headers.etag ?? "";
  const again = await put({ "if-none-match": "*" }, "two");
  assert.deepEqual([again.status, again.code], [412, "PreconditionFailed"]);
  assert.match(again.body.toString(), /pre-conditions you specified did not hold.*<Condition>If-None-Match</);
  assert.equal((await put({ "if-match": etag }, "two")).status, 200);
  const stale = await put({ "if-match": etag }, "three");
  assert.deepEqual([stale.status, stale.code], [412, "PreconditionFailed"]);
  const absent = await put({ "if-match": etag }, "three", "/bkt/absent");
  assert.deepEqual([absent.status, absent.code], [404, "NoSuchKey"]);
  assert.equal((await put({ "if-none-match": etag }, "three")).status, 200);
  assert.equal(server.backend.get("bkt", "key").bytes.toString(), "three");
  const keep = await server.ask("/bkt/key", { method: "DELETE", headers: { "if-match": etag } });
  assert.deepEqual([keep.status, keep.code], [412, "PreconditionFailed"]);
});

test("lengths: none is MissingContentLength, more than 5 GiB EntityTooLarge, of nonsense InvalidArgument", async () => {
  const head = (lines: string) => `PUT /open/key HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${lines}\r\n\r\n`;
  const open = await startTestServer({ anonymous: () => true });
  open.backend.addBucket("open");
  try {
    // Anonymous writes are refused before all else.
    assert.match(await open.raw(head("Content-Length: 0")), /AccessDenied/);
  } finally {
    await open.close();
  }
  const chunked = await server.ask("/bkt/key", {
    method: "PUT",
    headers: { "transfer-encoding": "chunked" },
    body: "x",
  });
  assert.deepEqual([chunked.status, chunked.code], [411, "MissingContentLength"]);
  const decoded = { "content-encoding": "aws-chunked" };
  const large = await put({ ...decoded, "x-amz-decoded-content-length": String(5 * 1024 ** 3 + 1) });
  assert.deepEqual([large.status, large.code], [400, "EntityTooLarge"]);
  const nonsense = await put({ ...decoded, "x-amz-decoded-content-length": "-5" });
  assert.deepEqual([nonsense.status, nonsense.code], [400, "InvalidArgument"]);
});

test("aws-chunked in Content-Encoding is taken off and the other codings stay", async () => {
  const cases: [string, string | undefined][] = [
    ["gzip", "gzip"],
    ["deflate, gzip", "deflate, gzip"],
    ["gzip, aws-chunked", "gzip"],
    ["aws-chunked, gzip", "gzip"],
    ["aws-chunked", undefined],
    ["aws-chunked, aws-chunked", undefined],
  ];
  for (const [sent, kept] of cases) {
    assert.equal((await put({ "content-encoding": sent })).status, 200);
    assert.equal(server.backend.get("bkt", "key").meta.contentEncoding, kept, sent);
    assert.equal(server.backend.get("bkt", "key").bytes.toString(), "hello");
  }
});

test("what cannot be kept is refused: storage classes, ACLs and tags that are none, too much metadata, keys of the client", async () => {
  const cases: [string, Record<string, string>][] = [
    ["InvalidStorageClass", { "x-amz-storage-class": "FAST" }],
    ["InvalidArgument", { "x-amz-acl": "public-ready" }],
    ["InvalidArgument", { "x-amz-tagging": "a=1&a=2" }],
    ["InvalidArgument", { "x-amz-tagging": "a=%zz" }],
    ["InvalidTag", { "x-amz-tagging": `${"k".repeat(129)}=v` }],
    ["MetadataTooLarge", { "x-amz-meta-a": "x".repeat(2048) }],
    ["NotImplemented", { "x-amz-server-side-encryption-customer-algorithm": "AES256" }],
  ];
  for (const [code, headers] of cases) assert.equal((await put(headers)).code, code);
  assert.deepEqual(server.backend.keys("bkt"), []);
  assert.equal((await put({ "x-amz-acl": "private" })).status, 200);
});

test("CopyObject copies bytes with metadata, or replaces it, and refuses a copy that changes nothing", async () => {
  await put({ "x-amz-meta-a": "1", "content-type": "text/x", "x-amz-tagging": "t=1" });
  const copy = (input: object) =>
    server.sdk.send(new CopyObjectCommand({ Bucket: "other", Key: "copy", CopySource: "bkt/key", ...input }));
  const done = await copy({});
  assert.equal(done.CopyObjectResult?.ETag, server.backend.get("bkt", "key").meta.etag);
  assert.ok(done.CopyObjectResult?.LastModified instanceof Date);
  const head = await server.sdk.send(new HeadObjectCommand({ Bucket: "other", Key: "copy" }));
  assert.deepEqual([head.Metadata, head.ContentType], [{ a: "1" }, "text/x"]);
  assert.deepEqual(server.backend.get("other", "copy").tags, [{ key: "t", value: "1" }]);
  await copy({ MetadataDirective: "REPLACE", Metadata: { b: "2" }, TaggingDirective: "REPLACE", Tagging: "u=2" });
  assert.deepEqual(server.backend.get("other", "copy").meta.userMetadata, { b: "2" });
  assert.deepEqual(server.backend.get("other", "copy").tags, [{ key: "u", value: "2" }]);
  await assert.rejects(copy({ Bucket: "bkt", Key: "key" }), refusedWith("InvalidRequest"));
  await copy({ Bucket: "bkt", Key: "key", MetadataDirective: "REPLACE", Metadata: { c: "3" } });
  assert.deepEqual(server.backend.get("bkt", "key").meta.userMetadata, { c: "3" });
  await assert.rejects(copy({ CopySource: "bkt/absent" }), refusedWith("NoSuchKey"));
  await assert.rejects(copy({ CopySource: "nobucket/key" }), refusedWith("NoSuchBucket"));
  await assert.rejects(copy({ Bucket: "sealed" }), refusedWith("AccessDenied"));
  await assert.rejects(copy({ MetadataDirective: "SOME" }), refusedWith("InvalidArgument"));
});

test("the source of a copy is named in any encoding, and has conditions of its own", async () => {
  const etag = (await put({})).headers.etag ?? "";
  for (const key of ODD_KEYS) {
    server.backend.put("bkt", key, `bytes of ${key}`);
    const answer = await server.ask("/other/copy", {
      method: "PUT",
      headers: { "x-amz-copy-source": `/bkt/${encodeURIComponent(key)}` },
    });
    assert.equal(answer.status, 200, key);
    assert.equal(server.backend.get("other", "copy").bytes.toString(), `bytes of ${key}`);
  }
  const from = async (headers: Record<string, string>) => {
    const answer = await server.ask("/other/cond", {
      method: "PUT",
      headers: { "x-amz-copy-source": "bkt/key", ...headers },
    });
    return answer.code ?? answer.status;
  };
  assert.equal(await from({ "x-amz-copy-source-if-match": etag }), 200);
  assert.equal(await from({ "x-amz-copy-source-if-match": '"x"' }), "PreconditionFailed");
  assert.equal(await from({ "x-amz-copy-source-if-none-match": etag }), "PreconditionFailed");
  assert.equal(await from({ "x-amz-copy-source-if-none-match": '"x"' }), 200);
  assert.equal(
    await from({ "x-amz-copy-source-if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT" }),
    "PreconditionFailed",
  );
  assert.equal(await from({ "x-amz-copy-source-if-modified-since": "Sat, 01 Jan 2000 00:00:00 GMT" }), 200);
  assert.equal(await from({ "if-none-match": "*" }), "PreconditionFailed");
  for (const source of ["", "bkt", "bkt/", "/", "bkt/%zz", "bkt/key?versionId=7"]) {
    assert.equal(await from({ "x-amz-copy-source": source }), "InvalidArgument", source);
  }
});

test("DeleteObject succeeds for what is not there; DeleteObjects has an outcome for each key", async () => {
  server.backend.put("bkt", "a", "1");
  server.backend.put("bkt", "b & <c>", "2");
  await server.sdk.send(new DeleteObjectCommand({ Bucket: "bkt", Key: "absent" }));
  const Objects = [{ Key: "a" }, { Key: "b & <c>" }, { Key: "absent" }, { Key: "old", VersionId: "7" }];
  const answer = await server.sdk.send(new DeleteObjectsCommand({ Bucket: "bkt", Delete: { Objects } }));
  assert.deepEqual(answer.Deleted?.map(({ Key }) => Key).sort(), ["a", "absent", "b & <c>"]);
  assert.deepEqual(
    answer.Errors?.map(({ Key, Code }) => [Key, Code]),
    [["old", "NoSuchVersion"]],
  );
  assert.deepEqual(server.backend.keys("bkt"), []);
  const quiet = await server.sdk.send(
    new DeleteObjectsCommand({ Bucket: "bkt", Delete: { Objects: [{ Key: "a" }], Quiet: true } }),
  );
  assert.equal(quiet.Deleted, undefined);
  await assert.rejects(
    server.sdk.send(new DeleteObjectsCommand({ Bucket: "sealed", Delete: { Objects: [{ Key: "a" }] } })),
    refusedWith("AccessDenied"),
  );
});

test("what S3 knows in directory buckets alone is refused, and nothing is deleted or overwritten by it", async () => {
  server.backend.put("bkt", "k", "kept");
  const alone = [
    { "x-amz-if-match-size": "99" },
    { "x-amz-if-match-last-modified-time": "Sat, 01 Jan 2000 00:00:00 GMT" },
  ] as const;
  for (const headers of alone) {
    const answer = await server.ask("/bkt/k", { method: "DELETE", headers: { ...headers } });
    assert.deepEqual([answer.status, answer.code], [501, "NotImplemented"]);
  }
  const Objects = [{ Key: "k", Size: 99 }, { Key: "gone" }];
  const many = await server.sdk.send(new DeleteObjectsCommand({ Bucket: "bkt", Delete: { Objects } }));
  assert.deepEqual(
    many.Errors?.map(({ Key, Code }) => [Key, Code]),
    [["k", "NotImplemented"]],
  );
  const appended = await server.ask("/bkt/k", {
    method: "PUT",
    headers: { "x-amz-write-offset-bytes": "4", "content-length": "1" },
    body: "x",
  });
  assert.equal(appended.code, "NotImplemented");
  const renamed = await server.ask("/bkt/other?renameObject", {
    method: "PUT",
    headers: { "x-amz-rename-source": "/k", "content-length": "0" },
  });
  assert.equal(renamed.code, "NotImplemented");
  assert.deepEqual(server.backend.keys("bkt"), ["k"]);
  assert.equal(server.backend.get("bkt", "k").bytes.toString(), "kept");
});

test("a Delete document that is none is MalformedXML, and one that nothing vouches for InvalidRequest", async () => {
  const ask = (body: string, headers: Record<string, string> = {}) =>
    server.ask("/bkt?delete", {
      method: "POST",
      headers: { "content-md5": createHash("md5").update(body).digest("base64"), ...headers },
      body,
    });
  const object = "<Object><Key>k</Key></Object>";
  const bad = [
    "<Delete/>",
    "<Delete>",
    "x",
    "<Other/>",
    `<Delete>${object.repeat(1001)}</Delete>`,
    "<Delete><Object/></Delete>",
  ];
  const doctype = `<!DOCTYPE x [<!ENTITY a "b">]><Delete>${object}</Delete>`;
  for (const body of [...bad, doctype, "<Delete><Object><Key><a/></Key></Object></Delete>"]) {
    assert.deepEqual((await ask(body)).code, "MalformedXML", body.slice(0, 50));
  }
  const naked = await server.ask("/bkt?delete", { method: "POST", body: `<Delete>${object}</Delete>` });
  assert.deepEqual([naked.status, naked.code], [400, "InvalidRequest"]);
  const empty = await server.ask("/bkt?delete", {
    method: "POST",
    headers: { "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" },
  });
  assert.equal(empty.code, "MissingRequestBodyError");
  assert.equal((await ask(`<Delete>${object.repeat(1000)}</Delete>`)).status, 200);
});

test("a read-only mount and an unknown bucket refuse every write", async () => {
  const writes: [string, string, Record<string, string>?][] = [
    ["PUT", "key"],
    ["DELETE", "key"],
    ["POST", "key?uploads"],
    ["DELETE", ""],
  ];
  for (const [method, path] of writes) {
    const sealed = await server.ask(`/sealed/${path}`, { method });
    assert.deepEqual([sealed.status, sealed.code], [403, "AccessDenied"], `${method} ${path}`);
    const absent = await server.ask(`/nobucket/${path}`, { method });
    assert.deepEqual([absent.status, absent.code], [404, "NoSuchBucket"], `${method} ${path}`);
  }
});
