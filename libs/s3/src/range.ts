/** Range requests: one range of bytes, as S3 takes them. */
import type { ByteRange } from "@ringlight/core";

/** A range as asked for, before the object's size is known. */
export type RequestedRange =
  /** From `start` to `end`, both included; to the end of the object when `end` is absent. */
  | { readonly kind: "from-to"; readonly start: number; readonly end?: number }
  /** The last `length` bytes. */
  | { readonly kind: "suffix"; readonly length: number };

const SINGLE_RANGE = /^bytes=(\d*)-(\d*)$/i;

function position(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/**
 * Reads a Range header. Undefined means the whole object: for no header, and, as S3 does, for one that is malformed, has
 * another unit than bytes, ends before it starts, or names several ranges.
 */
export function parseRange(header: string | undefined): RequestedRange | undefined {
  if (header === undefined) return undefined;
  const plain = plainRange(header);
  if (plain !== undefined) return plain;
  const match = SINGLE_RANGE.exec(header.trim());
  if (!match) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "") return to === "" ? undefined : { kind: "suffix", length: position(to) };
  const start = position(from);
  if (to === "") return { kind: "from-to", start };
  const end = position(to);
  return end < start ? undefined : { kind: "from-to", start, end };
}

const PREFIX = "bytes=";
/** More digits might not be exact. */
const MAX_DIGITS = 15;
const ZERO = 48;

/** "bytes=1-2" as nearly every client writes it; undefined for what is to be looked at more closely. The expression costs three times as much. */
function plainRange(header: string): RequestedRange | undefined {
  if (!header.startsWith(PREFIX)) return undefined;
  const dash = header.indexOf("-", PREFIX.length + 1);
  if (dash < 0) return undefined;
  const start = digitsOf(header, PREFIX.length, dash);
  const end = digitsOf(header, dash + 1, header.length);
  return start < 0 || end < start ? undefined : { kind: "from-to", start, end };
}

/** The number that the digits of a text make; -1 where there are none, too many or other characters. */
function digitsOf(text: string, from: number, to: number): number {
  if (to === from || to - from > MAX_DIGITS) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The bytes of an object of `sizeBytes` that a requested range names, cut at the object's end; undefined when there are none (416). */
export function resolveRange(requested: RequestedRange, sizeBytes: number): ByteRange | undefined {
  if (requested.kind === "suffix") {
    if (requested.length === 0 || sizeBytes === 0) return undefined;
    return { start: Math.max(0, sizeBytes - requested.length), end: sizeBytes - 1 };
  }
  if (requested.start >= sizeBytes) return undefined;
  return { start: requested.start, end: Math.min(requested.end ?? sizeBytes - 1, sizeBytes - 1) };
}
