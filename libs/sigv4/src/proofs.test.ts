import assert from "node:assert/strict";
import { test } from "node:test";
import { presignUrl, RequestVerifier } from "./index.ts";

const KEY = { accessKeyId: "RLKEY", secretAccessKey: "secret" };
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function presigned(headers: Record<string, string> = {}): { rawUrl: string; headers: Record<string, string> } {
  const url = presignUrl(
    { method: "GET", url: new URL("http://host:1/bucket/a%20key"), headers },
    { credentials: KEY, region: "us-east-1", expiresS: 60, date: new Date(AT_MS) },
  );
  return { rawUrl: `${url.pathname}${url.search}`, headers: { ...headers, host: "host:1" } };
}

test("a remembered proof holds for the same method, target and host, for its time and for its key only", () => {
  const verifier = new RequestVerifier();
  const { rawUrl, headers } = presigned();
  let known: typeof KEY | undefined = KEY;
  const verify = (change: object = {}, now = AT_MS) =>
    verifier.verify({ method: "GET", rawUrl, headers, ...change }, { lookup: () => known, now }).ok;
  assert.equal(verify(), true);
  assert.equal(verify(), true);
  assert.equal(verify({ method: "PUT" }), false);
  assert.equal(verify({ rawUrl: rawUrl.replace("a%20key", "b%20key") }), false);
  assert.equal(verify({ headers: { host: "other:1" } }), false);
  assert.equal(verify({ headers: { ...headers, "x-amz-meta-a": "b" } }), false);
  assert.equal(verify({ headers: { ...headers, authorization: "AWS4-HMAC-SHA256 x" } }), false);
  assert.equal(verify({}, AT_MS + 61_000), false);
  assert.equal(verify({}, AT_MS - 16 * 60_000), false);
  known = { ...KEY, secretAccessKey: "another" };
  assert.equal(verify(), false);
  known = undefined;
  assert.equal(verify(), false);
  known = KEY;
  assert.equal(verify(), true);
});

test("a wrong signature is never remembered", () => {
  const verifier = new RequestVerifier();
  const { rawUrl, headers } = presigned();
  const forged = { method: "GET", rawUrl: rawUrl.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")), headers };
  for (let turn = 0; turn < 2; turn++) {
    assert.equal(verifier.verify(forged, { lookup: () => KEY, now: AT_MS }).ok, false);
    assert.equal(verifier.isUnsigned(forged), false);
  }
  assert.equal(verifier.isUnsigned({ method: "GET", rawUrl: "/bucket/key", headers }), true);
});
