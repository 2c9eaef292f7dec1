/**
 * The CRC of two byte strings one after the other, from their CRCs alone: crc(AB) = crc(A)·x^(8·|B|) + crc(B) modulo the
 * polynomial, as zlib's crc32_combine has it. It costs a few dozen multiplications whatever the lengths are.
 */

/** The CRCs that can be combined, and with them checksums of whole objects made of those of their parts. */
export type CrcAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

interface Field {
  readonly bits: bigint;
  /** Reflected polynomial. */
  readonly polynomial: bigint;
}

const FIELDS: Readonly<Record<CrcAlgorithm, Field>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
};

/** Product of two reflected polynomials. */
function multiply(field: Field, a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = 1n << (field.bits - 1n); bit !== 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= factor;
    factor = (factor & 1n) === 0n ? factor >> 1n : (factor >> 1n) ^ field.polynomial;
  }
  return product;
}

/** x^(8·count). */
function power(field: Field, count: number): bigint {
  let result = 1n << (field.bits - 1n);
  let square = result >> 8n;
  for (let left = BigInt(count); left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = multiply(field, result, square);
    square = multiply(field, square, square);
  }
  return result;
}

/** The CRC of A and B together, from that of A, that of B, and B's length in bytes. */
export function combineCrc(algorithm: CrcAlgorithm, first: bigint, second: bigint, secondBytes: number): bigint {
  const field = FIELDS[algorithm];
  return multiply(field, power(field, secondBytes), first) ^ second;
}
