/** Signing of outgoing requests: by header, and by query (presigned URLs). */
import {
  canonicalHeaderValue,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  EMPTY_PAYLOAD_HASH,
  encodeWord,
  parseQuery,
  splitTarget,
  UNSIGNED_PAYLOAD,
} from "./canonical.ts";
import { ALGORITHM, type Credentials, formatAmzDate, formatScope, type Scope, signerOf } from "./signing-key.ts";

/**
 * Where a request goes, for keys that a URL object would change: URL takes "." and ".." elements out of a path, S3 keys
 * may have them. `rawUrl` is percent-encoded ASCII as it will stand on the request line.
 */
export interface RawTarget {
  readonly host: string;
  readonly rawUrl: string;
}

/** A request to sign. */
export interface SignableRequest {
  readonly method: string;
  readonly url: URL | RawTarget;
  /** Values are byte strings: what node:http writes, one character a byte. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How to sign. */
export interface SignOptions {
  readonly credentials: Credentials;
  readonly region: string;
  /** Default "s3". */
  readonly service?: string;
  /** Hex SHA-256 of the body or one of S3's fixed words; default: the hash of an empty body. */
  readonly payloadHash?: string;
  /** Default: now. */
  readonly date?: Date;
}

/**
 * Headers that others on the way set, change or remove, so that they are never signed: hop-by-hop ones, those of proxies
 * and tracing, and Accept-Encoding, which HTTP clients set themselves.
 */
const UNSIGNED_HEADERS = new Set([
  "accept-encoding",
  "authorization",
  "baggage",
  "cache-control",
  "connection",
  "expect",
  "from",
  "keep-alive",
  "max-forwards",
  "pragma",
  "referer",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "x-amzn-trace-id",
]);

function isSigned(name: string): boolean {
  return !UNSIGNED_HEADERS.has(name) && !name.startsWith("proxy-") && !name.startsWith("sec-");
}

function signedHeaders(headers: Readonly<Record<string, string>>): [string, string][] {
  const list: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    if (isSigned(lower)) list.push([lower, canonicalHeaderValue(headers[name] ?? "")]);
  }
  return list.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function target(url: URL | RawTarget): { host: string; path: string; query: string } {
  if (url instanceof URL) return { host: url.host, path: url.pathname, query: url.search.slice(1) };
  return { host: url.host, ...splitTarget(url.rawUrl) };
}

/** The given headers without those that the signature sets itself, whatever the case of their names. */
function withoutOwn(headers: Readonly<Record<string, string>>, own: ReadonlySet<string>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of Object.keys(headers)) if (!own.has(name.toLowerCase())) kept[name] = headers[name] ?? "";
  return kept;
}

const OWN_HEADERS = new Set(["authorization", "host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]);

/**
 * Signs a request by header and returns all headers to send: the given ones and host, x-amz-date, x-amz-content-sha256,
 * x-amz-security-token (for temporary credentials) and authorization. Send them with exactly this method and URL.
 */
export function signRequest(request: SignableRequest, options: SignOptions): Record<string, string> {
  const { credentials, region, service = "s3", payloadHash = EMPTY_PAYLOAD_HASH } = options;
  const { host, path, query } = target(request.url);
  const amzDate = formatAmzDate(options.date ?? new Date());
  const headers = withoutOwn(request.headers, OWN_HEADERS);
  headers.host = host;
  headers["x-amz-date"] = amzDate;
  headers["x-amz-content-sha256"] = payloadHash;
  if (credentials.sessionToken !== undefined) headers["x-amz-security-token"] = credentials.sessionToken;
  const signed = signedHeaders(headers);
  const scope: Scope = { day: amzDate.slice(0, 8), region, service };
  const text = canonicalRequest({
    method: request.method,
    path: canonicalPath(path),
    query: canonicalQuery(parseQuery(query).map((pair) => [pair.name, pair.value])),
    headers: signed,
    payloadHash,
  });
  const signature = signerOf(credentials.secretAccessKey, scope).sign(amzDate, text);
  const names = signed.map(([name]) => name).join(";");
  headers.authorization = `${ALGORITHM} Credential=${credentials.accessKeyId}/${formatScope(scope)}, SignedHeaders=${names}, Signature=${signature}`;
  return headers;
}

/** How to presign. */
export interface PresignOptions extends SignOptions {
  /** For how long the URL is good, seconds: 1 to 604800. */
  readonly expiresS: number;
}

/** Makes a presigned URL. Headers that are given become part of the signature: whoever uses the URL must send them. */
export function presignUrl(request: SignableRequest & { readonly url: URL }, options: PresignOptions): URL {
  const { credentials, region, service = "s3", payloadHash = UNSIGNED_PAYLOAD } = options;
  const amzDate = formatAmzDate(options.date ?? new Date());
  const scope: Scope = { day: amzDate.slice(0, 8), region, service };
  const headers = withoutOwn(request.headers, OWN_HEADERS);
  headers.host = request.url.host;
  const signed = signedHeaders(headers);
  const parameters: [string, string][] = [
    ["X-Amz-Algorithm", ALGORITHM],
    ["X-Amz-Credential", encodeWord(`${credentials.accessKeyId}/${formatScope(scope)}`)],
    ["X-Amz-Date", amzDate],
    ["X-Amz-Expires", String(options.expiresS)],
    ["X-Amz-SignedHeaders", encodeWord(signed.map(([name]) => name).join(";"))],
  ];
  if (payloadHash !== UNSIGNED_PAYLOAD) parameters.push(["X-Amz-Content-Sha256", encodeWord(payloadHash)]);
  if (credentials.sessionToken !== undefined) {
    parameters.push(["X-Amz-Security-Token", encodeWord(credentials.sessionToken)]);
  }
  const given = parseQuery(request.url.search.slice(1));
  const text = canonicalRequest({
    method: request.method,
    path: canonicalPath(request.url.pathname),
    query: canonicalQuery([...given.map((pair): [string, string] => [pair.name, pair.value]), ...parameters]),
    headers: signed,
    payloadHash,
  });
  const signature = signerOf(credentials.secretAccessKey, scope).sign(amzDate, text);
  const url = new URL(request.url);
  const added = parameters.map(([name, value]) => `${name}=${value}`).join("&");
  url.search = `${url.search === "" ? "?" : `${url.search}&`}${added}&X-Amz-Signature=${signature}`;
  return url;
}
