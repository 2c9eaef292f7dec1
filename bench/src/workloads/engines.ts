/**
 * How engines read Parquet files: from a footer, the wanted columns and the row groups that statistics leave, to byte ranges.
 *
 * - Trino (`ParquetReaderConfig`, `TrinoParquetDataSource`): a file below 3 MB is read whole, else the last 48 KiB for the footer;
 *   chunks of a row group at most 1 MiB apart become one read of at most 8 MiB; a split is 64 MB of the file, and each split
 *   reads the footer itself.
 * - Spark (parquet-java over S3A with vectored reads): 8 bytes of tail, then the footer; ranges at most 128 KiB apart are merged
 *   to at most 2 MiB, 4 of them are read at once; a split is 128 MB.
 * - DuckDB: 8 bytes of tail, then the footer; for each chunk a probe of 256 bytes for the page header, then the chunk; chunks at
 *   most 16 KiB apart are one read; at 95 % of the bytes of a row group, all of it is. Measured on DuckDB 1.5.6 by strace.
 */
import type { Chunk, RowGroup, TableFile } from "./parquet-layout.ts";
import { get, type PlannedRequest } from "./plan.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const TAIL_BYTES = 8;

/** An engine's limits. */
export interface EngineProfile {
  /** Read at once from the end of the file for the footer; 8 reads the footer's length first. */
  readonly tailBytes: number;
  /** Files below are read whole. */
  readonly wholeBelowBytes: number;
  /** Chunks that are so close are read together. */
  readonly gapBytes: number;
  /** Longest read. */
  readonly longestBytes: number;
  /** First bytes of a chunk that are read before it; 0 for none. */
  readonly probeBytes: number;
  /** Share of a row group's bytes from which all of it is read. */
  readonly wholeGroupShare: number;
  /** Reads of a split that are under way at once. */
  readonly parallelReads: number;
  readonly splitBytes: number;
  /** Reads of files that are read from start to end. */
  readonly scanBytes: number;
}

/** The engines. */
export const ENGINES: Readonly<Record<"trino" | "spark" | "duckdb", EngineProfile>> = {
  trino: {
    tailBytes: 48 * KIB,
    wholeBelowBytes: 3_000_000,
    gapBytes: MIB,
    longestBytes: 8 * MIB,
    probeBytes: 0,
    wholeGroupShare: Number.POSITIVE_INFINITY,
    parallelReads: 1,
    splitBytes: 64_000_000,
    scanBytes: 8 * MIB,
  },
  spark: {
    tailBytes: TAIL_BYTES,
    wholeBelowBytes: 0,
    gapBytes: 128 * KIB,
    longestBytes: 2 * MIB,
    probeBytes: 0,
    wholeGroupShare: Number.POSITIVE_INFINITY,
    parallelReads: 4,
    splitBytes: 128 * MIB,
    scanBytes: 8 * MIB,
  },
  duckdb: {
    tailBytes: TAIL_BYTES,
    wholeBelowBytes: 0,
    gapBytes: 16 * KIB,
    longestBytes: Number.POSITIVE_INFINITY,
    probeBytes: 256,
    wholeGroupShare: 0.95,
    parallelReads: 1,
    splitBytes: Number.POSITIVE_INFINITY,
    scanBytes: MIB,
  },
};

/** The reads of a footer, one after another. */
export function footerReads(file: TableFile, profile: EngineProfile): PlannedRequest[] {
  const { key, sizeBytes } = file;
  if (sizeBytes < profile.wholeBelowBytes) return [get(key, 0, sizeBytes)];
  const tail = Math.min(sizeBytes, profile.tailBytes);
  const needed = file.footerBytes + TAIL_BYTES;
  const reads = [get(key, sizeBytes - tail, tail)];
  if (needed > tail) reads.push(get(key, sizeBytes - needed, needed - tail));
  return reads;
}

/** The reads of a row group's columns, in the order in which they are asked for. "*" is every column. */
export function groupReads(
  file: TableFile,
  group: RowGroup,
  columns: readonly string[],
  profile: EngineProfile,
): PlannedRequest[] {
  // It came with the footer.
  if (file.sizeBytes < profile.wholeBelowBytes) return [];
  const wanted = group.chunks.filter(({ column }) => columns.includes("*") || columns.includes(column));
  const bytes = (chunks: readonly Chunk[]) => chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  const isWhole = bytes(wanted) >= profile.wholeGroupShare * bytes(group.chunks);
  const chunks = [...(isWhole ? group.chunks : wanted)].sort((a, b) => a.offset - b.offset);
  const ranges: { start: number; end: number }[] = [];
  for (const { offset, bytes } of chunks) {
    const last = ranges.at(-1);
    if (
      last !== undefined &&
      (isWhole || offset - last.end <= profile.gapBytes) &&
      offset + bytes - last.start <= profile.longestBytes
    ) {
      last.end = offset + bytes;
    } else {
      for (let at = offset; at < offset + bytes; at += profile.longestBytes) {
        ranges.push({ start: at, end: Math.min(offset + bytes, at + profile.longestBytes) });
      }
    }
  }
  return ranges.flatMap(({ start, end }) =>
    profile.probeBytes > 0 && !isWhole && end - start > profile.probeBytes
      ? [get(file.key, start, profile.probeBytes), get(file.key, start, end - start)]
      : [get(file.key, start, end - start)],
  );
}
