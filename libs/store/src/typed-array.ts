/** Growth of the typed arrays that the index and the policies are made of. */

/** What grows. */
type GrowingArray =
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/**
 * A copy of a typed array, four times as long until it has room for `least` elements; the old one is given back at once and
 * must not be used any more. What is new costs address space only until it is written to, for which reason it is grown in
 * large steps: few copies, and none of them while it is large.
 */
export function grown<T extends GrowingArray>(array: T, least: number): T {
  let length = Math.max(64, array.length);
  while (length < least) length *= 4;
  const copy = new (array.constructor as new (length: number) => T)(length);
  copy.set(array);
  discard(array);
  return copy;
}

/** Gives the memory of an array back now, not when the collector comes by. */
export function discard(array: GrowingArray): void {
  array.buffer.transfer(0);
}
