/** Where a request goes: bucket, key and query, from the request line and the Host header. */
import { S3Error } from "./s3-error.ts";

/** A request's target, decoded. `bucket` is "" for the service itself, `key` is "" for the bucket itself. */
export interface Target {
  readonly bucket: string;
  readonly key: string;
  /** Decoded parameters; of repeated ones the first counts. */
  readonly query: ReadonlyMap<string, string>;
  /** Path as on the request line, for signatures and error documents. */
  readonly rawPath: string;
  /** Target in origin form (path and query), for signatures. */
  readonly rawUrl: string;
}

/** Longest key, bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

function badUri(): S3Error {
  return new S3Error("InvalidURI", "Couldn't parse the specified URI.");
}

/** Decodes percent escapes strictly: no broken escape, no byte sequence that is not (shortest-form) UTF-8, no NUL. */
function decode(raw: string, plusIsSpace: boolean): string {
  let text = plusIsSpace && raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  // node:http gives raw bytes above ASCII as latin1 characters; escaped they take the same way as the others.
  text = text.replace(/[\u0080-\u00ff]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  if (text.includes("%")) {
    try {
      text = decodeURIComponent(text);
    } catch {
      throw badUri();
    }
  }
  if (text.includes("\0")) throw badUri();
  return text;
}

function parseQuery(raw: string): Map<string, string> {
  const query = new Map<string, string>();
  if (raw === "") return query;
  for (const piece of raw.split("&")) {
    const equals = piece.indexOf("=");
    const name = decode(equals === -1 ? piece : piece.slice(0, equals), true);
    if (!query.has(name)) query.set(name, equals === -1 ? "" : decode(piece.slice(equals + 1), true));
  }
  return query;
}

/** The bucket that a Host header names in virtual-host style, or undefined for path style. */
function bucketOfHost(host: string | undefined, suffixes: readonly string[]): string | undefined {
  if (host === undefined || suffixes.length === 0) return undefined;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  for (const suffix of suffixes) {
    if (name.length > suffix.length + 1 && name.endsWith(`.${suffix}`)) return name.slice(0, -suffix.length - 1);
  }
  return undefined;
}

/**
 * S3 takes ".." elements in keys as long as they never climb above the bucket, counted from the left; others are refused,
 * so that no client or proxy on the way can be led out of the bucket.
 */
function climbsOut(key: string): boolean {
  if (!key.includes("..")) return false;
  let depth = 0;
  for (const part of key.split("/")) {
    depth += part === ".." ? -1 : part === "." || part === "" ? 0 : 1;
    if (depth < 0) return true;
  }
  return false;
}

/** @throws S3Error InvalidBucketName */
export function checkBucket(bucket: string): void {
  if (!BUCKET_NAME.test(bucket) || bucket.includes("..") || IPV4.test(bucket)) {
    throw new S3Error("InvalidBucketName", "The specified bucket is not valid.", { BucketName: bucket });
  }
}

/** @throws S3Error KeyTooLongError, or InvalidURI for a key that climbs out of its bucket */
export function checkKey(key: string): void {
  if (key.length * 3 > MAX_KEY_BYTES) {
    const size = Buffer.byteLength(key);
    if (size > MAX_KEY_BYTES) {
      throw new S3Error("KeyTooLongError", "Your key is too long", { Size: size, MaxSizeAllowed: MAX_KEY_BYTES });
    }
  }
  if (climbsOut(key)) throw badUri();
}

/**
 * Takes a request line's target apart, in path style, or in virtual-host style for hosts below one of the suffixes.
 * @throws S3Error InvalidURI, InvalidBucketName or KeyTooLongError
 */
export function parseTarget(url: string, host: string | undefined, hostSuffixes: readonly string[]): Target {
  // A proxy's absolute form: the Host header says the rest.
  const rawUrl = url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = rawUrl.indexOf("?");
  const rawPath = mark === -1 ? rawUrl : rawUrl.slice(0, mark);
  if (!rawPath.startsWith("/") && rawPath !== "") throw badUri();
  const query = parseQuery(mark === -1 ? "" : rawUrl.slice(mark + 1));
  const path = decode(rawPath.slice(1), false);
  const hosted = bucketOfHost(host, hostSuffixes);
  let bucket = hosted ?? path;
  let key = hosted === undefined ? "" : path;
  const slash = path.indexOf("/");
  if (hosted === undefined && slash !== -1) {
    bucket = path.slice(0, slash);
    key = path.slice(slash + 1);
  }
  if (bucket === "" && key !== "") throw new S3Error("InvalidBucketName", "The specified bucket is not valid.");
  if (bucket !== "") checkBucket(bucket);
  checkKey(key);
  return { bucket, key, query, rawPath: rawPath === "" ? "/" : rawPath, rawUrl: rawUrl === "" ? "/" : rawUrl };
}
