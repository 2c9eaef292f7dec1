export {
  CHECKSUM_ALGORITHMS,
  checksumBase64,
  compositeChecksum,
  createChecksum,
  DIGEST_BYTES,
  fullObjectChecksum,
  isChecksumBase64,
  isCrc,
  type PartChecksum,
  type RunningChecksum,
} from "./checksum.ts";
export { type CrcAlgorithm, combineCrc } from "./combine.ts";
export { crc32, crc32c } from "./crc32.ts";
export { Crc64Nvme, crc64nvme } from "./crc64-nvme.ts";
