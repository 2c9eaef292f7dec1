import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { presignUrl, verifyPolicy } from "@ringlight/sigv4";
import { KeyRing } from "./policy/key-ring.ts";
import { S3Error } from "./s3-error.ts";
import { startTestServer, TEST_CREDENTIALS, TEST_REGION, type TestServer } from "./test-server.ts";
import { formBoundary, readForm } from "./write/form-reader.ts";

const ring = new KeyRing((id) => (id === TEST_CREDENTIALS.accessKeyId ? TEST_CREDENTIALS : undefined));
const ADA = { accessKeyId: "ADA", secretAccessKey: "ada-secret", username: "ada" };
const HOUR_MS = 3_600_000;
let server: TestServer;

before(async () => {
  server = await startTestServer({ credentials: ring.lookup, permits: ring.permits });
  server.backend.addBucket("bkt");
  const Statement = [{ Effect: "Allow", Action: "s3:PutObject", Resource: "arn:aws:s3:::bkt/ada/*" }];
  ring.replaceAll([{ ...ADA, policy: { Version: "2012-10-17", Statement } }], () => assert.fail("the policy is good"));
});
after(() => server.close());

interface Pair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const sign = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** The fields of a form, signed by a key for all that they say. */
function signed(
  fields: Record<string, string>,
  pair: Pair = TEST_CREDENTIALS,
  atMs = Date.now(),
): Record<string, string> {
  const amzDate = `${new Date(atMs).toISOString().slice(0, 19).replace(/[:-]/g, "")}Z`;
  const scope = [amzDate.slice(0, 8), TEST_REGION, "s3", "aws4_request"];
  const all: Record<string, string> = {
    ...fields,
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": [pair.accessKeyId, ...scope].join("/"),
    "x-amz-date": amzDate,
  };
  const conditions = [{ bucket: "bkt" }, ...Object.entries(all).map(([name, value]) => ["eq", `$${name}`, value])];
  const document = JSON.stringify({ expiration: new Date(Date.now() + HOUR_MS).toISOString(), conditions });
  const policy = Buffer.from(document).toString("base64");
  const signature = [...scope, policy].reduce<string | Buffer>(sign, `AWS4${pair.secretAccessKey}`);
  return { ...all, policy, "x-amz-signature": Buffer.from(signature).toString("hex") };
}

function form(fields: Record<string, string>, file: string): string {
  const rows = Object.entries(fields).map(
    ([name, value]) => `--B\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${rows.join("")}--B\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n${file}\r\n--B--\r\n`;
}

function post(fields: Record<string, string>, file = "bytes") {
  const headers = { "content-type": "multipart/form-data; boundary=B" };
  return server.ask("/bkt", { method: "POST", headers, body: form(fields, file), signed: false });
}

test("a form uploads by the key that signed its policy, and only what that key may write", async () => {
  assert.equal((await post(signed({ key: "by-form" }))).status, 204);
  assert.equal((await server.ask("/bkt/by-form")).body.toString(), "bytes");
  assert.equal(server.done.find(({ api }) => api === "PostObject")?.api, "PostObject");
  assert.equal((await post(signed({ key: "ada/hers" }, ADA))).status, 204);
  const outside = await post(signed({ key: "bob/his" }, ADA));
  assert.deepEqual([outside.status, outside.code], [403, "AccessDenied"]);
  const unproved = await post({ key: "nobody" });
  assert.deepEqual([unproved.status, unproved.code], [403, "AccessDenied"]);
  for (const key of ["bob/his", "nobody"]) assert.equal((await server.ask(`/bkt/${key}`)).status, 404);
});

test("a signature of version 2 under a form is refused by a message that says what to do", async () => {
  const answer = await post({
    key: "old",
    AWSAccessKeyId: TEST_CREDENTIALS.accessKeyId,
    policy: "e30=",
    signature: "x",
  });
  assert.deepEqual([answer.status, answer.code], [400, "InvalidRequest"]);
  assert.match(answer.body.toString(), /Please use AWS4-HMAC-SHA256/);
});

test("a connection goes on after a form, whether its file was taken or refused", async () => {
  const one = (fields: Record<string, string>, file: string) => {
    const body = form(fields, file);
    return `POST /bkt HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const big = "z".repeat(300_000);
  const last = "GET /bkt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const text = await server.raw(
    one(signed({ key: "first" }), big) + one({ key: "refused" }, big) + one(signed({ key: "third" }), "x") + last,
  );
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 204", "HTTP/1.1 403", "HTTP/1.1 204", "HTTP/1.1 403"]);
});

test("a presigned URL carries headers of a write among its parameters, which count when they are signed", async () => {
  const url = (query: string) => {
    const signed = presignUrl(
      { method: "PUT", url: new URL(`http://127.0.0.1:${server.port}/bkt/by-url?${query}`), headers: {} },
      { credentials: TEST_CREDENTIALS, region: TEST_REGION, expiresS: 60 },
    );
    return signed.pathname + signed.search;
  };
  const put = (rawUrl: string, signed = false) =>
    server.ask(rawUrl, { method: "PUT", headers: { "content-length": "1" }, body: "x", signed });
  assert.equal((await put(url("x-amz-meta-foo=bar&x-amz-checksum-crc32=AAAAAA%3D%3D"))).status, 200);
  assert.equal((await server.ask("/bkt/by-url", { method: "HEAD" })).headers["x-amz-meta-foo"], "bar");
  for (const bad of ["x-amz-meta-foo=a%0D%0Ab", "x-amz-meta-f%0Ao=a", "x-amz-acl=nobody"]) {
    const answer = await put(url(bad));
    assert.deepEqual([answer.status, answer.code], [400, "InvalidArgument"], bad);
  }
  assert.equal((await put("/bkt/by-url?x-amz-meta-foo=bar", true)).status, 200);
  assert.equal((await server.ask("/bkt/by-url", { method: "HEAD" })).headers["x-amz-meta-foo"], undefined);
  const forged = await put(url("x-amz-meta-foo=bar").replace("foo=bar", "foo=baz"));
  assert.deepEqual([forged.status, forged.code], [403, "SignatureDoesNotMatch"]);
});

test("the signature of a policy lives a week at most, and not before its time", () => {
  const options = { lookup: () => TEST_CREDENTIALS, region: TEST_REGION };
  const outcome = (afterMs: number, region = TEST_REGION) => {
    const atMs = Date.parse("2026-01-05T00:00:00Z");
    const fields = signed({ key: "k" }, TEST_CREDENTIALS, atMs);
    const claim = {
      policy: fields.policy ?? "",
      algorithm: fields["x-amz-algorithm"],
      credential: fields["x-amz-credential"],
      amzDate: fields["x-amz-date"],
      signature: fields["x-amz-signature"],
      sessionToken: undefined,
      isOldVersion: false,
    };
    const result = verifyPolicy(claim, { ...options, region, now: atMs + afterMs });
    return result.ok ? result.accessKeyId : result.s3Code;
  };
  assert.equal(outcome(0), TEST_CREDENTIALS.accessKeyId);
  assert.equal(outcome(6 * 24 * HOUR_MS), TEST_CREDENTIALS.accessKeyId);
  assert.equal(outcome(8 * 24 * HOUR_MS), "AccessDenied");
  assert.equal(outcome(-HOUR_MS), "AccessDenied");
  assert.equal(outcome(0, "eu-west-1"), "InvalidArgument");
});

test("a form reads the same however it is cut, and a file may hold all but the boundary", async () => {
  const file = "--B\r\n-B--\r\n--\r\n--A\r\n--";
  const text = `preamble\r\n${form({ key: "k", empty: "", lines: "a\r\n--\r\nb" }, file)}epilogue`;
  const boundary = formBoundary('multipart/form-data; charset=utf-8; boundary="B"') ?? "";
  // A file that begins with the boundary's text is no boundary: that begins a line.
  const bytes = Buffer.from(text.replace("\r\n\r\n--B\r\n-B", "\r\n\r\n-B\r\n-B"), "latin1");
  for (let size = 1; size <= bytes.length; size++) {
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    const read = await readForm(pieces(), boundary);
    assert.deepEqual(Object.fromEntries(read.fields), { key: "k", empty: "", lines: "a\r\n--\r\nb" });
    const got: Uint8Array[] = [];
    for await (const piece of read.file) got.push(piece);
    assert.equal(Buffer.concat(got).toString("latin1"), file.slice(1), `in pieces of ${size}`);
  }
});

test("mutated forms give a file or an error of the protocol", async () => {
  const good = form({ key: "k", policy: "e30=" }, "0123456789");
  let taken = 0;
  for (let round = 0; round < 3000; round++) {
    const at = (round * 7919) % good.length;
    const piece = ["", "\r\n", "--B", "--", '"', "\0", ":", "\r\n--B--", good.slice(0, at)][round % 9] ?? "";
    const bytes = Buffer.from(good.slice(0, at) + piece + good.slice(at + (round % 4)), "latin1");
    const pieces = async function* () {
      for (let from = 0; from < bytes.length; from += 1 + (round % 40))
        yield bytes.subarray(from, from + 1 + (round % 40));
    };
    try {
      const read = await readForm(pieces(), "B");
      for await (const part of read.file) assert.ok(part.length > 0);
      taken++;
    } catch (error) {
      assert.ok(error instanceof S3Error, String(error));
      assert.ok(error.status < 500);
    }
  }
  assert.ok(taken > 300, `${taken} of the forms were whole`);
});
