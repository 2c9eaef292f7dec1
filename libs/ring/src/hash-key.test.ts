import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hashKey, murmur3 } from "./hash-key.ts";

/** MurmurHash3_x86_32 over bytes, written straight from the reference; the yardstick for the string version. */
function reference(bytes: Uint8Array, seed: number): number {
  let h = seed | 0;
  const scramble = (k: number) => {
    const m = Math.imul(k, 0xcc9e2d51);
    return Math.imul((m << 15) | (m >>> 17), 0x1b873593);
  };
  const whole = bytes.length & ~3;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += 4) {
    h ^= scramble(view.getInt32(at, true));
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | bytes[at]!;
  h ^= scramble(tail);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

describe("hashKey", () => {
  it("matches the published vectors of MurmurHash3 x86 32", () => {
    const vectors: readonly (readonly [string, number, number])[] = [
      ["", 0, 0],
      ["", 1, 0x514e28b7],
      ["", 0xffffffff, 0x81f16f39],
      ["\0", 0, 0x514e28b7],
      ["\0\0", 0, 0x30f4c306],
      ["\0\0\0", 0, 0x85f0b427],
      ["\0\0\0\0", 0, 0x2362f9de],
      ["a", 0x9747b28c, 0x7fa09ea6],
      ["aa", 0x9747b28c, 0x5d211726],
      ["aaa", 0x9747b28c, 0x283e0130],
      ["aaaa", 0x9747b28c, 0x5a97808a],
      ["ab", 0x9747b28c, 0x74875592],
      ["abc", 0x9747b28c, 0xc84a62dd],
      ["abcd", 0x9747b28c, 0xf0478627],
      ["Hello, world!", 0x9747b28c, 0x24884cba],
      ["ππππππππ", 0x9747b28c, 0xd58063c1],
      ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
      ["test", 0, 0xba6bd213],
      ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
    ];
    for (const [key, seed, hash] of vectors) {
      assert.equal(murmur3(key, seed), hash, `${JSON.stringify(key)} with seed ${seed}`);
    }
    assert.equal(hashKey("test"), 0xba6bd213);
  });

  it("has a reference that gives SMHasher's verification value", () => {
    const hashes = new Uint8Array(256 * 4);
    const view = new DataView(hashes.buffer);
    for (let length = 0; length < 256; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => index);
      view.setUint32(length * 4, reference(bytes, 256 - length), true);
    }
    assert.equal(reference(hashes, 0), 0xb0f57ee3);
  });

  it("hashes the UTF-8 bytes of any string, lone surrogates included", () => {
    const encoder = new TextEncoder();
    const check = (key: string, seed: number) => assert.equal(murmur3(key, seed), reference(encoder.encode(key), seed));
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.nat(), check), { numRuns: 500 });
    fc.assert(fc.property(fc.string({ unit: "binary-ascii", maxLength: 40 }), fc.nat(), check), { numRuns: 500 });
    const codeUnits = fc.array(fc.integer({ min: 0xd700, max: 0xe100 }), { maxLength: 12 });
    fc.assert(
      fc.property(codeUnits, fc.nat(), (units, seed) => check(String.fromCharCode(...units), seed)),
      { numRuns: 500 },
    );
  });
});
