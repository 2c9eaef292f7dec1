import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DescriptionOf } from "./description.ts";
import { loadDescription } from "./description.ts";
import { ENGINES, footerReads, groupReads } from "./engines.ts";
import { FULL, makePlan } from "./make-plan.ts";
import { writeTable } from "./parquet-files.ts";
import { readLayout, type TableFile } from "./parquet-layout.ts";

const PART = { schema: "lineitem", seed: 1, firstRow: 0, rows: 4000, tableRows: 4000, rowsPerGroup: 400 } as const;
const bytes = writeTable(PART);
const file = readLayout("lineitem", "tables/l.parquet", bytes);
/** As if the file were too large to be read whole. */
const large: TableFile = { ...file, sizeBytes: 40_000_000 };

describe("the tables' files", () => {
  it("are Parquet with row groups, statistics, and rows in the order of their dates", () => {
    assert.equal(Buffer.from(bytes).toString("latin1", 0, 4), "PAR1");
    assert.equal(file.groups.length, 10);
    const dates = file.groups.map(({ chunks }) => chunks.find(({ column }) => column === "l_shipdate")!);
    for (const [at, { min, max }] of dates.entries()) {
      assert.ok(min !== undefined && max !== undefined && min < max);
      if (at > 0) assert.ok(min >= dates[at - 1]!.min!);
    }
    assert.deepEqual(Buffer.from(writeTable(PART)), Buffer.from(bytes), "the same description, the same bytes");
  });
});

describe("an engine's reads of a file", () => {
  it("begin with the footer: Trino by a tail of 48 KiB or the whole small file, the others by 8 bytes", () => {
    assert.deepEqual(footerReads(file, ENGINES.trino), [
      { op: "get", key: file.key, offset: 0, length: file.sizeBytes },
    ]);
    assert.deepEqual(
      footerReads(large, ENGINES.trino).map(({ offset, length }) => [large.sizeBytes - offset, length]),
      [[48 * 1024, 48 * 1024]],
    );
    for (const engine of ["spark", "duckdb"] as const) {
      assert.deepEqual(
        footerReads(file, ENGINES[engine]).map(({ length }) => length),
        [8, file.footerBytes],
      );
    }
  });

  it("cover the wanted columns' chunks, by gaps and longest reads of each engine", () => {
    const columns = ["l_orderkey", "l_quantity", "l_shipdate"];
    const group = large.groups[3]!;
    const wanted = group.chunks.filter(({ column }) => columns.includes(column));
    for (const engine of ["trino", "spark", "duckdb"] as const) {
      const reads = groupReads(large, group, columns, ENGINES[engine]);
      for (const chunk of wanted) {
        const covered = reads.some(
          ({ offset, length }) => offset <= chunk.offset && offset + length >= chunk.offset + chunk.bytes,
        );
        assert.ok(covered, `${engine}: ${chunk.column}`);
      }
    }
    // All lies within a megabyte for Trino: one read.
    assert.equal(groupReads(large, group, columns, ENGINES.trino).length, 1);
    const apart = {
      rows: 1,
      chunks: [
        { column: "a", offset: 0, bytes: 5_000_000 },
        { column: "b", offset: 5_050_000, bytes: 1_000_000 },
        { column: "c", offset: 8_000_000, bytes: 300 },
      ],
    };
    const lengths = (engine: "trino" | "spark" | "duckdb") =>
      groupReads(large, apart, ["a", "b", "c"], ENGINES[engine]).map(({ offset, length }) => [offset, length]);
    assert.deepEqual(lengths("trino"), [
      [0, 6_050_000],
      [8_000_000, 300],
    ]);
    assert.deepEqual(
      lengths("spark"),
      [
        [0, 2_097_152],
        [2_097_152, 2_097_152],
        [4_194_304, 805_696],
        [5_050_000, 1_000_000],
        [8_000_000, 300],
      ]
        .map(([offset, length]) => (offset === 4_194_304 ? [4_194_304, 1_855_696] : [offset, length]))
        .filter(([offset]) => offset !== 5_050_000),
    );
  });

  it("leave out row groups that the statistics exclude", () => {
    const q6 = loadDescription("tpch") as DescriptionOf<"sql">;
    const narrow: DescriptionOf<"sql"> = {
      ...q6,
      users: 1,
      rounds: 1,
      queries: [
        {
          name: "q",
          table: "lineitem",
          columns: ["l_shipdate"],
          where: [{ column: "l_shipdate", from: 0, to: 0.15 }],
          moving: false,
        },
      ],
    };
    const read = (description: DescriptionOf<"sql">) =>
      [...makePlan(description, { ...FULL, engine: "duckdb", tables: [large] }).lanes[0]!.steps()].flatMap(
        ({ requests }) => requests,
      );
    const all = read({ ...narrow, queries: [{ ...narrow.queries[0]!, where: [] }] });
    const few = read(narrow);
    assert.ok(few.length < all.length / 2, `${few.length} of ${all.length}`);
    const keyed = { ...narrow, queries: [{ ...narrow.queries[0]!, columns: ["nothing"] }] };
    assert.throws(() => makePlan(keyed, { ...FULL, tables: [large] }), /table lineitem has no column nothing/);
  });
});
