import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { ODD_KEYS } from "./odd-keys.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;

before(async () => {
  server = await startTestServer({ hostSuffixes: ["localhost", "s3.example.com"] });
  server.backend.addBucket("bkt");
  server.backend.addBucket("with.dots");
  for (const key of ODD_KEYS) server.backend.put("bkt", key, `bytes of ${key}`);
  server.backend.put("with.dots", "k", "dotted");
});
after(() => server.close());

test("the SDK reads odd keys with the right bytes", async () => {
  // The SDK itself takes dot segments out of a path before it sends it.
  for (const key of ODD_KEYS.filter((candidate) => !/(^|\/)\.\.?(\/|$)/.test(candidate))) {
    const answer = await server.sdk.send(new GetObjectCommand({ Bucket: "bkt", Key: key }));
    assert.equal(await answer.Body?.transformToString(), `bytes of ${key}`);
    const head = await server.sdk.send(new HeadObjectCommand({ Bucket: "bkt", Key: key }));
    assert.equal(head.ContentLength, Buffer.byteLength(`bytes of ${key}`));
  }
});

test("odd keys are read in any legal encoding of the path", async () => {
  const encodings: ((key: string) => string)[] = [
    (key) => encodeURIComponent(key),
    (key) => encodeURIComponent(key).replaceAll("%2F", "/"),
    (key) => [...Buffer.from(key)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  ];
  for (const key of ODD_KEYS) {
    for (const encode of encodings) {
      const answer = await server.ask(`/bkt/${encode(key)}`);
      assert.equal(answer.body.toString(), `bytes of ${key}`, encode(key));
    }
  }
  assert.equal((await server.ask("/bkt/plus+sign")).body.toString(), "bytes of plus+sign");
});

test("a listing gives every odd key back", async () => {
  const answer = await server.sdk.send(new ListObjectsV2Command({ Bucket: "bkt", EncodingType: "url" }));
  const keys = answer.Contents?.map((object) => decodeURIComponent(object.Key ?? ""));
  assert.deepEqual(keys, server.backend.keys("bkt"));
});

test("broken escapes, bytes that are no UTF-8, overlong forms and NUL are 400 InvalidURI", async () => {
  const bad = ["/bkt/a%", "/bkt/a%zz", "/bkt/%ff", "/bkt/%c0%ae", "/bkt/%c0%80", "/bkt/%e0%80%af", "/bkt/a%00b"];
  for (const rawUrl of [...bad, "/bkt/%ed%a0%80", "/bkt?prefix=%ff", "/bkt?prefix=%", "/bkt?prefix=%00"]) {
    const answer = await server.ask(rawUrl);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidURI"], rawUrl);
  }
});

test("keys whose .. elements climb out of the bucket are refused, in every spelling; others are plain keys", async () => {
  for (const key of ["..", "../x", "a/../../x", "./../x", "%2e%2e/x", "..%2fx", "a%2f..%2f..%2fx"]) {
    assert.equal((await server.ask(`/bkt/${key}`)).code, "InvalidURI", key);
  }
  assert.equal((await server.ask("/bkt/a/../x")).code, "NoSuchKey");
  assert.equal((await server.ask("/bkt/..x/y..")).code, "NoSuchKey");
});

test("a key of 1024 bytes is legal, and one more byte is KeyTooLongError", async () => {
  assert.equal((await server.ask(`/bkt/${"k".repeat(1024)}`)).code, "NoSuchKey");
  assert.equal((await server.ask(`/bkt/${"k".repeat(1025)}`)).code, "KeyTooLongError");
  assert.equal((await server.ask(`/bkt/${"%E2%82%AC".repeat(342)}`)).code, "KeyTooLongError");
});

test("names that can be no bucket are InvalidBucketName", async () => {
  for (const name of ["ab", "Upper", "under_score", "-dash", "dot..dot", "10.0.0.1", "a".repeat(64), "%2e%2e", "/x"]) {
    const answer = await server.ask(`/${name}/key`);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidBucketName"], name);
  }
});

test("virtual-host style names the bucket in the Host header, for hosts below a suffix only", async () => {
  const ask = (host: string, path: string) => server.ask(path, { headers: { host } });
  assert.equal((await ask("bkt.localhost:1234", "/plain")).body.toString(), "bytes of plain");
  assert.equal((await ask("BKT.S3.Example.com", "/plain")).body.toString(), "bytes of plain");
  assert.equal((await ask("with.dots.s3.example.com", "/k")).body.toString(), "dotted");
  assert.equal((await ask("localhost", "/bkt/plain")).body.toString(), "bytes of plain");
  assert.equal((await ask("bkt.elsewhere.com", "/bkt/plain")).body.toString(), "bytes of plain");
  assert.match((await ask("bkt.localhost", "/?list-type=2")).body.toString(), /<Name>bkt<\/Name>/);
});

test("the absolute form of a request line is understood", async () => {
  const answer = await server.raw("GET http://anything/bkt/plain HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 403 /);
  assert.match(answer, /<Resource>/);
});
