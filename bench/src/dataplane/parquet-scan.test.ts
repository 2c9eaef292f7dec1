import assert from "node:assert/strict";
import { test } from "node:test";
import { askedBytes } from "./amplification-cases.ts";
import { type ParquetLayout, parquetFileBytes, parquetScan } from "./parquet-scan.ts";

const KIB = 1024;
const layout: ParquetLayout = {
  rowGroups: 2,
  columnBytes: [100 * KIB, 8 * KIB, 200 * KIB, 12_000 * KIB],
  footerBytes: 4 * KIB,
};
const size = parquetFileBytes(layout);

test("DuckDB reads the length of the footer, the footer, and each column chunk, near ones together", () => {
  const group = 12_308 * KIB;
  assert.deepEqual(parquetScan(layout, [0, 2], "duckdb"), [
    [size - 8, size - 1],
    [size - 8 - 4 * KIB, size - 9],
    // Column 1 between them is 8 KiB: it is read along.
    [4, 4 + 308 * KIB - 1],
    [4 + group, 4 + group + 308 * KIB - 1],
  ]);
});

test("Trino reads 48 KiB of the tail at once, and no range longer than 8 MiB", () => {
  const ranges = parquetScan(layout, [3], "trino");
  assert.deepEqual(ranges[0], [size - 48 * KIB, size - 1]);
  assert.equal(ranges.length, 1 + 2 * 2);
  for (const [start, end] of ranges) assert.ok(end - start + 1 <= 8 * 1024 * KIB);
  const chunks = ranges.slice(1).reduce((sum, [start, end]) => sum + end - start + 1, 0);
  assert.equal(chunks, 2 * 12_000 * KIB);
});

test("no range leaves the file", () => {
  for (const reader of ["duckdb", "trino"] as const) {
    for (const [start, end] of parquetScan(layout, [0, 1, 2, 3], reader))
      assert.ok(start >= 0 && start <= end && end < size);
  }
});

test("bytes that are asked for twice count once", () => {
  assert.equal(
    askedBytes(
      [
        [0, 9],
        [5, 14],
        [20, 29],
        [20, 21],
      ],
      100,
    ),
    25,
  );
  assert.equal(askedBytes("whole", 100), 100);
});
