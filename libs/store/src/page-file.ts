/**
 * The file of one page. The page's bytes come first, so that they can be sent from offset 0; behind them the trailer:
 *
 * | bytes | what |
 * |---|---|
 * | 4 × blocks | CRC-32 of each block of 64 KiB, little-endian as everything here |
 * | 4 | magic "RLPG" |
 * | 2 | format version, 1 |
 * | 2 | log2 of the block size, 16 |
 * | 4 | length of the page |
 * | 4 | index of the page |
 * | 16 | version id |
 * | 4 | CRC-32 of the trailer up to here |
 *
 * The trailer names the page, so that a file under another page's name is found out. The file's name carries version, index
 * and length: what the store needs to know at start is in the directory, not in the files.
 */
import { crc32 } from "@ringlight/checksum";
import { RinglightError, type VersionId } from "@ringlight/core";

/** Unit of the checksums. */
export const BLOCK_BYTES = 65_536;
/** Unit of the file systems' allocation, and so of the accounting. */
export const ALLOCATION_BYTES = 4096;
/** Longest page that the format holds. */
export const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** Greatest page index. */
export const MAX_PAGE_INDEX = 0xffff_fffe;

const MAGIC = 0x47504c52;
const FORMAT_VERSION = 1;
const BLOCK_SHIFT = 16;
const FOOTER_BYTES = 36;
const DASH = 45;
const ZERO = 48;
const LETTER_A = 97;

/** Names of temporary files begin with this; no page's name does. */
export const TEMPORARY_PREFIX = ".t";

/** A page as its file name tells it. */
export interface PageName {
  readonly version: VersionId;
  readonly index: number;
  readonly lengthBytes: number;
}

/** File name of a page. */
export function formatPageName(version: VersionId, index: number, lengthBytes: number): string {
  return `${version}-${index.toString(36)}-${lengthBytes.toString(36)}`;
}

/** Takes a file name apart; undefined if it is not a page's. By hand: at a start this runs for every page. */
export function parsePageName(name: string): PageName | undefined {
  if (name.length < 36 || name.length > 48 || name.charCodeAt(32) !== DASH) return undefined;
  for (let at = 0; at < 32; at++) {
    const code = name.charCodeAt(at);
    if (!((code >= ZERO && code <= ZERO + 9) || (code >= LETTER_A && code <= LETTER_A + 5))) return undefined;
  }
  const second = name.indexOf("-", 33);
  const index = parseBase36(name, 33, second);
  const lengthBytes = parseBase36(name, second + 1, name.length);
  if (!(index <= MAX_PAGE_INDEX && lengthBytes <= MAX_PAGE_BYTES)) return undefined;
  return { version: name.slice(0, 32), index, lengthBytes };
}

/** The number that stands in [start, end), as toString(36) writes it; NaN if it is none. */
function parseBase36(text: string, start: number, end: number): number {
  if (end <= start || end - start > 7) return Number.NaN;
  let value = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code >= ZERO && code <= ZERO + 9) value = value * 36 + code - ZERO;
    else if (code >= LETTER_A && code <= LETTER_A + 25) value = value * 36 + code - LETTER_A + 10;
    else return Number.NaN;
    if (at === start && value === 0 && end - start > 1) return Number.NaN;
  }
  return value;
}

/** Length of the file of a page. */
export function pageFileBytes(lengthBytes: number): number {
  return lengthBytes + 4 * Math.ceil(lengthBytes / BLOCK_BYTES) + FOOTER_BYTES;
}

/** Bytes that a page is accounted for: its file, rounded up to what the file system allocates. */
export function accountedBytes(lengthBytes: number): number {
  return Math.ceil(pageFileBytes(lengthBytes) / ALLOCATION_BYTES) * ALLOCATION_BYTES;
}

/** The checksums of a page's blocks, made while the page comes in: its bytes are in the processor's cache then. */
export class BlockChecksums {
  readonly #sums: Uint32Array;
  #blocks = 0;

  constructor(lengthBytes: number) {
    this.#sums = new Uint32Array(Math.ceil(lengthBytes / BLOCK_BYTES));
  }

  /** Of all blocks; undefined until the whole page is there. */
  get whole(): Uint32Array | undefined {
    return this.#blocks === this.#sums.length ? this.#sums : undefined;
  }

  /** Takes the blocks that are complete now that the first `filled` bytes of the page are there. */
  advance(page: Uint8Array, filled: number): void {
    while (this.#blocks < this.#sums.length) {
      const start = this.#blocks * BLOCK_BYTES;
      const end = Math.min(start + BLOCK_BYTES, page.length);
      if (end > filled) return;
      this.#sums[this.#blocks++] = crc32(page.subarray(start, end));
    }
  }
}

/** Makes the trailer of a page; `checksums` are those of its blocks, where they were made before. @throws RL_BAD_REQUEST */
export function makeTrailer(
  version: VersionId,
  index: number,
  data: Uint8Array,
  checksums = checksumsOf(data),
): Buffer {
  const blocks = Math.ceil(data.length / BLOCK_BYTES);
  if (checksums.length !== blocks) {
    const wrong = `a page of ${data.length} bytes has ${blocks} checksums, not ${checksums.length}`;
    throw new RinglightError("RL_BAD_REQUEST", wrong);
  }
  const trailer = Buffer.allocUnsafe(blocks * 4 + FOOTER_BYTES);
  for (let block = 0; block < blocks; block++) trailer.writeUInt32LE(checksums[block]!, block * 4);
  const footer = blocks * 4;
  trailer.writeUInt32LE(MAGIC, footer);
  trailer.writeUInt16LE(FORMAT_VERSION, footer + 4);
  trailer.writeUInt16LE(BLOCK_SHIFT, footer + 6);
  trailer.writeUInt32LE(data.length, footer + 8);
  trailer.writeUInt32LE(index, footer + 12);
  trailer.write(version, footer + 16, 16, "hex");
  trailer.writeUInt32LE(crc32(trailer.subarray(0, footer + 32)), footer + 32);
  return trailer;
}

function checksumsOf(data: Uint8Array): Uint32Array {
  const made = new BlockChecksums(data.length);
  made.advance(data, data.length);
  return made.whole!;
}

/**
 * The checksums of a page's blocks, from the bytes behind the page; undefined if they are not, to the last byte, the
 * undamaged trailer of exactly this page.
 */
export function readTrailer(
  trailer: Buffer,
  version: VersionId,
  index: number,
  lengthBytes: number,
): Uint32Array | undefined {
  if (trailer.length !== pageFileBytes(lengthBytes) - lengthBytes) return undefined;
  const footer = trailer.length - FOOTER_BYTES;
  if (
    trailer.readUInt32LE(footer + 32) !== crc32(trailer.subarray(0, footer + 32)) ||
    trailer.readUInt32LE(footer) !== MAGIC ||
    trailer.readUInt16LE(footer + 4) !== FORMAT_VERSION ||
    trailer.readUInt16LE(footer + 6) !== BLOCK_SHIFT ||
    trailer.readUInt32LE(footer + 8) !== lengthBytes ||
    trailer.readUInt32LE(footer + 12) !== index ||
    trailer.toString("hex", footer + 16, footer + 32) !== version
  ) {
    return undefined;
  }
  return Uint32Array.from({ length: footer / 4 }, (_, block) => trailer.readUInt32LE(block * 4));
}

/** Checksum of one block of a page. */
export function blockChecksum(block: Uint8Array): number {
  return crc32(block);
}
