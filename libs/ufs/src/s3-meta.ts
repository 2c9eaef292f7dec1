/** Metadata of an object out of a response's head. */
import type { IncomingHttpHeaders } from "node:http";
import { type ObjectMeta, RinglightError } from "@ringlight/core";
import { single } from "./s3-http.ts";

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

/** Reads the metadata of a HEAD response. @throws RL_UFS_ERROR where size or version are missing. */
export function metaOf(headers: IncomingHttpHeaders, what: string): ObjectMeta {
  const etag = etagOf(headers.etag);
  if (etag === undefined) {
    throw new RinglightError("RL_UFS_ERROR", `the store sent no ETag, so the version cannot be known: ${what}`);
  }
  const sizeBytes = Number(headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes))
    throw new RinglightError("RL_UFS_ERROR", `the store sent no Content-Length: ${what}`);
  const userMetadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(USER) && value !== undefined) userMetadata[name.slice(USER.length)] = single(value) ?? "";
  }
  const optional = {
    contentType: headers["content-type"],
    contentEncoding: headers["content-encoding"],
    contentDisposition: headers["content-disposition"],
    contentLanguage: single(headers["content-language"]),
    cacheControl: headers["cache-control"],
    expires: headers.expires,
    storageClass: single(headers["x-amz-storage-class"]),
  };
  const modifiedMs = Date.parse(headers["last-modified"] ?? "");
  const meta: ObjectMeta = { sizeBytes, version: etag, etag, modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  return {
    ...meta,
    ...(Object.fromEntries(given) as Partial<ObjectMeta>),
    ...(Object.keys(userMetadata).length > 0 && { userMetadata }),
  };
}
