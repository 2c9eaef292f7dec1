import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatAge,
  formatByteRate,
  formatCount,
  formatDeviation,
  formatLatency,
  formatPercent,
  formatPlural,
  formatRate,
  formatShort,
  formatSize,
  NOTHING,
} from "./format.ts";

test("totals are exact and have thousands separators", () => {
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatCount(0), "0");
});

test("a missing value is a dash and never a zero", () => {
  for (const format of [formatCount, formatShort, formatRate, formatByteRate, formatSize, formatLatency, formatAge]) {
    assert.equal(format(undefined), NOTHING);
    assert.equal(format(Number.NaN), NOTHING);
  }
  assert.equal(formatPercent(undefined), NOTHING);
  assert.equal(formatDeviation(undefined), NOTHING);
});

test("rates keep three digits and carry their unit", () => {
  assert.equal(formatRate(12.345), "12.3 /s");
  assert.equal(formatRate(12345), "12.3 k /s");
  assert.equal(formatRate(0), "0 /s");
  assert.equal(formatByteRate(1536), "1.5 KiB/s");
  assert.equal(formatShort(999.9), "1 k");
});

test("a share is never rounded to all or to nothing", () => {
  assert.equal(formatPercent(1), "100 %");
  assert.equal(formatPercent(0.99996), "99.9 %");
  assert.equal(formatPercent(0.00001), "<0.1 %");
  assert.equal(formatPercent(0), "0 %");
  assert.equal(formatPercent(0.715), "71.5 %");
});

test("a deviation has a sign", () => {
  assert.equal(formatDeviation(1.034), "+3.4 %");
  assert.equal(formatDeviation(0.98), "−2.0 %");
  assert.equal(formatDeviation(1.0001), "±0.0 %");
});

test("latencies are written in the unit that suits them", () => {
  assert.equal(formatLatency(0.00042), "420 µs");
  assert.equal(formatLatency(0.0123), "12.3 ms");
  assert.equal(formatLatency(2.5), "2.5 s");
});

test("ages are short when young and two-part when old", () => {
  assert.equal(formatAge(400), "0.4 s");
  assert.equal(formatAge(12_900), "12 s");
  assert.equal(formatAge(65_000), "1 min 5 s");
  assert.equal(formatAge(3_600_000), "1 h");
  assert.equal(formatAge(90_061_000), "1 d 1 h");
  assert.equal(formatAge(-5), "0.0 s");
});

test("one is singular", () => {
  assert.equal(formatPlural(1, "worker"), "1 worker");
  assert.equal(formatPlural(3, "worker"), "3 workers");
});
