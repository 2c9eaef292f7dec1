/** The S3 origin's answers. */
import type { ServerResponse } from "node:http";
import { listKeys } from "./s3-origin-listing.ts";
import type { OriginBucket } from "./s3-origin-objects.ts";
import { encodeKey, escapeXml, type ParsedRequest } from "./s3-origin-requests.ts";

/** Namespace of S3's documents. */
export const XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/";

/** One XML element; its content is XML already. */
export const element = (tag: string, value: string | number | boolean) => `<${tag}>${value}</${tag}>`;
/** A time as S3's XML has it. */
export const isoTime = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toISOString();

/** Answers with an XML document. */
export function sendXml(response: ServerResponse, status: number, body: string): void {
  const bytes = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`);
  response.statusCode = status;
  response.setHeader("content-type", "application/xml");
  response.setHeader("content-length", bytes.length);
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}

/** Answers with a status alone. */
export function sendEmpty(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

/** Answers with an error, or cuts the connection where a response has begun. */
export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message><RequestId>ORIGIN</RequestId>`;
  sendXml(response, status, `<Error>${text}</Error>`);
}

/** Answers ListBuckets. */
export function sendBucketList(response: ServerResponse, buckets: ReadonlyMap<string, OriginBucket>): void {
  const rows = [...buckets]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { createdMs }]) =>
      element("Bucket", element("Name", escapeXml(name)) + element("CreationDate", isoTime(createdMs))),
    );
  const owner = element("Owner", element("ID", "origin") + element("DisplayName", "origin"));
  const body = owner + element("Buckets", rows.join(""));
  sendXml(response, 200, `<ListAllMyBucketsResult xmlns="${XMLNS}">${body}</ListAllMyBucketsResult>`);
}

/** Answers GetBucketLocation. */
export function sendLocation(response: ServerResponse): void {
  sendXml(response, 200, `<LocationConstraint xmlns="${XMLNS}"/>`);
}

/** Answers ListObjects and ListObjectsV2. */
export function sendListing(
  { op, query, bucket: name }: ParsedRequest,
  bucket: OriginBucket,
  response: ServerResponse,
): void {
  const v2 = op === "ListObjectsV2";
  const text = (parameter: string) => query.get(parameter) ?? "";
  const maxKeys = Math.min(1000, query.has("max-keys") ? Number(query.get("max-keys")) : 1000);
  const encoding = query.get("encoding-type");
  if (!Number.isInteger(maxKeys) || maxKeys < 0 || (encoding !== null && encoding !== "url")) {
    sendError(response, 400, "InvalidArgument", "A parameter of the listing is not valid");
    return;
  }
  const token = text("continuation-token");
  const after = v2 ? (token === "" ? text("start-after") : Buffer.from(token, "base64url").toString()) : text("marker");
  const prefix = text("prefix");
  const delimiter = text("delimiter");
  const page = listKeys(bucket, { prefix, delimiter, after, skipRolledUp: !v2 || token !== "", maxKeys });
  const keyText = (key: string) => (encoding === "url" ? encodeKey(key) : escapeXml(key));
  const rows = page.keys.map((key) => {
    const object = bucket.get(key);
    if (object === undefined) return "";
    const storage = escapeXml(object.headers["x-amz-storage-class"] ?? "STANDARD");
    return `<Contents>${element("Key", keyText(key))}${element("LastModified", isoTime(object.modifiedMs))}${element("ETag", escapeXml(object.etag))}${element("Size", object.sizeBytes)}${element("StorageClass", storage)}</Contents>`;
  });
  const prefixes = page.commonPrefixes.map((common) => element("CommonPrefixes", element("Prefix", keyText(common))));
  const head = [
    element("Name", escapeXml(name)),
    element("Prefix", keyText(prefix)),
    delimiter === "" ? "" : element("Delimiter", keyText(delimiter)),
    element("MaxKeys", maxKeys),
    encoding === null ? "" : element("EncodingType", encoding),
    element("IsTruncated", page.truncated),
  ];
  if (v2) {
    head.push(element("KeyCount", page.keys.length + page.commonPrefixes.length));
    if (query.has("start-after")) head.push(element("StartAfter", keyText(text("start-after"))));
    if (token !== "") head.push(element("ContinuationToken", token));
    if (page.truncated) head.push(element("NextContinuationToken", Buffer.from(page.last).toString("base64url")));
  } else {
    head.push(element("Marker", keyText(text("marker"))));
    if (page.truncated && delimiter !== "") head.push(element("NextMarker", keyText(page.last)));
  }
  const body = `${head.join("")}${rows.join("")}${prefixes.join("")}`;
  sendXml(response, 200, `<ListBucketResult xmlns="${XMLNS}">${body}</ListBucketResult>`);
}

/** A refusal, to be answered as S3 does. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Names of checksum headers in XML. */
export const CHECKSUM_ELEMENTS: Readonly<Record<string, string>> = {
  "x-amz-checksum-crc32": "ChecksumCRC32",
  "x-amz-checksum-crc32c": "ChecksumCRC32C",
  "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
  "x-amz-checksum-sha1": "ChecksumSHA1",
  "x-amz-checksum-sha256": "ChecksumSHA256",
};

/** A key as XML, percent-encoded where the request asks for it. */
export function keyText(key: string, encoding: string | null): string {
  return encoding === "url" ? encodeKey(key) : escapeXml(key);
}
