/** The S3 origin's multipart uploads. */
import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { compareKeys } from "@ringlight/core";
import { makeObject, type ObjectSettings, type OriginObject } from "./s3-origin-objects.ts";
import { elementsOf, escapeXml, textOf } from "./s3-origin-requests.ts";
import { CHECKSUM_ELEMENTS, element, isoTime, keyText, Refused } from "./s3-origin-responses.ts";

/** A part that came. */
export interface StoredPart {
  readonly sizeBytes: number;
  /** undefined: the bytes were discarded. */
  readonly bytes: Buffer | undefined;
  readonly md5: Buffer;
  readonly checksums: Readonly<Record<string, string>>;
  readonly modifiedMs: number;
}

interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly settings: ObjectSettings;
  readonly initiatedMs: number;
  /** "CRC32", ..., or "" where none was named. */
  readonly algorithm: string;
  readonly checksumType: string;
  readonly parts: Map<number, StoredPart>;
}

const MAX_PART_NUMBER = 10_000;
const tagOf = (part: StoredPart) => part.md5.toString("hex");

/** Uploads of all buckets. */
export class OriginUploads {
  readonly #minPartBytes: number;
  readonly #uploads = new Map<string, Upload>();

  constructor(minPartBytes: number) {
    this.#minPartBytes = minPartBytes;
  }

  get count(): number {
    return this.#uploads.size;
  }

  create(bucket: string, key: string, settings: ObjectSettings, headers: IncomingHttpHeaders): string {
    const id = randomBytes(12).toString("hex");
    const algorithm = String(headers["x-amz-checksum-algorithm"] ?? "").toUpperCase();
    const isFull = algorithm === "CRC64NVME";
    const checksumType = String(headers["x-amz-checksum-type"] ?? (isFull ? "FULL_OBJECT" : "COMPOSITE"));
    const upload = { id, bucket, key, settings, initiatedMs: Date.now(), algorithm, checksumType, parts: new Map() };
    this.#uploads.set(id, upload);
    return id;
  }

  /** @throws Refused NoSuchUpload */
  get(id: string, key: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.key !== key) {
      throw new Refused(404, "NoSuchUpload", "The specified multipart upload does not exist.");
    }
    return upload;
  }

  put(id: string, key: string, partNumber: number, part: StoredPart): StoredPart {
    const upload = this.get(id, key);
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PART_NUMBER) {
      throw new Refused(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
    }
    upload.parts.set(partNumber, part);
    return part;
  }

  /** Makes the object and forgets the upload. */
  complete(upload: Upload, xml: string, headers: IncomingHttpHeaders): OriginObject {
    const named = elementsOf(xml, "Part").map((part) => ({
      partNumber: Number(textOf(part, "PartNumber")),
      etag: (textOf(part, "ETag") ?? "").replaceAll('"', ""),
    }));
    if (named.length === 0) throw new Refused(400, "MalformedXML", "The XML you provided was not well-formed");
    const parts = named.map(({ partNumber, etag }, index) => {
      if (index > 0 && partNumber <= (named[index - 1]?.partNumber ?? 0)) {
        throw new Refused(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
      }
      const part = upload.parts.get(partNumber);
      if (part === undefined || tagOf(part) !== etag) {
        throw new Refused(400, "InvalidPart", "One or more of the specified parts could not be found.");
      }
      return part;
    });
    if (parts.slice(0, -1).some((part) => part.sizeBytes < this.#minPartBytes)) {
      throw new Refused(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
    }
    const etag = `"${createHash("md5")
      .update(Buffer.concat(parts.map((part) => part.md5)))
      .digest("hex")}-${parts.length}"`;
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const isWhole = parts.every((part) => part.bytes !== undefined);
    const bytes = isWhole ? Buffer.concat(parts.map((part) => part.bytes ?? Buffer.alloc(0))) : { sizeBytes };
    const object = makeObject(bytes, {
      ...upload.settings,
      etag,
      partSizes: parts.map((part) => part.sizeBytes),
      checksums: objectChecksums(upload, parts, headers),
    });
    this.#uploads.delete(upload.id);
    return object;
  }

  abort(id: string, key: string): void {
    this.#uploads.delete(this.get(id, key).id);
  }

  listParts(id: string, key: string, query: URLSearchParams): string {
    const upload = this.get(id, key);
    const marker = Number(query.get("part-number-marker") ?? 0);
    const max = Math.min(1000, Number(query.get("max-parts") ?? 1000));
    const later = [...upload.parts].filter(([number]) => number > marker).sort(([a], [b]) => a - b);
    const page = later.slice(0, max);
    const rows = page.map(([number, part]) => {
      const sums = Object.entries(part.checksums).map(([name, value]) => element(CHECKSUM_ELEMENTS[name] ?? "", value));
      const row =
        element("PartNumber", number) +
        element("LastModified", isoTime(part.modifiedMs)) +
        element("ETag", `&quot;${tagOf(part)}&quot;`) +
        element("Size", part.sizeBytes);
      return element("Part", row + sums.join(""));
    });
    return [
      element("UploadId", id),
      element("StorageClass", upload.settings.headers?.["x-amz-storage-class"] ?? "STANDARD"),
      element("PartNumberMarker", marker),
      element("NextPartNumberMarker", page.at(-1)?.[0] ?? 0),
      element("MaxParts", max),
      element("IsTruncated", later.length > page.length),
      upload.algorithm === ""
        ? ""
        : element("ChecksumAlgorithm", upload.algorithm) + element("ChecksumType", upload.checksumType),
      ...rows,
    ].join("");
  }

  list(bucket: string, query: URLSearchParams): string {
    const text = (name: string) => query.get(name) ?? "";
    const [prefix, delimiter, keyMarker, idMarker] = ["prefix", "delimiter", "key-marker", "upload-id-marker"].map(
      text,
    );
    const max = Math.min(1000, Number(query.get("max-uploads") ?? 1000));
    const encoding = query.get("encoding-type");
    const found = [...this.#uploads.values()]
      .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix ?? ""))
      .sort((a, b) => compareKeys(a.key, b.key) || (a.id < b.id ? -1 : 1))
      .filter(({ key, id }) => {
        if (keyMarker === undefined || keyMarker === "") return true;
        const order = compareKeys(key, keyMarker);
        return order > 0 || (order === 0 && idMarker !== undefined && idMarker !== "" && id > idMarker);
      });
    const rows: string[] = [];
    const prefixes = new Set<string>();
    let last: Upload | undefined;
    let truncated = false;
    for (const upload of found) {
      const at = delimiter ? upload.key.indexOf(delimiter, prefix?.length) : -1;
      const common = at === -1 ? undefined : upload.key.slice(0, at + (delimiter?.length ?? 0));
      if (common !== undefined && (prefixes.has(common) || keyMarker?.startsWith(common))) continue;
      if (rows.length + prefixes.size >= max) {
        truncated = true;
        break;
      }
      last = upload;
      if (common !== undefined) prefixes.add(common);
      else {
        const row =
          element("Key", keyText(upload.key, encoding)) +
          element("UploadId", upload.id) +
          element("Initiated", isoTime(upload.initiatedMs));
        rows.push(element("Upload", row));
      }
    }
    const next = truncated && last ? element("NextKeyMarker", keyText(last.key, encoding)) : "";
    const nextId = truncated && last ? element("NextUploadIdMarker", last.id) : "";
    const common = [...prefixes].map((row) => element("CommonPrefixes", element("Prefix", keyText(row, encoding))));
    return [
      element("Bucket", escapeXml(bucket)),
      next,
      nextId,
      element("MaxUploads", max),
      element("IsTruncated", truncated),
      ...rows,
      ...common,
    ].join("");
  }
}

/** Checksums of the whole: what the client says of a full object, or the checksum of the parts' digests. */
function objectChecksums(
  upload: Upload,
  parts: readonly StoredPart[],
  headers: IncomingHttpHeaders,
): Record<string, string> {
  if (upload.algorithm === "") return {};
  const header = `x-amz-checksum-${upload.algorithm.toLowerCase()}`;
  const stated = headers[header];
  if (upload.checksumType === "FULL_OBJECT") {
    return typeof stated === "string" ? { [header]: stated, "x-amz-checksum-type": "FULL_OBJECT" } : {};
  }
  const digests = parts.map((part) => Buffer.from(part.checksums[header] ?? "", "base64"));
  if (!upload.algorithm.startsWith("SHA") || digests.some((digest) => digest.length === 0)) return {};
  const whole = createHash(upload.algorithm.toLowerCase()).update(Buffer.concat(digests)).digest("base64");
  return { [header]: `${whole}-${parts.length}`, "x-amz-checksum-type": "COMPOSITE" };
}
