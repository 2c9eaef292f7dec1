/**
 * Reads the document of ListObjectsV2. A page of a thousand keys is scanned for the few elements that matter, which takes a
 * tenth of what building a tree of it takes. What is not the document, or not all of it, is refused: a listing that was cut
 * short must not pass for a short listing.
 */
import { RinglightError } from "@ringlight/core";
import { elementsOf, textOf, unescapeXml } from "./s3-xml.ts";

/** A key of a page, as the store tells it. */
export interface ListedRow {
  readonly key: string;
  readonly sizeBytes: number;
  /** undefined where the store tells none. */
  readonly etag: string | undefined;
  /** 0 where the store tells none. */
  readonly modifiedMs: number;
  /** "" where the store tells none. */
  readonly storageClass: string;
}

/** A page. */
export interface Listing {
  readonly contents: readonly ListedRow[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
}

const ROOT = /^\uFEFF?\s*(?:<\?xml[^>]*\?>\s*)?<ListBucketResult(?:\s[^>]*)?>/;
const EMPTY = /^\uFEFF?\s*(?:<\?xml[^>]*\?>\s*)?<ListBucketResult(?:\s[^>]*)?\/>\s*$/;
const END = /<\/ListBucketResult>\s*$/;
const OPEN = "<Contents>";
const CLOSE = "</Contents>";

/** Parses a page. @throws RL_UFS_ERROR, with `what` in the text */
export function parseListing(xml: string, what: string): Listing {
  const wrong = (why: string) => new RinglightError("RL_UFS_ERROR", `${why}: ${what}`);
  if (EMPTY.test(xml)) return { contents: [], commonPrefixes: [], truncated: false };
  if (!ROOT.test(xml) || !END.test(xml)) throw wrong("the store's listing is no whole ListBucketResult");
  // What is said of the page stands before, between and behind its keys, and is not to be looked for within them.
  let about = "";
  let at = 0;
  const rows: string[] = [];
  for (let start = xml.indexOf(OPEN); start >= 0; start = xml.indexOf(OPEN, at)) {
    const end = xml.indexOf(CLOSE, start);
    if (end < 0) throw wrong("the store's listing breaks off within a key");
    about += xml.slice(at, start);
    rows.push(xml.slice(start + OPEN.length, end));
    at = end + CLOSE.length;
  }
  about += xml.slice(at);
  const isEncoded = textOf(about, "EncodingType")?.trim() === "url";
  const decode = (raw: string) => {
    const text = unescapeXml(raw);
    if (!isEncoded || !/[%+]/.test(text)) return text;
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      throw wrong(`the store's listing has a key that is not UTF-8 (${text})`);
    }
  };
  return {
    contents: rows.map((row) => rowOf(row, decode, wrong)),
    commonPrefixes: elementsOf(about, "CommonPrefixes").map((inner) => decode(rawText(inner, "Prefix") ?? "")),
    truncated: textOf(about, "IsTruncated")?.trim() === "true",
  };
}

function rowOf(row: string, decode: (text: string) => string, wrong: (why: string) => Error): ListedRow {
  const key = rawText(row, "Key");
  const size = rawText(row, "Size")?.trim();
  if (key === undefined) throw wrong("the store's listing has an object without a key");
  if (size === undefined || !/^\d{1,15}$/.test(size))
    throw wrong(`the store's listing has a size that is none (${size})`);
  const etag = rawText(row, "ETag");
  const modifiedMs = Date.parse(rawText(row, "LastModified") ?? "");
  return {
    key: decode(key),
    sizeBytes: Number(size),
    etag: etag === undefined ? undefined : unescapeXml(etag),
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
    storageClass: unescapeXml(rawText(row, "StorageClass") ?? ""),
  };
}

/** Text of an element as it stands; undefined when there is none. */
function rawText(xml: string, name: string): string | undefined {
  const open = `<${name}>`;
  const at = xml.indexOf(open);
  // With attributes, or empty in short: rare enough for the slower way.
  if (at < 0) return elementsOf(xml, name)[0];
  const end = xml.indexOf(`</${name}>`, at);
  return end < 0 ? undefined : xml.slice(at + open.length, end);
}
