/**
 * Which pages of a Parquet file a query of some columns needs: those of the footer, of the columns' chunks in every row group,
 * and of their page indexes and Bloom filters. The footer is read by way of the page store where it lies in the unit, so that
 * it is cached; the owners of a large file's other segments read it from the store and keep nothing of it.
 */
import {
  type ByteRange,
  newReadStatus,
  pageLength,
  RinglightError,
  releasePooled,
  toRinglightError,
} from "@ringlight/core";
import { type FileMetaData, parquetMetadataAsync } from "hyparquet";
import { presentPages, type TaskSettings, type TaskSources, type UnitPages } from "./task-unit.ts";

/** What is read at first of a file's end; a longer footer is read whole after it, bytes. */
const TAIL_BYTES = 64 * 1024;
/** Length of a footer's length and of the magic behind it, bytes. */
const TRAILER_BYTES = 8;

/** The unit's pages, of which only those that the columns need count. @throws RL_BAD_REQUEST where it is no Parquet file or has none of the columns */
export async function pagesOfColumns(
  sources: TaskSources,
  pages: UnitPages,
  settings: TaskSettings,
): Promise<{ readonly pages: UnitPages; readonly before: number }> {
  const { pageBytes } = sources;
  const held = presentPages(sources, pages);
  const { sizeBytes } = pages.meta;
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(
      {
        byteLength: sizeBytes,
        slice: (start, end = sizeBytes) => bytesOf(sources, pages, { start, end: end - 1 }, settings),
      },
      { initialFetchSize: tailBytes(sizeBytes, pageBytes) },
    );
  } catch (error) {
    settings.signal.throwIfAborted();
    if (error instanceof RinglightError) throw error;
    throw new RinglightError("RL_BAD_REQUEST", `it is no Parquet file: ${toRinglightError(error).message}`, {
      cause: error,
    });
  }
  const footer = { start: Math.max(0, sizeBytes - metadata.metadata_length - TRAILER_BYTES), end: sizeBytes - 1 };
  const ranges = [footer, ...rangesOf(metadata, settings.columns)];
  const only = new Set<number>();
  for (const { start, end } of ranges) {
    const last = Math.min(pages.last, Math.floor(end / pageBytes));
    for (let index = Math.max(pages.first, Math.floor(start / pageBytes)); index <= last; index++) only.add(index);
  }
  let bytes = 0;
  let before = 0;
  for (const index of only) {
    const length = pageLength(sizeBytes, pageBytes, index);
    bytes += length;
    if (held.has(index)) before += length;
  }
  return { pages: { ...pages, only, bytes }, before };
}

/** What to read at first: of the last page, which is needed anyway, and more only where that is too short to say how long the footer is. */
function tailBytes(sizeBytes: number, pageBytes: number): number {
  const lastPage = sizeBytes % pageBytes || pageBytes;
  return Math.min(sizeBytes, lastPage < TRAILER_BYTES ? TAIL_BYTES : Math.min(TAIL_BYTES, lastPage));
}

/** Where the columns lie. A name stands for all columns beneath it, too. */
function rangesOf({ row_groups: groups }: FileMetaData, columns: readonly string[]): ByteRange[] {
  const ranges: ByteRange[] = [];
  const add = (offset: bigint | undefined, length: number | bigint | undefined) => {
    if (offset === undefined || length === undefined || length <= 0) return;
    ranges.push({ start: Number(offset), end: Number(offset) + Number(length) - 1 });
  };
  for (const { columns: chunks } of groups) {
    for (const chunk of chunks) {
      const meta = chunk.meta_data;
      if (meta === undefined) continue;
      const name = meta.path_in_schema.join(".");
      if (!columns.some((column) => name === column || name.startsWith(`${column}.`))) continue;
      const { dictionary_page_offset: dictionary, data_page_offset: data } = meta;
      add(
        dictionary !== undefined && dictionary > 0n && dictionary < data ? dictionary : data,
        meta.total_compressed_size,
      );
      add(chunk.column_index_offset, chunk.column_index_length);
      add(chunk.offset_index_offset, chunk.offset_index_length);
      add(meta.bloom_filter_offset, meta.bloom_filter_length);
    }
  }
  if (ranges.length > 0 || groups.length === 0) return ranges;
  throw new RinglightError("RL_BAD_REQUEST", `the file has none of the columns ${columns.join(", ")}`);
}

async function bytesOf(
  { pages: reader, pageBytes }: TaskSources,
  { mount, key, version, meta, ufs, first, last }: UnitPages,
  range: ByteRange,
  { limits, signal, traceparent, onRead }: TaskSettings,
): Promise<ArrayBuffer> {
  const length = range.end - range.start + 1;
  const target = new Uint8Array(length);
  let at = 0;
  await limits.rate.take(length, signal);
  if (range.start >= first * pageBytes && range.end < (last + 1) * pageBytes) {
    const whole = (Math.floor(range.end / pageBytes) - Math.floor(range.start / pageBytes) + 1) * pageBytes;
    const giveBack = await reader.reserve(whole);
    try {
      const background = { status: newReadStatus(), background: true, onFetched: onRead };
      const request = { mount, key, version, meta, ufs, range, signal, traceparent, ...background };
      for await (const piece of reader.read(request)) {
        target.set(piece, at);
        at += piece.length;
        releasePooled(piece);
      }
      await reader.settled(version, Math.floor(range.start / pageBytes), Math.floor(range.end / pageBytes));
    } finally {
      giveBack();
    }
  } else {
    const { stream } = await ufs.read(key, meta.version, range, { signal });
    for await (const piece of stream) {
      target.set(piece, at);
      at += piece.length;
      onRead(piece.length);
    }
  }
  if (at !== length) throw new RinglightError("RL_UFS_ERROR", `${at} of ${length} bytes arrived`);
  return target.buffer;
}
