import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@ringlight/testing";
import { HotSegments, SegmentTraffic } from "./hot-segments.ts";

const MIB = 1024 * 1024;

test("a segment is hot when much of it is relayed within a second, by bytes or by requests", () => {
  const traffic = new SegmentTraffic(new FakeClock());
  for (let read = 0; read < 7; read++) assert.equal(traffic.note("large", 64 * MIB), false);
  assert.equal(traffic.note("large", 64 * MIB), true);
  for (let read = 1; read < 2_000; read++) assert.equal(traffic.note("small", 4096), false);
  assert.equal(traffic.note("small", 4096), true);
  assert.equal(traffic.hot, 2);
});

test("the same traffic over a longer time is not hot, and what was hot cools down", async () => {
  const clock = new FakeClock();
  const traffic = new SegmentTraffic(clock);
  for (let read = 0; read < 32; read++) {
    assert.equal(traffic.note("steady", 64 * MIB), false);
    await clock.advance(200);
  }
  for (let read = 0; read < 8; read++) traffic.note("burst", 64 * MIB);
  assert.equal(traffic.note("burst", 1), true);
  await clock.advance(9_999);
  assert.equal(traffic.note("burst", 1), true);
  await clock.advance(1);
  assert.equal(traffic.note("burst", 1), false);
  assert.equal(traffic.hot, 0);
});

test("what was called hot is forgotten after a while, and memory is bounded", async () => {
  const clock = new FakeClock();
  const hot = new HotSegments(clock);
  hot.add("first");
  assert.equal(hot.has("first"), true);
  assert.equal(hot.has("other"), false);
  for (let segment = 0; segment < 1_024; segment++) hot.add(`segment-${segment}`);
  assert.equal(hot.has("first"), false);
  assert.equal(hot.has("segment-0"), true);
  await clock.advance(10_000);
  assert.equal(hot.has("segment-0"), false);
});
