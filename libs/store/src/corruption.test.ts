import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { contractPage, readPage } from "./contract.ts";
import { openPageStore, type PageStoreOptions } from "./open-page-store.ts";
import { BlockChecksums } from "./page-file.ts";
import { diskDirectory, memoryDirectory, pageFiles } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const PAGE_BYTES = 150_000;
const version = versionId("corruption", "k", "1");
const page = (index: number) => contractPage(version, index, PAGE_BYTES);

/** A directory with pages 0 to `count` - 1, and what opens a store on it. */
async function filled(count: number, more: Partial<PageStoreOptions> = {}) {
  const directory = diskDirectory();
  const open = () =>
    openPageStore({ tiers: [{ name: "ssd", directories: [directory], limitBytes: 50_000_000 }], ...more });
  const store = await open();
  for (let index = 0; index < count; index++) await store.put(version, index, page(index));
  await store.close();
  return { directory, open };
}

function fileOf(directory: string, index: number): string {
  const path = pageFiles(directory).find((name) => name.includes(`-${index.toString(36)}-`));
  assert.ok(path);
  return path;
}

function damage(path: string, at: number): void {
  const fd = fs.openSync(path, "r+");
  const byte = Buffer.alloc(1);
  fs.readSync(fd, byte, 0, 1, at);
  byte[0]! ^= 0x10;
  fs.writeSync(fd, byte, 0, 1, at);
  fs.closeSync(fd);
}

test("a recovered page is checked before its first byte is served: damaged ones are dropped, counted and named corrupt", async () => {
  const { directory, open } = await filled(6);
  damage(fileOf(directory, 0), 100_000);
  damage(fileOf(directory, 1), PAGE_BYTES + 3);
  fs.truncateSync(fileOf(directory, 2), 70_000);
  fs.truncateSync(fileOf(directory, 3), 0);
  fs.appendFileSync(fileOf(directory, 4), "x");
  const warnings: string[] = [];
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [directory], limitBytes: 50_000_000 }],
    log: (level, message) => level === "warn" && warnings.push(message),
  });
  for (let index = 0; index < 5; index++) {
    assert.equal(await store.open(version, index), undefined);
    assert.equal(store.missReason(version, index), "corrupt");
  }
  assert.equal(store.stats()[0]?.corruptPages, 5);
  assert.equal(warnings.length, 5);
  assert.ok((await readPage(store, version, 5))?.equals(page(5)));
  assert.ok((await store.put(version, 0, page(0))).stored, "a dropped page can be put again");
  assert.ok((await readPage(store, version, 0))?.equals(page(0)));
  await store.close();
  const again = await open();
  assert.deepEqual(again.cachedRuns(version), [
    { first: 0, last: 0 },
    { first: 5, last: 5 },
  ]);
  await again.close();
});

test("a page whose bytes changed in memory after they had come is found out by the checksums of what came", async () => {
  for (const directory of [diskDirectory(), memoryDirectory()]) {
    const store = await openPageStore({ tiers: [{ name: "t", directories: [directory], limitBytes: 50_000_000 }] });
    for (const length of [PAGE_BYTES, 1024 * 1024]) {
      const data = contractPage(version, length, length);
      const checksums = new BlockChecksums(length);
      checksums.advance(data, length);
      assert.ok((await store.put(version, length, data, { checksums: checksums.whole })).stored);
      assert.ok((await readPage(store, version, length))?.equals(data));
      data[70_000]! ^= 1;
      assert.ok((await store.put(version, length + 1, data, { checksums: checksums.whole })).stored);
      assert.equal(await store.open(version, length + 1, { verify: true }), undefined);
      assert.equal(store.missReason(version, length + 1), "corrupt");
      const short = store.put(version, length + 2, data, { checksums: new Uint32Array(1) });
      await assert.rejects(short, { code: "RL_BAD_REQUEST" });
    }
    assert.equal(store.stats()[0]?.pages, 2, "nothing is left of what was refused");
    await store.close();
  }
});

test("a page file under another page's name is found out", async () => {
  const { directory, open } = await filled(2);
  fs.copyFileSync(fileOf(directory, 1), fileOf(directory, 0));
  const store = await open();
  assert.equal(await store.open(version, 0), undefined);
  assert.equal(store.missReason(version, 0), "corrupt");
  await store.close();
});

test("readers that open an unverified page at once share one check; afterwards the answer is immediate", async () => {
  const { open } = await filled(1, { verifySampleRate: 0 });
  const store = await open();
  const refs = await Promise.all([store.open(version, 0), store.open(version, 0), store.open(version, 0)]);
  for (const ref of refs) {
    assert.ok(ref);
    assert.ok(ref.read(0, PAGE_BYTES).equals(page(0)));
    ref.release();
  }
  const ref = store.open(version, 0);
  assert.ok(ref && !(ref instanceof Promise));
  ref.release();
  await store.close();
});

test("a damaged page opened by many at once is dropped and counted once", async () => {
  const { directory, open } = await filled(1);
  damage(fileOf(directory, 0), 0);
  const store = await open();
  const refs = await Promise.all(Array.from({ length: 5 }, () => store.open(version, 0)));
  assert.ok(refs.every((ref) => ref === undefined));
  assert.equal(store.stats()[0]?.corruptPages, 1);
  await store.close();
});

test("damage that comes while the store runs is found by the sample of hits", async () => {
  const { directory, open } = await filled(1, { verifySampleRate: 0.5 });
  const store = await open();
  assert.ok(await readPage(store, version, 0));
  damage(fileOf(directory, 0), 5);
  let hits = 0;
  for (; hits < 100; hits++) if ((await readPage(store, version, 0)) === undefined) break;
  assert.ok(hits < 100);
  assert.equal(store.missReason(version, 0), "corrupt");
  await store.close();
});

test("every hit is checked at a rate of one", async () => {
  const { directory, open } = await filled(1, { verifySampleRate: 1 });
  const store = await open();
  assert.ok(await readPage(store, version, 0));
  damage(fileOf(directory, 0), 5);
  assert.equal(await readPage(store, version, 0), undefined);
  await store.close();
});

test("a small read of a recovered page checks only the blocks that it needs, and the rest when that is read", async () => {
  const { directory, open } = await filled(1, { verifySampleRate: 0 });
  damage(fileOf(directory, 0), 140_000);
  const store = await open();
  const range = { offset: 5000, length: 4096 };
  const ref = await store.open(version, 0, { range });
  assert.ok(ref?.read(5000, 4096).equals(page(0).subarray(5000, 9096)));
  ref?.release();
  assert.ok(!(store.open(version, 0, { range }) instanceof Promise), "what was checked is not checked again");
  assert.equal(store.stats()[0]?.corruptPages, 0);
  assert.equal(await store.open(version, 0, { range: { offset: 131_000, length: 100 } }), undefined);
  assert.equal(store.missReason(version, 0), "corrupt");
  await store.close();
});

test("with verify every hit is checked, on disk and in memory, and damage is never served", async () => {
  for (const directory of [diskDirectory(), memoryDirectory()]) {
    const store = await openPageStore({
      tiers: [{ name: "one", directories: [directory], limitBytes: 50_000_000 }],
      verifySampleRate: 0,
    });
    await store.put(version, 0, page(0));
    const range = { offset: 70_000, length: 100 };
    (await store.open(version, 0, { verify: true, range }))?.release();
    damage(fileOf(directory, 0), 70_050);
    (await store.open(version, 0, { range: { offset: 0, length: 100 }, verify: true }))?.release();
    assert.equal(store.stats()[0]?.corruptPages, 0, "the damaged block was not asked for");
    assert.equal(await store.open(version, 0, { verify: true, range }), undefined);
    assert.equal(store.stats()[0]?.corruptPages, 1);
    await store.close();
  }
});

test("a damaged copy on mem is replaced by the good one on ssd", async () => {
  const mem = memoryDirectory();
  const ssd = diskDirectory();
  const tiers = [
    { name: "mem", directories: [mem], limitBytes: 2_000_000 },
    { name: "ssd", directories: [ssd], limitBytes: 50_000_000 },
  ];
  let store = await openPageStore({ tiers: [tiers[1]!] });
  await store.put(version, 0, page(0));
  await store.close();
  store = await openPageStore({ tiers });
  await readPage(store, version, 0);
  await readPage(store, version, 0);
  await store.idle();
  assert.equal(store.peek(version, 0), "mem");
  damage(fileOf(mem, 0), 5);
  const ref = await store.open(version, 0);
  assert.ok(ref);
  assert.equal(ref.tier, "ssd");
  assert.ok(ref.read(0, PAGE_BYTES).equals(page(0)));
  ref.release();
  assert.equal(store.stats()[0]?.corruptPages, 1);
  await store.close();
});

test("a file that vanishes is a miss named corrupt, and its bytes are free", async () => {
  const { directory, open } = await filled(1, { openFileLimit: 0 });
  const store = await open();
  fs.rmSync(fileOf(directory, 0));
  assert.equal(await store.open(version, 0), undefined);
  assert.equal(store.missReason(version, 0), "corrupt");
  await store.idle();
  assert.equal(store.stats()[0]?.usedBytes, 0);
  await store.close();
});

test("a file cut short under a reader is an error of that read, and the page is dropped", async () => {
  const { directory, open } = await filled(1);
  const store = await open();
  const ref = await store.open(version, 0);
  assert.ok(ref);
  fs.truncateSync(fileOf(directory, 0), 10);
  assert.throws(() => ref.read(0, 1000), { code: "RL_INTERNAL" });
  ref.release();
  assert.equal(await store.open(version, 0), undefined);
  assert.equal(store.missReason(version, 0), "corrupt");
  await store.close();
});

test("foreign files are left alone, half-written ones and pages in the wrong place are removed", async () => {
  const { directory, open } = await filled(1);
  const subdirectory = dirname(fileOf(directory, 0));
  const elsewhere = join(directory, "pages", subdirectory.endsWith("00") ? "01" : "00");
  fs.writeFileSync(join(subdirectory, "notes.txt"), "mine");
  fs.writeFileSync(join(subdirectory, ".t123"), "half");
  fs.copyFileSync(fileOf(directory, 0), join(elsewhere, "copy"));
  fs.renameSync(join(elsewhere, "copy"), fileOf(directory, 0).replace(subdirectory, elsewhere));
  const lines: string[] = [];
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [directory], limitBytes: 50_000_000 }],
    log: (_level, message) => lines.push(message),
  });
  assert.equal(store.stats()[0]?.pages, 1);
  assert.ok(fs.existsSync(join(subdirectory, "notes.txt")));
  assert.ok(!fs.existsSync(join(subdirectory, ".t123")));
  assert.deepEqual(fs.readdirSync(elsewhere), []);
  assert.ok(lines.some((line) => /1 files .* are not pages/.test(line)));
  await store.close();
  await (await open()).close();
});
