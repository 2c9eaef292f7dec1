/** Checking the blocks of a page file against the checksums in its trailer, as far as somebody wants to read them. */
import type { VersionId } from "@ringlight/core";
import { readAt, readAtSync } from "./file-io.ts";
import { BLOCK_BYTES, blockChecksum, pageFileBytes, readTrailer } from "./page-file.ts";

/** Bytes read at once: few enough not to hold up others where reading is synchronous. */
const PIECE_BLOCKS = 16;

/**
 * Memory that blocks are read into, kept: a new MiB for each sampled hit made V8 mark its whole heap twice a second. What is
 * read at once has one of its own; reads that go on beside others take one each and leave a few.
 */
let ownSpace: Buffer | undefined;
const spareSpace: Buffer[] = [];
const MAX_SPARE = 4;
const newSpace = () => Buffer.allocUnsafeSlow(PIECE_BLOCKS * BLOCK_BYTES);

/** Something to read and to compare: the trailer, or a run of blocks. */
interface Piece {
  readonly position: number;
  readonly bytes: number;
  /** First block; -1 for the trailer. */
  readonly block: number;
}

/** What was checked of one open page file. A block is checked when bytes of it are wanted, and not again unless forced. */
export class PageCheck {
  readonly #fd: number;
  readonly #version: VersionId;
  readonly #index: number;
  readonly #lengthBytes: number;
  #checksums: Uint32Array | undefined;
  readonly #checked: Uint8Array;
  #uncheckedBlocks: number;

  constructor(fd: number, version: VersionId, index: number, lengthBytes: number) {
    this.#fd = fd;
    this.#version = version;
    this.#index = index;
    this.#lengthBytes = lengthBytes;
    this.#uncheckedBlocks = Math.ceil(lengthBytes / BLOCK_BYTES);
    this.#checked = new Uint8Array(this.#uncheckedBlocks);
  }

  /** True if the trailer and every block were checked. */
  get isComplete(): boolean {
    return this.#uncheckedBlocks === 0 && this.#checksums !== undefined;
  }

  /** True if the trailer and the blocks of the range were checked. */
  covers(offset: number, length: number): boolean {
    return this.#pieces(offset, length, false).length === 0;
  }

  /** Checks what of the range is not checked yet, or all of it again. @throws the system's error */
  async check(offset: number, length: number, again: boolean): Promise<boolean> {
    for (const piece of this.#pieces(offset, length, again)) {
      const space = spareSpace.pop() ?? newSpace();
      const accepted = this.#accept(piece, await readAt(this.#fd, space.subarray(0, piece.bytes), piece.position));
      if (spareSpace.length < MAX_SPARE) spareSpace.push(space);
      if (!accepted) return false;
    }
    return true;
  }

  /** The same at once, for files in memory. @throws the system's error */
  checkSync(offset: number, length: number, again: boolean): boolean {
    for (const piece of this.#pieces(offset, length, again)) {
      ownSpace ??= newSpace();
      if (!this.#accept(piece, readAtSync(this.#fd, ownSpace.subarray(0, piece.bytes), piece.position))) return false;
    }
    return true;
  }

  #pieces(offset: number, length: number, again: boolean): Piece[] {
    const pieces: Piece[] = [];
    const pageBytes = this.#lengthBytes;
    if (again || this.#checksums === undefined) {
      // One byte more than there should be: a file that is too long is as wrong as one that is too short.
      pieces.push({ position: pageBytes, bytes: pageFileBytes(pageBytes) - pageBytes + 1, block: -1 });
    }
    const end = Math.ceil(Math.min(offset + length, pageBytes) / BLOCK_BYTES);
    for (let block = Math.floor(Math.max(0, offset) / BLOCK_BYTES); block < end; ) {
      let blocks = 0;
      while (block + blocks < end && blocks < PIECE_BLOCKS && (again || this.#checked[block + blocks] === 0)) blocks++;
      const position = block * BLOCK_BYTES;
      if (blocks > 0) {
        pieces.push({ position, bytes: Math.min(pageBytes - position, blocks * BLOCK_BYTES), block });
      }
      block += Math.max(1, blocks);
    }
    return pieces;
  }

  #accept({ block, bytes }: Piece, read: Buffer): boolean {
    if (block < 0) {
      this.#checksums = readTrailer(read, this.#version, this.#index, this.#lengthBytes);
      return this.#checksums !== undefined;
    }
    if (read.length !== bytes || this.#checksums === undefined) return false;
    for (let start = 0, at = block; start < bytes; start += BLOCK_BYTES, at++) {
      if (blockChecksum(read.subarray(start, start + BLOCK_BYTES)) !== this.#checksums[at]) return false;
      if (this.#checked[at] === 0) this.#uncheckedBlocks--;
      this.#checked[at] = 1;
    }
    return true;
  }
}
