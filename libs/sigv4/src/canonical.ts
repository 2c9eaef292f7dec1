/**
 * The canonical request of Signature Version 4 in S3's dialect: the path is encoded once and never normalised, so that
 * "//" and "/./" stay what they are. Everything here works on byte strings: one character is one byte (latin1), which is
 * how node:http hands over request lines and header values.
 */

/** The payload hash of a request whose body is not signed. */
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
/** SHA-256 of nothing: the payload hash of a request without a body. */
export const EMPTY_PAYLOAD_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const PLAIN_PATH = /^[A-Za-z0-9\-._~/]*$/;
const PLAIN_WORD = /^[A-Za-z0-9\-._~]*$/;
const HEX = "0123456789ABCDEF";

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}

function isUnreserved(byte: number): boolean {
  return (
    (byte >= 97 && byte <= 122) ||
    (byte >= 65 && byte <= 90) ||
    (byte >= 48 && byte <= 57) ||
    byte === 45 ||
    byte === 46 ||
    byte === 95 ||
    byte === 126
  );
}

/** Decodes percent escapes (an incomplete one stands for itself) and encodes the bytes again as S3 does. */
function reencode(text: string, keepSlash: boolean, plusIsSpace: boolean): string {
  let out = "";
  for (let index = 0; index < text.length; index++) {
    let byte = text.charCodeAt(index) & 0xff;
    if (byte === 37 && index + 2 < text.length) {
      const high = hexValue(text.charCodeAt(index + 1));
      const low = hexValue(text.charCodeAt(index + 2));
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        index += 2;
      }
    } else if (byte === 43 && plusIsSpace) {
      byte = 32;
    }
    if (isUnreserved(byte) || (keepSlash && byte === 47)) out += String.fromCharCode(byte);
    else out += `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return out;
}

/** Canonical form of a path as it stands on the request line. */
export function canonicalPath(rawPath: string): string {
  if (rawPath === "") return "/";
  return PLAIN_PATH.test(rawPath) ? rawPath : reencode(rawPath, true, false);
}

/** Canonical form of a query parameter's name or value as it stands on the request line; "+" is a space there. */
function canonicalWord(rawWord: string): string {
  return PLAIN_WORD.test(rawWord) ? rawWord : reencode(rawWord, false, true);
}

/** Encodes text (not yet encoded) for use in a query, by the rules of the canonical form. */
export function encodeWord(text: string): string {
  if (PLAIN_WORD.test(text)) return text;
  let out = "";
  for (const byte of Buffer.from(text, "utf8")) {
    out += isUnreserved(byte) ? String.fromCharCode(byte) : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return out;
}

/** One query parameter: the name and value in canonical form, and as sent. */
export interface QueryPair {
  readonly name: string;
  readonly value: string;
  readonly rawName: string;
  readonly rawValue: string;
}

/** Takes a query (without "?") apart. Empty pieces between "&" are left out. */
export function parseQuery(rawQuery: string): QueryPair[] {
  if (rawQuery === "") return [];
  const pairs: QueryPair[] = [];
  for (const piece of rawQuery.split("&")) {
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const rawName = equals === -1 ? piece : piece.slice(0, equals);
    const rawValue = equals === -1 ? "" : piece.slice(equals + 1);
    pairs.push({ name: canonicalWord(rawName), value: canonicalWord(rawValue), rawName, rawValue });
  }
  return pairs;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The canonical query of pairs that are already encoded: sorted by name, then by value. */
export function canonicalQuery(pairs: readonly (readonly [name: string, value: string])[]): string {
  if (pairs.length === 0) return "";
  const sorted = pairs.length === 1 ? pairs : [...pairs].sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
  return sorted.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Splits a request line's target into path and query (without "?"). */
export function splitTarget(rawUrl: string): { path: string; query: string } {
  const mark = rawUrl.indexOf("?");
  return mark === -1 ? { path: rawUrl, query: "" } : { path: rawUrl.slice(0, mark), query: rawUrl.slice(mark + 1) };
}

/** A header value without blanks at its ends. */
export function trimBlanks(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

/** A header value as the canonical request has it: trimmed, runs of blanks made one. Only ASCII blanks: bytes of UTF-8 stay. */
export function canonicalHeaderValue(value: string): string {
  return /[ \t]{2}|\t|^ | $/.test(value) ? trimBlanks(value.replace(/[ \t]+/g, " ")) : value;
}

/** What makes a header's value other than canonical: blanks at its ends or in runs, and what is not printable ASCII. */
const ODD_VALUE = /[^ -~]| {2}|^ | $/;

/** Whether a header's value stands in canonical form as it is; of those that do, some with bytes above ASCII are taken for odd. */
export function isPlainValue(value: string): boolean {
  return !ODD_VALUE.test(value);
}

/** Whether a path, as it stands on the request line, is in canonical form, and no query follows it. */
export function isPlainPath(path: string): boolean {
  return path !== "" && PLAIN_PATH.test(path);
}

/** What a canonical request is made of; every part in its canonical form. */
export interface CanonicalParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Names in lower case, sorted, with their values. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly payloadHash: string;
}

/** A canonical request, one character a byte. */
export function canonicalRequest(parts: CanonicalParts): string {
  let lines = "";
  let names = "";
  for (const [name, value] of parts.headers) {
    lines += `${name}:${value}\n`;
    names += names === "" ? name : `;${name}`;
  }
  return `${parts.method}\n${parts.path}\n${parts.query}\n${lines}\n${names}\n${parts.payloadHash}`;
}
