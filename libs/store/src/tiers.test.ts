import assert from "node:assert/strict";
import { test } from "node:test";
import type { PageRef } from "@ringlight/core";
import { contractPage, readPage } from "./contract.ts";
import { openPageStore } from "./open-page-store.ts";
import { bytesOnDisk, diskDirectory, memoryDirectory, pageFiles } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const PAGE_BYTES = 40_000;
const FILE_BYTES = 40_960;
const version = versionId("tiers", "k", "1");
const page = (index: number) => contractPage(version, index, PAGE_BYTES);

function twoTiers(memPages: number, ssdPages: number) {
  const mem = memoryDirectory();
  const ssd = diskDirectory();
  return {
    mem,
    ssd,
    options: {
      tiers: [
        { name: "mem", directories: [mem], limitBytes: memPages * FILE_BYTES },
        { name: "ssd", directories: [ssd], limitBytes: ssdPages * FILE_BYTES },
      ],
      verifySampleRate: 0,
    },
  };
}

test("new pages go to mem, and what mem evicts is found on ssd", async () => {
  const store = await openPageStore(twoTiers(8, 100).options);
  for (let index = 0; index < 60; index++) {
    const put = await store.put(version, index, page(index));
    assert.ok(put.stored);
    if (index < 7) assert.equal(put.tier, "mem");
  }
  await store.idle();
  assert.deepEqual(store.cachedRuns(version), [{ first: 0, last: 59 }], "nothing is lost while ssd has room");
  const [mem, ssd] = store.stats();
  assert.ok(mem!.pages > 0 && ssd!.pages > 0);
  assert.ok(mem!.demotedPages > 0);
  assert.equal(mem!.droppedDemotions, 0);
  for (let index = 0; index < 60; index++) assert.ok((await readPage(store, version, index))?.equals(page(index)));
  await store.close();
});

test("a page that is read twice on ssd is copied to mem, and leaves mem again without a second write to ssd", async () => {
  const store = await openPageStore({ ...twoTiers(8, 100).options, evictionPolicy: "lru" });
  for (let index = 0; index < 30; index++) await store.put(version, index, page(index));
  await store.idle();
  const cold = Array.from({ length: 30 }, (_, index) => index).find((index) => store.peek(version, index) === "ssd");
  assert.ok(cold !== undefined);
  await readPage(store, version, cold);
  await store.idle();
  assert.equal(store.peek(version, cold), "ssd", "one hit is not enough");
  await readPage(store, version, cold);
  await store.idle();
  assert.equal(store.peek(version, cold), "mem");
  assert.ok((await readPage(store, version, cold))?.equals(page(cold)));
  assert.equal(store.stats()[1]?.promotedPages, 1);
  const ssdPages = store.stats()[1]!.pages;
  const other = versionId("tiers", "other", "1");
  for (let index = 0; store.peek(version, cold) === "mem"; index++) {
    assert.ok(index < 200, "the page leaves mem in the end");
    await store.put(other, index, contractPage(other, index, PAGE_BYTES));
    await store.idle();
  }
  assert.equal(store.peek(version, cold), "ssd");
  assert.ok(store.stats()[1]!.pages >= ssdPages);
  assert.ok((await readPage(store, version, cold))?.equals(page(cold)));
  await store.close();
});

test("a full ssd is not written to for pages that are read once, and is for pages that come again", async () => {
  const store = await openPageStore(twoTiers(8, 40).options);
  const put = async (id: string, index: number) => {
    assert.ok((await store.put(id, index, contractPage(id, index, PAGE_BYTES))).stored);
    await store.idle();
  };
  for (let index = 0; index < 60; index++) await put(version, index);
  const written = () => store.stats()[0]!.demotedPages;
  const scan = versionId("tiers", "scan", "1");
  const before = written();
  for (let index = 0; index < 100; index++) await put(scan, index);
  assert.ok(written() - before <= 4, `${written() - before} of 100 pages of a scan were written`);
  assert.ok(store.stats()[0]!.refusedDemotions >= 80);
  for (let round = 0; round < 4; round++) {
    for (let index = 0; index < 12; index++) {
      const found = await readPage(store, scan, index);
      if (!found) await put(scan, index);
    }
  }
  assert.ok(written() - before >= 4, "what was asked for again and again was written");
  await store.close();
});

test("pages offered with the admission freeze evict nothing", async () => {
  const store = await openPageStore(twoTiers(8, 16).options);
  const evicted = () => store.stats().reduce((sum, tier) => sum + tier.evictedPages, 0);
  let stored = 0;
  for (let index = 0; index < 60; index++) {
    if ((await store.put(version, index, page(index), { admission: "freeze" })).stored) stored++;
  }
  await store.idle();
  assert.ok(stored > 15 && stored < 25 && evicted() === 0, `${stored} were stored, ${evicted()} evicted`);
  await store.close();
});

test("a tier that is frozen keeps what came first, and the next one gets the rest", async () => {
  const { options } = twoTiers(8, 16);
  const store = await openPageStore({
    ...options,
    tiers: options.tiers.map((tier) => ({ ...tier, evictionPolicy: "freeze" as const })),
  });
  for (let index = 0; index < 60; index++) await store.put(version, index, page(index));
  await store.idle();
  assert.equal(store.peek(version, 0), "mem");
  assert.equal(store.peek(version, 10), "ssd");
  assert.equal(store.missReason(version, 59), "admission_refused");
  assert.ok(store.stats().every((tier) => tier.evictedPages === 0));
  await store.close();
});

test("pages held by slow readers keep their bytes while everything around them is evicted, and count until released", async () => {
  const { options, mem, ssd } = twoTiers(8, 40);
  const store = await openPageStore({ ...options, openFileLimit: 2, evictionPolicy: "lru" });
  const held: { ref: PageRef; index: number }[] = [];
  for (let index = 0; index < 400; index++) {
    assert.ok((await store.put(version, index, page(index))).stored);
    if (index % 40 === 0) {
      const ref = await store.open(version, index);
      assert.ok(ref);
      held.push({ ref, index });
    }
    for (const tier of store.stats()) assert.ok(tier.usedBytes <= tier.limitBytes);
  }
  await store.idle();
  const onDisk = bytesOnDisk(mem) + bytesOnDisk(ssd);
  const used = () => store.stats().reduce((sum, tier) => sum + tier.usedBytes, 0);
  assert.ok(used() > onDisk, "unlinked pages that are held are still accounted");
  assert.ok(held.some(({ index }) => store.missReason(version, index) === "evicted"));
  for (const { ref, index } of held) {
    for (let at = 0; at < PAGE_BYTES; at += 1000) {
      assert.ok(ref.read(at, 1000).equals(page(index).subarray(at, at + 1000)));
    }
    ref.release();
  }
  await store.idle();
  assert.equal(used(), onDisk);
  await store.close();
});

test("readers that hold all bytes make puts fail at once, not wait for ever", async () => {
  const directory = diskDirectory();
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [directory], limitBytes: 8 * FILE_BYTES }],
    verifySampleRate: 0,
  });
  // Six of eight pages: eviction, which runs ahead of need, does not begin before they are held.
  const refs: PageRef[] = [];
  for (let index = 0; index < 6; index++) {
    assert.ok((await store.put(version, index, page(index))).stored);
    const ref = await store.open(version, index);
    assert.ok(ref);
    refs.push(ref);
  }
  // Three pages' worth of bytes: no room, and nothing that could make room.
  const large = Buffer.concat([page(10), page(11), page(12)]);
  assert.equal((await store.put(version, 10, large)).stored, false);
  assert.equal(store.missReason(version, 10), "admission_refused");
  for (const [index, ref] of refs.entries()) {
    assert.ok(ref.read(0, PAGE_BYTES).equals(page(index)));
    ref.release();
  }
  await store.idle();
  assert.ok((await store.put(version, 10, large)).stored);
  await store.close();
});

test("many puts and reads at once, more than there is room for, all end, with the right bytes", async () => {
  const store = await openPageStore({ ...twoTiers(8, 24).options, verifySampleRate: 0.3 });
  let stored = 0;
  await Promise.all(
    Array.from({ length: 300 }, async (_, at) => {
      const index = at % 150;
      if ((await store.put(version, index, page(index))).stored) stored++;
      const found = await readPage(store, version, index);
      if (found) assert.ok(found.equals(page(index)));
    }),
  );
  assert.ok(stored > 150, `${stored} of 300 puts were stored`);
  await store.idle();
  for (const tier of store.stats()) assert.ok(tier.usedBytes <= tier.limitBytes && tier.corruptPages === 0);
  await store.close();
});

test("several directories of a tier share its pages, and pages are found when a directory is added or the order changes", async () => {
  const first = diskDirectory();
  const second = diskDirectory();
  const open = (directories: string[]) =>
    openPageStore({ tiers: [{ name: "ssd", directories, limitBytes: 400 * FILE_BYTES }] });
  let store = await open([first, second]);
  for (let index = 0; index < 60; index++) await store.put(version, index, page(index));
  await store.close();
  for (const directory of [first, second]) assert.ok(pageFiles(directory).length > 10);
  store = await open([diskDirectory(), second, first]);
  assert.deepEqual(store.cachedRuns(version), [{ first: 0, last: 59 }]);
  assert.deepEqual(await store.put(version, 5, page(5)), { stored: true, tier: "ssd" });
  assert.equal(store.stats()[0]?.pages, 60);
  assert.equal(store.invalidate(version), 60);
  await store.close();
});

test("a smaller limit at the next start is enforced before the store opens", async () => {
  const directory = diskDirectory();
  const open = (pages: number) =>
    openPageStore({ tiers: [{ name: "ssd", directories: [directory], limitBytes: pages * FILE_BYTES }] });
  let store = await open(100);
  for (let index = 0; index < 80; index++) await store.put(version, index, page(index));
  await store.close();
  store = await open(20);
  assert.ok(bytesOnDisk(directory) <= 20 * FILE_BYTES);
  assert.ok(store.stats()[0]!.usedBytes <= 20 * FILE_BYTES);
  assert.ok(store.stats()[0]!.pages > 10);
  await store.close();
});

test("pages that are put, invalidated and put again without a pause keep their files", async () => {
  const directory = diskDirectory();
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [directory], limitBytes: 400 * FILE_BYTES }],
    openFileLimit: 0,
  });
  const all = Array.from({ length: 60 }, (_, index) => index);
  const putAll = () => Promise.all(all.map((index) => store.put(version, index, page(index))));
  for (let round = 0; round < 4; round++) {
    await putAll();
    store.invalidate(version);
    const overtaken = putAll();
    if (round % 2 === 1) await new Promise(setImmediate);
    store.invalidate(version);
    const last = putAll();
    assert.ok((await overtaken).every((answer) => !answer.stored));
    assert.ok((await last).every((answer) => answer.stored));
    await store.idle();
    assert.equal(pageFiles(directory).length, 60);
    for (const index of all) assert.ok((await readPage(store, version, index))?.equals(page(index)));
  }
  assert.equal(store.stats()[0]?.corruptPages, 0);
  assert.equal(store.stats()[0]?.usedBytes, 60 * FILE_BYTES);
  await store.close();
});

test("a full tier in memory takes pages as fast as they come", async () => {
  const directory = memoryDirectory();
  const store = await openPageStore({
    tiers: [{ name: "mem", directories: [directory], limitBytes: 8 * 1024 * 1024 }],
  });
  const small = Buffer.alloc(12_000, "x");
  const puts: Promise<{ stored: boolean }>[] = [];
  for (let turn = 0; turn < 150; turn++) {
    for (let count = 0; count < 40; count++)
      puts.push(store.put(versionId("flood", String(puts.length), "1"), 0, small));
    await new Promise(setImmediate);
  }
  const answers = await Promise.all(puts);
  assert.equal(answers.filter(({ stored }) => stored).length, answers.length);
  assert.ok(store.stats()[0]!.usedBytes > 7 * 1024 * 1024, "the tier is as full as before");
  await store.close();
});
