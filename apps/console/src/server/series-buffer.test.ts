import assert from "node:assert/strict";
import { test } from "node:test";
import { SeriesBuffer } from "./series-buffer.ts";

const NONE = new Map<string, number>();
const count = (amount: number) => new Map([["req.2xx", amount]]);
const total = (values: readonly (number | null)[] | undefined, stepS = 1) =>
  (values ?? []).reduce<number>((sum, value) => sum + (value ?? 0) * stepS, 0);

test("an increase is spread over the time that it came from and none of it is lost", () => {
  const buffer = new SeriesBuffer(60);
  buffer.record(10_300, 13_300, count(30), NONE);
  const { times, columns } = buffer.slice(10, 14, 1);
  assert.deepEqual(times, [10, 11, 12, 13]);
  const values = columns["req.2xx"]!;
  for (const value of values) assert.ok(Math.abs(value! - 10) < 1e-4, "ten a second in every second that was covered");
});

test("samples that come late or early make neither dips nor spikes", () => {
  const buffer = new SeriesBuffer(60);
  let at = 20_000;
  for (const gap of [1000, 1180, 830, 990, 1350, 650, 1000, 1000]) {
    buffer.record(at, at + gap, count(gap / 10), NONE);
    at += gap;
  }
  for (const value of buffer.slice(20, 28, 1).columns["req.2xx"]!) assert.ok(Math.abs(value! - 100) < 0.01);
});

test("a second that no sample covers is unknown, and one in which nothing happened is zero", () => {
  const buffer = new SeriesBuffer(60);
  buffer.record(10_000, 11_000, count(5), NONE);
  buffer.record(11_000, 12_000, NONE, NONE);
  buffer.record(14_000, 15_000, count(5), NONE);
  assert.deepEqual(buffer.slice(10, 15, 1).columns["req.2xx"], [5, 0, null, null, 5]);
});

test("wider steps hold the same total", () => {
  const buffer = new SeriesBuffer(600);
  for (let second = 1000; second < 1060; second++) {
    buffer.record(second * 1000, (second + 1) * 1000, count(second % 7), NONE);
  }
  const fine = total(buffer.slice(1000, 1060, 1).columns["req.2xx"]);
  const coarse = total(buffer.slice(1000, 1060, 5).columns["req.2xx"], 5);
  assert.ok(Math.abs(fine - coarse) < 1e-3);
  assert.equal(buffer.slice(1000, 1060, 5).times.length, 12);
});

test("gauges keep the last value of a step", () => {
  const buffer = new SeriesBuffer(60);
  buffer.record(10_000, 10_900, NONE, new Map([["gauge.rss", 1]]));
  buffer.record(10_900, 11_900, NONE, new Map([["gauge.rss", 2]]));
  buffer.record(11_900, 13_500, NONE, new Map([["gauge.rss", 3]]));
  assert.deepEqual(buffer.slice(10, 14, 1).columns["gauge.rss"], [1, 2, 3, 3]);
  assert.deepEqual(buffer.slice(10, 14, 2).columns["gauge.rss"], [2, 3]);
});

test("a gauge stands for a few late seconds before it, not for a long silence", () => {
  const buffer = new SeriesBuffer(60);
  buffer.gauge(10_000, 10_500, new Map([["gauge.rss", 1]]));
  buffer.gauge(10_500, 20_500, new Map([["gauge.rss", 2]]));
  const values = buffer.slice(10, 21, 1).columns["gauge.rss"]!;
  assert.deepEqual(values, [1, null, null, null, null, null, null, 2, 2, 2, 2]);
});

test("what is older than the ring is forgotten, and never shown as something newer", () => {
  const buffer = new SeriesBuffer(10);
  buffer.record(100_000, 101_000, count(7), NONE);
  buffer.record(120_000, 121_000, count(1), NONE);
  const { columns } = buffer.slice(100, 121, 1);
  assert.equal(total(columns["req.2xx"]), 1);
  buffer.record(50_000, 51_000, count(9), NONE);
  assert.equal(total(buffer.slice(40, 121, 1).columns["req.2xx"]), 1);
});

test("a column that appears later is zero where other columns were seen", () => {
  const buffer = new SeriesBuffer(60);
  buffer.record(10_000, 11_000, count(1), NONE);
  buffer.record(11_000, 12_000, new Map([["ufs.get", 4]]), NONE);
  assert.deepEqual(buffer.slice(10, 12, 1).columns["ufs.get"], [0, 4]);
});
