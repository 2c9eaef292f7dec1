/** Deterministic bytes: the same seed gives the same bytes on every machine, so that a test can say what it expects. */

/** Bytes from the sfc32 generator (Chris Doty-Humphrey, PractRand), little-endian words. */
export function randomBytes(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let a = 0x9e3779b9 ^ seed;
  let b = 0x243f6a88 ^ Math.floor(seed / 2 ** 32);
  let c = 0xb7e15162;
  let counter = 1;
  const next = () => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  for (let index = 0; index < words.length; index++) words[index] = next();
  return Buffer.from(words.buffer, 0, length);
}

/** A prime, so that no two pages of one object begin at the same place of the pattern. */
const PATTERN_BYTES = 4_194_319;
let pattern: Buffer | undefined;

/**
 * Bytes of a generated object of any size that is kept nowhere: one pattern, entered at a place that the seed decides.
 * The slice shares the pattern's memory (do not write to it) and is shorter than asked where the pattern wraps.
 */
export function generatedSlice(seed: number, offset: number, length: number): Buffer {
  pattern ??= randomBytes(0x52_4c, PATTERN_BYTES);
  const start = (Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0) % PATTERN_BYTES;
  const at = (start + offset) % PATTERN_BYTES;
  return pattern.subarray(at, Math.min(PATTERN_BYTES, at + length));
}

/** A copy of exactly `length` bytes of a generated object. */
export function generatedBytes(seed: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) done += generatedSlice(seed, offset + done, length - done).copy(bytes, done);
  return bytes;
}
