import assert from "node:assert/strict";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import type { RefusalCode } from "./authorization.ts";
import { HeaderProofs } from "./header-proofs.ts";
import { presignUrl, signRequest } from "./sign.ts";
import type { Credentials } from "./signing-key.ts";
import { type ReceivedRequest, signatureKind, type VerifyOptions, verifyRequest } from "./verify.ts";

const credentials: Credentials = { accessKeyId: "RLKEY", secretAccessKey: "secret" };
const date = new Date("2026-02-03T04:05:06Z");
const now = date.getTime();
const region = "us-east-1";
const lookup = (id: string) => (id === credentials.accessKeyId ? credentials : undefined);
const options: VerifyOptions = { lookup, now, region };

interface Shape {
  method?: string;
  rawUrl?: string;
  headers?: Record<string, string>;
  credentials?: Credentials;
  region?: string;
  service?: string;
  payloadHash?: string;
}

function signed(shape: Shape = {}): ReceivedRequest & { headers: Record<string, string> } {
  const { method = "GET", rawUrl = "/bkt/key", headers = {} } = shape;
  const made = signRequest(
    { method, url: { host: "localhost:1", rawUrl }, headers },
    {
      credentials: shape.credentials ?? credentials,
      region: shape.region ?? region,
      date,
      ...(shape.service && { service: shape.service }),
      ...(shape.payloadHash && { payloadHash: shape.payloadHash }),
    },
  );
  return { method, rawUrl, headers: made };
}

function presigned(target = "/bkt/key", expiresS = 60, given: Credentials = credentials): ReceivedRequest {
  const url = presignUrl(
    { method: "GET", url: new URL(`http://localhost:1${target}`), headers: {} },
    { credentials: given, region, date, expiresS },
  );
  return { method: "GET", rawUrl: url.pathname + url.search, headers: { host: url.host } };
}

function expectRefusal(request: ReceivedRequest, code: RefusalCode, words: RegExp, given = options): void {
  const result = verifyRequest(request, given);
  assert.equal(result.ok, false);
  assert.equal(!result.ok && result.s3Code, code);
  assert.match(result.ok ? "" : result.message, words);
}

function withAuthorization(change: (header: string) => string): ReceivedRequest {
  const request = signed();
  return { ...request, headers: { ...request.headers, authorization: change(request.headers.authorization ?? "") } };
}

test("a request without any signature is AccessDenied", () => {
  expectRefusal({ method: "GET", rawUrl: "/bkt/key", headers: { host: "h" } }, "AccessDenied", /^Access Denied$/);
});

test("signatureKind tells header, presigned and anonymous requests apart", () => {
  assert.equal(signatureKind(signed()), "header");
  assert.equal(signatureKind(presigned()), "presigned");
  assert.equal(signatureKind({ rawUrl: "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", headers: {} }), "presigned");
  assert.equal(signatureKind({ rawUrl: "/b/k?prefix=X-Amz-Signature", headers: {} }), "none");
});

test("an unknown access key is InvalidAccessKeyId", () => {
  const stranger = { accessKeyId: "WHO", secretAccessKey: "x" };
  expectRefusal(signed({ credentials: stranger }), "InvalidAccessKeyId", /does not exist/);
  expectRefusal(presigned("/bkt/key", 60, stranger), "InvalidAccessKeyId", /does not exist/);
});

test("a wrong secret is SignatureDoesNotMatch", () => {
  const wrong = { ...credentials, secretAccessKey: "other" };
  expectRefusal(signed({ credentials: wrong }), "SignatureDoesNotMatch", /does not match/);
  expectRefusal(presigned("/bkt/key", 60, wrong), "SignatureDoesNotMatch", /does not match/);
});

test("any change of method, path, query, host or signed header breaks the signature", () => {
  const request = signed({ rawUrl: "/bkt/key?prefix=a", headers: { range: "bytes=0-1" } });
  assert.equal(verifyRequest(request, options).ok, true);
  const changes: ReceivedRequest[] = [
    { ...request, method: "DELETE" },
    { ...request, rawUrl: "/bkt/kez?prefix=a" },
    { ...request, rawUrl: "/bkt//key?prefix=a" },
    { ...request, rawUrl: "/bkt/key?prefix=b" },
    { ...request, rawUrl: "/bkt/key?prefix=a&x=1" },
    { ...request, rawUrl: "/bkt/key" },
    { ...request, headers: { ...request.headers, host: "localhost:2" } },
    { ...request, headers: { ...request.headers, range: "bytes=0-2" } },
    { ...request, headers: { ...request.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } },
  ];
  for (const changed of changes) expectRefusal(changed, "SignatureDoesNotMatch", /does not match/);
});

test("a signature of another length, or not of hex, is refused without an exception", () => {
  for (const bad of ["", "00", "é".repeat(64), "g".repeat(64)]) {
    const request = withAuthorization((header) => header.replace(/Signature=.*/, `Signature=${bad}`));
    assert.equal(verifyRequest(request, options).ok, false);
  }
});

test("a request older or newer than the skew is RequestTimeTooSkewed, and one within it passes", () => {
  const limit = 15 * 60_000;
  for (const offset of [-limit, limit])
    assert.equal(verifyRequest(signed(), { ...options, now: now + offset }).ok, true);
  for (const offset of [-limit - 1, limit + 1]) {
    expectRefusal(signed(), "RequestTimeTooSkewed", /too large/, { ...options, now: now + offset });
  }
  expectRefusal(signed(), "RequestTimeTooSkewed", /too large/, { ...options, now: now + 1001, maxSkewMs: 1000 });
});

test("malformed Authorization headers are named as S3 names them", () => {
  const malformed = "AuthorizationHeaderMalformed";
  expectRefusal(
    withAuthorization(() => "AWS RLKEY:abc"),
    "InvalidRequest",
    /Please use AWS4-HMAC-SHA256/,
  );
  expectRefusal(
    withAuthorization(() => "Bearer x"),
    "InvalidArgument",
    /Unsupported Authorization Type/,
  );
  expectRefusal(
    withAuthorization(() => "AWS4-HMAC-SHA256"),
    malformed,
    /"Credential" is missing/,
  );
  expectRefusal(
    withAuthorization((h) => h.replace(/SignedHeaders=[^,]*,/, "")),
    malformed,
    /"SignedHeaders" is miss/,
  );
  expectRefusal(
    withAuthorization((h) => h.replace(/Signature=.*/, "")),
    malformed,
    /"Signature" is missing/,
  );
  expectRefusal(
    withAuthorization((h) => h.replace(/Credential=[^,]*/, "Credential=a/b")),
    malformed,
    /mal-formed/,
  );
  expectRefusal(
    withAuthorization((h) => h.replace("/20260203/", "/2026-02/")),
    malformed,
    /incorrect date format/,
  );
  expectRefusal(
    withAuthorization((h) => h.replace("aws4_request", "aws5")),
    malformed,
    /incorrect terminal "aws5"/,
  );
  expectRefusal(signed({ service: "ec2" }), malformed, /incorrect service "ec2"/);
  expectRefusal(signed({ region: "eu-west-1" }), malformed, /region 'eu-west-1' is wrong; expecting 'us-east-1'/);
});

test("any region is accepted when none is enforced", () => {
  assert.equal(verifyRequest(signed({ region: "eu-west-1" }), { lookup, now }).ok, true);
});

test("a credential of another day than the request is refused", () => {
  const wrongDay = withAuthorization((header) => header.replace("/20260203/", "/20260202/"));
  expectRefusal(wrongDay, "AuthorizationHeaderMalformed", /not the same as X-Amz-Date/);
});

test("commas without spaces between the parts of the Authorization header are accepted", () => {
  assert.equal(
    verifyRequest(
      withAuthorization((header) => header.replaceAll(", ", ",")),
      options,
    ).ok,
    true,
  );
});

test("a request without a date or payload hash, or with a bad one, is refused", () => {
  const without = (name: string, value?: string) => {
    const request = signed();
    return { ...request, headers: { ...request.headers, [name]: value } };
  };
  expectRefusal(without("x-amz-date"), "AccessDenied", /valid Date or x-amz-date/);
  expectRefusal(without("x-amz-date", "yesterday"), "AccessDenied", /valid Date or x-amz-date/);
  expectRefusal(without("x-amz-date", "20260231T000000Z"), "AccessDenied", /valid Date or x-amz-date/);
  expectRefusal(without("x-amz-content-sha256"), "InvalidRequest", /Missing required header.*x-amz-content-sha256/);
  expectRefusal(without("x-amz-content-sha256", "abc"), "InvalidArgument", /valid sha256 value/);
});

test("host and every x-amz-* header must be signed", () => {
  const request = signed();
  const added = { ...request, headers: { ...request.headers, "x-amz-meta-evil": "1" } };
  expectRefusal(added, "AccessDenied", /not signed: x-amz-meta-evil/);
  expectRefusal(
    withAuthorization((h) => h.replace("=host;", "=")),
    "AccessDenied",
    /not signed: host/,
  );
  const link = presigned();
  expectRefusal(
    { ...link, headers: { ...link.headers, "x-amz-acl": "private" } },
    "AccessDenied",
    /not signed: x-amz-acl/,
  );
  const hashed = { ...link, headers: { ...link.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } };
  assert.equal(verifyRequest(hashed, options).ok, true);
});

test("session tokens must be those of the key", () => {
  const temporary = { ...credentials, sessionToken: "token" };
  const given = { ...options, lookup: () => temporary };
  assert.equal(verifyRequest(signed({ credentials: temporary }), given).ok, true);
  assert.equal(verifyRequest(presigned("/bkt/key", 60, temporary), given).ok, true);
  expectRefusal(signed(), "InvalidToken", /token/, given);
  expectRefusal(signed({ credentials: { ...credentials, sessionToken: "old" } }), "InvalidToken", /token/, given);
  expectRefusal(signed({ credentials: temporary }), "InvalidToken", /token/);
});

test("a header and a query signature together are refused", () => {
  const both = { ...presigned(), headers: signed().headers };
  expectRefusal(both, "InvalidArgument", /Only one auth mechanism allowed/);
});

test("presigned URLs live from their date to their expiry, at most a week", () => {
  const link = presigned("/bkt/key?response-content-type=text%2Fplain", 60);
  assert.equal(verifyRequest(link, { ...options, now: now + 60_000 }).ok, true);
  expectRefusal(link, "AccessDenied", /Request has expired/, { ...options, now: now + 60_001 });
  expectRefusal(link, "AccessDenied", /not yet valid/, { ...options, now: now - 15 * 60_000 - 1 });
  assert.equal(verifyRequest(presigned("/bkt/key", 604_800), { ...options, now: now + 604_000_000 }).ok, true);
  const query = "AuthorizationQueryParametersError";
  expectRefusal(presigned("/bkt/key", 604_801), query, /less than 604800/);
  expectRefusal(presigned("/bkt/key", -1), query, /non-negative/);
  expectRefusal(presigned("/bkt/key", Number.NaN), query, /should be a number/);
});

test("malformed presigned URLs are AuthorizationQueryParametersError", () => {
  const code = "AuthorizationQueryParametersError";
  const link = presigned();
  const changed = (from: string | RegExp, to: string) => ({ ...link, rawUrl: link.rawUrl.replace(from, to) });
  expectRefusal(changed(/&X-Amz-Expires=\d+/, ""), code, /requires the X-Amz-Algorithm/);
  expectRefusal(changed("=AWS4-HMAC-SHA256", "=AWS4-X"), code, /only supports/);
  expectRefusal(changed(/X-Amz-Credential=[^&]*/, "X-Amz-Credential=a"), code, /mal-formed/);
  expectRefusal(changed(/X-Amz-Credential=[^&]*/, "X-Amz-Credential=%FF"), code, /requires|mal-formed/);
  expectRefusal(changed("20260203T040506Z", "today"), code, /ISO8601/);
  expectRefusal(changed("%2F20260203%2F", "%2F20260202%2F"), code, /not the same/);
  expectRefusal(changed("us-east-1", "eu-west-1"), code, /region 'eu-west-1' is wrong/);
  expectRefusal({ ...link, rawUrl: "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1" }, "InvalidRequest", /AWS4-HMAC/);
});

test("repeated headers are signed joined by a comma, and blanks are made one", () => {
  const request = signed({ headers: { "x-amz-meta-a": "1,two words" } });
  const rawHeaders = ["Host", "localhost:1", "X-Amz-Meta-A", " 1", "x-amz-meta-a", "two   words "];
  const received = { ...request, headers: { ...request.headers, "x-amz-meta-a": "1, two   words" } };
  assert.equal(verifyRequest({ ...received, rawHeaders }, options).ok, true);
  assert.equal(verifyRequest(received, options).ok, false);
});

test("keys with every odd character verify through a real node:http server, in S3's encoding and as sent", async () => {
  const results: boolean[] = [];
  const server = createServer((req, res) => {
    const received = {
      method: req.method ?? "",
      rawUrl: req.url ?? "",
      headers: req.headers,
      rawHeaders: req.rawHeaders,
    };
    results.push(verifyRequest(received, options).ok);
    res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const targets = [
    "/bkt/a+b",
    "/bkt/a%2Bb",
    "/bkt/a%2Fb",
    "/bkt/a%2fb",
    "/bkt/~tilde%7E",
    "/bkt/star*",
    "/bkt//double//",
    "/bkt/../up/./here",
    "/bkt/%E2%82%AC%20euro",
    "/bkt/100%25",
    "/bkt/a%zz",
    "/bkt/!'()*;:@&=$,",
    "/bkt/?list-type=2&prefix=a+b&delimiter=%2F&marker",
    "/bkt?b=2&a=1&a=0",
    "/bkt/k?x=~*'()",
    "/",
  ];
  for (const rawUrl of targets) {
    const headers = signRequest(
      { method: "GET", url: { host: `127.0.0.1:${port}`, rawUrl }, headers: { "x-amz-meta-latin": "caf\u00e9" } },
      { credentials, region, date },
    );
    await new Promise<void>((resolve, reject) => {
      const req = httpRequest({ host: "127.0.0.1", port, path: rawUrl, headers }, (res) =>
        res.resume().on("end", resolve),
      );
      req.on("error", reject).end();
    });
  }
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(
    targets.filter((_, index) => !results[index]),
    [],
  );
});

test("a character that ends in the byte of another does not pass for it", () => {
  // U+8E41 ends in 0x41, "A".
  const link = presigned("/bkt/key");
  expectRefusal(
    { ...link, rawUrl: link.rawUrl.replace("X-Amz-Date", "X-\u8e41mz-Date") },
    "InvalidRequest",
    /one byte/,
  );
  expectRefusal({ ...signed(), rawUrl: "/bkt/\u016bey" }, "InvalidRequest", /one byte/);
  const request = signed({ headers: { range: "bytes=0-1" } });
  const headers = { ...request.headers, range: "bytes=0-\u0131" };
  expectRefusal({ ...request, headers }, "InvalidRequest", /one byte/);
  assert.equal(
    new HeaderProofs().prove({ ...request, headers }, request.headers.authorization ?? "", options),
    undefined,
  );
});

test("no mutation of a signed request verifies or throws", () => {
  const base = signed({ rawUrl: "/bkt/some/key?prefix=abc", headers: { range: "bytes=0-1" } });
  const link = presigned("/bkt/key?versionId=null");
  const text = fc.string({ unit: "binary", maxLength: 40 });
  fc.assert(
    fc.property(fc.boolean(), fc.nat(), text, (header, seed, junk) => {
      const from = header ? base : link;
      const source = header ? (base.headers.authorization ?? "") : link.rawUrl;
      const at = seed % source.length;
      const mutated = source.slice(0, at) + junk + source.slice(at + junk.length);
      const request = header
        ? { ...from, headers: { ...base.headers, authorization: mutated } }
        : { ...from, rawUrl: mutated };
      const result = verifyRequest(request, options);
      // Blanks and the case of SignedHeaders do not count, so a mutation may leave the meaning as it was.
      if (result.ok)
        assert.equal(mutated.replace(/[\s,]/g, "").toLowerCase(), source.replace(/[\s,]/g, "").toLowerCase());
    }),
    { numRuns: 2000 },
  );
});
