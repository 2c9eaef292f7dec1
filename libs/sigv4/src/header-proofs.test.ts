import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeaderProofs } from "./header-proofs.ts";
import { RequestVerifier, signRequest, UNSIGNED_PAYLOAD } from "./index.ts";
import type { Credentials } from "./signing-key.ts";
import { type ReceivedRequest, type VerifyOptions, verifyRequest } from "./verify.ts";

const KEY: Credentials = { accessKeyId: "RLKEY", secretAccessKey: "secret" };
const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const options: VerifyOptions = { lookup: (id) => (id === KEY.accessKeyId ? KEY : undefined), now: AT_MS };

type Signed = ReceivedRequest & { readonly headers: Record<string, string> };

/** What was changed on the way from the signer to the holder of the key. */
interface Changes {
  readonly rawUrl: string;
  readonly range: string;
  readonly authorization: readonly [at: number, char: string];
  readonly token: string;
  readonly nowMs: number;
  readonly method: string;
}

function signed(rawUrl = "/bucket/key", headers: Record<string, string> = {}, given: Credentials = KEY): Signed {
  const made = signRequest(
    { method: "GET", url: { host: "host:1", rawUrl }, headers },
    { credentials: given, region: "us-east-1", date: new Date(AT_MS) },
  );
  return { method: "GET", rawUrl, headers: made };
}

test("plain requests are proved the short way: other ranges, dates and keys, and payloads that are not signed", () => {
  const proofs = new HeaderProofs();
  for (const request of [
    signed(),
    signed("/bucket/other", { range: "bytes=0-9" }),
    signed("/bucket/other", { range: "bytes=10-19", date: "Fri, 02 Jan 2026 03:04:05 GMT" }),
    signed("/bucket/key", { "x-amz-content-sha256": UNSIGNED_PAYLOAD }),
  ]) {
    const proved = proofs.prove(request, request.headers.authorization ?? "", options);
    assert.deepEqual(proved, verifyRequest(request, options));
    assert.equal(proved?.ok, true);
  }
});

test("what was proved once holds for its request, its time and its key only", () => {
  const verifier = new RequestVerifier();
  const request = signed("/bucket/key", { range: "bytes=0-9" });
  const verify = (change: object = {}, given: Partial<VerifyOptions> = {}) =>
    verifier.verify({ ...request, ...change }, { ...options, ...given }).ok;
  const headers = (change: Record<string, string>) => ({ headers: { ...request.headers, ...change } });
  assert.equal(verify(), true);
  assert.equal(verify({ method: "HEAD" }), false);
  assert.equal(verify({ rawUrl: "/bucket/kez" }), false);
  assert.equal(verify({ rawUrl: "/bucket/key?versionId=1" }), false);
  assert.equal(verify(headers({ range: "bytes=0-8" })), false);
  assert.equal(verify(headers({ host: "other:1" })), false);
  assert.equal(verify(headers({ "x-amz-meta-a": "b" })), false);
  assert.equal(verify(headers({ "x-amz-security-token": "t" })), false);
  assert.equal(verify(headers({ "x-amz-date": "20260102T030406Z" })), false);
  assert.equal(verify(headers({ "x-amz-date": "20260132T030405Z" })), false);
  assert.equal(verify(headers({ "x-amz-content-sha256": UNSIGNED_PAYLOAD })), false);
  assert.equal(verify({}, { now: AT_MS + 901_000 }), false);
  assert.equal(verify({}, { now: AT_MS - 901_000 }), false);
  assert.equal(verify({}, { region: "eu-west-1" }), false);
  assert.equal(verify({}, { service: "sts" }), false);
  assert.equal(verify({}, { lookup: () => undefined }), false);
  assert.equal(verify({}, { lookup: () => ({ ...KEY, secretAccessKey: "another" }) }), false);
  assert.equal(verify({}, { lookup: () => ({ ...KEY, sessionToken: "t" }) }), false);
  assert.equal(verify(), true);
});

test("the short way agrees with the long one on every request, odd ones and forged ones included", () => {
  const verifier = new RequestVerifier();
  const value = fc.oneof(
    fc.constantFrom("bytes=0-9", "a  b", "a: b", "a, b", "a\tb", "é", "x ", ""),
    fc.string({ unit: fc.constantFrom("a", " ", ":", ",", "=", "\t", "\u00e9"), maxLength: 12 }),
  );
  const url = fc.constantFrom("/b/k", "/b/k%20", "/b/a+b", "/b/é", "/b/k?x-id=GetObject", "/b/~k?a=%7e", "/b//./k");
  const change: fc.Arbitrary<Partial<Changes>> = fc.record<Changes, never>(
    {
      rawUrl: url,
      range: value,
      authorization: fc.tuple(fc.nat({ max: 330 }), fc.constantFrom("0", "a", ",", "/", "=", " ", ";")),
      token: fc.constantFrom("token", "other"),
      nowMs: fc.integer({ min: -1_000_000, max: 1_000_000 }),
      method: fc.constantFrom("HEAD", "PUT"),
    },
    { requiredKeys: [] },
  );
  const one = fc.oneof({ weight: 2, arbitrary: fc.constant<Partial<Changes>>({}) }, { weight: 1, arbitrary: change });
  const key = fc.constantFrom<Credentials>(
    KEY,
    { ...KEY, sessionToken: "token" },
    { ...KEY, secretAccessKey: "other" },
  );
  let proved = 0;
  fc.assert(
    fc.property(url, value, key, fc.option(key, { nil: undefined }), one, (rawUrl, range, signer, other, changed) => {
      const holder = other ?? signer;
      const request = signed(rawUrl, { range }, signer);
      const { authorization: [at, char] = [-1, ""], token } = changed;
      const header = request.headers.authorization ?? "";
      const received: Signed = {
        method: changed.method ?? request.method,
        rawUrl: changed.rawUrl ?? rawUrl,
        headers: {
          ...request.headers,
          authorization: at < 0 ? header : `${header.slice(0, at)}${char}${header.slice(at + 1)}`,
          ...(changed.range !== undefined && { range: changed.range }),
          ...(token !== undefined && { "x-amz-security-token": token }),
        },
      };
      const given = { lookup: () => holder, now: AT_MS + (changed.nowMs ?? 0) };
      const said = verifier.verify(received, given);
      assert.deepEqual(said, verifyRequest(received, given));
      if (said.ok) proved++;
    }),
    { numRuns: 2_000 },
  );
  assert.ok(proved > 100, `${proved} of 2000 were proved`);
});
