/**
 * MurmurHash3, 32 bits, x86 variant (Austin Appleby, public domain; github.com/aappleby/smhasher), over the UTF-8 bytes
 * of a string. The bytes are never materialised, so hashing a key allocates nothing. A lone surrogate counts as U+FFFD,
 * as it does in TextEncoder.
 */

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

/** Mixes one little-endian block of four bytes into the state. */
function block(state: number, bytes: number): number {
  let k = Math.imul(bytes, C1);
  k = (k << 15) | (k >>> 17);
  const h = state ^ Math.imul(k, C2);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** Mixes the last one to three bytes, if any, and the length, and makes every bit of the state count. */
function finish(state: number, tail: number, length: number): number {
  let h = state;
  if ((length & 3) !== 0) {
    const k = Math.imul(tail, C1);
    h ^= Math.imul((k << 15) | (k >>> 17), C2);
  }
  h ^= length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The general path: encodes each code point as UTF-8 while it hashes. */
function murmur3Utf8(key: string, seed: number): number {
  let h = seed;
  let pending = 0;
  let length = 0;
  const push = (byte: number) => {
    pending |= byte << ((length & 3) << 3);
    length++;
    if ((length & 3) === 0) {
      h = block(h, pending);
      pending = 0;
    }
  };
  for (let index = 0; index < key.length; index++) {
    let point = key.codePointAt(index) as number;
    if (point > 0xffff) index++;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) push(point);
    else {
      if (point < 0x800) push(0xc0 | (point >> 6));
      else {
        if (point < 0x10000) push(0xe0 | (point >> 12));
        else {
          push(0xf0 | (point >> 18));
          push(0x80 | ((point >> 12) & 63));
        }
        push(0x80 | ((point >> 6) & 63));
      }
      push(0x80 | (point & 63));
    }
  }
  return finish(h, pending, length);
}

/** MurmurHash3 (x86, 32 bits) of the UTF-8 bytes of `key`, as an unsigned 32-bit number. */
export function murmur3(key: string, seed: number): number {
  const length = key.length;
  let h = seed | 0;
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    const a = key.charCodeAt(index);
    const b = key.charCodeAt(index + 1);
    const c = key.charCodeAt(index + 2);
    const d = key.charCodeAt(index + 3);
    if ((a | b | c | d) > 0x7f) return murmur3Utf8(key, seed | 0);
    h = block(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let shift = 0; index < length; index++, shift += 8) {
    const code = key.charCodeAt(index);
    if (code > 0x7f) return murmur3Utf8(key, seed | 0);
    tail |= code << shift;
  }
  return finish(h, tail, length);
}

/**
 * The hash that puts a key on the ring: MurmurHash3 (x86, 32 bits, seed 0) of its UTF-8 bytes, an unsigned 32-bit
 * number. The arc of the key is its top bits.
 */
export function hashKey(key: string): number {
  return murmur3(key, 0);
}
