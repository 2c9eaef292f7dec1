/** The S3 origin's reading of HTTP: which operation, which range, which conditions; and the XML it answers with. */
import type { IncomingMessage } from "node:http";
import type { OriginOperation, OriginRequest } from "./s3-origin-faults.ts";
import type { OriginObject } from "./s3-origin-objects.ts";

/** A request taken apart. */
export interface ParsedRequest extends OriginRequest {
  readonly query: URLSearchParams;
}

/** Query parameters that name operations which the origin does not have. */
const UNSUPPORTED = ["acl", "cors", "lifecycle", "policy", "encryption", "notification", "object-lock"];
const UNSUPPORTED_TOO = ["versionId", "versioning", "versions", "website"];

/** Takes a request apart, path style and virtual-host style (`bucket.localhost`). Dot segments of keys stay as they are. */
export function parseRequest(request: IncomingMessage): ParsedRequest {
  const target = request.url ?? "/";
  const mark = target.indexOf("?");
  const path = (mark === -1 ? target : target.slice(0, mark)).slice(1);
  const query = new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1));
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const virtual = host.endsWith(".localhost") ? host.slice(0, -".localhost".length) : "";
  const slash = path.indexOf("/");
  const bucket = virtual !== "" ? virtual : decodeURIComponent(slash === -1 ? path : path.slice(0, slash));
  const key = decodeURIComponent(virtual !== "" ? path : slash === -1 ? "" : path.slice(slash + 1));
  const method = request.method ?? "GET";
  const parsed = { method, bucket, key, range: request.headers.range ?? "", query };
  return { ...parsed, op: operationOf(method, bucket, key, query, "x-amz-copy-source" in request.headers) };
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  query: URLSearchParams,
  copies: boolean,
): OriginOperation {
  if ([...UNSUPPORTED, ...UNSUPPORTED_TOO].some((name) => query.has(name))) return "Unsupported";
  if (bucket === "") return method === "GET" ? "ListBuckets" : "Unsupported";
  const onBucket: Record<string, OriginOperation> = {
    GET: query.has("location") ? "GetBucketLocation" : query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects",
    HEAD: "HeadBucket",
    PUT: "CreateBucket",
    DELETE: "DeleteBucket",
    ...(query.has("uploads") && { GET: "ListMultipartUploads", PUT: "Unsupported", DELETE: "Unsupported" }),
    ...(query.has("tagging") && { GET: "Unsupported", PUT: "Unsupported", DELETE: "Unsupported" }),
    ...(query.has("delete") && { POST: "DeleteObjects" }),
  };
  const onObject: Record<string, OriginOperation> = {
    GET: "GetObject",
    HEAD: "HeadObject",
    PUT: copies ? "CopyObject" : "PutObject",
    DELETE: "DeleteObject",
    ...(query.has("uploads") && { POST: "CreateMultipartUpload" }),
    ...(query.has("uploadId") && {
      GET: "ListParts",
      PUT: copies ? "UploadPartCopy" : "UploadPart",
      POST: "CompleteMultipartUpload",
      DELETE: "AbortMultipartUpload",
    }),
    ...(query.has("tagging") && {
      GET: "GetObjectTagging",
      PUT: "PutObjectTagging",
      DELETE: "DeleteObjectTagging",
    }),
  };
  return (key === "" ? onBucket : onObject)[method] ?? "Unsupported";
}

/** What a Range header asks of an object: all of it (also for headers that S3 ignores), a part, or nothing that is there. */
export type RangeAnswer =
  | { readonly kind: "all" }
  | { readonly kind: "part"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable" };

/** Reads a single range in its three forms. */
export function parseRange(header: string, sizeBytes: number): RangeAnswer {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (match === null || (match[1] === "" && match[2] === "")) return { kind: "all" };
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), sizeBytes);
    return length === 0 ? { kind: "unsatisfiable" } : { kind: "part", start: sizeBytes - length, end: sizeBytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  if (match[2] !== "" && Number(match[2]) < start) return { kind: "all" };
  return start >= sizeBytes ? { kind: "unsatisfiable" } : { kind: "part", start, end };
}

/** Evaluates the conditional headers in RFC 9110's order. */
export function checkConditions(request: IncomingMessage, object: OriginObject): "ok" | "failed" | "not-modified" {
  const { headers } = request;
  const tags = (header: string) => header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  const has = (header: string) =>
    header.trim() === "*" || tags(header).some((tag) => tag === object.etag || `"${tag}"` === object.etag);
  const ifMatch = headers["if-match"];
  const unmodifiedSince = Date.parse(headers["if-unmodified-since"] ?? "");
  if (ifMatch !== undefined) {
    if (!has(ifMatch)) return "failed";
  } else if (object.modifiedMs > unmodifiedSince) return "failed";
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) return has(ifNoneMatch) ? "not-modified" : "ok";
  return object.modifiedMs <= Date.parse(headers["if-modified-since"] ?? "") ? "not-modified" : "ok";
}

/** Text of an XML element's content with its references resolved. */
function unescapeXml(text: string): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(lt|gt|quot|apos|amp));/gi, (_, hex, decimal, name: string) =>
    hex
      ? String.fromCodePoint(Number.parseInt(hex, 16))
      : decimal
        ? String.fromCodePoint(Number(decimal))
        : (named[name] ?? ""),
  );
}

/** Contents of all elements of a name, in order. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, "g"))].map(
    (match) => match[1] ?? "",
  );
}

/** Text of the first element of a name; undefined when there is none. */
export function textOf(xml: string, name: string): string | undefined {
  const [content] = elementsOf(xml, name);
  return content === undefined ? undefined : unescapeXml(content);
}

/** Escapes text for XML; characters that XML forbids become references, as S3 writes them. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"]|\p{Cc}/gu, (character) => `&#${character.charCodeAt(0)};`);
}

/** Encodes a key as S3 does for encoding-type=url: like a form, but for slashes. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/")
    .replaceAll("%20", "+");
}

/** Takes the framing of `aws-chunked` off an uploaded body; signatures and trailers are not looked at. */
export function decodeAwsChunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const lineEnd = body.indexOf("\r\n", at);
    if (lineEnd === -1) break;
    const length = Number.parseInt(body.toString("latin1", at, lineEnd), 16);
    if (!Number.isFinite(length) || length === 0) break;
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(parts);
}

/** The trailer headers of a body with `aws-chunked` framing, names in lower case. */
export function trailersOf(body: Buffer): Record<string, string> {
  const end = body.lastIndexOf("\r\n0\r\n");
  const text = body.toString("latin1", end === -1 ? 0 : end + 5);
  const trailers: Record<string, string> = {};
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return trailers;
}
