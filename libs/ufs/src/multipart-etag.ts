/** The ETag of an object that was uploaded in parts. */
import { createHash } from "node:crypto";

/** S3's ETag of a multipart object: the MD5 of its parts' MD5s, and their number. @returns undefined unless every part's ETag is an MD5 */
export function multipartEtag(partEtags: readonly string[]): string | undefined {
  const digests = partEtags.map((etag) => etag.replaceAll('"', ""));
  if (!digests.every((digest) => /^[0-9a-f]{32}$/i.test(digest))) return undefined;
  return `"${createHash("md5")
    .update(Buffer.from(digests.join(""), "hex"))
    .digest("hex")}-${digests.length}"`;
}
