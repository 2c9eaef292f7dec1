import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChunkSeed, ChunkSigner, chunkSeed } from "./chunk-signatures.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const scope = { day: "20130524", region: "us-east-1", service: "s3" };

test("the chunks of S3's documented example have the documented signatures", () => {
  const seed: ChunkSeed = {
    signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    scope,
    amzDate: "20130524T000000Z",
  };
  const signer = new ChunkSigner(seed, SECRET);
  signer.update(Buffer.alloc(65_536, "a"));
  assert.equal(signer.signChunk(), "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
  signer.update(Buffer.alloc(1024, "a"));
  assert.equal(signer.signChunk(), "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
  assert.equal(signer.signChunk(), "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
});

test("the chunks and trailer of S3's documented example with a trailer have the documented signatures", () => {
  const seed: ChunkSeed = {
    signature: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    scope,
    amzDate: "20130524T000000Z",
  };
  const signer = new ChunkSigner(seed, SECRET);
  signer.update(Buffer.alloc(65_536, "a"));
  assert.equal(signer.signChunk(), "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
  signer.update(Buffer.alloc(1024, "a"));
  assert.equal(signer.signChunk(), "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
  assert.equal(signer.signChunk(), "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
  assert.equal(
    signer.signTrailer("x-amz-checksum-crc32c:sOO8/Q==\n"),
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
  );
});

test("a chunk that was changed, or stands elsewhere, does not verify", () => {
  const seed: ChunkSeed = { signature: "0".repeat(64), scope, amzDate: "20130524T000000Z" };
  const sign = (...chunks: string[]) => {
    const signer = new ChunkSigner(seed, SECRET);
    return chunks.map((chunk) => {
      signer.update(Buffer.from(chunk));
      return signer.signChunk();
    });
  };
  const [first = "", second = ""] = sign("one", "two");
  const verify = (chunk: string, signature: string) => {
    const signer = new ChunkSigner(seed, SECRET);
    signer.update(Buffer.from(chunk));
    return signer.verifyChunk(signature);
  };
  assert.equal(verify("one", first), true);
  assert.equal(verify("onE", first), false);
  assert.equal(verify("two", second), false);
  assert.equal(verify("one", ""), false);
  assert.equal(verify("one", first.toUpperCase()), false);
});

test("the seed is read from the header or the query of a signed request", () => {
  const credential = "AKID/20130524/us-east-1/s3/aws4_request";
  const header = chunkSeed({
    method: "PUT",
    rawUrl: "/bkt/key",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=abc`,
      "x-amz-date": "20130524T000000Z",
    },
  });
  assert.deepEqual(header, { signature: "abc", scope, amzDate: "20130524T000000Z" });
  const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${encodeURIComponent(credential)}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=def`;
  const presigned = chunkSeed({ method: "PUT", rawUrl: `/bkt/key?${query}`, headers: {} });
  assert.deepEqual(presigned, { signature: "def", scope, amzDate: "20130524T000000Z" });
  assert.equal(chunkSeed({ method: "PUT", rawUrl: "/bkt/key", headers: {} }), undefined);
});
