import assert from "node:assert/strict";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { contractPage, readPage } from "./contract.ts";
import { type LocalPageStore, openPageStore } from "./index.ts";
import { diskDirectory, memoryDirectory, pageFiles } from "./scratch.ts";
import { versionId } from "./version-id.ts";

const PAGE_BYTES = 3_000;
const OBJECTS = 60;
const version = (object: number) => versionId("mount", `object-${object}`, "1");
/** Every third object is one page. */
const pagesOf = (object: number) => (object % 3 === 0 ? 1 : 7);

interface Opened {
  readonly store: LocalPageStore;
  /** Sub-directories that were read. */
  readonly read: number;
}

async function open(directory: string): Promise<Opened> {
  let read = Number.NaN;
  const store = await openPageStore({
    tiers: [{ name: "ssd", directories: [directory], limitBytes: 64 * 1024 * 1024 }],
    log: (_level, message) => {
      const [, count] = /, (\d+) of 256 sub-directories read/.exec(message) ?? [];
      if (count !== undefined) read = Number(count);
    },
  });
  return { store, read };
}

async function fill(store: LocalPageStore): Promise<void> {
  for (let object = 0; object < OBJECTS; object++) {
    for (let index = 0; index < pagesOf(object); index++) {
      await store.put(version(object), index, contractPage(version(object), index, PAGE_BYTES));
    }
  }
}

const PAGES = Array.from({ length: OBJECTS }, (_, object): number => pagesOf(object)).reduce(
  (sum, pages) => sum + pages,
);

async function assertWhole(store: LocalPageStore, but: (object: number, index: number) => boolean = () => false) {
  for (let object = 0; object < OBJECTS; object++) {
    for (let index = 0; index < pagesOf(object); index++) {
      const found = await readPage(store, version(object), index);
      if (but(object, index)) assert.equal(found, undefined);
      else assert.ok(found?.equals(contractPage(version(object), index, PAGE_BYTES)), `page ${index} of ${object}`);
    }
  }
}

for (const [where, directoryOf] of [
  ["disk", diskDirectory],
  ["memory", memoryDirectory],
] as const) {
  test(`on ${where}: a store that was closed knows its pages again without reading a directory, start after start`, async () => {
    const directory = directoryOf();
    const first = await open(directory);
    assert.equal(first.read, 256);
    await fill(first.store);
    const { usedBytes } = first.store.stats()[0]!;
    await first.store.close();
    for (let start = 0; start < 2; start++) {
      const { store, read } = await open(directory);
      assert.equal(read, 0);
      assert.equal(store.stats()[0]?.pages, PAGES);
      assert.equal(store.stats()[0]?.usedBytes, usedBytes);
      assert.deepEqual(store.cachedRuns(version(1)), [{ first: 0, last: 6 }]);
      await assertWhole(store);
      await store.close();
    }
  });
}

test("when a page came and how often it was used is known after a start, and what was used stays before what was not", async () => {
  const directory = diskDirectory();
  const first = await open(directory);
  await fill(first.store);
  for (let read = 0; read < 5; read++) (await first.store.open(version(1), 3))?.release();
  await first.store.close();
  const { store } = await open(directory);
  const [tier] = (await store.inventory(Date.now())).tiers();
  assert.equal(tier?.ages.find(({ from }) => from < 0)?.pages, 0);
  assert.deepEqual(
    tier?.uses.filter(({ pages }) => pages > 0).map(({ from, pages }) => [from, pages]),
    [
      [0, PAGES - 1],
      [4, 1],
    ],
  );
  await store.close();
  // Room for a quarter: nearly everything has to go.
  const small = await openPageStore({ tiers: [{ name: "ssd", directories: [directory], limitBytes: PAGES * 2048 }] });
  assert.ok((small.stats()[0]?.pages ?? PAGES) < PAGES / 2);
  assert.equal(small.peek(version(1), 3), "ssd");
  await small.close();
});

test("a sub-directory that changed since is read, and only that: removed, added and half-written files", async () => {
  const directory = diskDirectory();
  const first = await open(directory);
  await fill(first.store);
  await first.store.close();
  const [removed, other] = pageFiles(directory).sort();
  assert.ok(removed !== undefined && other !== undefined);
  const bytes = fs.readFileSync(removed);
  fs.unlinkSync(removed);
  fs.writeFileSync(join(dirname(other), ".t1-1"), "half");
  const second = await open(directory);
  assert.equal(second.read, new Set([dirname(removed), dirname(other)]).size);
  assert.equal(second.store.stats()[0]?.pages, PAGES - 1);
  assert.equal(fs.existsSync(join(dirname(other), ".t1-1")), false);
  await second.store.close();
  fs.writeFileSync(removed, bytes);
  const third = await open(directory);
  assert.equal(third.read, 1);
  assert.equal(third.store.stats()[0]?.pages, PAGES);
  await assertWhole(third.store);
  await third.store.close();
});

test("a snapshot that is damaged, cut off or of another format is not believed, and one that cannot be written is done without", async () => {
  const directory = diskDirectory();
  const path = join(directory, "index.snapshot");
  const first = await open(directory);
  await fill(first.store);
  await first.store.close();
  const good = fs.readFileSync(path);
  const bad = fc.oneof(
    fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
      const bytes = Buffer.from(good);
      bytes[at]! ^= mask;
      return bytes;
    }),
    fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 64 }).map((more) => Buffer.concat([good, more])),
  );
  await fc.assert(
    fc.asyncProperty(bad, async (bytes) => {
      fs.writeFileSync(path, bytes);
      const { store, read } = await open(directory);
      assert.equal(read, 256);
      assert.equal(store.stats()[0]?.pages, PAGES);
      await store.close();
      // What a bad one is replaced with is a good one.
      assert.equal(fs.readFileSync(path).length, good.length);
    }),
    { numRuns: 40 },
  );
  fs.rmSync(path);
  fs.mkdirSync(path);
  const blocked = await open(directory);
  assert.equal(blocked.read, 256);
  await blocked.store.close();
  fs.rmdirSync(path);
  const last = await open(directory);
  assert.equal(last.read, 256);
  await assertWhole(last.store);
  await last.store.close();
});
