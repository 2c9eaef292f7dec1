import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@ringlight/core";
import { contractPage, readPage } from "./contract.ts";
import { openPageStore } from "./open-page-store.ts";
import { diskDirectory, memoryDirectory } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const PAGE_BYTES = 40_000;
const FILE_BYTES = 40_960;
const HOUR = 3_600_000;
const version = (name: string) => versionId("rules", name, "1");
const page = (name: string, index: number) => contractPage(version(name), index, PAGE_BYTES);

function oneTier(pages: number, directory = memoryDirectory()) {
  return { tiers: [{ name: "mem", directories: [directory], limitBytes: pages * FILE_BYTES }], verifySampleRate: 0 };
}

const pagesOf = (store: Awaited<ReturnType<typeof openPageStore>>, name: string) =>
  store.cachedRuns(version(name)).reduce((sum, { first, last }) => sum + last - first + 1, 0);

async function fill(store: Awaited<ReturnType<typeof openPageStore>>, name: string, count: number, ruleClass = 0) {
  for (let index = 0; index < count; index++) {
    await store.put(version(name), index, page(name, index), { ruleClass: () => ruleClass });
  }
  await store.idle();
}

test("pages whose time is over leave all tiers, and others stay", async () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const clock = { ...systemClock, now: () => nowMs };
  const store = await openPageStore({
    tiers: [
      { name: "mem", directories: [memoryDirectory()], limitBytes: 8 * FILE_BYTES },
      { name: "ssd", directories: [diskDirectory()], limitBytes: 100 * FILE_BYTES },
    ],
    clock,
    verifySampleRate: 0,
  });
  store.rules.define(1, { ttlMs: HOUR });
  await fill(store, "short", 12, 1);
  await fill(store, "long", 12);
  nowMs += HOUR - 2_000;
  await store.keepRules(clock.now());
  assert.equal(pagesOf(store, "short"), 12);
  nowMs += 2_000;
  await store.keepRules(clock.now());
  assert.deepEqual([pagesOf(store, "short"), pagesOf(store, "long")], [0, 12]);
  const stats = store.stats();
  assert.ok(stats[1]!.pages > 0 && stats[0]!.ttlPages + stats[1]!.ttlPages >= 12);
  assert.equal(store.missReason(version("short"), 3), "evicted");
  assert.equal(store.whyGone(version("short"), 3), "ttl");
  assert.deepEqual(store.rules.usageOf(1), { pages: 0, bytes: 0 });
  await store.close();
});

test("the time of a page goes on over a restart", async () => {
  const directory = memoryDirectory();
  const before = await openPageStore(oneTier(50, directory));
  await fill(before, "old", 3);
  await before.close();
  const store = await openPageStore(oneTier(50, directory));
  store.rules.define(200, { ttlMs: HOUR });
  store.setRuleClass(version("old"), 200);
  await store.keepRules(Date.now() + HOUR - 60_000);
  assert.equal(pagesOf(store, "old"), 3);
  await store.keepRules(Date.now() + HOUR);
  assert.equal(pagesOf(store, "old"), 0);
  await store.close();
});

test("pinned pages stay through any pressure, up to their share of the tier", async () => {
  const store = await openPageStore(oneTier(40));
  store.rules.define(1, { pin: true, level: 2 });
  await fill(store, "pinned", 20, 1);
  await fill(store, "flood", 400);
  assert.equal(pagesOf(store, "pinned"), 20);
  assert.ok(pagesOf(store, "flood") > 5, "the rest of the tier is for others");
  await fill(store, "more", 40, 1);
  await fill(store, "flood again", 400);
  const [mem] = store.stats();
  assert.ok(mem!.pinnedBytes <= 0.75 * mem!.limitBytes && mem!.pinnedBytes > 0.7 * mem!.limitBytes);
  assert.equal(pagesOf(store, "pinned"), 20);
  assert.ok(pagesOf(store, "flood again") > 0, "a tier whose pins want all of it takes others still");
  for (let index = 0; index < 20; index++) {
    assert.ok((await readPage(store, version("pinned"), index))?.equals(page("pinned", index)));
  }
  store.setRuleClass(version("pinned"), 0);
  store.setRuleClass(version("more"), 0);
  assert.deepEqual([store.stats()[0]!.pinnedBytes, store.stats()[0]!.unpinnedBytes], [0, 0]);
  await fill(store, "last", 400);
  assert.ok(pagesOf(store, "pinned") < 20, "without the rule they leave like others");
  await store.close();
});

test("of two priorities the lower one leaves first, whenever it came", async () => {
  const store = await openPageStore(oneTier(40));
  store.rules.define(1, { level: 0 });
  store.rules.define(2, { level: 2 });
  await fill(store, "high", 15, 2);
  await fill(store, "low", 15, 1);
  for (let index = 0; index < 15; index++) await readPage(store, version("low"), index);
  await fill(store, "normal", 60);
  assert.equal(pagesOf(store, "high"), 15);
  assert.equal(pagesOf(store, "low"), 0, "although they were read");
  await fill(store, "high too", 100, 2);
  assert.equal(pagesOf(store, "normal"), 0);
  await store.close();
});

test("a quota bounds the bytes of its classes, and what was read stays", async () => {
  const store = await openPageStore(oneTier(400));
  store.rules.define(1, { quotas: [7] });
  store.rules.define(2, { quotas: [7] });
  store.rules.quotas = new Map([[7, 50 * FILE_BYTES]]);
  await fill(store, "read", 10, 1);
  for (let turn = 0; turn < 4; turn++) {
    for (let index = 0; index < 10; index++) await readPage(store, version("read"), index);
  }
  await fill(store, "other", 100);
  await fill(store, "much", 200, 2);
  await store.keepRules(Date.now());
  const bytes = store.rules.usageOf(1).bytes + store.rules.usageOf(2).bytes;
  assert.ok(bytes <= 50 * FILE_BYTES && bytes >= 40 * FILE_BYTES, `${bytes / FILE_BYTES} pages`);
  assert.deepEqual([pagesOf(store, "read"), pagesOf(store, "other")], [10, 100]);
  assert.ok(store.stats()[0]!.quotaPages >= 160);
  assert.equal(store.whyGone(version("much"), 0), "quota");
  store.rules.quotas = new Map([[7, 12 * FILE_BYTES]]);
  await store.keepRules(Date.now());
  assert.ok(pagesOf(store, "read") + pagesOf(store, "much") <= 12);
  await store.close();
});

test("classes that stand for nothing any more give their pages free", async () => {
  const store = await openPageStore(oneTier(100));
  store.rules.define(1, { pin: true });
  store.rules.define(129, { ttlMs: HOUR });
  await fill(store, "a", 5, 1);
  await fill(store, "b", 5, 129);
  await store.dropRuleClasses((ruleClass) => ruleClass < 128);
  assert.deepEqual([store.rules.usageOf(1).pages, store.rules.usageOf(129).pages], [0, 5]);
  assert.equal(store.stats()[0]!.pinnedBytes, 0);
  await store.keepRules(Date.now() + 2 * HOUR);
  assert.deepEqual([pagesOf(store, "a"), pagesOf(store, "b")], [5, 0]);
  await store.close();
});
