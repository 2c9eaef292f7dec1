/**
 * Byte ranges that engines ask for when they scan some columns of a Parquet file. The layout is a plain one (row groups of
 * column chunks, one after the other, then the footer and its length); the readers follow what DuckDB and Trino do:
 *
 * - DuckDB reads the last 8 bytes, the footer, and then each wanted column chunk of a row group; chunks that are closer
 *   together than 16 KiB are read as one.
 * - Trino reads the last 48 KiB at once for the footer, and merges wanted chunks of a row group that are at most 1 MiB apart into
 *   ranges of at most 8 MiB.
 */

/** A Parquet file, as far as where things lie in it. */
export interface ParquetLayout {
  readonly rowGroups: number;
  /** Bytes of each column's chunk in every row group. */
  readonly columnBytes: readonly number[];
  readonly footerBytes: number;
}

/** A range, both ends included. */
export type ByteRange = readonly [start: number, end: number];

/** An engine. */
export type ParquetReader = "duckdb" | "trino";

const MAGIC_BYTES = 4;
const TAIL_BYTES = 8;
const DUCKDB_GAP_BYTES = 16 * 1024;
const TRINO_FOOTER_BYTES = 48 * 1024;
const TRINO_GAP_BYTES = 1024 * 1024;
const TRINO_LONGEST_BYTES = 8 * 1024 * 1024;

/** Size of the file, bytes. */
export function parquetFileBytes({ rowGroups, columnBytes, footerBytes }: ParquetLayout): number {
  return MAGIC_BYTES + rowGroups * columnBytes.reduce((sum, bytes) => sum + bytes, 0) + footerBytes + TAIL_BYTES;
}

/** The ranges of a scan of the columns (by index, ascending), in the order in which they are asked for. */
export function parquetScan(layout: ParquetLayout, columns: readonly number[], reader: ParquetReader): ByteRange[] {
  const size = parquetFileBytes(layout);
  const ranges: ByteRange[] = [];
  if (reader === "duckdb") {
    ranges.push([size - TAIL_BYTES, size - 1]);
    ranges.push([size - TAIL_BYTES - layout.footerBytes, size - TAIL_BYTES - 1]);
  } else {
    const tail = Math.max(TRINO_FOOTER_BYTES, layout.footerBytes + TAIL_BYTES);
    ranges.push([Math.max(0, size - TRINO_FOOTER_BYTES), size - 1]);
    if (tail > TRINO_FOOTER_BYTES) ranges.push([size - tail, size - TRINO_FOOTER_BYTES - 1]);
  }
  const gap = reader === "duckdb" ? DUCKDB_GAP_BYTES : TRINO_GAP_BYTES;
  const longest = reader === "duckdb" ? Number.POSITIVE_INFINITY : TRINO_LONGEST_BYTES;
  const groupBytes = layout.columnBytes.reduce((sum, bytes) => sum + bytes, 0);
  for (let group = 0; group < layout.rowGroups; group++) {
    ranges.push(...merged(chunksOf(layout, columns, MAGIC_BYTES + group * groupBytes), gap, longest));
  }
  return ranges;
}

function chunksOf({ columnBytes }: ParquetLayout, columns: readonly number[], groupStart: number): ByteRange[] {
  const chunks: ByteRange[] = [];
  let at = groupStart;
  for (const [column, bytes] of columnBytes.entries()) {
    if (columns.includes(column)) chunks.push([at, at + bytes - 1]);
    at += bytes;
  }
  return chunks;
}

function merged(chunks: readonly ByteRange[], gapBytes: number, longestBytes: number): ByteRange[] {
  const ranges: ByteRange[] = [];
  for (const [start, end] of chunks) {
    const last = ranges.at(-1);
    if (last !== undefined && start - last[1] - 1 <= gapBytes && end - last[0] + 1 <= longestBytes) {
      ranges[ranges.length - 1] = [last[0], end];
    } else if (end - start + 1 > longestBytes) {
      for (let at = start; at <= end; at += longestBytes) ranges.push([at, Math.min(at + longestBytes - 1, end)]);
    } else {
      ranges.push([start, end]);
    }
  }
  return ranges;
}
