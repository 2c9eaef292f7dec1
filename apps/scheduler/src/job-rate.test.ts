import assert from "node:assert/strict";
import { test } from "node:test";
import { JobRate } from "./job-rate.ts";

test("the rate is that of the last five seconds", () => {
  const rate = new JobRate();
  assert.deepEqual(rate.perSecond(), { objects: 0, bytes: 0, readBytes: 0 });
  for (let second = 0; second <= 20; second++) {
    const fast = Math.max(0, second - 10);
    rate.observe({ atMs: second * 1000, objects: second + fast * 9, bytes: 100 * second, readBytes: 50 * second });
  }
  assert.deepEqual(rate.perSecond(), { objects: 10, bytes: 100, readBytes: 50 });
  rate.reset();
  assert.deepEqual(rate.perSecond(), { objects: 0, bytes: 0, readBytes: 0 });
});
