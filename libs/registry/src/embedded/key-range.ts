/**
 * Keys as the store holds them: latin1 strings, one character a byte, so that comparing strings compares bytes. And
 * etcd's ranges: no end means one key, an end of one zero byte means everything from the start on.
 */

/** A half-open range of keys, or a single key. */
export interface KeyRange {
  readonly start: string;
  /** Exclusive end; "" for the single key `start`, "\0" for no end. */
  readonly end: string;
}

/** A key's bytes as the store's string. */
export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The store's string as a key's bytes. */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, "latin1");
}

/** The range that a request's key and range_end mean. */
export function rangeOf(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  return { start: keyOf(key), end: keyOf(rangeEnd) };
}

/** Whether the key lies in the range. */
export function inRange(key: string, range: KeyRange): boolean {
  if (range.end === "") return key === range.start;
  return key >= range.start && (range.end === "\0" || key < range.end);
}
