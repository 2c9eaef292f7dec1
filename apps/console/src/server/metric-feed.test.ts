import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TraceStore } from "@ringlight/trace-store";
import { fakeStats } from "../../test/fake-stats.ts";
import { MetricFeed } from "./metric-feed.ts";

test("what workers count is there by worker and summed up, as rates and quantiles, also after a restart", async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "metric-feed-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const mib = 1024 * 1024;
  const options = {
    directory,
    recentBytes: mib,
    keptBytes: mib,
    logBytes: mib,
    metricBytes: 16 * mib,
    recentMs: 3_600_000,
    keptMs: 3_600_000,
    logMs: 3_600_000,
    slowMs: 500,
    ownMetrics: [],
  };
  const store = await TraceStore.open(options);
  context.after(() => store.close());
  const end = Math.floor((Date.now() - 10_000) / 10_000) * 10_000;
  const start = end - 60_000;
  const feed = new MetricFeed(store, start - 3_600_000);
  for (let second = 0; second <= 60; second++) {
    for (const [id, factor] of [
      ["w1", 1],
      ["w2", 3],
    ] as const) {
      const counters = { hits: 10 * factor * second, misses: factor * second, requests: 5 * factor * second };
      feed.take(id, fakeStats(id, start, counters), start + second * 1000);
    }
    feed.tick(start + second * 1000);
  }
  const query = { metric: "ringlight.cache.requests", fromMs: start, toMs: end, stepMs: 10_000 };
  const check = async (asked: TraceStore) => {
    const total = await asked.metric({ ...query, groupBy: ["outcome"] });
    const by = new Map(total.series.map(({ labels, values }) => [labels.outcome, values]));
    assert.deepEqual(
      by.get("hit")?.map((value) => Math.round(value!)),
      [40, 40, 40, 40, 40, 40],
    );
    assert.deepEqual(
      by.get("miss")?.map((value) => Math.round(value!)),
      [4, 4, 4, 4, 4, 4],
    );
    const apart = await asked.metric({ ...query, fn: "increase", groupBy: ["worker"], filter: { outcome: ["hit"] } });
    const increases = new Map(apart.series.map(({ labels, values }) => [labels.worker, values]));
    assert.deepEqual(
      increases.get("w2")?.map((value) => Math.round(value!)),
      [300, 300, 300, 300, 300, 300],
    );
    const latency = await asked.metric({ ...query, metric: "ringlight.request.duration", quantiles: [0.5] });
    assert.equal(latency.series.length, 1);
    assert.ok(latency.series[0]!.values.every((value) => value !== null && value > 0 && value <= 0.00005));
    const used = await asked.metric({ ...query, metric: "ringlight.cache.usage", groupBy: ["tier"] });
    assert.deepEqual(used.series[0]?.values, [800, 800, 800, 800, 800, 800]);
  };
  await check(store);
  assert.equal((await store.metric({ ...query, stepMs: 1000 })).times.length, 60);
  await store.close();
  const again = await TraceStore.open(options);
  context.after(() => again.close());
  await check(again);
});
