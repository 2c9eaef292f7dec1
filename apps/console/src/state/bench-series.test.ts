import assert from "node:assert/strict";
import { test } from "node:test";
import type { BenchDetail } from "../wire-bench.ts";
import { runSeries } from "./bench-series.ts";

const window = (atMs: number, outcomes: Record<string, number>) => ({
  round: 1,
  atMs,
  requests: 10,
  bytes: 100,
  errors: 0,
  p50Ms: 2,
  p99Ms: null,
  maxMs: 3,
  outcomes,
});
const scrape = (atMs: number, storeBytes: number, epoch: number) => ({
  atMs,
  pages: {},
  storeBytes,
  cpuSeconds: 0,
  epoch,
});

test("a run's seconds, the store's bytes and the ring's epoch are on one axis", () => {
  const detail = {
    windows: [window(2000, { "hit mem": 1 }), window(1000, { "hit mem": 3, "miss cold": 1 }), window(9000, {})],
    metrics: [scrape(900, 0, 4), scrape(1900, 500, 4), scrape(2900, 1500, 5)],
  } as unknown as BenchDetail;
  const series = runSeries(detail);
  // Behind the second second comes a pause, in which the lines break off.
  assert.deepEqual(series.times, [1, 2, 3, 9]);
  assert.deepEqual(series.p50S, [0.002, 0.002, null, 0.002]);
  assert.deepEqual(series.p99S, [null, null, null, null]);
  assert.deepEqual(series.outcomes.get("hit mem"), [0.75, 1, null, null]);
  assert.deepEqual(series.outcomes.get("miss cold"), [0.25, 0, null, null]);
  assert.deepEqual(series.storeBytes, [500, 1000, null, null]);
  assert.deepEqual(series.epoch, [4, 5, null, null]);
  assert.deepEqual(runSeries(detail, { fromMs: 1500, toMs: 3000 }).times, [2]);
});
