/** Headers of S3's writes: what is kept with an object, conditions and checksums, in both directions. */
import {
  type ChecksumAlgorithm,
  type ObjectChecksums,
  type ObjectSettings,
  RinglightError,
  type SourceConditions,
  type UfsWriteBody,
  type WriteConditions,
} from "@ringlight/core";
import { placeOf, type S3Location, targetOf } from "./s3-location.ts";

/** Algorithms and their names in headers and XML. */
export const ALGORITHMS: readonly ChecksumAlgorithm[] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

const CONTROL = /[\r\n\0]/;

/** Header values are byte strings to node:http; user metadata and the like come as such from the S3 door. */
function put(headers: Record<string, string>, name: string, value: string | undefined): void {
  if (value === undefined) return;
  if (CONTROL.test(value)) throw new RinglightError("RL_BAD_REQUEST", `the value of ${name} holds a control character`);
  headers[name] = value;
}

/** Headers of what is kept with an object. @throws RL_BAD_REQUEST */
export function settingsHeaders(settings: ObjectSettings | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (settings === undefined) return headers;
  put(headers, "content-type", settings.contentType);
  put(headers, "content-encoding", settings.contentEncoding);
  put(headers, "content-disposition", settings.contentDisposition);
  put(headers, "content-language", settings.contentLanguage);
  put(headers, "cache-control", settings.cacheControl);
  put(headers, "expires", settings.expires);
  put(headers, "x-amz-storage-class", settings.storageClass);
  put(headers, "x-amz-tagging", settings.tagging);
  for (const [name, value] of Object.entries(settings.userMetadata ?? {})) put(headers, `x-amz-meta-${name}`, value);
  for (const [name, value] of Object.entries(settings.headers ?? {})) put(headers, name.toLowerCase(), value);
  return headers;
}

/** Headers of a write's conditions. */
export function conditionHeaders(conditions: WriteConditions | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  // S3 takes a lone ETag with and without its quotes; radosgw 16 knows it without them only.
  put(headers, "if-match", conditions?.ifMatch?.replace(/^"([^",]*)"$/, "$1"));
  put(headers, "if-none-match", conditions?.ifNoneMatch?.replace(/^"([^",]*)"$/, "$1"));
  return headers;
}

/** True where an attempt that had taken effect unseen would make the next one fail. */
export function isConditional(conditions: WriteConditions | undefined): boolean {
  return conditions?.ifMatch !== undefined || conditions?.ifNoneMatch !== undefined;
}

/** Headers of a copy's conditions on its source. */
export function sourceHeaders(conditions: SourceConditions | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  put(headers, "x-amz-copy-source-if-match", conditions?.ifMatch);
  put(headers, "x-amz-copy-source-if-none-match", conditions?.ifNoneMatch);
  put(headers, "x-amz-copy-source-if-modified-since", conditions?.ifModifiedSince);
  put(headers, "x-amz-copy-source-if-unmodified-since", conditions?.ifUnmodifiedSince);
  return headers;
}

/** True where a name begins so. Most heads have none of what is looked for, and are read once an object. */
function tells(headers: Readonly<Record<string, string>>, prefix: string): boolean {
  for (const name in headers) if (name.startsWith(prefix)) return true;
  return false;
}

/** Name of an algorithm's header. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/**
 * The user metadata in which an object's checksum is kept by stores that keep none themselves (radosgw 16): algorithm and
 * value. It goes with the object through copies, and is not shown to clients.
 */
export const CHECKSUM_NOTE = "ringlight-checksum";

/**
 * Headers that say what the body must be, as far as it is known before the body.
 * @param noted the checksum is kept as user metadata, too
 */
export function bodyHeaders(body: UfsWriteBody, noted = false): Record<string, string> {
  const headers: Record<string, string> = {};
  put(headers, "content-md5", body.contentMd5);
  const value = body.checksum?.value();
  if (body.checksum !== undefined && value !== undefined) {
    put(headers, checksumHeader(body.checksum.algorithm), value);
    if (noted) put(headers, `x-amz-meta-${CHECKSUM_NOTE}`, `${body.checksum.algorithm} ${value}`);
  }
  return headers;
}

/** The checksum that a store keeps as user metadata. */
export function notedChecksum(note: string | undefined): ObjectChecksums | undefined {
  const [name = "", value = ""] = note?.split(" ") ?? [];
  const algorithm = ALGORITHMS.find((known) => known === name);
  return algorithm === undefined || value === "" ? undefined : { type: "FULL_OBJECT", values: { [algorithm]: value } };
}

/** Checksums that an answer's head tells. */
export function checksumsOf(headers: Readonly<Record<string, string>>): ObjectChecksums | undefined {
  if (!tells(headers, "x-amz-checksum-")) return undefined;
  const values: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of ALGORITHMS) {
    const value = headers[checksumHeader(algorithm)];
    if (value !== undefined) values[algorithm] = value;
  }
  return checksums(values, headers["x-amz-checksum-type"]);
}

/** Puts checksums and their type together; a value with a count of parts is composite whatever was said. */
export function checksums(
  values: Readonly<Partial<Record<ChecksumAlgorithm, string>>>,
  type: string | undefined,
): ObjectChecksums | undefined {
  const list = Object.values(values);
  if (list.length === 0) return undefined;
  const isComposite = type === "COMPOSITE" || (type === undefined && list.some((value) => value.includes("-")));
  return { type: isComposite ? "COMPOSITE" : "FULL_OBJECT", values };
}

/** Headers of a store's answer that are meant for the client. */
export function clientHeaders(
  headers: Readonly<Record<string, string>>,
): { readonly headers: Readonly<Record<string, string>> } | undefined {
  if (!tells(headers, "x-amz-")) return undefined;
  const kept = Object.entries(headers).filter(([name]) => FOR_CLIENTS.test(name));
  return kept.length === 0 ? undefined : { headers: Object.fromEntries(kept) };
}

const FOR_CLIENTS = /^x-amz-(server-side-encryption|expiration$|website-redirect-location$|restore$|object-lock)/;

/** The header x-amz-copy-source of a key of the mount. @throws RL_NOT_FOUND for a key that no object can have */
export function copySource(location: S3Location, key: string, sourceUri?: string): string {
  const place = sourceUri === undefined ? location : { ...location, ...placeOf(sourceUri) };
  return `/${place.bucket}${targetOf(place, key).rawUrl.slice(place.basePath.length)}`;
}
