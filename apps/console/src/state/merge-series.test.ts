import assert from "node:assert/strict";
import { test } from "node:test";
import type { SeriesView } from "../wire.ts";
import { mergeSeries, trimSeries } from "./merge-series.ts";

const series = (times: number[], columns: Record<string, (number | null)[]>, stepS = 1): SeriesView => ({
  stepS,
  times,
  columns,
  atMs: 0,
  sinceMs: 7,
});

test("fresh steps follow the known ones, and the oldest leave the range", () => {
  const merged = mergeSeries(series([1, 2, 3], { a: [1, 2, 3] }), series([4, 5], { a: [4, 5] }), 4);
  assert.deepEqual(merged.times, [2, 3, 4, 5]);
  assert.deepEqual(merged.columns.a, [2, 3, 4, 5]);
});

test("steps that are known already are not taken twice", () => {
  const merged = mergeSeries(series([1, 2], { a: [1, 2] }), series([2, 3], { a: [9, 3] }), 10);
  assert.deepEqual(merged.columns.a, [1, 2, 3]);
});

test("a column that appears later was zero before, where anything was seen", () => {
  const merged = mergeSeries(series([1, 2], { a: [null, 2] }), series([3], { a: [3], b: [5] }), 10);
  assert.deepEqual(merged.columns.b, [null, 0, 5]);
});

test("a console that restarted, or another step, begins anew", () => {
  const fresh = series([10], { a: [1] }, 3);
  assert.equal(mergeSeries(series([1], { a: [1] }), fresh, 100), fresh);
  const later = { ...series([2], { a: [1] }), sinceMs: 8 };
  assert.equal(mergeSeries(series([1], { a: [1] }), later, 100), later);
});

test("a young series is trimmed to what was seen, but not below thirty steps", () => {
  const times = Array.from({ length: 100 }, (_, index) => index);
  const from = (first: number) => times.map((time) => (time < first ? null : 1));
  assert.equal(trimSeries(series(times, { a: from(40) })).times[0], 40);
  assert.equal(trimSeries(series(times, { a: from(95) })).times.length, 30);
  assert.equal(trimSeries(series(times, { a: from(0) })).times.length, 100);
});
