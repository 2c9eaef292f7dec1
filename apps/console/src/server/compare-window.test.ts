import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TraceStore } from "@ringlight/trace-store";
import { fakeStats } from "../../test/fake-stats.ts";
import { compareWindow } from "./compare-window.ts";
import { MetricFeed } from "./metric-feed.ts";

test("the worker whose misses grew is what changed most", async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "compare-"));
  const mib = 1024 * 1024;
  const bounds = { recentBytes: mib, keptBytes: mib, logBytes: mib, metricBytes: 16 * mib };
  const ages = { recentMs: 3_600_000, keptMs: 3_600_000, logMs: 3_600_000, slowMs: 500 };
  const store = await TraceStore.open({ directory, ...bounds, ...ages, ownMetrics: [] });
  context.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const end = Math.floor((Date.now() - 10_000) / 10_000) * 10_000;
  const start = end - 120_000;
  const feed = new MetricFeed(store, start - 3_600_000);
  const misses = { w1: 0, w2: 0 };
  for (let second = 0; second <= 120; second++) {
    for (const id of ["w1", "w2"] as const) {
      feed.take(id, fakeStats(id, start, { misses: misses[id], hits: 10 * second }), start + second * 1000);
      misses[id] += id === "w2" && second >= 60 ? 21 : 1;
    }
    feed.tick(start + second * 1000);
  }
  const found = await compareWindow(store, "misses", start + 60_000, end);
  assert.deepEqual([Math.round(found.before!), Math.round(found.after!)], [2, 22]);
  const byWorker = found.changes.find(({ dimension }) => dimension === "worker");
  assert.equal(byWorker?.value, "w2");
  assert.ok(byWorker.share > 0.99 && byWorker.share <= 1, String(byWorker.share));
  assert.match(found.summary, /^Misses went from 2\.0\d a second to 2[12] a second\. (99|100) % of the change is /);
});
