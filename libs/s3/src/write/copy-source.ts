/** The headers of copies: where from, under which conditions, and what the copy takes along. */
import type { ByteRange, SourceConditions } from "@ringlight/core";
import type { ReceivedHeaders } from "../conditions.ts";
import { S3Error } from "../s3-error.ts";
import { checkBucket, checkKey } from "../target.ts";
import { headerText } from "./checksum-headers.ts";

/** Source of a copy. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  readonly conditions: SourceConditions;
}

function invalid(name: string, value: string, message: string): S3Error {
  return new S3Error("InvalidArgument", message, { ArgumentName: name, ArgumentValue: value });
}

/** Reads x-amz-copy-source and the conditions on it. @throws S3Error InvalidArgument */
export function copySource(headers: ReceivedHeaders): CopySource {
  const name = "x-amz-copy-source";
  const text = headerText(headers, name) ?? "";
  const bad = (message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey") =>
    invalid(name, text, message);
  const mark = text.lastIndexOf("?versionId=");
  const path = (mark === -1 ? text : text.slice(0, mark)).replace(/^\//, "");
  const versionId = mark === -1 ? undefined : text.slice(mark + "?versionId=".length);
  if (versionId !== undefined && versionId !== "null") throw bad("Invalid version id specified");
  let decoded: string;
  try {
    // Bytes above ASCII that were not escaped come as latin1 characters.
    decoded = decodeURIComponent(path.replace(/[\u0080-\u00ff]/g, (char) => `%${char.charCodeAt(0).toString(16)}`));
  } catch {
    throw bad();
  }
  const slash = decoded.indexOf("/");
  const bucket = slash === -1 ? "" : decoded.slice(0, slash);
  const key = decoded.slice(slash + 1);
  if (bucket === "" || key === "" || decoded.includes("\0")) throw bad();
  checkBucket(bucket);
  checkKey(key);
  return { bucket, key, conditions: sourceConditions(headers) };
}

function sourceConditions(headers: ReceivedHeaders): SourceConditions {
  const of = (condition: string) => headerText(headers, `x-amz-copy-source-${condition}`);
  const conditions: Record<string, string | undefined> = {
    ifMatch: of("if-match"),
    ifNoneMatch: of("if-none-match"),
    ifModifiedSince: of("if-modified-since"),
    ifUnmodifiedSince: of("if-unmodified-since"),
  };
  for (const name of Object.keys(conditions)) if (conditions[name] === undefined) delete conditions[name];
  return conditions as SourceConditions;
}

/** Reads x-amz-copy-source-range, which has both ends; undefined without one. @throws S3Error InvalidArgument */
export function copySourceRange(headers: ReceivedHeaders): ByteRange | undefined {
  const name = "x-amz-copy-source-range";
  const text = headerText(headers, name);
  if (text === undefined) return undefined;
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (!match || end < start) {
    throw invalid(
      name,
      text,
      "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
    );
  }
  return { start, end };
}

/** True when a directive says REPLACE; COPY is what an absent one says. @throws S3Error InvalidArgument */
export function replaces(headers: ReceivedHeaders, which: "metadata" | "tagging"): boolean {
  const name = `x-amz-${which}-directive`;
  const text = headerText(headers, name);
  if (text === undefined || text === "COPY") return false;
  if (text === "REPLACE") return true;
  throw invalid(name, text, `Unknown ${which} directive.`);
}
