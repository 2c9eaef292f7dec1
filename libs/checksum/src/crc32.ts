/** CRC-32 (ISO-HDLC) and CRC-32C (Castagnoli), with the processor's instructions where it has them. */
import { crc32 as native32, crc32c as native32c } from "@node-rs/crc32";

/** CRC-32 of bytes, as an unsigned number. `initial` is the CRC of the bytes before them: give it to go on. */
export function crc32(bytes: Uint8Array, initial = 0): number {
  return native32(bytes, initial);
}

/** CRC-32C of bytes, as an unsigned number. `initial` is the CRC of the bytes before them: give it to go on. */
export function crc32c(bytes: Uint8Array, initial = 0): number {
  return native32c(bytes, initial);
}
