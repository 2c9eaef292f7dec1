import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand,
  S3Client,
  type S3ServiceException,
} from "@aws-sdk/client-s3";
import { startTestServer, TEST_CREDENTIALS, type TestServer } from "./test-server.ts";

let server: TestServer;
const at = { Bucket: "bkt", Key: "key" };

before(async () => {
  server = await startTestServer();
});
beforeEach(() => {
  server.backend.removeBucket("bkt");
  server.backend.addBucket("bkt");
  server.backend.put("bkt", "key", "bytes");
});
after(() => server.close());

const refusedWith = (name: string) => (error: S3ServiceException) => {
  assert.equal(error.name, name, error.message);
  return true;
};

test("tags are put, told, counted on reads, and taken away", async () => {
  const TagSet = [
    { Key: "team", Value: "data & more" },
    { Key: "größe", Value: "" },
  ];
  assert.deepEqual((await server.sdk.send(new GetObjectTaggingCommand(at))).TagSet, []);
  await server.sdk.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet: [{ Key: "old", Value: "1" }] } }));
  await server.sdk.send(
    new PutObjectTaggingCommand({
      ...at,
      Tagging: { TagSet: [{ Key: "team", Value: "data + more" }, ...TagSet.slice(1)] },
    }),
  );
  const told = await server.sdk.send(new GetObjectTaggingCommand(at));
  assert.deepEqual(told.TagSet, [
    { Key: "team", Value: "data + more" },
    { Key: "größe", Value: "" },
  ]);
  assert.equal((await server.ask("/bkt/key")).headers["x-amz-tagging-count"], "2");
  await server.sdk.send(new DeleteObjectTaggingCommand(at));
  assert.deepEqual((await server.sdk.send(new GetObjectTaggingCommand(at))).TagSet, []);
  await assert.rejects(server.sdk.send(new GetObjectTaggingCommand({ ...at, Key: "none" })), refusedWith("NoSuchKey"));
});

test("tags that break a rule are InvalidTag, and a document that is none MalformedXML", async () => {
  const put = (TagSet: { Key: string; Value: string }[]) =>
    server.sdk.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet } }));
  const tags = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: "v" }));
  await put(tags(10));
  await put([{ Key: "k".repeat(128), Value: "v".repeat(256) }]);
  for (const bad of [
    tags(11),
    [{ Key: "k".repeat(129), Value: "v" }],
    [{ Key: "k", Value: "v".repeat(257) }],
    [{ Key: "", Value: "v" }],
    [{ Key: "k;", Value: "v" }],
    [...tags(1), ...tags(1)],
  ]) {
    await assert.rejects(put(bad), refusedWith("InvalidTag"));
  }
  const broken = await server.ask("/bkt/key?tagging", {
    method: "PUT",
    headers: { "content-length": "9" },
    body: "<Tagging>",
  });
  assert.equal(broken.code, "MalformedXML");
});

test("buckets are made once, and removed when they are empty", async () => {
  const made = await server.sdk.send(new CreateBucketCommand({ Bucket: "new-bucket" }));
  assert.equal(made.Location, "/new-bucket");
  // As S3's oldest region has it: no error, and nothing is changed.
  server.backend.put("new-bucket", "key", "bytes");
  const again = await server.sdk.send(new CreateBucketCommand({ Bucket: "new-bucket" }));
  assert.equal(again.Location, "/new-bucket");
  await server.sdk.send(new DeleteObjectCommand({ Bucket: "new-bucket", Key: "key" }));
  await assert.rejects(server.sdk.send(new DeleteBucketCommand({ Bucket: "bkt" })), refusedWith("BucketNotEmpty"));
  await server.sdk.send(new DeleteBucketCommand({ Bucket: "new-bucket" }));
  assert.equal(server.backend.bucketExists("new-bucket"), false);
  await assert.rejects(server.sdk.send(new DeleteBucketCommand({ Bucket: "new-bucket" })), refusedWith("NoSuchBucket"));
});

test("in other regions than us-east-1 a bucket that is there is BucketAlreadyOwnedByYou", async () => {
  const elsewhere = await startTestServer({ region: "eu-central-1" });
  try {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${elsewhere.port}`,
      region: "eu-central-1",
      forcePathStyle: true,
      credentials: { ...TEST_CREDENTIALS },
    });
    await client.send(new CreateBucketCommand({ Bucket: "new-bucket" }));
    await assert.rejects(
      client.send(new CreateBucketCommand({ Bucket: "new-bucket" })),
      refusedWith("BucketAlreadyOwnedByYou"),
    );
    client.destroy();
  } finally {
    await elsewhere.close();
  }
});

test("a bucket in another region is IllegalLocationConstraintException, and names that are none are refused", async () => {
  const body = "<CreateBucketConfiguration><LocationConstraint>mars-1</LocationConstraint></CreateBucketConfiguration>";
  const headers = { "content-length": String(body.length) };
  const mars = await server.ask("/new-bucket", { method: "PUT", headers, body });
  assert.deepEqual([mars.status, mars.code], [400, "IllegalLocationConstraintException"]);
  const home = await server.ask("/new-bucket", {
    method: "PUT",
    headers: { "content-length": String(body.length + 3) },
    body: body.replace("mars-1", "us-east-1"),
  });
  assert.equal(home.status, 200);
  for (const name of [
    "Bad_Name",
    "foo.-bar",
    "foo-.bar",
    "xn--foo",
    "foo-s3alias",
    "-foo",
    "foo-",
    "fo",
    "192.168.5.123",
  ]) {
    assert.equal((await server.ask(`/${name}`, { method: "PUT" })).code, "InvalidBucketName", name);
  }
  server.backend.removeBucket("new-bucket");
});

test("an ACL that says what is so anyway is taken, and any other refused, of buckets, new ones and objects", async () => {
  const put = (rawUrl: string, headers: Record<string, string> = {}, body = "") =>
    server.ask(rawUrl, { method: "PUT", headers: { "content-length": String(body.length), ...headers }, body });
  const granted = (id: string, permission: string) =>
    `<AccessControlPolicy><Owner><ID>ringlight</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>${id}</ID></Grantee><Permission>${permission}</Permission></Grant></AccessControlList></AccessControlPolicy>`;
  server.backend.put("bkt", "key", "x");
  for (const rawUrl of ["/bkt?acl", "/bkt/key?acl"]) {
    const code = async (...asked: [Record<string, string>?, string?]) => (await put(rawUrl, ...asked)).code;
    for (const acl of ["private", "bucket-owner-full-control"]) {
      assert.equal((await put(rawUrl, { "x-amz-acl": acl })).status, 200);
    }
    assert.equal((await put(rawUrl, {}, granted("ringlight", "FULL_CONTROL"))).status, 200);
    assert.equal(await code({}, granted("somebody", "FULL_CONTROL")), "NotImplemented");
    assert.equal(await code({}, granted("ringlight", "READ")), "NotImplemented");
    assert.equal(await code({ "x-amz-acl": "public-read" }), "NotImplemented");
    assert.equal(await code({ "x-amz-grant-read": "id=x" }), "NotImplemented");
    assert.equal(await code({ "x-amz-acl": "nonsense" }), "InvalidArgument");
    assert.equal(await code({}, "<AccessControlPolicy/>"), "MalformedXML");
    assert.equal(await code(), "MissingSecurityHeader");
  }
  assert.equal((await put("/bkt/absent?acl", { "x-amz-acl": "private" })).code, "NoSuchKey");
  assert.equal((await put("/nowhere?acl", { "x-amz-acl": "private" })).code, "NoSuchBucket");
  server.backend.writes.readOnly.add("bkt");
  assert.equal((await put("/bkt/key?acl", { "x-amz-acl": "private" })).code, "AccessDenied");
  server.backend.writes.readOnly.delete("bkt");
  for (const [headers, code] of [
    [{ "x-amz-acl": "public-read" }, "NotImplemented"],
    [{ "x-amz-acl": "nonsense" }, "InvalidArgument"],
    [{ "x-amz-bucket-object-lock-enabled": "true" }, "NotImplemented"],
    [{ "x-amz-object-ownership": "nobody" }, "InvalidArgument"],
  ] as const) {
    assert.equal((await put("/acl-bucket", { ...headers })).code, code);
  }
  assert.equal(server.backend.bucketExists("acl-bucket"), false);
  const made = { "x-amz-acl": "private", "x-amz-object-ownership": "BucketOwnerEnforced" };
  assert.equal((await put("/acl-bucket", made)).status, 200);
  server.backend.removeBucket("acl-bucket");
});

test("writes that S3 has and this endpoint has not are NotImplemented", async () => {
  for (const [method, rawUrl] of [
    ["PUT", "/bkt?policy"],
    ["PUT", "/bkt?versioning"],
    ["PUT", "/bkt?lifecycle"],
    ["DELETE", "/bkt?cors"],
    ["POST", "/bkt/key?restore"],
  ] as const) {
    const answer = await server.ask(rawUrl, { method, headers: { "content-length": "1" }, body: "x" });
    assert.deepEqual([answer.status, answer.code], [501, "NotImplemented"], `${method} ${rawUrl}`);
  }
});
