/** What the headers of a write say of the object besides its bytes. */
import type { ObjectSettings, WriteConditions } from "@ringlight/core";
import type { ReceivedHeaders } from "../conditions.ts";
import { S3Error } from "../s3-error.ts";
import { cannedAcl } from "./acl.ts";
import { headerText } from "./checksum-headers.ts";
import { formatTagging, parseTaggingHeader } from "./tags.ts";

const META_PREFIX = "x-amz-meta-";
/** Most bytes of names and values of user metadata together. */
const MAX_META_BYTES = 2048;

const STORAGE_CLASSES = new Set([
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER",
  "DEEP_ARCHIVE",
  "OUTPOSTS",
  "GLACIER_IR",
  "SNOW",
  "EXPRESS_ONEZONE",
]);

/** Headers that go to the store as they are: it may know what they mean, and says so when it does not. */
const PASSED =
  /^x-amz-(server-side-encryption(-aws-kms-key-id|-context|-bucket-key-enabled)?|website-redirect-location|object-lock-.*|grant-.*)$/;

/** The storage class that is asked for; undefined when none is. @throws S3Error InvalidStorageClass */
export function storageClass(headers: ReceivedHeaders): string | undefined {
  const text = headerText(headers, "x-amz-storage-class");
  if (text === undefined) return undefined;
  if (!STORAGE_CLASSES.has(text)) {
    throw new S3Error("InvalidStorageClass", "The storage class you specified is not valid", {
      StorageClassRequested: text,
    });
  }
  return text;
}

/**
 * Headers for the store. Keys that the client keeps (SSE-C) are refused: reads could not be served from pages.
 * @throws S3Error InvalidArgument or NotImplemented
 */
export function storeHeaders(headers: ReceivedHeaders): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    if (!name.startsWith("x-amz-")) continue;
    if (/^x-amz-(copy-source-)?server-side-encryption-customer-/.test(name)) {
      throw new S3Error("NotImplemented", "Encryption with keys of the client (SSE-C) is not supported.");
    }
    if (PASSED.test(name)) passed[name] = headerText(headers, name) ?? "";
  }
  const acl = cannedAcl(headers);
  if (acl !== undefined) passed["x-amz-acl"] = acl;
  return passed;
}

function userMetadata(headers: ReceivedHeaders): Record<string, string> | undefined {
  const metadata: Record<string, string> = {};
  let sizeBytes = 0;
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(META_PREFIX) || name === META_PREFIX) continue;
    const value = headerText(headers, name) ?? "";
    // Header values are byte strings: one character is one byte.
    sizeBytes += name.length - META_PREFIX.length + value.length;
    metadata[name.slice(META_PREFIX.length)] = value;
  }
  if (sizeBytes > MAX_META_BYTES) {
    throw new S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size", {
      Size: sizeBytes,
      MaxSizeAllowed: MAX_META_BYTES,
    });
  }
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}

/** The Content-Encoding of the object: S3's own coding of the transfer is no part of it. */
function contentEncoding(headers: ReceivedHeaders): string | undefined {
  const text = headerText(headers, "content-encoding");
  if (text === undefined || !/aws-chunked/i.test(text)) return text;
  const codings = text.split(",").map((coding) => coding.trim());
  return codings.filter((coding) => coding !== "" && coding.toLowerCase() !== "aws-chunked").join(", ");
}

/** Tags that a header names, in the form of the header; undefined without one. @throws S3Error */
export function taggingHeader(headers: ReceivedHeaders): string | undefined {
  const text = headerText(headers, "x-amz-tagging");
  return text === undefined ? undefined : formatTagging(parseTaggingHeader(text));
}

/** Reads the settings of a new object, without its tags. @throws S3Error */
export function objectSettings(headers: ReceivedHeaders): ObjectSettings {
  const settings: Record<string, unknown> = {};
  // An empty header says nothing, as an absent one.
  const set = (name: keyof ObjectSettings, value: unknown) => {
    if (value !== undefined && value !== "") settings[name] = value;
  };
  set("contentType", headerText(headers, "content-type"));
  set("contentEncoding", contentEncoding(headers));
  set("contentDisposition", headerText(headers, "content-disposition"));
  set("contentLanguage", headerText(headers, "content-language"));
  set("cacheControl", headerText(headers, "cache-control"));
  set("expires", headerText(headers, "expires"));
  set("storageClass", storageClass(headers));
  set("userMetadata", userMetadata(headers));
  const passed = storeHeaders(headers);
  if (Object.keys(passed).length > 0) set("headers", passed);
  return settings;
}

/** Reads the conditions of a write. */
export function writeConditions(headers: ReceivedHeaders): WriteConditions {
  const ifMatch = headerText(headers, "if-match");
  const ifNoneMatch = headerText(headers, "if-none-match");
  return { ...(ifMatch !== undefined && { ifMatch }), ...(ifNoneMatch !== undefined && { ifNoneMatch }) };
}
