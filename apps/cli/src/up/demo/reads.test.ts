import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom } from "./random.ts";
import { planRead, zipf } from "./reads.ts";

describe("zipf", () => {
  it("draws every index, and few of them often", () => {
    const draw = zipf(100, seededRandom(1));
    const counts = new Array<number>(100).fill(0);
    for (let i = 0; i < 20_000; i++) counts[draw()]! += 1;
    assert.ok(counts.every((count) => count > 0));
    const sorted = counts.toSorted((a, b) => b - a);
    const top = sorted.slice(0, 10).reduce((sum, count) => sum + count, 0);
    assert.ok(top > 20_000 * 0.4, `the ten favourites got ${top} of 20000`);
  });
});

describe("planRead", () => {
  it("asks for ranges within the object", () => {
    const random = seededRandom(2);
    for (const key of ["a.parquet", "b.jsonl", "c.jpg"]) {
      for (const sizeBytes of [1, 1000, 5_000_000]) {
        for (let i = 0; i < 50; i++) {
          const { range } = planRead({ key, sizeBytes }, random);
          const match = range === undefined ? undefined : /^bytes=(\d+)-(\d+)$/.exec(range);
          if (!match) continue;
          assert.ok(Number(match[1]) <= Number(match[2]) && Number(match[2]) < sizeBytes, `${range} of ${sizeBytes}`);
        }
      }
    }
  });

  it("reads images whole, and of a Parquet file the footer or a chunk", () => {
    assert.equal(planRead({ key: "c.jpg", sizeBytes: 9 }, () => 0.5).range, undefined);
    assert.equal(planRead({ key: "t.parquet", sizeBytes: 100_000 }, () => 0.1).range, "bytes=34464-99999");
  });
});
