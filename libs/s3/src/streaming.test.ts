import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { checksumBase64 } from "@ringlight/checksum";
import { ChunkSigner, chunkSeed, presignUrl, signRequest } from "@ringlight/sigv4";
import { startTestServer, TEST_CREDENTIALS, TEST_REGION, type TestServer } from "./test-server.ts";

let server: TestServer;

before(async () => {
  server = await startTestServer({ stallTimeoutMs: 400 });
});
beforeEach(() => {
  server.backend.removeBucket("bkt");
  server.backend.addBucket("bkt");
});
after(() => server.close());

interface Send {
  readonly payloadHash: string;
  readonly headers?: Record<string, string>;
  /** Makes the body, given what signs its chunks. */
  readonly body: (signer: ChunkSigner) => Buffer;
  /** Content-Length, if it is another than the body's. */
  readonly contentLength?: number;
}

/** Sends a PUT byte for byte, and gives the whole answer. */
async function send({ payloadHash, headers = {}, body, contentLength }: Send): Promise<string> {
  const rawUrl = "/bkt/key";
  const signed = signRequest(
    { method: "PUT", url: { host: "h", rawUrl }, headers },
    { credentials: TEST_CREDENTIALS, region: TEST_REGION, payloadHash },
  );
  const seed = chunkSeed({ method: "PUT", rawUrl, headers: signed });
  assert.ok(seed);
  const bytes = body(new ChunkSigner(seed, TEST_CREDENTIALS.secretAccessKey));
  const length =
    signed["transfer-encoding"] === undefined ? `Content-Length: ${contentLength ?? bytes.length}\r\n` : "";
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
  return server.raw(
    `PUT ${rawUrl} HTTP/1.1\r\n${lines.join("")}${length}Connection: close\r\n\r\n${bytes.toString("latin1")}`,
  );
}

const codeOf = (answer: string) => /<Code>(.*?)<\/Code>/.exec(answer)?.[1] ?? /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
const stored = () => server.backend.find("bkt", "key")?.bytes.toString();

const SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const chunked = (length: number) => ({
  "content-encoding": "aws-chunked",
  "x-amz-decoded-content-length": String(length),
});

function signedChunks(signer: ChunkSigner, chunks: readonly string[]): string {
  return [...chunks, ""]
    .map((chunk) => {
      signer.update(Buffer.from(chunk));
      const head = `${chunk.length.toString(16)};chunk-signature=${signer.signChunk()}\r\n`;
      return chunk === "" ? head : `${head}${chunk}\r\n`;
    })
    .join("");
}

const crc32c = (text: string) => checksumBase64("CRC32C", Buffer.from(text));

test("signed chunks are decoded and verified", async () => {
  const body = (signer: ChunkSigner) => Buffer.from(`${signedChunks(signer, ["hello ", "world"])}\r\n`);
  assert.equal(codeOf(await send({ payloadHash: SIGNED, headers: chunked(11), body })), "200");
  assert.equal(stored(), "hello world");
});

test("a chunk that was changed, left out, or has no signature is refused and nothing is written", async () => {
  const spoil = (how: (text: string) => string) => (signer: ChunkSigner) =>
    Buffer.from(`${how(signedChunks(signer, ["hello ", "world"]))}\r\n`);
  const cases: [string, (text: string) => string][] = [
    ["a changed byte", (text) => text.replace("world", "World")],
    ["a changed signature", (text) => text.replace(/chunk-signature=./, "chunk-signature=x")],
    ["no signature", (text) => text.replace(/;chunk-signature=[0-9a-f]+/, "")],
    ["chunks in another order", (text) => text.replace(/^(6;.*?\r\nhello \r\n)(5;.*?\r\nworld\r\n)/s, "$2$1")],
  ];
  for (const [name, how] of cases) {
    const answer = await send({ payloadHash: SIGNED, headers: chunked(11), body: spoil(how) });
    assert.equal(codeOf(answer), "SignatureDoesNotMatch", name);
  }
  const cut = await send({
    payloadHash: SIGNED,
    headers: chunked(11),
    body: (signer) => Buffer.from(signedChunks(signer, ["hello "])),
  });
  assert.equal(codeOf(cut), "IncompleteBody");
  assert.equal(stored(), undefined);
});

test("a signed trailer is verified, and its checksum kept", async () => {
  const trailer =
    (value: string, spoil = (text: string) => text) =>
    (signer: ChunkSigner) => {
      const chunks = signedChunks(signer, ["hello ", "world"]);
      const line = `x-amz-checksum-crc32c:${value}`;
      return Buffer.from(
        `${chunks}${spoil(`${line}\r\nx-amz-trailer-signature:${signer.signTrailer(`${line}\n`)}`)}\r\n\r\n`,
      );
    };
  const headers = { ...chunked(11), "x-amz-trailer": "x-amz-checksum-crc32c" };
  const good = crc32c("hello world");
  const ask = (body: Send["body"]) => send({ payloadHash: SIGNED_TRAILER, headers, body });
  assert.equal(codeOf(await ask(trailer(crc32c("x")))), "BadDigest");
  const changed = trailer(good, (text) => text.replace(good, crc32c("x")));
  assert.equal(codeOf(await ask(changed)), "SignatureDoesNotMatch");
  const unsigned = trailer(good, (text) => text.split("\r\n")[0] ?? "");
  assert.equal(codeOf(await ask(unsigned)), "MalformedTrailerError");
  assert.equal(stored(), undefined);
  assert.equal(codeOf(await ask(trailer(good))), "200");
  assert.deepEqual(server.backend.get("bkt", "key").meta.checksums?.values, { CRC32C: good });
});

test("an unsigned trailer is verified in the ways that clients write it", async () => {
  const headers = { ...chunked(11), "x-amz-trailer": "x-amz-checksum-crc32c" };
  const value = crc32c("hello world");
  const frame = "6\r\nhello \r\n5\r\nworld\r\n0\r\n";
  const ask = (body: string) => send({ payloadHash: UNSIGNED_TRAILER, headers, body: () => Buffer.from(body) });
  const good = [
    `${frame}x-amz-checksum-crc32c:${value}\r\n\r\n`,
    `${frame}x-amz-checksum-crc32c:${value}\n\r\n\r\n\r\n`,
    `${frame}X-Amz-Checksum-Crc32c: ${value}\r\n`,
    `${frame}x-amz-checksum-crc32c:${value}`,
    `${frame.replace("6\r\n", "0006;ext=1\r\n")}x-amz-checksum-crc32c:${value}\r\n\r\n`,
  ];
  for (const body of good) {
    assert.equal(codeOf(await ask(body)), "200", JSON.stringify(body));
    assert.equal(stored(), "hello world");
    server.backend.remove("bkt", "key");
  }
  const bad: [string, string][] = [
    [`${frame}\r\n`, "MalformedTrailerError"],
    [`${frame}x-amz-checksum-crc32c\r\n\r\n`, "MalformedTrailerError"],
    [`${frame}x-amz-checksum-sha1:abc\r\n\r\n`, "MalformedTrailerError"],
    [`${frame}x-amz-checksum-crc32c:${crc32c("x")}\r\n\r\n`, "BadDigest"],
    [`${frame}x-amz-checksum-crc32c:bad\r\n\r\n`, "InvalidRequest"],
    ["6\r\nhello \r\n5\r\nworld\r\n", "IncompleteBody"],
    ["6\r\nhello \r\n5\r\nwor", "IncompleteBody"],
    ["6\r\nhello \r\n0\r\n\r\n", "IncompleteBody"],
    [`6\r\nhello \r\n6\r\nworld!\r\n0\r\nx-amz-checksum-crc32c:${value}\r\n\r\n`, "IncompleteBody"],
    ["6\r\nhello world\r\n", "InvalidRequest"],
    ["x\r\nhello \r\n", "InvalidRequest"],
    ["-6\r\nhello \r\n", "InvalidRequest"],
    ["6\nhello \n", "InvalidRequest"],
    ["ffffffffffffffff\r\n", "InvalidRequest"],
    ["fffffffffffff\r\n", "IncompleteBody"],
    [`${"0".repeat(5000)}\r\n`, "InvalidRequest"],
    ["", "IncompleteBody"],
  ];
  for (const [body, code] of bad) {
    assert.equal(codeOf(await ask(body)), code, JSON.stringify(body).slice(0, 100));
    assert.equal(stored(), undefined);
  }
});

test("chunks that only the decoded length tells of are decoded all the same", async () => {
  const answer = await send({
    payloadHash: "UNSIGNED-PAYLOAD",
    headers: chunked(5),
    body: () => Buffer.from("5\r\nhello\r\n0\r\n\r\n"),
  });
  assert.equal(codeOf(answer), "200");
  assert.equal(stored(), "hello");
});

test("an empty streamed body is verified too", async () => {
  const body = (signer: ChunkSigner) => Buffer.from(`${signedChunks(signer, [])}\r\n`);
  assert.equal(codeOf(await send({ payloadHash: SIGNED, headers: chunked(0), body })), "200");
  assert.equal(stored(), "");
  const wrong = () => Buffer.from(`0;chunk-signature=${"0".repeat(64)}\r\n\r\n`);
  assert.equal(codeOf(await send({ payloadHash: SIGNED, headers: chunked(0), body: wrong })), "SignatureDoesNotMatch");
});

test("a body that is not the signed one is XAmzContentSHA256Mismatch", async () => {
  const payloadHash = createHash("sha256").update("hello").digest("hex");
  assert.equal(codeOf(await send({ payloadHash, body: () => Buffer.from("hello") })), "200");
  assert.equal(codeOf(await send({ payloadHash, body: () => Buffer.from("hellO") })), "XAmzContentSHA256Mismatch");
  assert.equal(stored(), "hello");
});

test("a body that stops coming is RequestTimeout, and one that breaks off leaves nothing", async () => {
  const late = await send({ payloadHash: "UNSIGNED-PAYLOAD", body: () => Buffer.from("hello"), contentLength: 10 });
  assert.equal(codeOf(late), "RequestTimeout");
  assert.equal(stored(), undefined);
});

test("100 Continue comes after the request was found good, and not before", async () => {
  const ask = (bucket: string, secret: string) => {
    const rawUrl = `/${bucket}/key`;
    const headers = signRequest(
      { method: "PUT", url: { host: "h", rawUrl }, headers: { expect: "100-continue" } },
      {
        credentials: { ...TEST_CREDENTIALS, secretAccessKey: secret },
        region: TEST_REGION,
        payloadHash: "UNSIGNED-PAYLOAD",
      },
    );
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return server.raw(`PUT ${rawUrl} HTTP/1.1\r\n${lines.join("")}Content-Length: 5\r\nConnection: close\r\n\r\nhello`);
  };
  assert.match(await ask("bkt", TEST_CREDENTIALS.secretAccessKey), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  assert.match(await ask("bkt", "wrong"), /^HTTP\/1\.1 403 /);
  assert.match(await ask("nobucket", TEST_CREDENTIALS.secretAccessKey), /^HTTP\/1\.1 404 /);
});

test("a refused body does not spoil the connection for the next request", async () => {
  const crc = { "x-amz-checksum-crc32": checksumBase64("CRC32", Buffer.from("other")), "content-length": "5" };
  for (let round = 0; round < 3; round++) {
    const answer = await server.ask("/bkt/key", { method: "PUT", headers: crc, body: "hello" });
    assert.equal(answer.code, "BadDigest");
  }
});

test("a presigned URL uploads without further credentials, to its own key and by its own method", async () => {
  const host = `127.0.0.1:${server.port}`;
  const sign = (method: string, headers: Record<string, string> = {}) =>
    presignUrl(
      { method, url: new URL(`http://${host}/bkt/key`), headers },
      { credentials: TEST_CREDENTIALS, region: TEST_REGION, expiresS: 60 },
    );
  const ask = (method: string, url: URL, path = url.pathname, headers: Record<string, string> = {}) =>
    server.ask(`${path}${url.search}`, {
      method,
      headers: { "content-length": "5", ...headers },
      body: "hello",
      signed: false,
    });
  assert.equal((await ask("PUT", sign("PUT"))).status, 200);
  assert.equal(stored(), "hello");
  assert.equal((await ask("PUT", sign("GET"))).code, "SignatureDoesNotMatch");
  assert.equal((await ask("PUT", sign("PUT"), "/bkt/other")).code, "SignatureDoesNotMatch");
  // A header that was signed must come as it was signed.
  const typed = sign("PUT", { "content-type": "text/x" });
  assert.equal((await ask("PUT", typed)).code, "SignatureDoesNotMatch");
  assert.equal((await ask("PUT", typed, undefined, { "content-type": "text/x" })).status, 200);
  assert.equal(server.backend.get("bkt", "key").meta.contentType, "text/x");
});
