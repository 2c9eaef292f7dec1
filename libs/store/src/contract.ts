/** What every page store must do, as tests. An implementation runs them by calling pageStoreContract from a test file. */
import assert from "node:assert/strict";
import { closeSync, openSync, readSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { PageRef, PageStore } from "@ringlight/core";
import { versionId } from "./version-id.ts";

/** A store under test. */
export interface PageStoreFixture {
  /** Opens the store, the second time on what the first left behind. The one opened before is closed by then. */
  open(): Promise<PageStore>;
  /** A length of page of which the store holds at least 8 and at most 200. */
  readonly pageBytes: number;
  dispose(): Promise<void>;
}

/** Bytes of a page that no other page has. */
export function contractPage(version: string, index: number, lengthBytes: number): Buffer {
  const page = Buffer.alloc(lengthBytes, `${version}/${index};`);
  return page;
}

/** Opens a page and reads all of it; undefined if it is not there. */
export async function readPage(store: PageStore, version: string, index: number): Promise<Buffer | undefined> {
  const ref = await store.open(version, index);
  if (ref === undefined) return undefined;
  try {
    return ref.read(0, ref.lengthBytes);
  } finally {
    ref.release();
  }
}

/** Runs the contract on the stores that `make` makes. */
export function pageStoreContract(name: string, make: () => Promise<PageStoreFixture>): void {
  describe(`${name} keeps the contract of a page store`, () => {
    let fixture: PageStoreFixture;
    let store: PageStore;
    let bytes = 0;
    const version = (key: string) => versionId("contract", key, "v1");

    before(async () => {
      fixture = await make();
      store = await fixture.open();
      bytes = fixture.pageBytes;
    });
    after(async () => {
      await store.close();
      await fixture.dispose();
    });

    test("a page that was never put is a cold miss", async () => {
      const v = version("cold");
      assert.equal(await store.open(v, 0), undefined);
      assert.equal(store.peek(v, 0), undefined);
      assert.equal(store.missReason(v, 0), "cold");
      assert.deepEqual(store.cachedRuns(v), []);
      assert.equal(store.invalidate(v), 0);
    });

    test("a page that was put is read back, whole and by ranges, from the tier that the answer named", async () => {
      const v = version("round-trip");
      const page = contractPage(v, 3, bytes);
      const put = await store.put(v, 3, page);
      assert.ok(put.stored);
      assert.equal(store.peek(v, 3), put.tier);
      const ref = await store.open(v, 3);
      assert.ok(ref);
      assert.equal(ref.lengthBytes, bytes);
      assert.ok(ref.read(0, bytes).equals(page));
      assert.ok(ref.read(1, bytes - 2).equals(page.subarray(1, -1)));
      assert.equal(ref.read(bytes, 0).length, 0);
      ref.release();
      ref.release();
    });

    test("a page opened with verify is checked, whole or for a range, and has the right bytes", async () => {
      const v = version("verified");
      const page = contractPage(v, 0, bytes);
      await store.put(v, 0, page);
      for (const options of [{ verify: true }, { verify: true, range: { offset: 100, length: 50 } }]) {
        const ref = await store.open(v, 0, options);
        assert.ok(ref?.read(100, 50).equals(page.subarray(100, 150)));
        ref?.release();
      }
    });

    test("a range outside of the page is refused", async () => {
      const v = version("range");
      await store.put(v, 0, contractPage(v, 0, 100));
      const ref = await store.open(v, 0);
      assert.ok(ref);
      for (const [offset, length] of [
        [-1, 1],
        [0, 101],
        [100, 1],
        [0, -1],
        [Number.NaN, 1],
      ] as const) {
        assert.throws(() => ref.read(offset, length), { code: "RL_BAD_RANGE" });
      }
      ref.release();
    });

    test("the caller may reuse its buffer once the put is answered", async () => {
      const v = version("copied");
      const page = contractPage(v, 0, bytes);
      const expected = Buffer.from(page);
      await store.put(v, 0, page);
      page.fill(0);
      assert.ok((await readPage(store, v, 0))?.equals(expected));
    });

    test("two puts of one page at once both answer, and the page is there once", async () => {
      const v = version("twice");
      const page = contractPage(v, 0, bytes);
      const before = store.stats().reduce((sum, tier) => sum + tier.pages, 0);
      const answers = await Promise.all([store.put(v, 0, page), store.put(v, 0, Buffer.from(page))]);
      assert.ok(answers.every((answer) => answer.stored));
      assert.equal(store.stats().reduce((sum, tier) => sum + tier.pages, 0) - before, 1);
    });

    test("runs of cached pages are ascending and merged", async () => {
      const v = version("runs");
      for (const index of [4, 2, 1, 9]) await store.put(v, index, contractPage(v, index, 64));
      assert.deepEqual(store.cachedRuns(v), [
        { first: 1, last: 2 },
        { first: 4, last: 4 },
        { first: 9, last: 9 },
      ]);
    });

    test("invalidation drops all pages of a version and of no other, and says so afterwards", async () => {
      const v = version("invalid");
      const other = version("valid");
      await store.put(v, 0, contractPage(v, 0, 64));
      await store.put(v, 7, contractPage(v, 7, 64));
      await store.put(other, 0, contractPage(other, 0, 64));
      assert.equal(store.invalidate(v), 2);
      assert.equal(await store.open(v, 0), undefined);
      assert.equal(store.missReason(v, 7), "invalidated");
      assert.ok(await readPage(store, other, 0));
      assert.ok((await store.put(v, 0, contractPage(v, 0, 64))).stored, "it can be put again at once");
      assert.ok((await readPage(store, v, 0))?.equals(contractPage(v, 0, 64)));
    });

    test("a put that an invalidation overtakes does not become visible, and is told so if it had not ended", async () => {
      const v = version("overtaken");
      const put = store.put(v, 0, contractPage(v, 0, bytes));
      const dropped = store.invalidate(v);
      assert.equal((await put).stored, dropped === 1);
      assert.equal(await store.open(v, 0), undefined);
    });

    test("a held page keeps its bytes while it is invalidated and the store is filled anew", async () => {
      const v = version("held");
      const page = contractPage(v, 0, bytes);
      await store.put(v, 0, page);
      const ref = await store.open(v, 0);
      assert.ok(ref);
      store.invalidate(v);
      await fill(store, "held-filler", bytes);
      assert.ok(ref.read(0, bytes).equals(page));
      ref.release();
    });

    test("a full store evicts, stays within its limit at every answer, and says that pages were evicted", async () => {
      const evicted = () => store.stats().reduce((sum, tier) => sum + tier.evictedPages, 0);
      const before = evicted();
      const v = await fill(store, "full", bytes);
      assert.ok(evicted() > before);
      const gone: number[] = [];
      for (let index = 0; index < 256; index++) {
        const page = await readPage(store, v, index);
        if (page) assert.ok(page.equals(contractPage(v, index, bytes)));
        else gone.push(index);
      }
      assert.ok(gone.length > 0);
      assert.ok(gone.some((index) => store.missReason(v, index) === "evicted"));
    });

    test("a page is located as a file that another process can read, and what it opened outlives the page", async () => {
      const v = version("located");
      assert.equal(await store.locate(v, 0), undefined);
      const page = contractPage(v, 0, bytes);
      const put = await store.put(v, 0, page);
      const location = await store.locate(v, 0);
      assert.ok(put.stored && location);
      assert.equal(location.tier, put.tier);
      assert.equal(location.lengthBytes, bytes);
      const fd = openSync(location.path, "r");
      store.invalidate(v);
      assert.equal(await store.locate(v, 0), undefined);
      await fill(store, "located-filler", bytes);
      const read = Buffer.alloc(bytes);
      assert.equal(readSync(fd, read, 0, bytes, location.position), bytes);
      closeSync(fd);
      assert.ok(read.equals(page));
    });

    test("a frozen page is admitted while there is room, and is refused by name when the store is full", async () => {
      const v = version("frozen");
      await store.put(v, 0, contractPage(v, 0, bytes), { admission: "freeze" });
      await fill(store, "frozen-filler", bytes);
      for (let index = 100; index < 356; index++) {
        const answer = await store.put(v, index, contractPage(v, index, bytes), { admission: "freeze" });
        if (!answer.stored) {
          assert.equal(store.missReason(v, index), "admission_refused");
          assert.equal(await store.open(v, index), undefined);
          return;
        }
      }
      assert.fail("256 pages were admitted to a full store");
    });

    test("a page larger than every tier is not stored, and that is an answer and no error", async () => {
      const v = version("large");
      const most = Math.max(...store.stats().map((tier) => tier.limitBytes));
      const answer = await store.put(v, 0, Buffer.alloc(Math.min(most + 1, 16 * 1024 * 1024)));
      if (most >= 16 * 1024 * 1024) return;
      assert.equal(answer.stored, false);
      assert.equal(store.missReason(v, 0), "admission_refused");
    });

    test("a version id or an index that is none is refused as a defect of the caller", async () => {
      await assert.rejects(store.put("not-a-version", 0, Buffer.alloc(1)), { code: "RL_BAD_REQUEST" });
      await assert.rejects(store.put(version("x"), -1, Buffer.alloc(1)), { code: "RL_BAD_REQUEST" });
      await assert.rejects(store.put(version("x"), 0.5, Buffer.alloc(1)), { code: "RL_BAD_REQUEST" });
    });

    test("pages are found again after a restart, with the right bytes", async () => {
      const v = version("restart");
      for (let index = 0; index < 4; index++) await store.put(v, index, contractPage(v, index, bytes - index));
      await store.close();
      store = await fixture.open();
      assert.deepEqual(store.cachedRuns(v), [{ first: 0, last: 3 }]);
      for (let index = 0; index < 4; index++) {
        assert.ok((await readPage(store, v, index))?.equals(contractPage(v, index, bytes - index)));
      }
    });

    test("a closed store answers without error, holds nothing, and closes twice; pages held across it stay readable", async () => {
      const v = version("closed");
      await store.put(v, 0, contractPage(v, 0, bytes));
      const ref: PageRef | undefined = await store.open(v, 0);
      assert.ok(ref);
      const pending = store.put(v, 1, contractPage(v, 1, bytes));
      await Promise.all([store.close(), store.close()]);
      await pending;
      assert.equal(await store.open(v, 0), undefined);
      assert.equal((await store.put(v, 2, Buffer.alloc(1))).stored, false);
      assert.ok(ref.read(0, bytes).equals(contractPage(v, 0, bytes)));
      ref.release();
      store = await fixture.open();
    });
  });
}

/** Puts 256 pages one after another, more than the store holds; looks at the limits after each. */
async function fill(store: PageStore, key: string, bytes: number): Promise<string> {
  const v = versionId("contract", key, "v1");
  for (let index = 0; index < 256; index++) {
    const answer = await store.put(v, index, contractPage(v, index, bytes));
    assert.ok(answer.stored, `page ${index} is stored`);
    for (const tier of store.stats()) assert.ok(tier.usedBytes <= tier.limitBytes);
  }
  return v;
}
