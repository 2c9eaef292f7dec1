/** Where things lie in a Parquet file, from its own footer. */
import { parquetMetadata } from "hyparquet";

/** A column's chunk in a row group. */
export interface Chunk {
  readonly column: string;
  readonly offset: number;
  readonly bytes: number;
  /** Least and greatest value by the statistics, as numbers; undefined where the footer has none, or texts. */
  readonly min?: number;
  readonly max?: number;
}

/** A row group. */
export interface RowGroup {
  readonly rows: number;
  readonly chunks: readonly Chunk[];
}

/** A file of a table. */
export interface TableFile {
  readonly table: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** Bytes of the footer's metadata, without its length and the magic behind it. */
  readonly footerBytes: number;
  readonly groups: readonly RowGroup[];
}

const TAIL_BYTES = 8;

/** Reads the footer of a whole file. @throws Error where it is not Parquet */
export function readLayout(table: string, key: string, file: ArrayBuffer): TableFile {
  const footerBytes = new DataView(file).getUint32(file.byteLength - TAIL_BYTES, true);
  const metadata = parquetMetadata(file);
  const groups = metadata.row_groups.map(
    (group): RowGroup => ({
      rows: Number(group.num_rows),
      chunks: group.columns.map(({ meta_data: chunk }): Chunk => {
        if (chunk === undefined) throw new Error(`${key}: a column chunk without metadata`);
        const { statistics } = chunk;
        const min = numeric(statistics?.min_value);
        const max = numeric(statistics?.max_value);
        return {
          column: chunk.path_in_schema.join("."),
          offset: Number(chunk.dictionary_page_offset ?? chunk.data_page_offset),
          bytes: Number(chunk.total_compressed_size),
          ...(min !== undefined && max !== undefined && { min, max }),
        };
      }),
    }),
  );
  return { table, key, sizeBytes: file.byteLength, footerBytes, groups };
}

function numeric(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.getTime();
  return undefined;
}

/** Least and greatest value of a column over all files, or undefined without statistics. */
export function columnRange(
  files: readonly TableFile[],
  column: string,
): readonly [min: number, max: number] | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const { groups } of files) {
    for (const { chunks } of groups) {
      const chunk = chunks.find((candidate) => candidate.column === column);
      if (chunk?.min === undefined || chunk.max === undefined) continue;
      min = Math.min(min, chunk.min);
      max = Math.max(max, chunk.max);
    }
  }
  return min <= max ? [min, max] : undefined;
}
