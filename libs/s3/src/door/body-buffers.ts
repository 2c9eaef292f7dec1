/** Memory for the bodies of uploads, used again when whoever sends a body on says that it is done with a piece. */
import { markPooled } from "@ringlight/core";
import { noteBodyPiece } from "../write/young-garbage.ts";

/** Longest piece of a body, bytes. */
export const MAX_PIECE_BYTES = 256 * 1024;
/** Sizes of buffers, bytes. */
const SIZES = [32 * 1024, 128 * 1024, MAX_PIECE_BYTES];
/** Buffers of each size that are kept. */
const MAX_KEPT = 64;

const kept: Buffer[][] = SIZES.map(() => []);

/** Memory of `length` bytes, at most MAX_PIECE_BYTES, to be filled and then handed on; goes back when it is released. */
export function bodyBuffer(length: number): Buffer {
  const at = SIZES.findIndex((size) => length <= size);
  const free = kept[at] ?? [];
  let buffer = free.pop();
  if (buffer === undefined) {
    const size = SIZES[at] ?? length;
    noteBodyPiece(size);
    buffer = Buffer.allocUnsafeSlow(size);
  }
  const whole = buffer;
  return markPooled(whole.subarray(0, length), () => {
    if (free.length < MAX_KEPT) free.push(whole);
  });
}
