/** Response headers of an object. */
import type { ObjectMeta } from "@ringlight/core";
import type { AnswerHeaders } from "./exchange.ts";
import { S3Error } from "./s3-error.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSENDABLE = /[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/;

/** A header value as it can be sent: text beyond latin1 in RFC 2047's form, as S3 does for user metadata. */
function headerText(value: string): string {
  return UNSENDABLE.test(value) ? `=?UTF-8?B?${Buffer.from(value, "utf8").toString("base64")}?=` : value;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;

/** A time as HTTP writes it, cut to whole seconds. */
export function httpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** The headers that 304 has too. */
export function validatorHeaders(meta: ObjectMeta): AnswerHeaders {
  const headers: AnswerHeaders = {
    "Accept-Ranges": "bytes",
    "Last-Modified": httpDate(meta.modifiedMs),
    ETag: meta.etag,
  };
  if (meta.cacheControl !== undefined) headers["Cache-Control"] = headerText(meta.cacheControl);
  if (meta.expires !== undefined) headers.Expires = headerText(meta.expires);
  return headers;
}

/** All headers that describe an object, without length and range. */
export function objectHeaders(meta: ObjectMeta): AnswerHeaders {
  const headers = validatorHeaders(meta);
  headers["Content-Type"] = headerText(meta.contentType ?? "binary/octet-stream");
  if (meta.contentEncoding !== undefined) headers["Content-Encoding"] = headerText(meta.contentEncoding);
  if (meta.contentDisposition !== undefined) headers["Content-Disposition"] = headerText(meta.contentDisposition);
  if (meta.contentLanguage !== undefined) headers["Content-Language"] = headerText(meta.contentLanguage);
  if (meta.storageClass !== undefined && meta.storageClass !== "STANDARD") {
    headers["x-amz-storage-class"] = headerText(meta.storageClass);
  }
  if (meta.taggingCount !== undefined && meta.taggingCount > 0) headers["x-amz-tagging-count"] = meta.taggingCount;
  if (meta.headers !== undefined) {
    for (const name of Object.keys(meta.headers)) headers[name] = headerText(meta.headers[name] ?? "");
  }
  if (meta.userMetadata !== undefined) {
    for (const name of Object.keys(meta.userMetadata)) {
      if (TOKEN.test(name)) headers[`x-amz-meta-${name}`] = headerText(meta.userMetadata[name] ?? "");
    }
  }
  return headers;
}

/** Query parameters that replace a response header, on successful reads. */
const OVERRIDES: Readonly<Record<string, string>> = {
  "response-content-type": "Content-Type",
  "response-content-language": "Content-Language",
  "response-expires": "Expires",
  "response-cache-control": "Cache-Control",
  "response-content-disposition": "Content-Disposition",
  "response-content-encoding": "Content-Encoding",
};

/** Headers that the request's `response-*` parameters set. @throws S3Error for anonymous requests, as S3 does. */
export function overrideHeaders(query: ReadonlyMap<string, string>, signed: boolean): AnswerHeaders {
  const headers: AnswerHeaders = {};
  for (const [name, value] of query) {
    const header = name.startsWith("response-") ? OVERRIDES[name] : undefined;
    if (header === undefined) continue;
    if (!signed) {
      throw new S3Error(
        "InvalidRequest",
        "Request specific response headers cannot be used for anonymous GET requests.",
      );
    }
    const bytes = Buffer.from(value, "utf8").toString("latin1");
    if (UNSENDABLE.test(bytes)) {
      throw new S3Error("InvalidArgument", "Header value cannot be represented in HTTP.", {
        ArgumentName: name,
      });
    }
    headers[header] = bytes;
  }
  return headers;
}

/** Versions are not kept: "null" names the one there is. @throws S3Error InvalidArgument for any other */
export function checkVersionId(query: ReadonlyMap<string, string>): void {
  const versionId = query.get("versionId");
  if (versionId !== undefined && versionId !== "null") {
    throw new S3Error("InvalidArgument", "Invalid version id specified", {
      ArgumentName: "versionId",
      ArgumentValue: versionId,
    });
  }
}
