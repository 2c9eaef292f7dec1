import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type ByteRange, newReadStatus, type PageStore, RinglightError, systemClock, type Ufs } from "@ringlight/core";
import { openPageStore, versionId } from "@ringlight/store";
import { randomBytes, waitFor } from "@ringlight/testing";
import fc from "fast-check";
import { PageReader } from "./page-reader.ts";
import { BLOCK_BYTES as BLOCK, blockIndex, blocksIn, PartReader } from "./part-reader.ts";

const KIB = 1024;
const PAGE = 512 * KIB;
const BUDGET_BYTES = 16 * 1024 * KIB;
const version = versionId("mount", "key", "v1");

/** A UFS of one object that notes the ranges that it was asked for. */
class NotingUfs {
  readonly data: Buffer;
  readonly asked: ByteRange[] = [];
  failFrom = Number.POSITIVE_INFINITY;

  constructor(data: Buffer) {
    this.data = data;
  }

  asUfs(): Ufs {
    return {
      uri: "test://object",
      head: async () => ({ sizeBytes: this.data.length, version: "v1", etag: '"v1"', modifiedMs: 0 }),
      read: async (_key, pinned, range) => {
        this.asked.push({ start: range.start, end: range.end });
        return { meta: { version: pinned, sizeBytes: this.data.length }, stream: this.#stream(range) };
      },
      list: async () => ({ objects: [], commonPrefixes: [], truncated: false, nextStartAfter: "" }),
      check: async () => {},
      close: async () => {},
    };
  }

  async *#stream({ start, end }: ByteRange): AsyncGenerator<Uint8Array> {
    for (let at = start; at <= end; at += 50_000) {
      if (at >= this.failFrom) throw new RinglightError("RL_UFS_ERROR", "broken on purpose");
      yield this.data.subarray(at, Math.min(at + 50_000, end + 1));
    }
  }

  /** The ranges asked for since the last call, in units of 64 KiB: "first+count". */
  take(): string[] {
    return this.asked
      .splice(0)
      .map(({ start, end }) => `${start / BLOCK}+${Math.ceil((end + 1 - start) / BLOCK)}`)
      .sort();
  }
}

let directory: string;
let store: PageStore;
let ufs: NotingUfs;
let pages: PageReader;
let blocks: PageReader;
let parts: PartReader;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "ringlight-parts-"));
  store = await openPageStore({ tiers: [{ name: "mem", directories: [directory], limitBytes: 64 * 1024 * KIB }] });
  ufs = new NotingUfs(randomBytes(1, 8 * PAGE + 100_000));
  begin();
});

afterEach(async () => {
  await idle();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function begin(): void {
  const options = { budgetBytes: BUDGET_BYTES, clock: systemClock, count: () => {} };
  pages = new PageReader({ ...options, store, pageBytes: PAGE });
  blocks = new PageReader({ ...options, store: blocksIn(store), pageBytes: BLOCK, readsAhead: false });
  parts = new PartReader(pages, blocks);
}

const idle = () => waitFor(() => pages.runsInFlight + blocks.runsInFlight === 0);

async function read(start: number, length: number, signal = new AbortController().signal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const sizeBytes = ufs.data.length;
  const end = Math.min(start + length, sizeBytes) - 1;
  const request = { mount: "mount", key: "key", version, meta: { version: "v1", sizeBytes }, ufs: ufs.asUfs() };
  const reader = parts.read({ ...request, range: { start, end }, status: newReadStatus(), signal, traceparent: "" });
  for await (const piece of reader) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function check(start: number, length: number): Promise<string[]> {
  const bytes = await read(start, length);
  assert.equal(bytes.length, length);
  assert.equal(bytes.equals(ufs.data.subarray(start, start + length)), true, `${length} bytes from ${start}`);
  await idle();
  return ufs.take();
}

test("of a page of which little is wanted two places are fetched by blocks, and then the page", async () => {
  assert.deepEqual(await check(3 * BLOCK + 10, 4 * KIB), ["3+1"]);
  assert.deepEqual(await check(3 * BLOCK + 20_000, 4 * KIB), []);
  assert.deepEqual(await check(5 * BLOCK - 100, 200), ["4+2"]);
  assert.deepEqual(await check(4 * BLOCK, BLOCK), []);
  assert.deepEqual(await check(0, 1), ["0+8"]);
  assert.deepEqual(await check(7 * BLOCK, 1), []);
});

test("of a range the whole pages are read by pages, and its ends by blocks where they are short", async () => {
  const page = PAGE / BLOCK;
  assert.deepEqual(await check(PAGE - 3 * BLOCK, 6 * BLOCK), [`${page - 3}+6`]);
  assert.deepEqual(await check(3 * PAGE - BLOCK, 2 * PAGE + 3 * BLOCK), [
    `${3 * page - 1}+1`,
    `${3 * page}+${2 * page}`,
    `${5 * page}+2`,
  ]);
  // More than half of both ends.
  assert.deepEqual(await check(6 * PAGE + BLOCK, 2 * PAGE - 2 * BLOCK), [`${6 * page}+${2 * page}`]);
});

test("a reader who goes on where it had stopped is read for by pages", async () => {
  assert.deepEqual(await check(0, BLOCK), ["0+1"]);
  assert.deepEqual(await check(BLOCK, BLOCK), ["0+8"]);
});

test("a short last page is read whole, and so is a page that is here or coming", async () => {
  const tail = 8 * PAGE;
  assert.deepEqual(await check(tail + 50_000, 1000), [`${tail / BLOCK}+2`]);
  const both = await Promise.all([read(0, PAGE), read(100, 50)]);
  assert.equal(both[1]?.equals(ufs.data.subarray(100, 150)), true);
  assert.deepEqual(ufs.take(), ["0+8"]);
});

test("blocks are found again after a restart of the store, and leave with their version", async () => {
  await check(2 * BLOCK, 10);
  await store.close();
  store = await openPageStore({ tiers: [{ name: "mem", directories: [directory], limitBytes: 64 * 1024 * KIB }] });
  begin();
  assert.deepEqual(await check(2 * BLOCK + 5, 10), []);
  assert.deepEqual(store.cachedRuns(version), [{ first: blockIndex(2 * BLOCK), last: blockIndex(2 * BLOCK) }]);
  assert.equal(store.invalidate(version), 1);
  assert.equal(parts.has(version, 2 * BLOCK), false);
});

test("a store that fails at one end of a range fails the read, and nothing is left behind", async () => {
  ufs.failFrom = 3 * PAGE;
  const sizeBytes = 2 * PAGE + 3 * BLOCK;
  await assert.rejects(read(PAGE - BLOCK, sizeBytes), { code: "RL_UFS_ERROR" });
  await idle();
  assert.equal(pages.bytesInFlight + blocks.bytesInFlight, 0);
  ufs.failFrom = Number.POSITIVE_INFINITY;
  await check(PAGE - BLOCK, sizeBytes);
});

test("a reader that leaves in the middle lets go of all parts", async () => {
  const request = { mount: "mount", key: "key", version, meta: { version: "v1", sizeBytes: ufs.data.length } };
  const range = { start: PAGE - BLOCK, end: 3 * PAGE + BLOCK };
  const { signal } = new AbortController();
  const status = newReadStatus();
  for await (const _ of parts.read({ ...request, ufs: ufs.asUfs(), range, status, signal, traceparent: "" })) break;
  await idle();
  assert.equal(pages.bytesInFlight + blocks.bytesInFlight, 0);
});

test("whatever is read, at once and one after the other, the bytes are right and the price is bounded", async () => {
  const sizeBytes = ufs.data.length;
  const range = fc.tuple(
    fc.nat({ max: sizeBytes - 1 }),
    fc.oneof(fc.integer({ min: 1, max: BLOCK }), fc.nat(3 * PAGE)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(range, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), async (rounds) => {
      store.invalidate(version);
      begin();
      for (const round of rounds) {
        await Promise.all(
          round.map(async ([start, length]) => {
            const wanted = ufs.data.subarray(start, start + Math.max(1, length));
            assert.equal((await read(start, wanted.length)).equals(wanted), true);
          }),
        );
      }
      await idle();
      const fetchedBytes = ufs.asked.splice(0).reduce((sum, { start, end }) => sum + end - start + 1, 0);
      assert.ok(fetchedBytes <= sizeBytes * 2, `${fetchedBytes} bytes of an object of ${sizeBytes}`);
    }),
    { numRuns: 60 },
  );
});
