/**
 * Reads ranges by pages, and where little of a page is wanted, by blocks of 64 KiB of it.
 *
 * A page that is not here costs its whole length however little of it is wanted: 256 times as much as a random reader of
 * 4 KiB asked for, and half as much again for the columns that an engine picks out of a Parquet file. So of a page of which a
 * read wants half or less only those blocks are fetched. Blocks are kept in the store like pages, under numbers behind those of
 * all pages of their version: they are checked, evicted, found again after a start and dropped with their version as pages are.
 *
 * A page of which a third place is asked for is fetched whole, as is one whose reader goes on where it had stopped: a reader who
 * comes for all of it in the end pays for two blocks more than without this.
 */
import { type PageStore, pageLength, RecentMap, type VersionId } from "@ringlight/core";
import { type PageReader, type PageReadRequest, SECURED_BYTES } from "./page-reader.ts";

/** Length of a block; pages are whole blocks. */
export const BLOCK_BYTES = 64 * 1024;
/** Number of a version's first block in the store. No object has so many pages. */
const FIRST_BLOCK = 2 ** 31;
/** Pages of fewer blocks are always fetched whole. */
const LEAST_BLOCKS = 4;
/** Places of a page that are fetched by blocks before it is fetched whole. */
const MOST_PLACES = 2;
/** Pages of which that is remembered. */
const MAX_TOUCHED = 16_384;
/** Versions of which it is remembered where they were read last. */
const MAX_STREAMS = 4_096;

/** True where pages are long enough for blocks to be worth it. */
export function hasBlocks(pageBytes: number): boolean {
  return pageBytes >= LEAST_BLOCKS * BLOCK_BYTES;
}

/** Under which number the store has the block that a byte of an object lies in. */
export function blockIndex(offset: number): number {
  return FIRST_BLOCK + Math.floor(offset / BLOCK_BYTES);
}

/** The block that the store has under a number; undefined for the number of a page. */
export function blockOf(index: number): number | undefined {
  return index < FIRST_BLOCK ? undefined : index - FIRST_BLOCK;
}

/** The store as a page reader sees it whose pages are blocks. */
export function blocksIn(store: PageStore): Pick<PageStore, "open" | "peek" | "put" | "missReason"> {
  return {
    open: (version, index, options) => store.open(version, FIRST_BLOCK + index, options),
    peek: (version, index) => store.peek(version, FIRST_BLOCK + index),
    put: (version, index, data, options) => store.put(version, FIRST_BLOCK + index, data, options),
    missReason: (version, index) => store.missReason(version, FIRST_BLOCK + index),
  };
}

/** Consecutive bytes that are read in one way. */
interface Part {
  readonly by: PageReader;
  readonly start: number;
  end: number;
}

/** See the head of the file. */
export class PartReader {
  readonly #pages: PageReader;
  readonly #blocks: PageReader | undefined;
  readonly #touched = new RecentMap<number>(MAX_TOUCHED);
  /** Where the last read of a version ended. */
  readonly #streams = new RecentMap<number>(MAX_STREAMS);

  /** @param blocks a page reader over blocksIn(); absent where pages are too short to be taken apart */
  constructor(pages: PageReader, blocks: PageReader | undefined) {
    this.#pages = pages;
    this.#blocks = blocks;
  }

  /** See PageReader.noteSuccessor(). */
  noteSuccessor(version: VersionId, reason: "expired" | "invalidated"): void {
    this.#pages.noteSuccessor(version, reason);
    this.#blocks?.noteSuccessor(version, reason);
  }

  /** True if the store has the page or the block that a byte lies in. */
  has(version: VersionId, offset: number): boolean {
    return [this.#pages, this.#blocks].some((reader) => reader?.isStored(version, reader.indexOf(offset)));
  }

  /** As PageReader.read(). */
  read(request: PageReadRequest): AsyncGenerator<Buffer> {
    const { begun, ...rest } = request;
    const readers = this.#partsOf(request).map(({ by, start, end }) =>
      by.read({ ...rest, range: { start, end }, ...(begun && by === this.#pages && { begun }) }),
    );
    const [only] = readers;
    if (readers.length === 1 && only !== undefined) return only;
    const { start, end } = request.range;
    return joined(readers, end - start < SECURED_BYTES && !this.#pages.isShort && this.#blocks?.isShort !== true);
  }

  #partsOf(request: PageReadRequest): Part[] {
    const pages = this.#pages;
    const { pageBytes } = pages;
    const { range, version } = request;
    const isContinued = this.#continues(version, range.start, range.end + 1);
    const first = pages.indexOf(range.start);
    const last = pages.indexOf(range.end);
    const parts: Part[] = [];
    for (const index of first === last ? [first] : [first, last]) {
      const start = Math.max(range.start, index * pageBytes);
      const end = Math.min(range.end, (index + 1) * pageBytes - 1);
      const by = this.#readerOf(request, index, start, end, isContinued);
      // What lies between the first page and the last is read by pages.
      if (index === last && last > first + 1) add(parts, { by: pages, start: (first + 1) * pageBytes, end: start - 1 });
      add(parts, { by, start, end });
    }
    return parts;
  }

  /** Who reads the bytes from `start` to `end`, all in one page. */
  #readerOf(request: PageReadRequest, page: number, start: number, end: number, isContinued: boolean): PageReader {
    const blocks = this.#blocks;
    const { version, meta } = request;
    if (blocks === undefined || this.#pages.isHereOrComing(version, page)) return this.#pages;
    const from = blocks.indexOf(start);
    const to = blocks.indexOf(end);
    let areHere = true;
    for (let block = from; block <= to && areHere; block++) areHere = blocks.isHereOrComing(version, block);
    if (areHere) return blocks;
    const wantedBytes = (to - from + 1) * BLOCK_BYTES;
    const isSmall = wantedBytes * 2 <= pageLength(meta.sizeBytes, this.#pages.pageBytes, page);
    return !isContinued && isSmall && this.#mayTouch(`${version}.${page}`) ? blocks : this.#pages;
  }

  #mayTouch(page: string): boolean {
    const places = this.#touched.get(page) ?? 0;
    if (places >= MOST_PLACES) {
      this.#touched.delete(page);
      return false;
    }
    this.#touched.set(page, places + 1);
    return true;
  }

  /** True if the read begins where the one before it ended. */
  #continues(version: VersionId, start: number, behind: number): boolean {
    const before = this.#streams.get(version);
    this.#streams.set(version, behind);
    return before === start;
  }
}

function add(parts: Part[], part: Part): void {
  const before = parts.at(-1);
  if (before?.by === part.by) before.end = part.end;
  else parts.push(part);
}

/**
 * All bytes of the readers, one reader after the other. All of them begin at once, so that their requests do not wait for each other.
 * @param together no byte before each reader has its first
 */
async function* joined(readers: readonly AsyncGenerator<Buffer>[], together: boolean): AsyncGenerator<Buffer> {
  const begun = readers.map((reader) => {
    const first = reader.next();
    // Whoever comes to it is told.
    first.catch(() => undefined);
    return { reader, first };
  });
  try {
    if (together) await Promise.all(begun.map(({ first }) => first));
    for (const { reader, first } of begun) {
      for (let result = await first; result.done !== true; result = await reader.next()) yield result.value;
    }
  } finally {
    await Promise.allSettled(readers.map((reader) => reader.return(undefined)));
  }
}
