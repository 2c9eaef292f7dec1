/** The S3 origin's writes. Each takes effect in one step, after its whole body has come and was checked. */
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { crc32 } from "node:zlib";
import type { S3OriginOptions } from "./s3-origin.ts";
import type { OriginFault } from "./s3-origin-faults.ts";
import { makeObject, type ObjectSettings, type OriginBucket, type OriginObject } from "./s3-origin-objects.ts";
import {
  decodeAwsChunked,
  elementsOf,
  escapeXml,
  type ParsedRequest,
  parseRange,
  textOf,
  trailersOf,
} from "./s3-origin-requests.ts";
import {
  CHECKSUM_ELEMENTS,
  element,
  isoTime,
  Refused,
  sendEmpty,
  sendError,
  sendXml,
  XMLNS,
} from "./s3-origin-responses.ts";
import { OriginUploads, type StoredPart } from "./s3-origin-uploads.ts";

const PRECONDITION = "At least one of the pre-conditions you specified did not hold";
const KEPT_HEADERS = new Set([
  "cache-control",
  "content-disposition",
  "content-language",
  "expires",
  "x-amz-storage-class",
  "x-amz-website-redirect-location",
]);
const MAX_KEY_BYTES = 1024;

/** An uploaded body. */
interface Body {
  readonly sizeBytes: number;
  /** undefined: it was discarded. */
  readonly bytes: Buffer | undefined;
  readonly md5: Buffer;
  /** Checksum headers and trailers, verified where the origin can. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** Serves writes to the origin's buckets. */
export class OriginWrites {
  readonly #buckets: ReadonlyMap<string, OriginBucket>;
  readonly #discards: boolean;
  readonly #uploads: OriginUploads;

  constructor(buckets: ReadonlyMap<string, OriginBucket>, options: S3OriginOptions) {
    this.#buckets = buckets;
    this.#discards = options.discardBodies ?? false;
    this.#uploads = new OriginUploads(options.minPartBytes ?? 5 * 1024 * 1024);
  }

  get uploadCount(): number {
    return this.#uploads.count;
  }

  async answer(
    parsed: ParsedRequest,
    bucket: OriginBucket,
    request: IncomingMessage,
    response: ServerResponse,
    faults: readonly OriginFault[],
  ): Promise<void> {
    try {
      if (Buffer.byteLength(parsed.key) > MAX_KEY_BYTES) {
        throw new Refused(400, "KeyTooLongError", "Your key is too long");
      }
      const cut = faults.find((fault) => fault.kind === "cut-upload");
      const body = await receive(request, this.#discards, cut?.afterBytes);
      if (body === undefined) return;
      const lose = faults.some((fault) => fault.kind === "lose-answer");
      this.#apply(parsed, bucket, request, body, lose ? undefined : response);
      if (lose) response.socket?.destroy();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      sendError(response, error.status, error.code, error.message);
    }
  }

  /** Takes effect, and answers unless the answer is to be lost. */
  #apply(
    parsed: ParsedRequest,
    bucket: OriginBucket,
    request: IncomingMessage,
    body: Body,
    response: ServerResponse | undefined,
  ): void {
    const { op, key, query, bucket: name } = parsed;
    const { headers } = request;
    const uploadId = query.get("uploadId") ?? "";
    const empty = (status: number) => {
      if (response) sendEmpty(response, status);
    };
    const xml = (tag: string, content: string) => {
      if (response) sendXml(response, 200, `<${tag} xmlns="${XMLNS}">${content}</${tag}>`);
    };
    const tell = (made: Readonly<Record<string, string>>) => {
      for (const [header, value] of Object.entries(made)) response?.setHeader(header, value);
    };
    switch (op) {
      case "PutObject": {
        checkWrite(request, bucket.get(key));
        const object = makeObject(body.bytes ?? { sizeBytes: body.sizeBytes }, {
          ...settingsOf(request),
          checksums: typed(body.checksums),
          etag: `"${body.md5.toString("hex")}"`,
        });
        bucket.put(key, object);
        tell({ etag: object.etag, ...object.checksums });
        empty(200);
        break;
      }
      case "CopyObject": {
        const { object: source, sourceKey } = this.#source(request);
        const replaces = headers["x-amz-metadata-directive"] === "REPLACE";
        if (sourceKey === `${name}/${key}` && !replaces && headers["x-amz-storage-class"] === undefined) {
          const text =
            "This copy request is illegal because it is trying to copy an object to itself without changing it";
          throw new Refused(400, "InvalidRequest", text);
        }
        checkWrite(request, bucket.get(key));
        const own = settingsOf(request);
        const object = makeObject(source.copy(0, source.sizeBytes), {
          headers: replaces ? (own.headers ?? {}) : source.headers,
          contentType: (replaces ? own.contentType : source.headers["content-type"]) ?? "binary/octet-stream",
          tags: headers["x-amz-tagging-directive"] === "REPLACE" ? (own.tags ?? new Map()) : source.tags,
          checksums: source.partSizes.length > 0 ? {} : source.checksums,
        });
        bucket.put(key, object);
        xml("CopyObjectResult", copyResult(object.etag, object.modifiedMs));
        break;
      }
      case "DeleteObject": {
        const before = bucket.get(key);
        if (headers["if-match"] !== undefined) checkWrite(request, before);
        bucket.delete(key);
        empty(204);
        break;
      }
      case "DeleteObjects":
        xml("DeleteResult", deleteAll(bucket, textBody(body)));
        break;
      case "CreateMultipartUpload": {
        const id = this.#uploads.create(name, key, settingsOf(request), headers);
        xml("InitiateMultipartUploadResult", located(name, key) + element("UploadId", id));
        break;
      }
      case "UploadPart": {
        const part = this.#uploads.put(uploadId, key, Number(query.get("partNumber")), {
          sizeBytes: body.sizeBytes,
          bytes: body.bytes,
          md5: body.md5,
          checksums: body.checksums,
          modifiedMs: Date.now(),
        });
        tell({ etag: etagOf(part), ...part.checksums });
        empty(200);
        break;
      }
      case "UploadPartCopy": {
        const { object: source } = this.#source(request);
        const range = parseRange(String(headers["x-amz-copy-source-range"] ?? ""), source.sizeBytes);
        if (range.kind === "unsatisfiable") throw new Refused(416, "InvalidRange", "The range is not satisfiable");
        const start = range.kind === "part" ? range.start : 0;
        const end = range.kind === "part" ? range.end + 1 : source.sizeBytes;
        const bytes = source.copy(start, end - start);
        const part = this.#uploads.put(uploadId, key, Number(query.get("partNumber")), {
          sizeBytes: bytes.length,
          bytes,
          md5: createHash("md5").update(bytes).digest(),
          checksums: {},
          modifiedMs: Date.now(),
        });
        xml("CopyPartResult", copyResult(etagOf(part), part.modifiedMs));
        break;
      }
      case "CompleteMultipartUpload": {
        const upload = this.#uploads.get(uploadId, key);
        checkWrite(request, bucket.get(key));
        const object = this.#uploads.complete(upload, textBody(body), headers);
        bucket.put(key, object);
        const sums = Object.entries(object.checksums).map(([header, value]) =>
          element(CHECKSUM_ELEMENTS[header] ?? "ChecksumType", value),
        );
        xml(
          "CompleteMultipartUploadResult",
          element("Location", escapeXml(`/${name}/${key}`)) +
            located(name, key) +
            element("ETag", escapeXml(object.etag)) +
            sums.join(""),
        );
        break;
      }
      case "AbortMultipartUpload":
        this.#uploads.abort(uploadId, key);
        empty(204);
        break;
      case "ListParts":
        xml("ListPartsResult", located(name, key) + this.#uploads.listParts(uploadId, key, query));
        break;
      case "ListMultipartUploads":
        xml("ListMultipartUploadsResult", this.#uploads.list(name, query));
        break;
      case "GetObjectTagging": {
        const tags = [...existing(bucket, key).tags].map(([tag, value]) =>
          element("Tag", element("Key", escapeXml(tag)) + element("Value", escapeXml(value))),
        );
        xml("Tagging", element("TagSet", tags.join("")));
        break;
      }
      case "PutObjectTagging":
      case "DeleteObjectTagging": {
        const tags = new Map<string, string>();
        for (const tag of elementsOf(textBody(body), "Tag"))
          tags.set(textOf(tag, "Key") ?? "", textOf(tag, "Value") ?? "");
        if (tags.size > 10) throw new Refused(400, "BadRequest", "Object tags cannot be greater than 10");
        bucket.put(key, { ...existing(bucket, key), tags });
        empty(op === "PutObjectTagging" ? 200 : 204);
        break;
      }
      default:
        throw new Refused(501, "NotImplemented", "The origin does not support this.");
    }
  }

  #source(request: IncomingMessage): { object: OriginObject; sourceKey: string } {
    const { headers } = request;
    const sourceKey = decodeURIComponent(String(headers["x-amz-copy-source"])).replace(/^\//, "");
    const slash = sourceKey.indexOf("/");
    const bucket = this.#buckets.get(sourceKey.slice(0, slash));
    if (bucket === undefined) throw new Refused(404, "NoSuchBucket", "The specified bucket does not exist");
    const object = existing(bucket, sourceKey.slice(slash + 1));
    const wanted = headers["x-amz-copy-source-if-match"];
    const unwanted = headers["x-amz-copy-source-if-none-match"];
    const since = Date.parse(String(headers["x-amz-copy-source-if-modified-since"] ?? ""));
    const until = Date.parse(String(headers["x-amz-copy-source-if-unmodified-since"] ?? ""));
    const failed =
      (wanted !== undefined && !sameTag(String(wanted), object.etag)) ||
      (unwanted !== undefined && sameTag(String(unwanted), object.etag)) ||
      object.modifiedMs <= since ||
      (wanted === undefined && object.modifiedMs > until);
    if (failed) throw new Refused(412, "PreconditionFailed", PRECONDITION);
    return { object, sourceKey };
  }
}

const located = (bucket: string, key: string) => element("Bucket", bucket) + element("Key", escapeXml(key));
const copyResult = (etag: string, modifiedMs: number) =>
  element("LastModified", isoTime(modifiedMs)) + element("ETag", escapeXml(etag));
const etagOf = (part: StoredPart) => `"${part.md5.toString("hex")}"`;
const textBody = (body: Body) => (body.bytes ?? Buffer.alloc(0)).toString("utf8");
const sameTag = (header: string, etag: string) =>
  header.trim() === "*" || header.split(",").some((tag) => tag.trim().replaceAll('"', "") === etag.replaceAll('"', ""));

function typed(checksums: Readonly<Record<string, string>>): Record<string, string> {
  return Object.keys(checksums).length === 0 ? {} : { ...checksums, "x-amz-checksum-type": "FULL_OBJECT" };
}

function existing(bucket: OriginBucket, key: string): OriginObject {
  const object = bucket.get(key);
  if (object === undefined) throw new Refused(404, "NoSuchKey", "The specified key does not exist.");
  return object;
}

/** @throws Refused as S3 answers conditional writes */
function checkWrite({ headers }: IncomingMessage, before: OriginObject | undefined): void {
  const ifMatch = headers["if-match"];
  const ifNoneMatch = headers["if-none-match"];
  if (ifMatch !== undefined) {
    if (before === undefined) throw new Refused(404, "NoSuchKey", "The specified key does not exist.");
    if (!sameTag(ifMatch, before.etag)) throw new Refused(412, "PreconditionFailed", PRECONDITION);
  }
  if (ifNoneMatch !== undefined && before !== undefined && sameTag(ifNoneMatch, before.etag)) {
    throw new Refused(412, "PreconditionFailed", PRECONDITION);
  }
}

function settingsOf({ headers }: IncomingMessage): ObjectSettings {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (KEPT_HEADERS.has(name) || name.startsWith("x-amz-meta-")) kept[name] = String(value);
  }
  const encodings = (headers["content-encoding"] ?? "").split(",").map((encoding) => encoding.trim());
  const encoding = encodings.filter((token) => token !== "aws-chunked" && token !== "").join(",");
  if (encoding !== "") kept["content-encoding"] = encoding;
  const tags = new URLSearchParams(String(headers["x-amz-tagging"] ?? ""));
  const contentType = headers["content-type"];
  return { headers: kept, tags: new Map(tags), ...(contentType !== undefined && { contentType }) };
}

function deleteAll(bucket: OriginBucket, xml: string): string {
  const items = elementsOf(xml, "Object");
  if (items.length === 0 || items.length > 1000) throw new Refused(400, "MalformedXML", "The XML is not well-formed");
  const quiet = textOf(xml, "Quiet") === "true";
  return items
    .map((item) => {
      const key = textOf(item, "Key") ?? "";
      const etag = textOf(item, "ETag");
      const before = bucket.get(key);
      if (etag !== undefined && (before === undefined || !sameTag(etag, before.etag))) {
        const words = element("Code", "PreconditionFailed") + element("Message", PRECONDITION);
        return element("Error", element("Key", escapeXml(key)) + words);
      }
      bucket.delete(key);
      return quiet ? "" : element("Deleted", element("Key", escapeXml(key)));
    })
    .join("");
}

/** Receives a request's body. @returns undefined when the connection was cut on order, or broke. */
async function receive(
  request: IncomingMessage,
  discards: boolean,
  cutAfter: number | undefined,
): Promise<Body | undefined> {
  const { headers } = request;
  const framed = String(headers["x-amz-content-sha256"] ?? "").startsWith("STREAMING-");
  const isXml = request.method === "POST" || (request.url ?? "").includes("tagging");
  const keeps = !discards || framed || isXml;
  const chunks: Buffer[] = [];
  const md5 = createHash("md5");
  const sha256 = createHash("sha256");
  const declared = String(headers["x-amz-content-sha256"] ?? "");
  const isSigned = /^[0-9a-f]{64}$/.test(declared);
  let sizeBytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (cutAfter !== undefined && sizeBytes >= cutAfter) {
        request.socket.destroy();
        return undefined;
      }
      if (keeps) chunks.push(chunk);
      if (!framed) md5.update(chunk);
      if (isSigned) sha256.update(chunk);
    }
  } catch {
    return undefined;
  }
  if (cutAfter !== undefined) {
    request.socket.destroy();
    return undefined;
  }
  if (isSigned && sha256.digest("hex") !== declared) {
    throw new Refused(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match");
  }
  const raw = keeps ? Buffer.concat(chunks) : undefined;
  const bytes = raw === undefined ? undefined : framed ? decodeAwsChunked(raw) : raw;
  if (framed && bytes !== undefined) {
    md5.update(bytes);
    if (bytes.length !== Number(headers["x-amz-decoded-content-length"])) {
      throw new Refused(400, "IncompleteBody", "The body has another length than x-amz-decoded-content-length says");
    }
  }
  const digest = md5.digest();
  if (headers["content-md5"] !== undefined && headers["content-md5"] !== digest.toString("base64")) {
    throw new Refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received");
  }
  const given = { ...headers, ...(framed && raw !== undefined && trailersOf(raw)) } as Record<string, unknown>;
  const checksums: Record<string, string> = {};
  for (const header of Object.keys(CHECKSUM_ELEMENTS)) {
    if (request.method !== "PUT" || typeof given[header] !== "string") continue;
    const actual = bytes && checksumOf(header, bytes);
    if (actual !== undefined && actual !== given[header]) {
      throw new Refused(400, "BadDigest", `The ${header} you specified did not match the calculated checksum.`);
    }
    checksums[header] = given[header];
  }
  return { sizeBytes: bytes?.length ?? sizeBytes, bytes, md5: digest, checksums };
}

/** A checksum in base64, of the algorithms that Node has itself; others are believed. */
function checksumOf(header: string, bytes: Buffer): string | undefined {
  if (header.endsWith("sha1")) return createHash("sha1").update(bytes).digest("base64");
  if (header.endsWith("sha256")) return createHash("sha256").update(bytes).digest("base64");
  if (!header.endsWith("crc32")) return undefined;
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(bytes));
  return crc.toString("base64");
}
