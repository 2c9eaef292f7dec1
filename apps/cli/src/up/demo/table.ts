/**
 * Parquet files of the demo: a table of numbers in the manner of TPC-H's lineitem, and one of embeddings. Both are mostly
 * numbers and bytes, which are written some ten times as quickly as texts.
 */
import { type ColumnSource, fileWriter, parquetWrite } from "hyparquet-writer";
import { pick, seededBytes, seededRandom } from "./random.ts";

const MODES = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"];
const LABELS = ["cat", "dog", "fox", "heron", "lynx", "otter", "owl", "seal"];
const FIRST_DAY_MS = Date.UTC(2025, 0, 1);
const DAY_MS = 86_400_000;
const DAYS = 730;
/** 384 floats of 4 bytes. */
const EMBEDDING_BYTES = 1536;

function numbers(rows: number, value: (row: number) => number): Float64Array {
  const data = new Float64Array(rows);
  for (let row = 0; row < rows; row++) data[row] = value(row);
  return data;
}

function integers(rows: number, value: (row: number) => number): Int32Array {
  const data = new Int32Array(rows);
  for (let row = 0; row < rows; row++) data[row] = value(row);
  return data;
}

function cents(value: number): number {
  return Math.round(value * 100) / 100;
}

async function write(file: string, rowsPerGroup: number, columnData: ColumnSource[]): Promise<void> {
  await parquetWrite({
    writer: fileWriter(file),
    rowGroupSize: rowsPerGroup,
    createdBy: "ringlight demo",
    columnData,
  });
}

/** Writes order lines. The same seed and rows give the same bytes. */
export async function writeLineItems(file: string, seed: number, rows: number, rowsPerGroup: number): Promise<void> {
  const random = seededRandom(seed);
  // Dates repeat, and one object serves all rows of a day.
  const dates = Array.from({ length: DAYS }, (_, day) => new Date(FIRST_DAY_MS + day * DAY_MS));
  const quantity = numbers(rows, () => 1 + Math.floor(random() * 50));
  const price = numbers(rows, (row) => cents(quantity[row]! * (900 + random() * 1200)));
  const discount = numbers(rows, () => Math.floor(random() * 11) / 100);
  const tax = numbers(rows, () => Math.floor(random() * 9) / 100);
  await write(file, rowsPerGroup, [
    { name: "l_orderkey", data: integers(rows, (row) => seed * 1_000_000 + Math.floor(row / 5)), type: "INT32" },
    { name: "l_linenumber", data: integers(rows, (row) => 1 + (row % 5)), type: "INT32" },
    { name: "l_partkey", data: integers(rows, () => Math.floor(random() * 200_000)), type: "INT32" },
    { name: "l_suppkey", data: integers(rows, () => Math.floor(random() * 10_000)), type: "INT32" },
    { name: "l_quantity", data: quantity, type: "DOUBLE" },
    { name: "l_extendedprice", data: price, type: "DOUBLE" },
    { name: "l_discount", data: discount, type: "DOUBLE" },
    { name: "l_tax", data: tax, type: "DOUBLE" },
    {
      name: "l_charge",
      data: numbers(rows, (row) => price[row]! * (1 - discount[row]!) * (1 + tax[row]!)),
      type: "DOUBLE",
    },
    { name: "l_supplycost", data: numbers(rows, () => random() * 1000), type: "DOUBLE" },
    { name: "l_volume", data: numbers(rows, () => random() * 20), type: "DOUBLE" },
    { name: "l_weight", data: numbers(rows, () => random() * 70), type: "DOUBLE" },
    { name: "l_shipdate", data: Array.from({ length: rows }, () => pick(random, dates)), type: "TIMESTAMP" },
    { name: "l_shipmode", data: Array.from({ length: rows }, () => pick(random, MODES)), type: "STRING" },
  ]);
}

/** Writes embeddings: id, label, and a vector of 384 floats as bytes. The same seed and rows give the same bytes. */
export async function writeEmbeddings(file: string, seed: number, rows: number, rowsPerGroup: number): Promise<void> {
  const random = seededRandom(seed);
  const bytes = seededBytes(`embeddings ${seed}`, rows * EMBEDDING_BYTES);
  const vectors = Array.from({ length: rows }, (_, row) =>
    bytes.subarray(row * EMBEDDING_BYTES, (row + 1) * EMBEDDING_BYTES),
  );
  await write(file, rowsPerGroup, [
    { name: "id", data: integers(rows, (row) => seed * 1_000_000 + row), type: "INT32" },
    { name: "label", data: Array.from({ length: rows }, () => pick(random, LABELS)), type: "STRING" },
    { name: "vector", data: vectors, type: "BYTE_ARRAY", encoding: "PLAIN", statistics: false },
  ]);
}
