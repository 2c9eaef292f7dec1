import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { S3Error } from "./s3-error.ts";
import { startTestServer } from "./test-server.ts";
import { AwsChunkedDecoder } from "./write/aws-chunked.ts";
import { parseComplete, parseDelete, parseLocation, parseTagging } from "./write/documents.ts";
import { openBody } from "./write/verified-body.ts";

/** Rounds of each fuzz; a long run sets more. */
const ROUNDS = Number(process.env.RL_FUZZ_ROUNDS ?? 4000);
const SEED = Number(process.env.RL_FUZZ_SEED ?? 20_260_103);

/** A small generator of numbers (mulberry32), so that a failure can be repeated by its seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Numbers = (below: number) => number;

/** Changes, drops, doubles and inserts a few bytes. */
function mutate(text: string, next: Numbers, bytes: string): string {
  let out = text;
  for (let count = next(4); count > 0; count--) {
    const at = next(out.length + 1);
    const piece = next(4) === 0 ? out.slice(next(out.length + 1)).slice(0, 8) : (bytes[next(bytes.length)] ?? "");
    out = out.slice(0, at) + piece + out.slice(at + next(3));
  }
  return out;
}

async function* inPieces(bytes: Buffer, next: Numbers): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + next(next(2) === 0 ? 4 : 40);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** What decodes a body in one go and by other means: the oracle. Undefined for framing that is none. */
function decodeWhole(text: string): string | undefined {
  let rest = text;
  let out = "";
  for (;;) {
    const head = /^([0-9a-f]{1,13})(?:;[\x20-\x7e]*)?\r\n/i.exec(rest);
    if (!head) return undefined;
    const size = Number.parseInt(head[1] ?? "", 16);
    rest = rest.slice(head[0].length);
    if (size === 0) return out;
    if (rest.slice(size, size + 2) !== "\r\n") return undefined;
    out += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
}

test("mutated chunk framing, however it is cut, decodes to what it says or is refused, and never to anything else", async () => {
  const next = numbers(SEED);
  let taken = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const chunks = Array.from({ length: next(5) }, () => "abcdefgh".repeat(1 + next(6)).slice(next(8)));
    const good = `${chunks.map((chunk) => `${chunk.length.toString(16)}${next(3) === 0 ? ";x=1" : ""}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
    const text = mutate(good, next, "0123456789abcdefABCDEF;\r\n:=-+ \0\u00ff");
    const oracle = decodeWhole(text);
    const lengthBytes = next(8) === 0 ? next(100) : (oracle ?? chunks.join("")).length;
    const payload = {
      lengthBytes,
      coding: "chunked",
      signedTrailer: false,
      sha256: undefined,
      contentMd5: undefined,
      checksum: undefined,
    } as const;
    let got = "";
    try {
      const body = await openBody(inPieces(Buffer.from(text, "latin1"), next), payload, undefined);
      for await (const piece of body.stream) got += Buffer.from(piece).toString("latin1");
    } catch (error) {
      assert.ok(error instanceof S3Error && error.status < 500, `seed ${SEED} round ${round}: ${String(error)}`);
      // The last piece is held back: what is refused was never given whole.
      assert.ok(got.length < lengthBytes || lengthBytes === 0, `seed ${SEED} round ${round}: gave all of a bad body`);
      continue;
    }
    taken++;
    assert.equal(got, oracle, `seed ${SEED} round ${round}: ${JSON.stringify(text)}`);
    assert.equal(got.length, lengthBytes);
  }
  assert.ok(taken > ROUNDS / 20, `only ${taken} bodies were good`);
});

test("a decoder holds no more than a line, whatever it is fed", () => {
  const sink = { bytes: () => {}, chunkEnd: () => {}, trailer: () => {} };
  for (const endless of ["0", ";", "a".repeat(13), "x-amz-"]) {
    const decoder = new AwsChunkedDecoder(sink, 1 << 30);
    assert.throws(() => {
      for (let count = 0; count < 10_000; count++)
        for (const _ of decoder.push(Buffer.from(endless.repeat(10)))) void _;
    }, S3Error);
  }
});

test("mutated documents are parsed or MalformedXML, and nothing else", () => {
  const next = numbers(SEED + 1);
  const documents: [string, (bytes: Uint8Array) => unknown][] = [
    [
      '<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key><VersionId>null</VersionId></Object><Object><Key>c</Key></Object><Quiet>true</Quiet></Delete>',
      parseDelete,
    ],
    [
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>",
      parseComplete,
    ],
    ["<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>", parseTagging],
    [
      "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
      parseLocation,
    ],
  ];
  for (let round = 0; round < ROUNDS; round++) {
    const [good, parse] = documents[next(documents.length)] ?? documents[0] ?? ["", parseDelete];
    const text = mutate(good, next, "<>/&;![]CDATA-?\"'=xml \0\u00ff\n#%");
    try {
      parse(Buffer.from(text, next(2) === 0 ? "utf8" : "latin1"));
    } catch (error) {
      const known =
        error instanceof S3Error
          ? error.s3Code === "MalformedXML"
          : String(error).includes("RL_INVALID_PART") || (error as { code?: string }).code === "RL_INVALID_PART";
      assert.ok(known, `seed ${SEED} round ${round}: ${String(error)} for ${JSON.stringify(text)}`);
    }
  }
});

test("documents with entities, depth or size without end are refused at once", () => {
  const bombs = [
    `<!DOCTYPE a [<!ENTITY b "${"x".repeat(1000)}">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
    "<Delete>".repeat(50_000),
    `<Delete><Object><Key>${"&amp;".repeat(100_000)}</Key></Object></Delete`,
    `<Delete ${'a="b" '.repeat(100_000)}`,
    "<![CDATA[".repeat(100_000),
  ];
  for (const bomb of bombs) {
    const startedMs = performance.now();
    assert.throws(() => parseDelete(Buffer.from(bomb)), S3Error, bomb.slice(0, 40));
    assert.ok(performance.now() - startedMs < 5000, bomb.slice(0, 40));
  }
});

test("mutated writes end in an answer below 500, and the store is never left with bytes that nobody sent", async (t) => {
  const server = await startTestServer({ stallTimeoutMs: 300 });
  t.after(() => server.close());
  server.backend.addBucket("bkt");
  server.backend.put("bkt", "key", "0123456789");
  const next = numbers(SEED + 2);
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const md5 = createHash("md5").update("hello").digest("base64");
  const headers: [string, string][] = [
    ["content-md5", md5],
    ["content-md5", "AAAA"],
    ["x-amz-checksum-crc32", "NhCmhg=="],
    ["x-amz-checksum-sha256", "x"],
    ["x-amz-sdk-checksum-algorithm", "CRC32"],
    ["x-amz-checksum-algorithm", "CRC64NVME"],
    ["x-amz-checksum-type", "COMPOSITE"],
    ["x-amz-trailer", "x-amz-checksum-crc32"],
    ["content-encoding", "aws-chunked"],
    ["x-amz-decoded-content-length", "5"],
    ["x-amz-decoded-content-length", "99999999999999999"],
    ["x-amz-copy-source", "/bkt/key"],
    ["x-amz-copy-source", "%%%"],
    ["x-amz-copy-source-range", "bytes=0-3"],
    ["x-amz-copy-source-if-match", '"x"'],
    ["x-amz-metadata-directive", "REPLACE"],
    ["x-amz-tagging", "a=1&b"],
    ["x-amz-meta-x", "y"],
    ["x-amz-storage-class", "GLACIER"],
    ["if-match", "*"],
    ["if-none-match", "*"],
    ["x-amz-mp-object-size", "-1"],
  ];
  const bodies = [
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "<Delete><Object><Key>k</Key></Object></Delete>",
    "<Tagging><TagSet/></Tagging>",
    "<CompleteMultipartUpload/>",
  ];
  const targets = [
    "/bkt/new",
    "/bkt/key",
    "/bkt",
    "/bkt?delete",
    "/bkt/new?uploads",
    "/bkt/new?uploadId=u&partNumber=1",
    "/bkt/new?uploadId=u",
    "/bkt/key?tagging",
    "/other",
    "/bkt?uploads&max-uploads=1",
    "/bkt/key?acl",
  ];
  const rounds = Math.ceil(ROUNDS / 4);
  for (let round = 0; round < rounds; round++) {
    const body = mutate(pick(bodies), next, "<>&\r\n0a;");
    const given = Object.fromEntries(Array.from({ length: next(5) }, () => pick(headers)));
    const method = pick(["PUT", "POST", "DELETE", "GET"]);
    const target = pick(targets);
    const answer = await server.ask(target, {
      method,
      headers: { ...given, "content-length": String(Buffer.byteLength(body)) },
      body,
    });
    const what = `seed ${SEED} round ${round}: ${answer.status} ${answer.code} for ${method} ${target} ${JSON.stringify(given)} ${JSON.stringify(body)}`;
    assert.ok(answer.status < 500 || answer.status === 501, what);
    if (answer.status !== 200 || method !== "PUT" || given["x-amz-copy-source"] !== undefined || target !== "/bkt/new")
      continue;
    const stored = server.backend.get("bkt", "new").bytes.toString();
    const decodes = given["content-encoding"] !== undefined && given["x-amz-decoded-content-length"] !== undefined;
    assert.equal(stored, decodes ? decodeWhole(body) : body, what);
  }
  assert.deepEqual(server.failures, []);
});
