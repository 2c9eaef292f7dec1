import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile } from "./statistics.ts";

test("the median of an odd number of values is the middle one, of an even number the mean of the middle two", () => {
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(Number.isNaN(median([])), true);
});

test("quantiles are values that occurred", () => {
  const values = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.equal(quantile(values, 0.5), 50);
  assert.equal(quantile(values, 0.99), 99);
  assert.equal(quantile(values, 1), 100);
  assert.equal(quantile(values, 0), 1);
});
