/** The five checksums that S3 knows, behind one interface. */
import { createHash, type Hash } from "node:crypto";
import type { ChecksumAlgorithm } from "@ringlight/core";
import { type CrcAlgorithm, combineCrc } from "./combine.ts";
import { crc32, crc32c } from "./crc32.ts";
import { Crc64Nvme } from "./crc64-nvme.ts";

/** Names of checksums as S3 writes them. */
export const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

/** Bytes of a digest. */
export const DIGEST_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** A checksum that takes its bytes in pieces. */
export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  /** The digest of all bytes, most significant byte first. To be called once, last. */
  digest(): Buffer;
}

function fromNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function fromBigint(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

class RunningCrc32 implements RunningChecksum {
  readonly #step: (bytes: Uint8Array, initial: number) => number;
  #crc = 0;

  constructor(step: (bytes: Uint8Array, initial: number) => number) {
    this.#step = step;
  }

  update(bytes: Uint8Array): void {
    this.#crc = this.#step(bytes, this.#crc);
  }

  digest(): Buffer {
    return fromNumber(this.#crc);
  }
}

class RunningCrc64 implements RunningChecksum {
  readonly #crc = new Crc64Nvme();

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes);
  }

  digest(): Buffer {
    return fromBigint(this.#crc.value());
  }
}

class RunningHash implements RunningChecksum {
  readonly #hash: Hash;

  constructor(name: "sha1" | "sha256") {
    this.#hash = createHash(name);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Buffer {
    return this.#hash.digest();
  }
}

/** Begins a checksum. */
export function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case "CRC32":
      return new RunningCrc32(crc32);
    case "CRC32C":
      return new RunningCrc32(crc32c);
    case "CRC64NVME":
      return new RunningCrc64();
    case "SHA1":
      return new RunningHash("sha1");
    case "SHA256":
      return new RunningHash("sha256");
  }
}

/** The digest of bytes that are all there, in base64 as S3's headers have it. */
export function checksumBase64(algorithm: ChecksumAlgorithm, bytes: Uint8Array): string {
  const running = createChecksum(algorithm);
  running.update(bytes);
  return running.digest().toString("base64");
}

/** True for a digest of the right length in base64, as S3's headers have it. */
export function isChecksumBase64(algorithm: ChecksumAlgorithm, text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === DIGEST_BYTES[algorithm] && bytes.toString("base64") === text;
}

/** A part of an object: its checksum in base64, and its size. */
export interface PartChecksum {
  readonly checksum: string;
  readonly sizeBytes: number;
}

/** True for checksums of which that of a whole object can be made of its parts'. */
export function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return algorithm.startsWith("CRC");
}

/** The checksum, in base64, of the whole of an object, from those of its parts in order. */
export function fullObjectChecksum(algorithm: CrcAlgorithm, parts: readonly PartChecksum[]): string {
  let crc = 0n;
  for (const { checksum, sizeBytes } of parts) {
    const part = BigInt(`0x${Buffer.from(checksum, "base64").toString("hex") || "0"}`);
    crc = combineCrc(algorithm, crc, part, sizeBytes);
  }
  return (algorithm === "CRC64NVME" ? fromBigint(crc) : fromNumber(Number(crc))).toString("base64");
}

/** S3's composite checksum of a multipart object: the checksum of its parts' digests, and their number. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): string {
  const running = createChecksum(algorithm);
  for (const { checksum } of parts) running.update(Buffer.from(checksum, "base64"));
  return `${running.digest().toString("base64")}-${parts.length}`;
}
