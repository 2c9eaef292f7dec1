import assert from "node:assert/strict";
import { test } from "node:test";
import { sparklinePath } from "./sparkline.ts";

test("a gap breaks the line", () => {
  const path = sparklinePath([1, 2, null, 3, 4], 100, 20);
  assert.equal(path?.line.match(/M/g)?.length, 2);
  assert.equal(path?.area.match(/Z/g)?.length, 2);
});

test("all zero is a line along the floor, and one value is no line", () => {
  assert.equal(sparklinePath([0, 0], 100, 20)?.line, "M0.0 18.5L100.0 18.5");
  assert.equal(sparklinePath([null, 5, null], 100, 20), undefined);
});
