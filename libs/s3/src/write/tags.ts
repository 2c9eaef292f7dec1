/** Tags of objects: their rules, and the form that headers have them in. */
import type { ObjectTag } from "@ringlight/core";
import { S3Error } from "../s3-error.ts";

const MAX_TAGS = 10;
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 256;
const LEGAL = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Checks tags by the rules of S3. @throws S3Error InvalidTag or BadRequest */
export function checkTags(tags: readonly ObjectTag[]): void {
  const invalid = (message: string, tag: ObjectTag) => new S3Error("InvalidTag", message, { TagKey: tag.key });
  if (tags.length > MAX_TAGS) {
    throw new S3Error("InvalidTag", `Object tags cannot be greater than ${MAX_TAGS}`);
  }
  const seen = new Set<string>();
  for (const tag of tags) {
    if (tag.key === "" || tag.key.length > MAX_KEY_LENGTH || !LEGAL.test(tag.key)) {
      throw invalid("The TagKey you have provided is invalid", tag);
    }
    if (tag.value.length > MAX_VALUE_LENGTH || !LEGAL.test(tag.value)) {
      throw invalid("The TagValue you have provided is invalid", tag);
    }
    if (seen.has(tag.key)) throw invalid("Cannot provide multiple Tags with the same key", tag);
    seen.add(tag.key);
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw badHeader();
  }
}

function badHeader(): S3Error {
  return new S3Error(
    "InvalidArgument",
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    { ArgumentName: "x-amz-tagging" },
  );
}

/** Reads an x-amz-tagging header ("a=1&b=2", percent-encoded). @throws S3Error InvalidArgument or InvalidTag */
export function parseTaggingHeader(header: string): ObjectTag[] {
  if (header === "") return [];
  const tags = header.split("&").map((piece) => {
    const equals = piece.indexOf("=");
    const key = decode(equals === -1 ? piece : piece.slice(0, equals));
    return { key, value: equals === -1 ? "" : decode(piece.slice(equals + 1)) };
  });
  if (new Set(tags.map((tag) => tag.key)).size !== tags.length) throw badHeader();
  checkTags(tags);
  return tags;
}

/** Tags as the header x-amz-tagging has them. */
export function formatTagging(tags: readonly ObjectTag[]): string {
  return tags.map(({ key, value }) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&");
}
