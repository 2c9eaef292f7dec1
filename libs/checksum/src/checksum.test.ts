import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { Crc64Nvme as AwsCrc64Nvme } from "@aws-sdk/crc64-nvme";
import fc from "fast-check";
import {
  CHECKSUM_ALGORITHMS,
  checksumBase64,
  compositeChecksum,
  crc32,
  crc32c,
  crc64nvme,
  createChecksum,
  DIGEST_BYTES,
  fullObjectChecksum,
  isChecksumBase64,
  isCrc,
} from "./index.ts";

const CHECK = Buffer.from("123456789");

test("the check values of the catalogue of CRCs come out", () => {
  assert.equal(crc32(CHECK), 0xcbf43926);
  assert.equal(crc32c(CHECK), 0xe3069283);
  assert.equal(crc64nvme(CHECK), 0xae8b14860a799888n);
});

test("nothing has the checksum zero, and digests have their lengths", () => {
  const nothing = new Uint8Array();
  assert.equal(crc32(nothing), 0);
  assert.equal(crc32c(nothing), 0);
  assert.equal(crc64nvme(nothing), 0n);
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    assert.equal(createChecksum(algorithm).digest().length, DIGEST_BYTES[algorithm]);
  }
});

test("others' implementations agree on any bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      assert.equal(crc32(bytes), zlibCrc32(bytes));
      const aws = new AwsCrc64Nvme();
      aws.update(bytes);
      assert.equal(Buffer.from(await aws.digest()).readBigUInt64BE(), crc64nvme(bytes));
    }),
    { numRuns: 300 },
  );
});

test("bytes in pieces have the checksum of the whole, however they are cut", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 });
  fc.assert(
    fc.property(pieces, fc.constantFrom(...CHECKSUM_ALGORITHMS), (cut, algorithm) => {
      const running = createChecksum(algorithm);
      for (const piece of cut) running.update(piece);
      const whole = checksumBase64(algorithm, Buffer.concat(cut));
      assert.equal(running.digest().toString("base64"), whole);
      if (!isCrc(algorithm)) return;
      const parts = cut.map((piece) => ({ checksum: checksumBase64(algorithm, piece), sizeBytes: piece.length }));
      assert.equal(fullObjectChecksum(algorithm, parts), whole);
    }),
    { numRuns: 300 },
  );
});

test("CRCs of parts combine over lengths past 32 bits", () => {
  const zeros = (exponent: number): string => {
    // The CRC of 2^n zero bytes, doubled up from one byte by combination alone.
    let part = { checksum: checksumBase64("CRC32C", new Uint8Array(1)), sizeBytes: 1 };
    for (let step = 0; step < exponent; step++) {
      part = { checksum: fullObjectChecksum("CRC32C", [part, part]), sizeBytes: part.sizeBytes * 2 };
    }
    return part.checksum;
  };
  assert.equal(zeros(20), checksumBase64("CRC32C", new Uint8Array(1 << 20)));
  assert.equal(isChecksumBase64("CRC32C", zeros(40)), true);
});

test("a composite checksum is that of the parts' digests, with their number", () => {
  const parts = ["a", "b"].map((text) => ({ checksum: checksumBase64("SHA256", Buffer.from(text)), sizeBytes: 1 }));
  const digests = Buffer.concat(parts.map(({ checksum }) => Buffer.from(checksum, "base64")));
  assert.equal(compositeChecksum("SHA256", parts), `${checksumBase64("SHA256", digests)}-2`);
});

test("only whole digests in proper base64 are taken for checksums", () => {
  assert.equal(isChecksumBase64("CRC32", "y/Q5Jg=="), true);
  for (const bad of ["", "y/Q5Jg", "y/Q5Jg==x", "y_Q5Jg==", "y/Q5JiA=", "????????", " y/Q5Jg=="]) {
    assert.equal(isChecksumBase64("CRC32", bad), false, bad);
  }
});
