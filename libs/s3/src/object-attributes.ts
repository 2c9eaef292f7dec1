/** GetObjectAttributes. */
import { CHECKSUM_ALGORITHMS } from "@ringlight/checksum";
import type { ObjectAttributes, ObjectChecksums } from "@ringlight/core";
import type { Exchange } from "./exchange.ts";
import { checkVersionId, httpDate } from "./object-headers.ts";
import type { ObjectRequest } from "./read-object.ts";
import { S3Error } from "./s3-error.ts";
import { element, parent, xmlDocument } from "./xml.ts";

const ATTRIBUTES = new Set(["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]);
const MAX_PARTS = 1000;

function askedAttributes(headers: Exchange["req"]["headers"]): string[] {
  const asked = String(headers["x-amz-object-attributes"] ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (asked.length === 0 || asked.some((name) => !ATTRIBUTES.has(name))) {
    throw new S3Error("InvalidArgument", "Invalid attribute name specified.", {
      ArgumentName: "x-amz-object-attributes",
      ArgumentValue: asked.join(","),
    });
  }
  return asked;
}

function count(headers: Exchange["req"]["headers"], name: string, absent: number): number {
  const text = headers[name];
  if (text === undefined) return absent;
  if (typeof text !== "string" || !/^\d{1,9}$/.test(text)) {
    throw new S3Error("InvalidArgument", `Provided ${name} not an integer or within integer range`, {
      ArgumentName: name,
      ArgumentValue: String(text),
    });
  }
  return Number(text);
}

/** Rows of checksums. S3 leaves the number of parts off the composite ones here, and here alone. */
function checksumRows(values: ObjectChecksums["values"] | undefined): string {
  return CHECKSUM_ALGORITHMS.map((algorithm) => {
    const value = values?.[algorithm];
    return value === undefined ? "" : element(`Checksum${algorithm}`, value.replace(/-\d+$/, ""));
  }).join("");
}

function partRows(headers: Exchange["req"]["headers"], attributes: ObjectAttributes): string {
  const { parts, meta } = attributes;
  // The tag of an object that was uploaded in parts tells their number.
  const total = parts?.length ?? meta.partsCount ?? (Number(/-(\d+)"$/.exec(meta.etag)?.[1] ?? 0) || undefined);
  if (total === undefined) return "";
  if (!parts) return parent("ObjectParts", element("PartsCount", total));
  const maxParts = Math.min(MAX_PARTS, count(headers, "x-amz-max-parts", MAX_PARTS));
  const marker = count(headers, "x-amz-part-number-marker", 0);
  const after = parts.filter((part) => part.partNumber > marker);
  const page = after.slice(0, maxParts);
  return parent(
    "ObjectParts",
    element("PartsCount", total),
    element("PartNumberMarker", marker),
    element("NextPartNumberMarker", page.at(-1)?.partNumber ?? 0),
    element("MaxParts", maxParts),
    element("IsTruncated", page.length < after.length),
    ...page.map((part) =>
      parent(
        "Part",
        element("PartNumber", part.partNumber),
        element("Size", part.sizeBytes),
        checksumRows(part.checksums),
      ),
    ),
  );
}

/** Serves GetObjectAttributes: what is known of what is asked for. */
export async function getObjectAttributes(exchange: Exchange, request: ObjectRequest): Promise<void> {
  const { backend, target, context } = request;
  const { headers } = exchange.req;
  checkVersionId(target.query);
  const asked = askedAttributes(headers);
  const attributes: ObjectAttributes = backend.writes
    ? await backend.writes.attributes(target.bucket, target.key, context)
    : { meta: await backend.head(target.bucket, target.key, context) };
  const { meta } = attributes;
  const rows: string[] = [];
  if (asked.includes("ETag")) rows.push(element("ETag", meta.etag.replaceAll('"', "")));
  if (asked.includes("Checksum") && meta.checksums !== undefined) {
    const digests = checksumRows(meta.checksums.values);
    if (digests !== "") rows.push(parent("Checksum", digests, element("ChecksumType", meta.checksums.type)));
  }
  if (asked.includes("ObjectParts")) rows.push(partRows(headers, attributes));
  if (asked.includes("StorageClass")) rows.push(element("StorageClass", meta.storageClass ?? "STANDARD"));
  if (asked.includes("ObjectSize")) rows.push(element("ObjectSize", meta.sizeBytes));
  const document = xmlDocument("GetObjectAttributesResponse", ...rows);
  exchange.sendXml(200, document, { "Last-Modified": httpDate(meta.modifiedMs) });
}
