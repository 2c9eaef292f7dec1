import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeStats } from "../../test/fake-stats.ts";
import { flattenStats } from "./flatten-stats.ts";
import { WorkerHistory } from "./worker-history.ts";

const stats = (startedMs: number, gets: number) => fakeStats("w", startedMs, { gets });
const gets = (increase: { amounts: ReadonlyMap<string, number> }) => increase.amounts.get("ufs.get") ?? 0;

test("counters from before the console began to watch are no increase", () => {
  const history = new WorkerHistory(100_000);
  assert.equal(gets(history.take(stats(50_000, 500), 101_000)), 0);
  assert.equal(gets(history.take(stats(50_000, 507), 102_000)), 7);
  assert.equal(history.totals()["ufs.get"], 507);
});

test("all counters of a worker that started while the console was watching are increase", () => {
  const history = new WorkerHistory(100_000);
  assert.equal(gets(history.take(stats(100_500, 12), 101_500)), 12);
});

test("a restarted process begins from zero and makes no negative rate", () => {
  const history = new WorkerHistory(100_000);
  history.take(stats(50_000, 500), 101_000);
  history.take(stats(50_000, 510), 102_000);
  const restarted = history.take(stats(104_000, 3), 105_000);
  assert.equal(gets(restarted), 3);
  assert.equal(restarted.fromMs, 104_000, "the increase came since the new process started");
  assert.equal(history.totals()["ufs.get"], 3);
  const sum = history.series
    .slice(100, 106, 1)
    .columns["ufs.get"]!.reduce<number>((total, value) => total + (value ?? 0), 0);
  assert.ok(Math.abs(sum - 13) < 1e-3, `${sum} is the whole increase`);
});

test("a counter that fell within one process counts from zero", () => {
  const history = new WorkerHistory(0);
  history.take(stats(10, 100), 1000);
  assert.equal(gets(history.take(stats(10, 4), 2000)), 4);
});

test("rates of this moment are over ten seconds at most and fade with them", () => {
  const history = new WorkerHistory(0);
  for (let second = 1; second <= 30; second++) history.take(stats(10, second * 5), second * 1000);
  assert.ok(Math.abs(history.rates(30_000)["ufs.get"]! - 5) < 1e-6);
  assert.deepEqual(history.rates(60_000), {});
});

test("the console's own calls are not requests of readers, and a missing object is not a failure of the store", () => {
  const { counters } = flattenStats(fakeStats("w", 1, { requests: 8, hits: 3, misses: 1 }));
  assert.equal(counters.get("req.2xx"), 8);
  assert.equal(counters.get("api.grpc.WatchStats"), undefined);
  assert.equal(counters.get("ufs.errors"), undefined);
  assert.equal(counters.get("ufs.list"), 0, "a total of zero is written as zero");
});
