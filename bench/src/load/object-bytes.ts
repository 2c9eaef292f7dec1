/** Bytes of the objects that the harness writes: random ones, another run of them for each key. */
import { randomBytes } from "@ringlight/testing";
import { hashText } from "../workloads/random.ts";

const BLOCK_BYTES = 1024 * 1024;
/** Bodies of up to this are kept and sent again. */
const KEPT = 8;
let block: Buffer | undefined;
const kept = new Map<number, Buffer>();

/** Bytes of an object. The first eight of each MiB tell the key and the place, so that mixed-up pages are found out. */
export function objectBytes(key: string, sizeBytes: number): Buffer {
  block ??= randomBytes(BLOCK_BYTES, BLOCK_BYTES);
  const data = Buffer.allocUnsafe(sizeBytes);
  const hash = hashText(key);
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES) {
    block.copy(data, at, 0, Math.min(BLOCK_BYTES, sizeBytes - at));
    if (sizeBytes - at >= 8) {
      data.writeUInt32LE(hash, at);
      data.writeUInt32LE(at / BLOCK_BYTES, at + 4);
    }
  }
  return data;
}

/** A body for a write under load: made once a size, for the generator is not to be measured by it. */
export function writtenBody(key: string, sizeBytes: number): Buffer {
  let body = kept.get(sizeBytes);
  if (body === undefined) {
    body = objectBytes(key, sizeBytes);
    if (kept.size >= KEPT) kept.clear();
    kept.set(sizeBytes, body);
  }
  return body;
}
