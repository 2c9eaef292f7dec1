/** Metadata of an object out of a response's head. */
import { type ObjectMeta, RinglightError } from "@ringlight/core";
import { CHECKSUM_NOTE, checksumsOf, clientHeaders, notedChecksum } from "./s3-write-headers.ts";

/**
 * An ETag in the one form that Ringlight keeps, compares and sends: strong and quoted. Stores differ between HEAD, GET and
 * listings (quotes left out, proxies that weaken the tag), and mean the same version.
 */
export function etagOf(raw: string | undefined): string | undefined {
  if (raw === undefined || raw === "") return undefined;
  const strong = raw.startsWith("W/") ? raw.slice(2) : raw;
  return strong.startsWith('"') ? strong : `"${strong}"`;
}

const USER = "x-amz-meta-";
const NOTE = USER + CHECKSUM_NOTE;

/**
 * Reads the metadata of an answer's head.
 * @param sizeBytes size of the object, NaN where the head does not tell it
 * @param isPlain nothing of S3's own is in it; see ResponseHead
 * @throws RL_UFS_ERROR where size or version are missing
 */
export function metaOf(
  headers: Readonly<Record<string, string>>,
  sizeBytes: number,
  what: string,
  isPlain = false,
): ObjectMeta {
  const etag = etagOf(headers.etag);
  if (etag === undefined) {
    throw new RinglightError("RL_UFS_ERROR", `the store sent no ETag, so the version cannot be known: ${what}`);
  }
  if (!Number.isSafeInteger(sizeBytes))
    throw new RinglightError("RL_UFS_ERROR", `the store sent no Content-Length: ${what}`);
  const modifiedMs = Date.parse(headers["last-modified"] ?? "");
  // Made by hand: this is done for every object of a load.
  const meta: Writable<ObjectMeta> = {
    sizeBytes,
    version: etag,
    etag,
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
  };
  for (const [name, field] of FIELDS) {
    const value = headers[name];
    if (value !== undefined) meta[field] = value;
  }
  return isPlain ? meta : { ...meta, ...amzMeta(headers) };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Headers that are kept as they are. */
const FIELDS = [
  ["content-type", "contentType"],
  ["content-encoding", "contentEncoding"],
  ["content-disposition", "contentDisposition"],
  ["content-language", "contentLanguage"],
  ["cache-control", "cacheControl"],
  ["expires", "expires"],
  ["x-amz-storage-class", "storageClass"],
] as const;

/** What S3's own headers tell of an object: user metadata, checksums, the number of its tags, and what is passed on to clients. */
function amzMeta(
  headers: Readonly<Record<string, string>>,
): Pick<ObjectMeta, "userMetadata" | "checksums" | "taggingCount" | "headers"> {
  const userMetadata: Record<string, string> = {};
  for (const name in headers) {
    if (name.startsWith(USER) && name !== NOTE) userMetadata[name.slice(USER.length)] = headers[name] ?? "";
  }
  const kept = checksumsOf(headers) ?? notedChecksum(headers[NOTE]);
  const tags = headers["x-amz-tagging-count"];
  return {
    ...(Object.keys(userMetadata).length > 0 && { userMetadata }),
    ...(kept && { checksums: kept }),
    ...(tags !== undefined && { taggingCount: Number(tags) }),
    ...clientHeaders(headers),
  };
}
