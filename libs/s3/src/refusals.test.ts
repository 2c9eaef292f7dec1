import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  DeleteObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { RinglightError } from "@ringlight/core";
import { MemoryBackend, withoutWrites } from "./memory-backend.ts";
import { startTestServer, TEST_CREDENTIALS, type TestServer } from "./test-server.ts";

let server: TestServer;

/** Fails reads of keys that are named after an error code. */
class FailingBackend extends MemoryBackend {
  override async read(...args: Parameters<MemoryBackend["read"]>): ReturnType<MemoryBackend["read"]> {
    const key = args[1];
    if (
      key === "RL_OVERLOADED" ||
      key === "RL_UFS_DENIED" ||
      key === "RL_UFS_TIMEOUT" ||
      key === "RL_VERSION_CHANGED"
    ) {
      throw new RinglightError(key, `made to fail with ${key}`);
    }
    if (key === "defect") throw new TypeError("secret words of a defect");
    return super.read(...args);
  }
}

before(async () => {
  const backend = new FailingBackend();
  server = await startTestServer(
    { anonymous: (bucket) => bucket === "public", hostId: "worker-7", backend: withoutWrites(backend) },
    backend,
  );
  for (const bucket of ["bkt", "public"]) {
    server.backend.addBucket(bucket);
    server.backend.put(bucket, "key", "0123456789");
  }
});
after(() => server.close());

test("requests without a signature are AccessDenied, but for reads of buckets that are open", async () => {
  for (const rawUrl of ["/", "/bkt", "/bkt/key", "/nobucket/key"]) {
    const answer = await server.ask(rawUrl, { signed: false });
    assert.deepEqual([answer.status, answer.code], [403, "AccessDenied"], rawUrl);
  }
  assert.equal((await server.ask("/public/key", { signed: false })).status, 200);
  assert.equal((await server.ask("/public?list-type=2", { signed: false })).status, 200);
  const put = await server.ask("/public/key", { method: "PUT", body: "x", signed: false });
  assert.deepEqual([put.status, put.code], [403, "AccessDenied"]);
  const head = await server.ask("/bkt/key", { method: "HEAD", signed: false });
  assert.deepEqual([head.status, head.body.length], [403, 0]);
});

test("an empty Authorization header is no authorization", async () => {
  const answer = await server.ask("/bkt/key", { signed: false, headers: { authorization: "" } });
  assert.deepEqual([answer.status, answer.code], [403, "AccessDenied"]);
});

test("wrong keys, secrets and regions have S3's codes, and the wrong region is told the right one", async () => {
  const cases: [credentials: typeof TEST_CREDENTIALS, region: string, code: string][] = [
    [{ accessKeyId: "NOBODY", secretAccessKey: "x" }, "us-east-1", "InvalidAccessKeyId"],
    [{ ...TEST_CREDENTIALS, secretAccessKey: "wrong" }, "us-east-1", "SignatureDoesNotMatch"],
  ];
  for (const [credentials, region, code] of cases) {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${server.port}`,
      region,
      forcePathStyle: true,
      credentials,
      maxAttempts: 1,
    });
    await assert.rejects(
      client.send(new DeleteObjectCommand({ Bucket: "bkt", Key: "key" })),
      (error: S3ServiceException) => error.name === code,
    );
    client.destroy();
  }
  const headers = {
    authorization: "AWS4-HMAC-SHA256 Credential=a/20260101/mars/s3/aws4_request, SignedHeaders=host, Signature=0",
    "x-amz-date": "20260101T000000Z",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
  };
  const wrong = await server.ask("/bkt/key", { signed: false, headers });
  assert.equal(wrong.code, "AuthorizationHeaderMalformed");
  assert.match(wrong.body.toString(), /<Region>us-east-1<\/Region>/);
});

test("every writing operation is AccessDenied and is named where a backend only reads", async () => {
  const writes: [method: string, rawUrl: string, api: string, headers?: Record<string, string>][] = [
    ["PUT", "/bkt/key", "PutObject"],
    ["PUT", "/bkt/key", "CopyObject", { "x-amz-copy-source": "/bkt/other" }],
    ["PUT", "/bkt/key?partNumber=1&uploadId=u", "UploadPart"],
    ["PUT", "/bkt/key?partNumber=1&uploadId=u", "UploadPartCopy", { "x-amz-copy-source": "/bkt/other" }],
    ["PUT", "/bkt/key?acl", "PutObjectAcl"],
    ["PUT", "/bkt/key?tagging", "PutObjectTagging"],
    ["POST", "/bkt/key?uploads", "CreateMultipartUpload"],
    ["POST", "/bkt/key?uploadId=u", "CompleteMultipartUpload"],
    ["DELETE", "/bkt/key?uploadId=u", "AbortMultipartUpload"],
    ["DELETE", "/bkt/key?x-id=DeleteObject", "DeleteObject"],
    ["POST", "/bkt?delete", "DeleteObjects"],
    ["POST", "/bkt", "PostObject"],
    ["PUT", "/newbucket", "CreateBucket"],
    ["DELETE", "/bkt", "DeleteBucket"],
    ["PUT", "/bkt?versioning", "PutBucketVersioning"],
    ["DELETE", "/bkt?policy", "DeleteBucketPolicy"],
  ];
  for (const [method, rawUrl, api, headers = {}] of writes) {
    const answer = await server.ask(rawUrl, {
      method,
      headers,
      ...(method !== "DELETE" && { body: "some bytes" }),
    });
    assert.deepEqual([answer.status, answer.code], [403, "AccessDenied"], api);
    assert.match(answer.body.toString(), new RegExp(`${api} is refused: the mount .* is read-only`));
    assert.equal(answer.headers["x-ringlight-error"], "RL_READ_ONLY");
    assert.equal(server.done.at(-1)?.api, api);
  }
});

test("the SDK's uploads, streaming ones too, end in AccessDenied and not in a broken connection", async () => {
  const refused = (error: S3ServiceException) => error.name === "AccessDenied" && /read-only/.test(error.message);
  for (const size of [10, 300_000, 5_000_000]) {
    const Body = Buffer.alloc(size);
    await assert.rejects(server.sdk.send(new PutObjectCommand({ Bucket: "bkt", Key: "k", Body })), refused);
    const part = new UploadPartCommand({ Bucket: "bkt", Key: "k", PartNumber: 1, UploadId: "u", Body });
    await assert.rejects(server.sdk.send(part), refused);
  }
});

test("a client that asks with Expect: 100-continue gets the final answer instead of a 100", async () => {
  const answer = await server.raw(
    "PUT /public/key HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
  );
  assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.match(answer, /Connection: close/i);
  assert.match(answer, /<Code>AccessDenied<\/Code>/);
});

test("a refused chunked body is read to its end before the connection closes", async () => {
  const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
  const answer = await server.raw(
    `PUT /public/key HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.match(answer, /<\/Error>$/);
});

test("settings that a bucket or object does not have are answered as S3 answers them", async () => {
  const answers: [rawUrl: string, status: number, expected: RegExp][] = [
    ["/bkt?location", 200, /<LocationConstraint xmlns="[^"]*"><\/LocationConstraint>/],
    ["/bkt?versioning", 200, /<VersioningConfiguration xmlns="[^"]*"><\/VersioningConfiguration>/],
    ["/bkt?acl", 200, /<Permission>FULL_CONTROL<\/Permission>/],
    ["/bkt/key?acl", 200, /<Permission>FULL_CONTROL<\/Permission>/],
    ["/bkt/key?tagging", 200, /<Tagging xmlns="[^"]*"><TagSet><\/TagSet><\/Tagging>/],
    ["/bkt?uploads", 200, /<ListMultipartUploadsResult .*<IsTruncated>false</],
    ["/bkt?requestPayment", 200, /<Payer>BucketOwner<\/Payer>/],
    ["/bkt?logging", 200, /<BucketLoggingStatus/],
    ["/bkt?notification", 200, /<NotificationConfiguration/],
    ["/bkt?accelerate", 200, /<AccelerateConfiguration/],
    ["/bkt?tagging", 404, /<Code>NoSuchTagSet</],
    ["/bkt?policy", 404, /<Code>NoSuchBucketPolicy</],
    ["/bkt?policyStatus", 404, /<Code>NoSuchBucketPolicy</],
    ["/bkt?lifecycle", 404, /<Code>NoSuchLifecycleConfiguration</],
    ["/bkt?cors", 404, /<Code>NoSuchCORSConfiguration</],
    ["/bkt?website", 404, /<Code>NoSuchWebsiteConfiguration</],
    ["/bkt?replication", 404, /<Code>ReplicationConfigurationNotFoundError</],
    ["/bkt?encryption", 404, /<Code>ServerSideEncryptionConfigurationNotFoundError</],
    ["/bkt?object-lock", 404, /<Code>ObjectLockConfigurationNotFoundError</],
    ["/bkt?ownershipControls", 404, /<Code>OwnershipControlsNotFoundError</],
    ["/bkt?publicAccessBlock", 404, /<Code>NoSuchPublicAccessBlockConfiguration</],
    ["/bkt/key?retention", 400, /<Code>InvalidRequest</],
    ["/bkt/key?legal-hold", 400, /<Code>InvalidRequest</],
    ["/bkt/key?uploadId=u", 404, /<Code>NoSuchUpload</],
    ["/bkt/none?acl", 404, /<Code>NoSuchKey</],
    ["/nobucket?versioning", 404, /<Code>NoSuchBucket</],
    ["/nobucket?policy", 404, /<Code>NoSuchBucket</],
    ["/nobucket?location", 404, /<Code>NoSuchBucket</],
    ["/nobucket?uploads", 404, /<Code>NoSuchBucket</],
  ];
  for (const [rawUrl, status, expected] of answers) {
    const answer = await server.ask(rawUrl);
    assert.equal(answer.status, status, rawUrl);
    assert.match(answer.body.toString(), expected, rawUrl);
    assert.equal(answer.headers["content-type"], "application/xml");
  }
});

test("HeadBucket answers 200 with the region, or 404 without body", async () => {
  const there = await server.ask("/bkt", { method: "HEAD" });
  assert.deepEqual([there.status, there.headers["x-amz-bucket-region"]], [200, "us-east-1"]);
  const absent = await server.ask("/nobucket", { method: "HEAD" });
  assert.deepEqual([absent.status, absent.body.length], [404, 0]);
});

test("what S3 has and this endpoint has not is NotImplemented; a wrong method is MethodNotAllowed", async () => {
  for (const [method, rawUrl, code, status] of [
    ["GET", "/bkt?inventory", "NotImplemented", 501],
    ["GET", "/bkt?analytics&id=1", "NotImplemented", 501],
    ["GET", "/bkt/key?torrent", "NotImplemented", 501],
    ["POST", "/bkt/key?select&select-type=2", "NotImplemented", 501],
    ["PATCH", "/bkt/key", "NotImplemented", 501],
    ["POST", "/bkt/key", "MethodNotAllowed", 405],
    ["POST", "/", "MethodNotAllowed", 405],
    ["DELETE", "/bkt/key?acl", "MethodNotAllowed", 405],
  ] as const) {
    const answer = await server.ask(rawUrl, { method });
    assert.deepEqual([answer.code, answer.status], [code, status], `${method} ${rawUrl}`);
  }
  const preflight = await server.ask("/bkt/key", { method: "OPTIONS", signed: false });
  assert.deepEqual([preflight.status, preflight.code], [403, "AccessForbidden"]);
});

test("errors of the backend become the table's status and S3 code, and a defect's words stay inside", async () => {
  for (const [key, status, code] of [
    ["RL_OVERLOADED", 503, "SlowDown"],
    ["RL_UFS_DENIED", 403, "AccessDenied"],
    ["RL_UFS_TIMEOUT", 503, "SlowDown"],
    ["RL_VERSION_CHANGED", 409, "OperationAborted"],
  ] as const) {
    const answer = await server.ask(`/bkt/${key}`);
    assert.deepEqual([answer.status, answer.code, answer.headers["x-ringlight-error"]], [status, code, key]);
  }
  server.failures.length = 0;
  const defect = await server.ask("/bkt/defect");
  assert.deepEqual([defect.status, defect.code], [500, "InternalError"]);
  assert.doesNotMatch(defect.body.toString(), /secret words/);
  assert.match(String(server.failures[0]), /secret words/);
  assert.match(defect.body.toString(), /<HostId>worker-7<\/HostId>/);
});
