/** What readers of pages get, and what it costs the store. Long, because all of it shares one store whose answers can be held back. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  newReadStatus,
  type PageStore,
  type ReadStatus,
  RinglightError,
  releasePooled,
  type StopSignal,
  systemClock,
  type Ufs,
} from "@ringlight/core";
import { openPageStore, versionId } from "@ringlight/store";
import { randomBytes, waitFor } from "@ringlight/testing";
import { PageReader } from "./page-reader.ts";

const BUDGET_BYTES = 16 * 1024 * 1024;
const PAGE = 64 * 1024;

/** A UFS of one object that counts its GETs, and can be held back or broken. */
class CountingUfs {
  readonly data: Buffer;
  readonly reads: { start: number; end: number; aborted: boolean }[] = [];
  /** Awaited before each chunk after the first `freeBytes` of a read. */
  gate: Promise<void> = Promise.resolve();
  freeBytes = 0;
  failAfterBytes = Number.POSITIVE_INFINITY;

  constructor(data: Buffer) {
    this.data = data;
  }

  asUfs(): Ufs {
    return {
      uri: "test://object",
      head: async () => ({ sizeBytes: this.data.length, version: '"v1"', etag: '"v1"', modifiedMs: 0 }),
      read: async (_key, version, range, options) => {
        const seen = { ...range, aborted: false };
        this.reads.push(seen);
        options?.signal?.addEventListener("abort", () => {
          seen.aborted = true;
        });
        return { meta: { version, sizeBytes: this.data.length }, stream: this.#stream(range, options?.signal) };
      },
      list: async () => ({ objects: [], commonPrefixes: [], truncated: false, nextStartAfter: "" }),
      check: async () => {},
      close: async () => {},
    };
  }

  async *#stream(range: { start: number; end: number }, signal: StopSignal | undefined): AsyncGenerator<Uint8Array> {
    const chunk = 10_000;
    for (let at = range.start; at <= range.end; at += chunk) {
      const sent = at - range.start;
      if (sent >= this.failAfterBytes) throw new RinglightError("RL_UFS_ERROR", "broken on purpose");
      if (sent >= this.freeBytes) await this.gate;
      signal?.throwIfAborted();
      yield this.data.subarray(at, Math.min(at + chunk, range.end + 1));
    }
  }

  get bytesRead(): number {
    return this.reads.reduce((sum, { start, end }) => sum + end - start + 1, 0);
  }
}

let directory: string;
let store: PageStore;
let counts: string[];
let pages: PageReader;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "ringlight-pages-"));
  store = await openPageStore({ tiers: [{ name: "mem", directories: [directory], limitBytes: 64 * 1024 * 1024 }] });
  counts = [];
  pages = new PageReader({
    store,
    pageBytes: PAGE,
    budgetBytes: BUDGET_BYTES,
    clock: systemClock,
    count: (_mount, outcome, tier, reason) => counts.push([outcome, tier, reason].filter(Boolean).join(":")),
  });
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const VERSION = versionId("m", "k", '"v1"');

function open(
  ufs: CountingUfs,
  start: number,
  end: number,
  options: { status?: ReadStatus; signal?: AbortSignal } = {},
) {
  return pages.read({
    mount: "m",
    key: "k",
    version: VERSION,
    meta: { version: '"v1"', sizeBytes: ufs.data.length },
    ufs: ufs.asUfs(),
    range: { start, end },
    status: options.status ?? newReadStatus(),
    signal: options.signal ?? new AbortController().signal,
    traceparent: "",
  });
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

const settled = () => waitFor(() => pages.runsInFlight === 0, { timeoutMs: 5000 });

test("every range of an object has the object's bytes, cold and warm", async () => {
  const ufs = new CountingUfs(randomBytes(1, 5 * PAGE + 123));
  for (const [start, end] of [
    [0, 0],
    [PAGE - 1, PAGE],
    [3, 5 * PAGE + 122],
    [5 * PAGE, 5 * PAGE + 122],
    [2 * PAGE, 3 * PAGE - 1],
  ] as const) {
    for (let pass = 0; pass < 2; pass++) {
      assert.deepEqual(
        await collect(open(ufs, start, end)),
        ufs.data.subarray(start, end + 1),
        `${start}-${end} pass ${pass}`,
      );
      await settled();
    }
  }
});

test("a warm read asks the UFS for nothing and says which tier served it", async () => {
  const ufs = new CountingUfs(randomBytes(2, 3 * PAGE));
  await collect(open(ufs, 0, 3 * PAGE - 1));
  await settled();
  const before = ufs.reads.length;
  const status = newReadStatus();
  await collect(open(ufs, 0, 3 * PAGE - 1, { status }));
  assert.equal(ufs.reads.length, before);
  assert.equal(status.hits, 3);
  assert.deepEqual([...status.bytesBySource], [["mem", 3 * PAGE]]);
});

test("adjacent missing pages are one request to the UFS", async () => {
  const ufs = new CountingUfs(randomBytes(3, 8 * PAGE));
  await collect(open(ufs, 0, 8 * PAGE - 1));
  assert.deepEqual(
    ufs.reads.map(({ start, end }) => [start, end]),
    [[0, 8 * PAGE - 1]],
  );
});

test("many concurrent cold readers cause each page to be read from the UFS once", async () => {
  const ufs = new CountingUfs(randomBytes(4, 40 * PAGE));
  let letGo: () => void = () => {};
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const readers = Array.from({ length: 200 }, () => collect(open(ufs, 0, 40 * PAGE - 1)));
  await waitFor(() => ufs.reads.length > 0, { timeoutMs: 5000 });
  letGo();
  for (const bytes of await Promise.all(readers)) assert.equal(bytes.equals(ufs.data), true);
  assert.equal(ufs.bytesRead, ufs.data.length);
  const misses = counts.filter((entry) => entry.startsWith("miss")).length;
  assert.ok(misses >= 1 && misses <= 40, `${misses} misses`);
});

test("the first bytes of a page are handed out before the page is complete", async () => {
  const ufs = new CountingUfs(randomBytes(5, 2 * PAGE));
  let letGo: () => void = () => {};
  ufs.freeBytes = 20_000;
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const reader = open(ufs, 0, 2 * PAGE - 1);
  const first = await reader.next();
  assert.ok(first.done !== true && first.value.length > 0 && first.value.length <= 20_000);
  assert.equal(store.peek(VERSION, 0), undefined);
  letGo();
  const rest = await collect(reader);
  assert.deepEqual(Buffer.concat([first.value, rest]), ufs.data);
});

test("when the last reader leaves, the request to the UFS is broken off, and the next read misses as partial", async () => {
  const ufs = new CountingUfs(randomBytes(6, 4 * PAGE));
  ufs.freeBytes = 20_000;
  let letGo: () => void = () => {};
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const reader = open(ufs, 0, 4 * PAGE - 1);
  await reader.next();
  await reader.return(undefined);
  assert.equal(ufs.reads[0]?.aborted, true);
  letGo();
  await settled();
  assert.equal(pages.missReason(VERSION, 0), "partial");
  assert.deepEqual(await collect(open(ufs, 0, 4 * PAGE - 1)), ufs.data);
});

test("a reader that joined a fetch is not hurt when the one who began it leaves", async () => {
  const ufs = new CountingUfs(randomBytes(7, 4 * PAGE));
  ufs.freeBytes = 20_000;
  let letGo: () => void = () => {};
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const first = open(ufs, 0, 4 * PAGE - 1);
  await first.next();
  const second = open(ufs, 0, 4 * PAGE - 1);
  const begun = await second.next();
  await first.return(undefined);
  letGo();
  const rest = await collect(second);
  assert.deepEqual(Buffer.concat([begun.value ?? Buffer.alloc(0), rest]), ufs.data);
  assert.equal(ufs.bytesRead, ufs.data.length);
});

test("a failing UFS fails the readers of the pages that it did not deliver, and no incomplete page is kept", async () => {
  const ufs = new CountingUfs(randomBytes(8, 4 * PAGE));
  ufs.failAfterBytes = PAGE + 20_000;
  await assert.rejects(collect(open(ufs, 0, 4 * PAGE - 1)), { code: "RL_UFS_ERROR" });
  await settled();
  assert.equal(store.peek(VERSION, 0), "mem");
  assert.equal(store.peek(VERSION, 1), undefined);
  ufs.failAfterBytes = Number.POSITIVE_INFINITY;
  assert.deepEqual(await collect(open(ufs, 0, 4 * PAGE - 1)), ufs.data);
});

test("read-ahead follows a sequential reader and never a random one", async () => {
  const ufs = new CountingUfs(randomBytes(9, 64 * PAGE));
  for (const page of [40, 3, 17, 60, 9]) await collect(open(ufs, page * PAGE, page * PAGE + 999));
  await settled();
  assert.equal(ufs.bytesRead, 5 * PAGE);
  for (let page = 20; page < 24; page++) await collect(open(ufs, page * PAGE, (page + 1) * PAGE - 1));
  await settled();
  assert.equal(store.peek(VERSION, 24), "mem");
});

test("an aborted reader stops waiting at once", async () => {
  const ufs = new CountingUfs(randomBytes(10, 2 * PAGE));
  let letGo: () => void = () => {};
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  const controller = new AbortController();
  const reading = collect(open(ufs, 0, 100, { signal: controller.signal }));
  controller.abort(new RinglightError("RL_CANCELLED", "gone"));
  await assert.rejects(reading, { code: "RL_CANCELLED" });
  letGo();
  await settled();
});

test("a request to the UFS that has brought all its bytes is not broken off when its reader leaves", async () => {
  const ufs = new CountingUfs(randomBytes(77, 2 * PAGE));
  await collect(open(ufs, 0, 2 * PAGE - 1));
  await settled();
  assert.deepEqual(
    ufs.reads.map(({ aborted }) => aborted),
    [false],
  );
});

test("a long cold read holds the bytes of a few runs and not all that it has read", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const ufs = new CountingUfs(randomBytes(78, 2048 * PAGE));
  const heldBytes = () => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = heldBytes();
  const reader = open(ufs, 0, ufs.data.length - 1);
  let read = 0;
  while (read < 2047 * PAGE) read += (await reader.next()).value?.length ?? 0;
  const held = heldBytes() - before;
  await reader.return(undefined);
  // A slow disk may have the whole budget on its way into the store, beside what the pool keeps and what was just read.
  assert.ok(held < 3 * BUDGET_BYTES, `${held} of ${read} bytes are held`);
});

test("a small read of a large page leaves the page to be completed: it is fetched once and is there for the next reader", async () => {
  const ufs = new CountingUfs(randomBytes(78, 4 * PAGE));
  ufs.freeBytes = 20_000;
  let letGo: () => void = () => {};
  ufs.gate = new Promise((resolve) => {
    letGo = resolve;
  });
  assert.deepEqual(await collect(open(ufs, 2 * PAGE, 2 * PAGE + 99)), ufs.data.subarray(2 * PAGE, 2 * PAGE + 100));
  assert.equal(store.peek(VERSION, 2), undefined);
  letGo();
  await settled();
  assert.equal(store.peek(VERSION, 2), "mem");
  assert.deepEqual(
    await collect(open(ufs, 2 * PAGE + 50_000, 2 * PAGE + 50_009)),
    ufs.data.subarray(2 * PAGE + 50_000, 2 * PAGE + 50_010),
  );
  assert.deepEqual(
    ufs.reads.map(({ start, end, aborted }) => [start, end, aborted]),
    [[2 * PAGE, 3 * PAGE - 1, false]],
  );
});

/** A store that takes no page. */
function refusing(inner: PageStore): PageStore {
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === "put") return async () => ({ stored: false, reason: "admission" });
      if (name === "missReason") return () => "admission_refused";
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("pages that the store refuses reach every reader of their run with one request, and a later reader misses", async () => {
  const ufs = new CountingUfs(randomBytes(79, 8 * PAGE));
  pages = new PageReader({
    store: refusing(store),
    pageBytes: PAGE,
    budgetBytes: BUDGET_BYTES,
    clock: systemClock,
    count: (_mount, outcome, _tier, reason) => counts.push([outcome, reason].filter(Boolean).join(":")),
  });
  // Slow readers: the whole run is there, and refused, before they come to its second page.
  const readers = [open(ufs, 0, ufs.data.length - 1), open(ufs, 0, ufs.data.length - 1)];
  const firsts = await Promise.all(readers.map((reader) => reader.next()));
  await settled();
  for (const [index, reader] of readers.entries()) {
    const rest = await collect(reader);
    assert.deepEqual(Buffer.concat([firsts[index]?.value ?? Buffer.alloc(0), rest]), ufs.data);
  }
  assert.equal(ufs.bytesRead, ufs.data.length);
  assert.equal(pages.bytesInFlight, 0);
  counts.length = 0;
  await collect(open(ufs, 0, 99));
  assert.deepEqual(counts, ["miss:admission_refused"]);
  await settled();
  assert.equal(pages.bytesInFlight, 0);
});

test("what a read has fetched itself is a miss of it, also when it has come in before the reader did", async () => {
  const ufs = new CountingUfs(randomBytes(80, 6 * PAGE));
  const status = newReadStatus();
  const reader = open(ufs, 0, ufs.data.length - 1, { status });
  await reader.next();
  await settled();
  await collect(reader);
  assert.deepEqual([status.misses, status.hits, status.joined], [6, 0, 0]);
  assert.deepEqual([...status.bytesBySource], [["ufs", ufs.data.length]]);
});

test("memory is used again only after the last piece of its page was released", async () => {
  const ufs = new CountingUfs(randomBytes(81, 64 * PAGE));
  const held: Buffer[] = [];
  const copies: Buffer[] = [];
  let at = 0;
  for (let round = 0; round < 16; round++) {
    for await (const piece of open(ufs, at, at + 4 * PAGE - 1)) {
      if (round % 2 === 0) {
        held.push(piece as Buffer);
        copies.push(Buffer.from(piece));
      } else releasePooled(piece);
    }
    at += 4 * PAGE;
    await settled();
  }
  for (const [index, piece] of held.entries())
    assert.ok(piece.equals(copies[index] ?? Buffer.alloc(0)), `piece ${index}`);
});

test("an object that is not known is learned of and read with one request, whoever comes meanwhile", async () => {
  const ufs = new CountingUfs(randomBytes(82, 3 * PAGE + 77));
  let asked = 0;
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const learnable: Ufs = {
    ...ufs.asUfs(),
    readCurrent: async (_key, range, begin) => {
      asked++;
      await answered;
      const end = Math.min(range.end, ufs.data.length - 1);
      const meta = { sizeBytes: ufs.data.length, version: '"v1"', etag: '"v1"', modifiedMs: 0 };
      const sink = await begin(meta, { start: range.start, end });
      for (let from = range.start; from <= end; ) {
        const space = sink.space();
        const length = Math.min(space.length, 10_000, end + 1 - from);
        space.set(ufs.data.subarray(from, from + length));
        sink.advance(length);
        from += length;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  const source = { mount: "m", key: "k", ufs: learnable, traceparent: "" };
  const learning = pages.learn(source, pages.firstRun(learnable, 0, 2 ** 40), () => VERSION, undefined);
  answer();
  const { meta, run, release } = await learning;
  const request = {
    ...{ mount: "m", key: "k", version: VERSION, meta, ufs: learnable, range: { start: 0, end: meta.sizeBytes - 1 } },
    ...{ signal: new AbortController().signal, traceparent: "" },
  };
  const statuses = Array.from({ length: 50 }, () => newReadStatus());
  const readers = statuses.map((status, index) =>
    collect(pages.read({ ...request, status, ...(index === 0 && { begun: run }) })),
  );
  release();
  for (const bytes of await Promise.all(readers)) assert.ok(bytes.equals(ufs.data));
  assert.equal(asked, 1);
  assert.equal(ufs.reads.length, 0);
  assert.equal(statuses[0]?.misses, 4);
  await settled();
  assert.equal(pages.bytesInFlight, 0);
});

test("what was learned is given up when nobody reads it", async () => {
  const ufs = new CountingUfs(randomBytes(83, PAGE));
  let aborted = false;
  const learnable: Ufs = {
    ...ufs.asUfs(),
    readCurrent: async (_key, _range, begin, options) => {
      await begin({ sizeBytes: PAGE, version: '"v1"', etag: '"v1"', modifiedMs: 0 }, { start: 0, end: PAGE - 1 });
      await new Promise((_, reject) =>
        options?.signal?.addEventListener("abort", () => {
          aborted = true;
          reject(options.signal?.reason);
        }),
      );
    },
  };
  const source = { mount: "m", key: "k", ufs: learnable, traceparent: "" };
  const { release } = await pages.learn(source, { start: 0, end: PAGE - 1 }, () => VERSION, undefined);
  release();
  await settled();
  assert.equal(aborted, true);
  assert.equal(pages.bytesInFlight, 0);
});

test("a small object that was learned is read in one piece and counted once; a larger one, and one that breaks off, are not", async () => {
  const known = (data: Buffer, given: number): Ufs => ({
    ...new CountingUfs(data).asUfs(),
    readCurrent: async (_key, _range, begin) => {
      const meta = { sizeBytes: data.length, version: '"v1"', etag: '"v1"', modifiedMs: 0 };
      const sink = await begin(meta, { start: 0, end: data.length - 1 });
      // What is asked for waits for more than one piece.
      for (let at = 0; at < given; at += 1000) {
        const length = Math.min(1000, given - at, sink.space().length);
        sink.space().set(data.subarray(at, at + length));
        sink.advance(length);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (given < data.length) throw new RinglightError("RL_UFS_ERROR", "it broke off");
    },
  });
  const learned = async (data: Buffer, given = data.length) => {
    const ufs = known(data, given);
    const source = { mount: "m", key: "k", ufs, traceparent: "" };
    const { meta, run, release } = await pages.learn(source, pages.firstRun(ufs, 0, 2 ** 40), () => VERSION, undefined);
    const status = newReadStatus();
    const leaving = new AbortController();
    const range = { start: 10, end: data.length - 1 };
    const context = { signal: leaving.signal, traceparent: "", status };
    const request = { mount: "m", key: "k", version: VERSION, meta, ufs, range, ...context };
    return { request, run, release, status, leaving };
  };
  const data = randomBytes(84, PAGE - 7);
  const one = await learned(data);
  const piece = await pages.readSmall(one.request, one.run);
  one.release();
  assert.ok(piece?.equals(data.subarray(10)));
  assert.deepEqual([one.status.misses, one.status.bytesBySource.get("ufs")], [1, data.length - 10]);
  await settled();
  assert.equal(pages.bytesInFlight, 0);

  store.invalidate(VERSION);
  const two = await learned(randomBytes(85, 2 * PAGE));
  assert.equal(await pages.readSmall(two.request, two.run), undefined);
  assert.equal(two.status.misses, 0);
  two.release();
  await settled();

  store.invalidate(VERSION);
  const broken = await learned(data, 2000);
  await assert.rejects(pages.readSmall(broken.request, broken.run), { code: "RL_UFS_ERROR" });
  broken.release();

  store.invalidate(VERSION);
  const left = await learned(data);
  const reading = pages.readSmall(left.request, left.run);
  left.leaving.abort(new Error("the client left"));
  await assert.rejects(reading, /the client left/);
  left.release();
  await settled();
  assert.equal(pages.bytesInFlight, 0);
});
