/**
 * What a directory held when it was closed, so that the next start need not read a million names. The snapshot never
 * decides anything: each of its parts is of one sub-directory, and holds only if that is still the one it was, to the
 * nanosecond of its last change. A page that was written, removed or put there by hand since changes its sub-directory, which
 * is then read; so is everything after kill -9, a restored copy, or a start of a version that knows no snapshots.
 *
 * The file, little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 4 | magic "RLIX" |
 * | 4 | format version, 1 |
 * | 4 | number of sub-directories |
 * | 4 | CRC-32 of everything behind this header |
 * | 32 × sub-directories | inode, last modification and last change (nanoseconds), number of pages |
 * | 28 × pages | version id (four words), index, length, when it came and how often it was used; in the order of the sub-directories |
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { crc32 } from "@ringlight/checksum";
import type { PageTable } from "./page-table.ts";

const FILE = "index.snapshot";
const MAGIC = 0x58494c52;
const FORMAT_VERSION = 1;
const HEADER_BYTES = 16;
const PART_BYTES = 32;
const ROW_WORDS = 7;
const ROW_BYTES = ROW_WORDS * 4;

/** One page of a snapshot. `key` holds the four words of its version, until the next page. */
export type SnapshotPage = (key: Uint32Array, index: number, lengthBytes: number, useWord: number) => void;

/** What was read back. */
export interface IndexSnapshot {
  /** Number of pages in it. */
  readonly pages: number;
  /** Tells the pages of a sub-directory; false where it has changed since. */
  visit(subdirectory: number, page: SnapshotPage): boolean;
}

/** What tells a directory as it is from what it may become; undefined where it is not there. */
function stampOf(directory: string): readonly [inode: bigint, modified: bigint, changed: bigint] | undefined {
  const found = fs.statSync(directory, { bigint: true, throwIfNoEntry: false });
  return found && [found.ino, found.mtimeNs, found.ctimeNs];
}

/**
 * Writes down what a closed directory holds. Nothing may be written to the directory any more, and everything that is in
 * `table` is there. @throws the system's error; then there is no snapshot
 */
export async function writeSnapshot(
  directory: string,
  subdirectories: readonly string[],
  table: PageTable,
): Promise<void> {
  // Before the rows are made: what changes after this is found changed.
  const stamps = subdirectories.map(stampOf);
  const counts = new Uint32Array(subdirectories.length);
  for (let slot = 0; slot < table.top; slot++) if (table.lengthOf(slot) > 0) counts[table.hashOf(slot) >>> 24]!++;
  const rowsAt = HEADER_BYTES + PART_BYTES * subdirectories.length;
  const bytes = Buffer.alloc(rowsAt + ROW_BYTES * table.size);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const places = new Uint32Array(subdirectories.length);
  let next = rowsAt / 4;
  for (const [part, stamp] of stamps.entries()) {
    const at = HEADER_BYTES + PART_BYTES * part;
    for (const [field, value] of (stamp ?? [0n, 0n, 0n]).entries()) bytes.writeBigUInt64LE(value, at + field * 8);
    bytes.writeUInt32LE(counts[part]!, at + 24);
    places[part] = next;
    next += counts[part]! * ROW_WORDS;
  }
  for (let slot = 0; slot < table.top; slot++) {
    if (table.lengthOf(slot) === 0) continue;
    const part = table.hashOf(slot) >>> 24;
    const at = places[part]!;
    places[part] = at + ROW_WORDS;
    table.copyVersion(slot, words, at);
    words[at + 4] = table.indexOf(slot);
    words[at + 5] = table.lengthOf(slot);
    words[at + 6] = table.useWord(slot);
  }
  for (const [at, value] of [MAGIC, FORMAT_VERSION, subdirectories.length].entries())
    bytes.writeUInt32LE(value, at * 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 12);
  const path = join(directory, FILE);
  const temporary = `${path}.tmp`;
  try {
    await fs.promises.writeFile(temporary, bytes, { mode: 0o600 });
    await fs.promises.rename(temporary, path);
  } catch (error) {
    await fs.promises.rm(temporary, { force: true });
    await fs.promises.rm(path, { force: true });
    throw error;
  }
}

/** Reads what the last writer left; undefined where there is none, or none that is whole. */
export async function readSnapshot(
  directory: string,
  subdirectories: readonly string[],
): Promise<IndexSnapshot | undefined> {
  let bytes: Buffer;
  try {
    const file = await fs.promises.readFile(join(directory, FILE));
    // A copy that begins where words may.
    bytes = Buffer.alloc(file.length);
    file.copy(bytes);
  } catch {
    return undefined;
  }
  const rowsAt = HEADER_BYTES + PART_BYTES * subdirectories.length;
  if (
    bytes.length < rowsAt ||
    bytes.length % 4 !== 0 ||
    bytes.readUInt32LE(0) !== MAGIC ||
    bytes.readUInt32LE(4) !== FORMAT_VERSION ||
    bytes.readUInt32LE(8) !== subdirectories.length ||
    bytes.readUInt32LE(12) !== crc32(bytes.subarray(HEADER_BYTES))
  ) {
    return undefined;
  }
  const places: number[] = [];
  let next = rowsAt;
  for (let part = 0; part < subdirectories.length; part++) {
    places.push(next);
    next += bytes.readUInt32LE(HEADER_BYTES + PART_BYTES * part + 24) * ROW_BYTES;
  }
  if (next !== bytes.length) return undefined;
  places.push(next);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const key = new Uint32Array(4);
  return {
    pages: (bytes.length - rowsAt) / ROW_BYTES,
    visit(subdirectory, page) {
      const at = HEADER_BYTES + PART_BYTES * subdirectory;
      const stamp = stampOf(subdirectories[subdirectory]!);
      if (stamp === undefined || stamp.some((value, field) => value !== bytes.readBigUInt64LE(at + field * 8))) {
        return false;
      }
      for (let row = places[subdirectory]! / 4; row < places[subdirectory + 1]! / 4; row += ROW_WORDS) {
        for (let word = 0; word < 4; word++) key[word] = words[row + word]!;
        page(key, words[row + 4]!, words[row + 5]!, words[row + 6]!);
      }
      return true;
    },
  };
}
