import assert from "node:assert/strict";
import { test } from "node:test";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import { presignUrl, signRequest } from "./sign.ts";
import { verifyRequest } from "./verify.ts";

/** The key pair, day and bucket of the examples in "Signature Calculations for the Authorization Header" of the S3 API reference. */
const credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const date = new Date("2013-05-24T00:00:00Z");
const region = "us-east-1";
const origin = "https://examplebucket.s3.amazonaws.com";

function signatureFor(method: string, target: string, headers: Record<string, string>, payloadHash?: string): string {
  const request = { method, url: new URL(origin + target), headers };
  const signed = signRequest(request, { credentials, region, date, ...(payloadHash && { payloadHash }) });
  return signed.authorization?.split("Signature=")[1] ?? "";
}

test("the published example of GET Object has the documented signature", () => {
  assert.equal(
    signatureFor("GET", "/test.txt", { Range: "bytes=0-9" }),
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  );
});

test("the published example of PUT Object has the documented signature", () => {
  assert.equal(
    signatureFor(
      "PUT",
      "/test$file.text",
      { Date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    ),
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  );
});

test("the published example of GET Bucket Lifecycle has the documented signature", () => {
  assert.equal(
    signatureFor("GET", "/?lifecycle", {}),
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  );
});

test("the published example of List Objects has the documented signature", () => {
  assert.equal(
    signatureFor("GET", "/?max-keys=2&prefix=J", {}),
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  );
});

test("the published example of a presigned URL has the documented URL", () => {
  const url = presignUrl(
    { method: "GET", url: new URL(`${origin}/test.txt`), headers: {} },
    { credentials, region, date, expiresS: 86_400 },
  );
  assert.equal(
    url.href,
    `${origin}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`,
  );
});

test("signing keeps the given headers and adds its own, the session token among them", () => {
  const signed = signRequest(
    { method: "GET", url: new URL("http://127.0.0.1:9000/b/k"), headers: { Range: "bytes=0-1", HOST: "other" } },
    { credentials: { ...credentials, sessionToken: "token" }, region, date, payloadHash: "UNSIGNED-PAYLOAD" },
  );
  const { authorization, ...rest } = signed;
  assert.deepEqual(rest, {
    Range: "bytes=0-1",
    host: "127.0.0.1:9000",
    "x-amz-date": "20130524T000000Z",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-security-token": "token",
  });
  assert.match(
    authorization ?? "",
    /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token, Sig/,
  );
});

test("a raw target keeps dot segments that a URL object would take away", () => {
  const rawUrl = "/bkt/a/../b/./c";
  const signed = signRequest(
    { method: "GET", url: { host: "h:1", rawUrl }, headers: {} },
    { credentials, region, date },
  );
  const verified = verifyRequest(
    { method: "GET", rawUrl, headers: signed },
    { lookup: () => credentials, now: date.getTime() },
  );
  assert.equal(verified.ok, true);
});

const smithy = new SignatureV4({ service: "s3", region, credentials, sha256: Sha256, uriEscapePath: false });
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
const word = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });
const keyElement = word.filter((text) => text !== "." && text !== "..");
const key = fc
  .array(keyElement, { minLength: 1, maxLength: 4 })
  .map((elements) => elements.join("/").split("/"))
  .filter((elements) => !elements.some((element) => element === "." || element === ".."))
  .map((elements) => elements.map(encode).join("/"));
const query = fc.dictionary(
  word.filter((name) => name !== "__proto__"),
  word,
  { maxKeys: 5, noNullPrototype: true },
);
const headerValue = fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/);
const headers = fc.dictionary(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/).map((name) => `x-amz-meta-${name}`),
  headerValue,
  { maxKeys: 4, noNullPrototype: true },
);

function searchOf(parameters: Record<string, string>): string {
  const text = Object.keys(parameters)
    .map((name) => `${encode(name)}=${encode(parameters[name] ?? "")}`)
    .join("&");
  return text === "" ? "" : `?${text}`;
}

test("header signatures agree with the AWS SDK's signer over random keys, queries and headers", async () => {
  await fc.assert(
    fc.asyncProperty(key, query, headers, async (path, parameters, given) => {
      const url = new URL(`http://127.0.0.1:9000/bkt/${path}${searchOf(parameters)}`);
      const payloadHash = "UNSIGNED-PAYLOAD";
      const ours = signRequest({ method: "GET", url, headers: given }, { credentials, region, date, payloadHash });
      const theirs = await smithy.sign(
        {
          method: "GET",
          protocol: "http:",
          hostname: "127.0.0.1",
          port: 9000,
          path: `/bkt/${path}`,
          query: parameters,
          headers: { ...given, host: "127.0.0.1:9000", "x-amz-content-sha256": payloadHash },
        },
        { signingDate: date },
      );
      assert.equal(ours.authorization, theirs.headers.authorization);
      const rawUrl = url.pathname + url.search;
      const received = { method: "GET", rawUrl, headers: ours };
      const options = { lookup: () => credentials, now: date.getTime(), region };
      assert.deepEqual(verifyRequest(received, options), {
        ok: true,
        accessKeyId: credentials.accessKeyId,
        payloadHash,
        kind: "header",
      });
    }),
    { numRuns: 300 },
  );
});

test("presigned signatures agree with the AWS SDK's signer, and both verify", async () => {
  await fc.assert(
    fc.asyncProperty(key, query, async (path, parameters) => {
      const url = new URL(`http://127.0.0.1:9000/bkt/${path}${searchOf(parameters)}`);
      const ours = presignUrl({ method: "GET", url, headers: {} }, { credentials, region, date, expiresS: 60 });
      const theirs = await smithy.presign(
        {
          method: "GET",
          protocol: "http:",
          hostname: "127.0.0.1",
          port: 9000,
          path: `/bkt/${path}`,
          query: parameters,
          headers: { host: "127.0.0.1:9000", "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
        },
        {
          signingDate: date,
          expiresIn: 60,
          unhoistableHeaders: new Set(["x-amz-content-sha256"]),
          unsignableHeaders: new Set(["x-amz-content-sha256"]),
        },
      );
      assert.equal(ours.searchParams.get("X-Amz-Signature"), theirs.query?.["X-Amz-Signature"]);
      const received = { method: "GET", rawUrl: ours.pathname + ours.search, headers: { host: "127.0.0.1:9000" } };
      const result = verifyRequest(received, { lookup: () => credentials, now: date.getTime() + 30_000 });
      assert.equal(result.ok && result.kind, "presigned");
    }),
    { numRuns: 200 },
  );
});
