import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type S3ServiceException,
} from "@aws-sdk/client-s3";
import { presignUrl } from "@ringlight/sigv4";
import { startTestServer, TEST_CREDENTIALS, TEST_REGION, type TestServer } from "./test-server.ts";

let server: TestServer;
const big = Buffer.alloc(1_000_003, 0).map((_, index) => (index * 31) & 0xff);

before(async () => {
  server = await startTestServer({
    anonymous: (bucket) => bucket === "public",
    decorate: (headers, status) => {
      headers["Cache-Status"] = `ringlight; hits=${status.hits}`;
    },
  });
  for (const bucket of ["bkt", "public"]) {
    server.backend.addBucket(bucket);
    server.backend.put(bucket, "ten", "0123456789");
    server.backend.put(bucket, "empty", "");
  }
  server.backend.put("bkt", "big", big);
  server.backend.put("bkt", "described", "x", {
    contentType: "text/csv",
    contentEncoding: "identity",
    contentDisposition: 'attachment; filename="a.csv"',
    contentLanguage: "de",
    cacheControl: "max-age=5",
    expires: "Fri, 02 Jan 2026 03:04:05 GMT",
    storageClass: "STANDARD_IA",
    userMetadata: { owner: "me", note: "größer € \n" },
  });
});
after(() => server.close());

test("GetObject gives the whole object with its headers", async () => {
  const answer = await server.sdk.send(new GetObjectCommand({ Bucket: "bkt", Key: "big" }));
  assert.deepEqual(Buffer.from((await answer.Body?.transformToByteArray()) ?? []), big);
  const raw = await server.ask("/bkt/ten");
  assert.equal(raw.status, 200);
  assert.equal(raw.headers["content-length"], "10");
  assert.equal(raw.headers["accept-ranges"], "bytes");
  assert.equal(raw.headers["last-modified"], "Fri, 02 Jan 2026 03:04:05 GMT");
  assert.equal(raw.headers.etag, '"781e5e245d69b566979b86e28d23f2c7"');
  assert.equal(raw.headers["content-type"], "binary/octet-stream");
  assert.equal(raw.headers["cache-status"], "ringlight; hits=1");
  assert.match(String(raw.headers["x-amz-request-id"]), /^[0-9A-F]{16}$/);
  assert.ok(raw.headers["x-amz-id-2"] && raw.headers.date);
});

test("content headers, storage class and user metadata come back, text beyond latin1 in RFC 2047's form", async () => {
  const { headers } = await server.ask("/bkt/described", { method: "HEAD" });
  assert.equal(headers["content-type"], "text/csv");
  assert.equal(headers["content-encoding"], "identity");
  assert.equal(headers["content-disposition"], 'attachment; filename="a.csv"');
  assert.equal(headers["content-language"], "de");
  assert.equal(headers["cache-control"], "max-age=5");
  assert.equal(headers.expires, "Fri, 02 Jan 2026 03:04:05 GMT");
  assert.equal(headers["x-amz-storage-class"], "STANDARD_IA");
  assert.equal(headers["x-amz-meta-owner"], "me");
  const note = String(headers["x-amz-meta-note"]);
  assert.equal(Buffer.from(note.slice(10, -2), "base64").toString(), "größer € \n");
});

test("every form of Range gives the bytes, the status and the Content-Range that S3 gives", async () => {
  const cases: [range: string, status: number, body: string, contentRange: string | undefined][] = [
    ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
    ["bytes=4-", 206, "456789", "bytes 4-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=0-9", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=8-99", 206, "89", "bytes 8-9/10"],
    ["bytes=9-9", 206, "9", "bytes 9-9/10"],
    ["bytes=5-2", 200, "0123456789", undefined],
    ["bytes=a-b", 200, "0123456789", undefined],
    ["items=0-1", 200, "0123456789", undefined],
    ["bytes=0-1,4-5", 200, "0123456789", undefined],
  ];
  for (const [range, status, body, contentRange] of cases) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await server.ask("/bkt/ten", { method, headers: { range } });
      assert.equal(answer.status, status, `${method} ${range}`);
      assert.equal(answer.body.toString(), method === "GET" ? body : "", `${method} ${range}`);
      assert.equal(answer.headers["content-range"], contentRange);
      assert.equal(answer.headers["content-length"], String(body.length));
    }
  }
});

test("a range behind the end is 416 with the object's size, and no body for HEAD", async () => {
  for (const [key, range, size] of [
    ["ten", "bytes=10-", 10],
    ["ten", "bytes=-0", 10],
    ["empty", "bytes=0-", 0],
    ["empty", "bytes=-1", 0],
  ] as const) {
    const answer = await server.ask(`/bkt/${key}`, { headers: { range } });
    assert.equal(answer.status, 416);
    assert.equal(answer.code, "InvalidRange");
    assert.equal(answer.headers["content-range"], `bytes */${size}`);
    assert.match(answer.body.toString(), new RegExp(`<ActualObjectSize>${size}</ActualObjectSize>`));
    const head = await server.ask(`/bkt/${key}`, { method: "HEAD", headers: { range } });
    assert.equal(head.status, 416);
    assert.equal(head.body.length, 0);
  }
});

test("an empty object is an empty 200", async () => {
  const answer = await server.ask("/bkt/empty");
  assert.deepEqual([answer.status, answer.headers["content-length"], answer.body.length], [200, "0", 0]);
});

test("conditions answer 304 and 412 as S3 does, for GET and HEAD", async () => {
  const etag = '"781e5e245d69b566979b86e28d23f2c7"';
  for (const method of ["GET", "HEAD"]) {
    const unchanged = await server.ask("/bkt/ten", { method, headers: { "if-none-match": etag } });
    assert.deepEqual([unchanged.status, unchanged.body.length, unchanged.headers.etag], [304, 0, etag]);
    const since = await server.ask("/bkt/ten", {
      method,
      headers: { "if-modified-since": "Fri, 02 Jan 2026 03:04:05 GMT" },
    });
    assert.equal(since.status, 304);
    const failed = await server.ask("/bkt/ten", { method, headers: { "if-match": '"other"' } });
    assert.equal(failed.status, 412);
    if (method === "GET") assert.match(failed.body.toString(), /<Condition>If-Match<\/Condition>/);
    const ranged = await server.ask("/bkt/ten", { method, headers: { "if-match": etag, range: "bytes=1-1" } });
    assert.equal(ranged.status, 206);
    const stale = await server.ask("/bkt/ten", { method, headers: { "if-range": '"old"', range: "bytes=1-1" } });
    assert.equal(stale.status, 200);
  }
});

test("response-* parameters replace headers for signed and presigned requests, and are refused to anonymous ones", async () => {
  const query =
    "?response-content-type=text%2Fplain&response-cache-control=no-store&response-content-disposition=a%3Bb";
  const signed = await server.ask(`/bkt/described${query}`);
  assert.equal(signed.headers["content-type"], "text/plain");
  assert.equal(signed.headers["cache-control"], "no-store");
  assert.equal(signed.headers["content-disposition"], "a;b");
  const anonymous = await server.ask(`/public/ten${query}`, { signed: false });
  assert.deepEqual([anonymous.status, anonymous.code], [400, "InvalidRequest"]);
  const split = await server.ask("/bkt/ten?response-content-type=a%0D%0Ax-evil:1");
  assert.deepEqual([split.status, split.code], [400, "InvalidArgument"]);
});

test("presigned URLs read without further credentials", async () => {
  const url = presignUrl(
    { method: "GET", url: new URL(`http://127.0.0.1:${server.port}/bkt/ten?response-expires=never`), headers: {} },
    { credentials: TEST_CREDENTIALS, region: TEST_REGION, expiresS: 60 },
  );
  const answer = await fetch(url);
  assert.equal(await answer.text(), "0123456789");
  assert.equal(answer.headers.get("expires"), "never");
  const broken = await fetch(`${url.href.slice(0, -1)}g`);
  assert.equal(broken.status, 403);
  assert.match(await broken.text(), /SignatureDoesNotMatch/);
});

test("a missing key or bucket is 404 with S3's code, and without body for HEAD", async () => {
  const key = await server.ask("/bkt/none");
  assert.deepEqual([key.status, key.code, key.headers["x-ringlight-error"]], [404, "NoSuchKey", "RL_NOT_FOUND"]);
  assert.match(key.body.toString(), /<Key>none<\/Key>.*<Resource>\/bkt\/none<\/Resource>.*<RequestId>.*<HostId>/s);
  const bucket = await server.ask("/nobucket/none");
  assert.deepEqual([bucket.status, bucket.code], [404, "NoSuchBucket"]);
  const head = await server.ask("/bkt/none", { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length], [404, 0]);
  await assert.rejects(
    server.sdk.send(new HeadObjectCommand({ Bucket: "bkt", Key: "none" })),
    (error: S3ServiceException) => error.name === "NotFound",
  );
});

test("partNumber=1 is the whole object as its only part, and other parts are not there", async () => {
  const first = await server.ask("/bkt/ten?partNumber=1");
  assert.deepEqual([first.status, first.headers["content-range"]], [206, "bytes 0-9/10"]);
  assert.equal((await server.ask("/bkt/ten?partNumber=2")).code, "InvalidPartNumber");
  assert.equal((await server.ask("/bkt/none?partNumber=2")).code, "NoSuchKey");
  assert.equal((await server.ask("/bkt/ten?partNumber=0")).code, "InvalidArgument");
  const both = await server.ask("/bkt/ten?partNumber=1", { headers: { range: "bytes=0-1" } });
  assert.equal(both.code, "InvalidRequest");
});

test("versionId=null names the one version, and any other is refused", async () => {
  assert.equal((await server.ask("/bkt/ten?versionId=null")).status, 200);
  assert.equal((await server.ask("/bkt/ten?versionId=abc")).code, "InvalidArgument");
});

test("customer-key encryption headers are refused", async () => {
  const headers = { "x-amz-server-side-encryption-customer-algorithm": "AES256" };
  assert.equal((await server.ask("/bkt/ten", { headers })).code, "InvalidRequest");
});

test("GetObjectAttributes gives size, tag and storage class", async () => {
  const answer = await server.sdk.send(
    new GetObjectAttributesCommand({
      Bucket: "bkt",
      Key: "described",
      ObjectAttributes: ["ETag", "ObjectSize", "StorageClass"],
    }),
  );
  assert.deepEqual([answer.ObjectSize, answer.StorageClass], [1, "STANDARD_IA"]);
  assert.equal((await server.ask("/bkt/ten?attributes")).code, "InvalidArgument");
});

test("the backend is told the key, a place of its own in the client's trace and the request's id", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const answer = await server.ask("/bkt/ten", { headers: { traceparent } });
  const context = server.backend.contexts.at(-1);
  assert.match(context?.traceparent ?? "", /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/);
  assert.equal(context?.accessKeyId, TEST_CREDENTIALS.accessKeyId);
  assert.equal(context?.requestId, answer.headers["x-amz-request-id"]);
});

test("onRequest is told the operation, status, bytes and times of every request", async () => {
  server.done.length = 0;
  await server.ask("/bkt/ten", { headers: { range: "bytes=0-3" } });
  const [one] = server.done;
  assert.equal(server.done.length, 1);
  assert.deepEqual(
    { api: one?.api, status: one?.status, bytesOut: one?.bytesOut, aborted: one?.aborted },
    { api: "GetObject", status: 206, bytesOut: 4, aborted: false },
  );
  assert.deepEqual([one?.bucket, one?.key], ["bkt", "ten"]);
  assert.ok(one && one.firstByteMs > 0 && one.totalMs >= one.firstByteMs);
});
