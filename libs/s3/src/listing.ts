/** ListObjects in its two versions, and ListObjectVersions of a store that keeps no versions. */
import type { ListedObject, ListPage, ListRequest } from "@ringlight/core";
import { S3Error } from "./s3-error.ts";
import { element, parent, xmlDocument, xmlTime } from "./xml.ts";

/** Most keys and common prefixes of one answer. */
const MAX_KEYS = 1000;
const MAX_INT = 2_147_483_647;

/** Owner of everything: buckets and objects have none of their own. */
export const OWNER = parent("Owner", element("ID", "ringlight"), element("DisplayName", "ringlight"));

/** A listing as asked for. */
export interface ListQuery {
  readonly version: "v1" | "v2" | "versions";
  readonly prefix: string;
  readonly delimiter: string;
  /** At most 1000; 0 asks for nothing. */
  readonly maxKeys: number;
  /** Exclusive start: the continuation token's or the marker's or start-after's key. */
  readonly startAfter: string;
  readonly urlEncoded: boolean;
  readonly withOwner: boolean;
  /** The parameters as they are echoed. */
  readonly marker: string | undefined;
  readonly givenStartAfter: string | undefined;
  readonly continuationToken: string | undefined;
}

function invalid(message: string, name: string, value: string): S3Error {
  return new S3Error("InvalidArgument", message, { ArgumentName: name, ArgumentValue: value });
}

/** Reads a count of a query, cut at `most`. @throws S3Error InvalidArgument */
export function parseCount(
  name: string,
  query: ReadonlyMap<string, string>,
  absent: number = MAX_KEYS,
  most: number = MAX_KEYS,
): number {
  const text = query.get(name);
  if (text === undefined || text === "") return absent;
  if (!/^[+-]?\d+$/.test(text) || Math.abs(Number(text)) > MAX_INT) {
    throw invalid(`Provided ${name} not an integer or within integer range`, name, text);
  }
  const asked = Number(text);
  if (asked < 0) {
    const argument = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    throw invalid(`Argument ${argument} must be an integer between 0 and 2147483647`, argument, text);
  }
  return Math.min(asked, most);
}

/** True when names are to be percent-encoded in the answer. @throws S3Error InvalidArgument */
export function isUrlEncoded(query: ReadonlyMap<string, string>): boolean {
  const encoding = query.get("encoding-type");
  if (encoding === undefined || encoding === "") return false;
  if (encoding.toLowerCase() === "url") return true;
  throw invalid("Invalid Encoding Method specified in Request", "encoding-type", encoding);
}

/** Begins every continuation token: the form may change, and another server's tokens are told apart. */
const TOKEN_MARK = "rl1.";

/** A continuation token; opaque to clients. */
export function formatToken(startAfter: string): string {
  return TOKEN_MARK + Buffer.from(startAfter, "utf8").toString("base64url");
}

/** Where a continuation token goes on. @throws S3Error InvalidArgument */
export function parseToken(token: string): string {
  const body = token.slice(TOKEN_MARK.length);
  const startAfter = Buffer.from(body, "base64url").toString("utf8");
  if (!token.startsWith(TOKEN_MARK) || formatToken(startAfter) !== token) {
    throw invalid("The continuation token provided is incorrect", "continuation-token", token);
  }
  return startAfter;
}

/** Reads the parameters of a listing. @throws S3Error InvalidArgument */
export function parseListQuery(version: ListQuery["version"], query: ReadonlyMap<string, string>): ListQuery {
  const urlEncoded = isUrlEncoded(query);
  const listType = query.get("list-type");
  if (version === "v2" && listType !== "2") {
    throw invalid("Invalid List Type specified in the request", "list-type", listType ?? "");
  }
  const token = version === "v2" ? query.get("continuation-token") : undefined;
  const givenStartAfter = version === "v2" ? query.get("start-after") : undefined;
  const marker = version === "v1" ? query.get("marker") : version === "versions" ? query.get("key-marker") : undefined;
  return {
    version,
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    maxKeys: parseCount("max-keys", query),
    startAfter: token ? parseToken(token) : (givenStartAfter ?? marker ?? ""),
    urlEncoded,
    withOwner: version !== "v2" || query.get("fetch-owner") === "true",
    marker,
    givenStartAfter,
    continuationToken: token,
  };
}

/** What the backend is asked for; undefined when nothing is (max-keys=0). */
export function listRequest(query: ListQuery): ListRequest | undefined {
  if (query.maxKeys === 0) return undefined;
  const { prefix, delimiter, startAfter, maxKeys } = query;
  return { prefix, delimiter, startAfter, maxKeys };
}

/** The page of a listing that asks for nothing. */
export const EMPTY_PAGE: ListPage = { objects: [], commonPrefixes: [], truncated: false, nextStartAfter: "" };

/** Percent-encodes a name for `encoding-type=url`; slashes stay, as S3 leaves them. */
export function encodeName(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
}

function contents(tag: string, object: ListedObject, query: ListQuery, name: (text: string) => string): string {
  const version = query.version === "versions" ? element("VersionId", "null") + element("IsLatest", true) : "";
  return parent(
    tag,
    element("Key", name(object.key)),
    version,
    element("LastModified", xmlTime(object.modifiedMs)),
    element("ETag", object.etag),
    element("Size", object.sizeBytes),
    query.withOwner ? OWNER : "",
    element("StorageClass", object.storageClass ?? "STANDARD"),
  );
}

function optional(tag: string, text: string | undefined): string {
  return text === undefined ? "" : element(tag, text);
}

/** What stands for itself whether a client decodes it or not; no line end but \n, which documents keep. */
const SAME_DECODED = /^[^%+\p{Cc}\p{Cn}\p{Cs}]*$/u;

/**
 * The prefix of a listing in the answer. S3 documents it as encoded; Ceph tells it as it is in answers to ListObjects, and boto3
 * does not decode it there, where Amazon's SDK for Java does. What is the same to both is told as it is.
 */
function prefixOf({ version, urlEncoded, prefix }: ListQuery): string {
  if (!urlEncoded) return prefix;
  const isPlain = version === "v1" && SAME_DECODED.test(prefix.replaceAll("\n", ""));
  return isPlain ? prefix : encodeName(prefix);
}

/** The document that answers a listing. */
export function listDocument(bucket: string, query: ListQuery, page: ListPage): string {
  const name = query.urlEncoded ? encodeName : (text: string) => text;
  const named = (text: string | undefined) => (text === undefined ? undefined : name(text));
  const prefixes = page.commonPrefixes.map((prefix) => parent("CommonPrefixes", element("Prefix", name(prefix))));
  const next = page.truncated ? page.nextStartAfter : undefined;
  const shared = [
    element("MaxKeys", query.maxKeys),
    query.delimiter === "" ? "" : element("Delimiter", name(query.delimiter)),
    query.urlEncoded ? element("EncodingType", "url") : "",
    element("IsTruncated", page.truncated),
  ];
  const head = [element("Name", bucket), element("Prefix", prefixOf(query))];
  if (query.version === "versions") {
    return xmlDocument(
      "ListVersionsResult",
      ...head,
      element("KeyMarker", name(query.marker ?? "")),
      element("VersionIdMarker", ""),
      optional("NextKeyMarker", named(next)),
      next === undefined ? "" : element("NextVersionIdMarker", "null"),
      ...shared,
      ...page.objects.map((object) => contents("Version", object, query, name)),
      ...prefixes,
    );
  }
  const rows = page.objects.map((object) => contents("Contents", object, query, name));
  if (query.version === "v1") {
    // Without a delimiter clients go on from the last key; S3 names a marker only where they could not.
    const last = page.objects.at(-1)?.key;
    const marker = query.delimiter !== "" || next !== last ? next : undefined;
    return xmlDocument(
      "ListBucketResult",
      ...head,
      element("Marker", name(query.marker ?? "")),
      optional("NextMarker", named(marker)),
      ...shared,
      ...rows,
      ...prefixes,
    );
  }
  return xmlDocument(
    "ListBucketResult",
    ...head,
    optional("StartAfter", named(query.givenStartAfter)),
    optional("ContinuationToken", query.continuationToken),
    optional("NextContinuationToken", next === undefined ? undefined : formatToken(next)),
    element("KeyCount", page.objects.length + page.commonPrefixes.length),
    ...shared,
    ...rows,
    ...prefixes,
  );
}
