import assert from "node:assert/strict";
import { test } from "node:test";
import { ODD_KEYS } from "./odd-keys.ts";
import { startTestServer } from "./test-server.ts";

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

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"];
const QUERIES = ["", "?list-type=2", "?max-keys=3&marker=a", "?acl", "?partNumber=1", "?versionId=null", "?uploads"];
const HEADERS = [
  "Range: bytes=0-3",
  "Range: bytes=-2",
  'If-Match: "a", W/"b"',
  "If-None-Match: *",
  "If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT",
  "If-Range: x",
  "Authorization: AWS4-HMAC-SHA256 Credential=RLTESTKEY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
  "Expect: 100-continue",
  "x-amz-date: 20260101T000000Z",
  "x-amz-content-sha256: UNSIGNED-PAYLOAD",
  "x-amz-copy-source: /a/b",
];

test("thousands of mutated requests end in an answer below 500, or in node's own refusal, and no body escapes its bucket", async (t) => {
  const server = await startTestServer({ anonymous: (bucket) => bucket === "open", hostSuffixes: ["localhost"] });
  t.after(() => server.close());
  server.backend.addBucket("open");
  server.backend.addBucket("closed");
  server.backend.put("closed", "key", "THE SECRET");
  for (const key of ODD_KEYS) server.backend.put("open", key, `bytes of ${key}`);
  const seed = Number(process.env.RL_FUZZ_SEED ?? 20_260_102);
  const next = numbers(seed);
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const bytes = "%/.?&=+\u00ff\u0080 \t\0~*-9aZ:;,\"'<>\\";
  for (let round = 0; round < 150; round++) {
    const batch = Array.from({ length: 20 }, () => {
      const key = encodeURIComponent(pick(ODD_KEYS)).replaceAll("%2F", pick(["/", "%2F", "%2f"]));
      const headers = Array.from({ length: next(4) }, () => pick(HEADERS));
      const host = pick(["h", "open.localhost", "closed.localhost:1", "..localhost"]);
      const path = pick(["/open/", "/closed/", "/", "//", "/open/../closed/", "/open/%2e%2e/closed/"]);
      let line = `${path}${pick([key, "key", ""])}${pick(QUERIES)}`;
      for (let count = next(4); count > 0; count--) {
        const at = 1 + next(line.length);
        line = line.slice(0, at) + bytes[next(bytes.length)] + line.slice(at + next(2));
      }
      const head = [`${pick(METHODS)} ${line} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers];
      return `${head.join("\r\n")}\r\n\r\n`;
    });
    const answers = await Promise.all(batch.map((request) => server.raw(request)));
    for (const [index, answer] of answers.entries()) {
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
      assert.ok(status < 500 || status === 501, `seed ${seed}: ${status} for ${JSON.stringify(batch[index])}`);
      assert.ok(!answer.includes("THE SECRET"), `seed ${seed}: ${JSON.stringify(batch[index])}`);
    }
  }
  assert.deepEqual(server.failures, []);
});
