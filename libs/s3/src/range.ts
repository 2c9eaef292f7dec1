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
  const match = header === undefined ? null : SINGLE_RANGE.exec(header.trim());
  if (!match) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "") return to === "" ? undefined : { kind: "suffix", length: position(to) };
  const start = position(from);
  if (to === "") return { kind: "from-to", start };
  const end = position(to);
  return end < start ? undefined : { kind: "from-to", start, end };
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
