/**
 * Verification of incoming requests against the request line and headers as they were received.
 *
 * Clients disagree on how to write a path or query ("+" or %2B, "~" or %7E, "/" or %2F inside of a key). S3 decodes what
 * arrived and encodes it again by its own rules, and signs that; a few clients sign exactly what they send. Both forms name
 * the same key, so a signature over either proves the same thing, and either is accepted.
 */
import {
  type Claim,
  type PresignedClaim,
  parseAuthorization,
  parsePresigned,
  type Refusal,
  refuse,
  refuseOldVersion,
} from "./authorization.ts";
import {
  canonicalHeaderValue,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  EMPTY_PAYLOAD_HASH,
  parseQuery,
  type QueryPair,
  splitTarget,
  trimBlanks,
  UNSIGNED_PAYLOAD,
} from "./canonical.ts";
import { type Credentials, parseAmzDate, sameSignature, signerOf } from "./signing-key.ts";

/** A request as node:http hands it over. */
export interface ReceivedRequest {
  readonly method: string;
  /** Target exactly as on the request line. */
  readonly rawUrl: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values in turn, as received; needed to tell a repeated header from one with a comma in it. */
  readonly rawHeaders?: readonly string[];
  /** Known to have no character wider than a byte, as what was read as latin1. */
  readonly isBytes?: boolean;
}

/** How to verify. */
export interface VerifyOptions {
  /** Finds the pair of an access key id; undefined when there is none. */
  readonly lookup: (accessKeyId: string) => Credentials | undefined;
  /** The time to verify against, milliseconds since the Unix epoch. */
  readonly now: number;
  /** Greatest difference between the request's time and now; default 15 min. */
  readonly maxSkewMs?: number;
  /** The one region that is accepted; any when absent. */
  readonly region?: string;
  /** Default "s3". */
  readonly service?: string;
}

/** A request that was proved to come from the holder of a key. */
export interface Verified {
  readonly ok: true;
  readonly accessKeyId: string;
  /** Hex SHA-256 that the body must have, or one of S3's words (UNSIGNED-PAYLOAD, STREAMING-…). The body is not checked here. */
  readonly payloadHash: string;
  readonly kind: "header" | "presigned";
}

/** Where a request carries its signature. */
export type SignatureKind = Verified["kind"] | "none";

/** Greatest difference between a request's time and ours, unless told otherwise. */
export const DEFAULT_MAX_SKEW_MS = 15 * 60_000;

/** Tells where a request carries a signature of any version; "none" is an anonymous request. */
export function signatureKind(request: Pick<ReceivedRequest, "rawUrl" | "headers">): SignatureKind {
  if (request.headers.authorization !== undefined) return "header";
  if (!request.rawUrl.includes("?")) return "none";
  return parseQuery(splitTarget(request.rawUrl).query).some(isSignatureParameter) ? "presigned" : "none";
}

function isSignatureParameter(pair: QueryPair): boolean {
  return (
    pair.name === "X-Amz-Algorithm" ||
    pair.name === "X-Amz-Signature" ||
    pair.name === "X-Amz-Credential" ||
    pair.name === "AWSAccessKeyId"
  );
}

/** One header's value: repeated ones joined by a comma, as they are signed. */
export function headerValue(request: ReceivedRequest, name: string): string {
  const value = request.headers[name];
  if (value === undefined) return "";
  if (typeof value !== "string") return value.join(",");
  if (!request.rawHeaders || !value.includes(",")) return value;
  const values: string[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    if (request.rawHeaders[index]?.toLowerCase() === name) values.push(trimBlanks(request.rawHeaders[index + 1] ?? ""));
  }
  return values.length > 1 ? values.join(",") : value;
}

function single(request: ReceivedRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : value?.[0];
}

const UNSIGNED_MESSAGE = "There were headers present in the request which were not signed";

/**
 * S3 wants host and every x-amz-* header that is present among the signed ones: an unsigned one could be added on the way.
 * The payload hash of a presigned URL is exempt, for the URL itself fixes it.
 */
function checkSignedHeaders(request: ReceivedRequest, claim: Claim, presigned: boolean): Refusal | undefined {
  const missing: string[] = [];
  if (!claim.signedHeaders.includes("host")) missing.push("host");
  for (const name of Object.keys(request.headers)) {
    if (!name.startsWith("x-amz-") || claim.signedHeaders.includes(name)) continue;
    if (presigned && name === "x-amz-content-sha256") continue;
    missing.push(name);
  }
  return missing.length === 0 ? undefined : refuse("AccessDenied", `${UNSIGNED_MESSAGE}: ${missing.join(", ")}`);
}

/** True when the claim's signature is that of the request, in S3's canonical form or exactly as sent. */
function proves(
  request: ReceivedRequest,
  claim: Claim,
  secret: string,
  amzDate: string,
  path: string,
  query: readonly QueryPair[],
  payloadHash: string,
): boolean {
  const signed = query.filter((pair) => pair.name !== "X-Amz-Signature");
  const values = claim.signedHeaders.map((name): [string, string] => [name, headerValue(request, name)]);
  const method = request.method;
  const normal = {
    method,
    path: canonicalPath(path),
    query: canonicalQuery(signed.map((pair) => [pair.name, pair.value])),
    headers: values.map(([name, value]): [string, string] => [name, canonicalHeaderValue(value)]),
    payloadHash,
  };
  const signer = signerOf(secret, claim.scope);
  if (signer.proves(amzDate, canonicalRequest(normal), claim.signature)) return true;
  const asSent = {
    method,
    path: path === "" ? "/" : path,
    query: canonicalQuery(signed.map((pair) => [pair.rawName, pair.rawValue])),
    headers: values.map(([name, value]): [string, string] => [name, trimBlanks(value)]),
    payloadHash,
  };
  const same =
    asSent.path === normal.path &&
    asSent.query === normal.query &&
    asSent.headers.every(([, value], index) => value === normal.headers[index]?.[1]);
  if (same) return false;
  return signer.proves(amzDate, canonicalRequest(asSent), claim.signature);
}

const SHA256_HEX = /^[0-9a-f]{64}$/i;
const PAYLOAD_WORDS = new Set([
  UNSIGNED_PAYLOAD,
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
]);

/** The refusal of a payload hash that is neither a hash nor one of S3's words. */
export function checkPayloadHash(value: string): Refusal | undefined {
  if (value === EMPTY_PAYLOAD_HASH) return undefined;
  if (PAYLOAD_WORDS.has(value) || SHA256_HEX.test(value)) return undefined;
  return refuse(
    "InvalidArgument",
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
  );
}

function malformedHeader(what: string): Refusal {
  return refuse("AuthorizationHeaderMalformed", `The authorization header is malformed; ${what}`);
}

/** The key of the claim, after its region and session token were checked. */
export function credentialsOf(
  claim: Claim,
  token: string | undefined,
  options: VerifyOptions,
  malformed: (what: string) => Refusal = malformedHeader,
): Credentials | Refusal {
  if (options.region !== undefined && claim.scope.region !== options.region) {
    return malformed(`the region '${claim.scope.region}' is wrong; expecting '${options.region}'`);
  }
  const credentials = options.lookup(claim.accessKeyId);
  if (!credentials) {
    return refuse("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
  }
  const expected = credentials.sessionToken;
  if (expected === undefined ? token !== undefined : token === undefined || !sameSignature(expected, token)) {
    return refuse("InvalidToken", "The provided token is malformed or otherwise invalid.");
  }
  return credentials;
}

/** The refusal of a signature that is not the one that was computed. */
export const MISMATCH = refuse(
  "SignatureDoesNotMatch",
  "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
);

/** The time of a request signed by header: x-amz-date, else Date. */
function requestDate(request: ReceivedRequest): string | undefined {
  const amzDate = single(request, "x-amz-date");
  if (amzDate !== undefined) return parseAmzDate(amzDate) === undefined ? undefined : amzDate;
  const date = single(request, "date");
  if (date === undefined) return undefined;
  if (parseAmzDate(date) !== undefined) return date;
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? undefined : `${new Date(ms).toISOString().slice(0, 19).replace(/[:-]/g, "")}Z`;
}

function verifyHeader(request: ReceivedRequest, header: string, options: VerifyOptions): Verified | Refusal {
  const claim = parseAuthorization(header, options.service ?? "s3");
  if (!claim.ok) return claim;
  const amzDate = requestDate(request);
  if (amzDate === undefined) {
    return refuse("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  }
  const payloadHash = single(request, "x-amz-content-sha256");
  if (payloadHash === undefined) {
    return refuse("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  }
  const badPayload = checkPayloadHash(payloadHash);
  if (badPayload) return badPayload;
  if (amzDate.slice(0, 8) !== claim.scope.day) {
    return malformedHeader(
      `Invalid credential date "${claim.scope.day}". This date is not the same as X-Amz-Date: "${amzDate.slice(0, 8)}".`,
    );
  }
  const credentials = credentialsOf(claim, single(request, "x-amz-security-token"), options);
  if ("ok" in credentials) return credentials;
  if (Math.abs((parseAmzDate(amzDate) ?? 0) - options.now) > (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS)) {
    return refuse("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
  }
  const unsigned = checkSignedHeaders(request, claim, false);
  if (unsigned) return unsigned;
  const { path, query } = splitTarget(request.rawUrl);
  const proved = proves(request, claim, credentials.secretAccessKey, amzDate, path, parseQuery(query), payloadHash);
  return proved ? { ok: true, accessKeyId: claim.accessKeyId, payloadHash, kind: "header" } : MISMATCH;
}

function checkLife(claim: PresignedClaim, options: VerifyOptions): Refusal | undefined {
  const signedMs = parseAmzDate(claim.amzDate);
  if (signedMs === undefined) {
    return refuse(
      "AuthorizationQueryParametersError",
      "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
    );
  }
  if (claim.amzDate.slice(0, 8) !== claim.scope.day) {
    return refuse(
      "AuthorizationQueryParametersError",
      `Invalid credential date "${claim.scope.day}". This date is not the same as X-Amz-Date: "${claim.amzDate.slice(0, 8)}".`,
    );
  }
  if (signedMs - options.now > (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS)) {
    return refuse("AccessDenied", "Request is not yet valid");
  }
  return options.now > signedMs + claim.expiresS * 1000 ? refuse("AccessDenied", "Request has expired") : undefined;
}

function verifyPresigned(
  request: ReceivedRequest,
  path: string,
  pairs: readonly QueryPair[],
  options: VerifyOptions,
): Verified | Refusal {
  if (pairs.some((pair) => pair.name === "AWSAccessKeyId")) return refuseOldVersion();
  const claim = parsePresigned(pairs, options.service ?? "s3");
  if (!claim.ok) return claim;
  const malformed = (what: string) =>
    refuse("AuthorizationQueryParametersError", `Error parsing the X-Amz-Credential parameter; ${what}`);
  const dead = checkLife(claim, options);
  if (dead) return dead;
  const header = claim.signedHeaders.includes("x-amz-content-sha256")
    ? single(request, "x-amz-content-sha256")
    : undefined;
  const payloadHash = header ?? claim.payloadHash ?? UNSIGNED_PAYLOAD;
  const badPayload = checkPayloadHash(payloadHash);
  if (badPayload) return badPayload;
  const token = claim.sessionToken ?? single(request, "x-amz-security-token");
  const credentials = credentialsOf(claim, token, options, malformed);
  if ("ok" in credentials) return credentials;
  const unsigned = checkSignedHeaders(request, claim, true);
  if (unsigned) return unsigned;
  const secret = credentials.secretAccessKey;
  const proved = proves(request, claim, secret, claim.amzDate, path, pairs, payloadHash);
  return proved ? { ok: true, accessKeyId: claim.accessKeyId, payloadHash, kind: "presigned" } : MISMATCH;
}

const BEYOND_A_BYTE = /[\u0100-\uffff]/;

/**
 * True when some character of the request is no byte. No request off the wire has one (node:http and the hit path read
 * latin1); one that is made in the process must not pass for the bytes that its characters end in.
 */
function hasWideCharacters(request: ReceivedRequest): boolean {
  if (request.isBytes) return false;
  if (BEYOND_A_BYTE.test(request.rawUrl)) return true;
  for (const name in request.headers) if (isWide(request.headers[name])) return true;
  return false;
}

/** Whether a header's value has characters wider than a byte. */
export function isWide(value: ReceivedRequest["headers"][string]): boolean {
  if (typeof value === "string") return BEYOND_A_BYTE.test(value);
  return value?.some((one) => BEYOND_A_BYTE.test(one)) ?? false;
}

/**
 * Verifies a request signed by header or by query. Answers with the key that signed it, or with S3's error code and words.
 * The body is not looked at: whoever reads it must compare it with `payloadHash`.
 */
export function verifyRequest(request: ReceivedRequest, options: VerifyOptions): Verified | Refusal {
  if (hasWideCharacters(request)) {
    return refuse("InvalidRequest", "The request line or a header has a character that is not one byte; encode it.");
  }
  const header = single(request, "authorization");
  const { path, query } = splitTarget(request.rawUrl);
  const pairs = parseQuery(query);
  const inQuery = pairs.some(isSignatureParameter);
  if (header !== undefined && inQuery) {
    return refuse(
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    );
  }
  if (header !== undefined) return verifyHeader(request, header, options);
  if (inQuery) return verifyPresigned(request, path, pairs, options);
  return refuse("AccessDenied", "Access Denied");
}
