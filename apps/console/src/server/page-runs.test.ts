import assert from "node:assert/strict";
import { test } from "node:test";
import { runBytes, uniteRuns } from "./page-runs.ts";

test("pages that several workers hold count once", () => {
  const united = uniteRuns([
    [
      { first: 0, last: 3 },
      { first: 8, last: 9 },
    ],
    [{ first: 2, last: 5 }],
    [{ first: 6, last: 6 }],
    [],
  ]);
  assert.deepEqual(united, [
    { first: 0, last: 6 },
    { first: 8, last: 9 },
  ]);
  assert.equal(runBytes(united, 10_000, 1000), 9000);
});

test("the last page is short", () => {
  assert.equal(runBytes([{ first: 0, last: 2 }], 2500, 1000), 2500);
  assert.equal(runBytes([{ first: 2, last: 2 }], 2500, 1000), 500);
  assert.equal(runBytes([], 2500, 1000), 0);
});
