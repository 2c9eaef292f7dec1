/** What every UFS must do, run on every implementation. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { compareKeys, isRinglightError, type Ufs, type UfsObservation } from "@ringlight/core";
import { randomBytes } from "@ringlight/testing";

/** A store beneath test: the UFS and a way to change what is in it. */
export interface UfsFixture {
  readonly ufs: Ufs;
  readonly observations: readonly UfsObservation[];
  put(key: string, bytes: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

/** Reads a body to its end. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A sink that gives its memory in spaces of an odd size, as pages would. */
export function sinkOf(sizeBytes: number, spaceBytes = 300_007) {
  const bytes = Buffer.alloc(sizeBytes);
  let at = 0;
  return {
    bytes,
    filled: () => at,
    space: () => bytes.subarray(at, Math.min(bytes.length, (Math.floor(at / spaceBytes) + 1) * spaceBytes)),
    advance: (length: number) => {
      at += length;
    },
  };
}

/** Keys that sort differently by UTF-8 bytes, by UTF-16 units, and by directories; and ones that are awkward to encode. */
const KEYS = [
  "a b+c&d=é%20'()*!~.txt",
  "dir!",
  "dir-/1",
  "dir/1",
  "dir/2",
  "dir/sub/3",
  "dir/sub/4",
  "dir0",
  "z\u0001control",
  "z\uffee",
  "z\u{1f600}/smile",
];

/** Runs the suite. `make` gives a fresh, empty store. */
export function ufsContract(name: string, make: () => Promise<UfsFixture>): void {
  describe(`the contract of a UFS, by ${name}`, () => {
    let fixture: UfsFixture;
    let ufs: Ufs;
    const big = randomBytes(1, 3_500_000);

    before(async () => {
      fixture = await make();
      ufs = fixture.ufs;
      for (const key of KEYS) await fixture.put(key, Buffer.from(key));
      await fixture.put("big.bin", big);
      await fixture.put("empty", Buffer.alloc(0));
    });
    after(async () => {
      await fixture.close();
    });

    const version = async (key: string) => (await ufs.head(key)).version;
    const code = (expected: string) => (error: unknown) => isRinglightError(error) && error.code === expected;
    const ALL = [...KEYS, "big.bin", "empty"].sort(compareKeys);

    /** Pages through a listing; returns keys and common prefixes in the order in which pages named them. */
    const listAll = async (prefix: string, delimiter: string, maxKeys: number, startAfter = "") => {
      const objects: string[] = [];
      const prefixes: string[] = [];
      for (let from = startAfter, pages = 0; ; pages++) {
        assert.ok(pages < 200, "the listing ends");
        const page = await ufs.list({ prefix, delimiter, startAfter: from, maxKeys });
        assert.ok(page.objects.length + page.commonPrefixes.length <= maxKeys);
        objects.push(...page.objects.map((row) => row.key));
        prefixes.push(...page.commonPrefixes);
        if (!page.truncated) {
          assert.equal(page.nextStartAfter, "");
          return { objects, prefixes };
        }
        assert.ok(compareKeys(page.nextStartAfter, from) > 0, "the start advances");
        from = page.nextStartAfter;
      }
    };

    it("puts a range of a version into a sink, and no bytes of another version", async () => {
      const { readInto } = ufs;
      if (readInto === undefined) return;
      const current = await version("big.bin");
      for (const [start, end] of [
        [0, big.length - 1],
        [0, 0],
        [1_234_567, 2_345_678],
        [big.length - 1, big.length - 1],
      ] as const) {
        const sink = sinkOf(end - start + 1);
        await readInto.call(ufs, "big.bin", current, { start, end }, sink);
        assert.equal(sink.filled(), end - start + 1);
        assert.ok(sink.bytes.equals(big.subarray(start, end + 1)));
      }
      const into = (key: string, of: string, start: number, end: number) =>
        readInto.call(ufs, key, of, { start, end }, sinkOf(end - start + 1));
      await assert.rejects(into("big.bin", '"another"', 0, 9), code("RL_VERSION_CHANGED"));
      await assert.rejects(into("big.bin", current, 5, big.length), code("RL_BAD_RANGE"));
      await assert.rejects(into("no-such", current, 0, 9), code("RL_NOT_FOUND"));
    });

    it("learns of an object and reads it in one request", async () => {
      const { readCurrent } = ufs;
      if (readCurrent === undefined) return;
      for (const [start, end] of [
        [0, 999_999],
        [0, 2 ** 40],
        [2_000_000, 2 ** 40],
      ] as const) {
        const meta = await ufs.head("big.bin");
        const before = fixture.observations.length;
        const held = Math.min(end, big.length - 1);
        const sink = sinkOf(held - start + 1);
        await readCurrent.call(ufs, "big.bin", { start, end }, async (told, range) => {
          assert.deepEqual(told, meta);
          assert.deepEqual(range, { start, end: held });
          return sink;
        });
        assert.ok(sink.bytes.equals(big.subarray(start, held + 1)));
        const [seen, ...more] = fixture.observations.slice(before);
        assert.equal(more.length, 0);
        assert.deepEqual([seen?.op, seen?.status, seen?.bytes], ["get", "ok", sink.bytes.length]);
      }
      const never = () => assert.fail("nothing can be read");
      const current = (key: string, start: number) => readCurrent.call(ufs, key, { start, end: start + 99 }, never);
      await assert.rejects(current("empty", 0), code("RL_BAD_RANGE"));
      await assert.rejects(current("big.bin", big.length), code("RL_BAD_RANGE"));
      await assert.rejects(current("no-such", 0), code("RL_NOT_FOUND"));
      const refused = new Error("no room");
      await assert.rejects(
        readCurrent.call(ufs, "big.bin", { start: 0, end: 99 }, async () => Promise.reject(refused)),
        (error: Error) => error === refused || error.message.includes("no room"),
      );
    });

    it("stops filling when the caller leaves", async () => {
      const { readInto } = ufs;
      if (readInto === undefined) return;
      const leaving = new AbortController();
      const sink = sinkOf(big.length, 10_000);
      const advance = (length: number) => {
        sink.advance(length);
        leaving.abort();
      };
      const range = { start: 0, end: big.length - 1 };
      const reading = readInto.call(
        ufs,
        "big.bin",
        await version("big.bin"),
        range,
        { space: sink.space, advance },
        {
          signal: leaving.signal,
        },
      );
      await assert.rejects(reading, code("RL_CANCELLED"));
      assert.ok(sink.filled() < big.length);
    });

    it("tells size, version, ETag and time of an object", async () => {
      const meta = await ufs.head("big.bin");
      assert.equal(meta.sizeBytes, big.length);
      assert.match(meta.etag, /^"[^"]+"$/);
      assert.ok(Math.abs(meta.modifiedMs - Date.now()) < 3_600_000);
      assert.equal((await ufs.head("big.bin")).version, meta.version);
      assert.equal((await ufs.head("empty")).sizeBytes, 0);
    });

    it("reads any range of a version, exactly", async () => {
      const token = await version("big.bin");
      for (const [start, end] of [
        [0, 0],
        [0, big.length - 1],
        [1_048_575, 1_048_576],
        [2_000_001, 3_499_999],
        [big.length - 1, big.length - 1],
      ] as const) {
        const body = await ufs.read("big.bin", token, { start, end });
        assert.equal(body.meta.sizeBytes, big.length);
        assert.equal(body.meta.version, token);
        assert.ok((await collect(body.stream)).equals(big.subarray(start, end + 1)), `${start}-${end}`);
      }
    });

    it("reads every key, however it is spelled", async () => {
      for (const key of KEYS) {
        const { sizeBytes, version: token } = await ufs.head(key);
        const body = await ufs.read(key, token, { start: 0, end: sizeBytes - 1 });
        assert.equal((await collect(body.stream)).toString(), key);
      }
    });

    it("refuses ranges outside of the object", async () => {
      const token = await version("dir/1");
      for (const range of [
        { start: 5, end: 5 },
        { start: 0, end: 5 },
        { start: 3, end: 2 },
        { start: -1, end: 2 },
      ]) {
        await assert.rejects(ufs.read("dir/1", token, range), code("RL_BAD_RANGE"));
      }
      await assert.rejects(ufs.read("empty", await version("empty"), { start: 0, end: 0 }), code("RL_BAD_RANGE"));
    });

    it("says that there is no such object", async () => {
      for (const key of [
        "",
        "none",
        "dir",
        "dir/",
        "dir/none",
        "dir/1/2",
        "/dir/1",
        "dir//1",
        "../x",
        "dir/../dir0",
        "./dir0",
      ]) {
        await assert.rejects(ufs.head(key), code("RL_NOT_FOUND"), key);
        await assert.rejects(ufs.read(key, '"v"', { start: 0, end: 0 }), code("RL_NOT_FOUND"), key);
      }
    });

    it("never gives bytes of another version", async () => {
      await fixture.put("changes", Buffer.from("first"));
      const first = await version("changes");
      await fixture.put("changes", Buffer.from("later"));
      await assert.rejects(ufs.read("changes", first, { start: 0, end: 4 }), code("RL_VERSION_CHANGED"));
      const body = await ufs.read("changes", await version("changes"), { start: 0, end: 4 });
      assert.equal((await collect(body.stream)).toString(), "later");
      await fixture.delete("changes");
      await assert.rejects(ufs.head("changes"), code("RL_NOT_FOUND"));
    });

    it("lists all keys in the order of their bytes, in pages of any size", async () => {
      for (const maxKeys of [1, 2, 3, 1000]) {
        assert.deepEqual(await listAll("", "", maxKeys), { objects: ALL, prefixes: [] });
      }
    });

    it("rolls keys up at the delimiter, in pages of any size", async () => {
      const objects = ALL.filter((key) => !key.includes("/"));
      for (const maxKeys of [1, 2, 5, 1000]) {
        assert.deepEqual(await listAll("", "/", maxKeys), { objects, prefixes: ["dir-/", "dir/", "z\u{1f600}/"] });
        const beneath = await listAll("dir/", "/", maxKeys);
        assert.deepEqual(beneath, { objects: ["dir/1", "dir/2"], prefixes: ["dir/sub/"] });
        const partly = await listAll("di", "/", maxKeys);
        assert.deepEqual(partly, { objects: ["dir!", "dir0"], prefixes: ["dir-/", "dir/"] });
        const other = await listAll("", "r", maxKeys);
        assert.deepEqual(other.prefixes, ["dir", "z\u0001contr"]);
      }
    });

    it("starts behind any key or common prefix", async () => {
      for (const start of [...ALL, "dir/", "dir/sub", "dir/sub/", "dir/9", "dir", "~", "zz", "z\u{10ffff}"]) {
        const expected = ALL.filter((key) => compareKeys(key, start) > 0);
        assert.deepEqual((await listAll("", "", 1000, start)).objects, expected, JSON.stringify(start));
        const flat = await listAll("", "/", 2, start);
        const isLater = (key: string) => compareKeys(key, start) > 0;
        assert.deepEqual(flat.prefixes, ["dir-/", "dir/", "z\u{1f600}/"].filter(isLater), JSON.stringify(start));
        const within = await listAll("dir/", "/", 1, start);
        assert.deepEqual(within.objects, ["dir/1", "dir/2"].filter(isLater), JSON.stringify(start));
        assert.deepEqual(within.prefixes, ["dir/sub/"].filter(isLater), JSON.stringify(start));
      }
      assert.deepEqual(await listAll("none/", "/", 10), { objects: [], prefixes: [] });
    });

    it("lists with the versions and sizes that head tells", async () => {
      const page = await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1000 });
      for (const row of page.objects) {
        const meta = await ufs.head(row.key);
        assert.deepEqual([row.version, row.etag, row.sizeBytes], [meta.version, meta.etag, meta.sizeBytes], row.key);
        assert.ok(Math.abs(row.modifiedMs - meta.modifiedMs) < 1000);
      }
    });

    it("serves many readers at once, more than it has connections", async () => {
      const token = await version("big.bin");
      const reads = Array.from({ length: 40 }, async (_, index) => {
        const start = index * 50_000;
        const body = await ufs.read("big.bin", token, { start, end: start + 99_999 });
        assert.ok((await collect(body.stream)).equals(big.subarray(start, start + 100_000)));
      });
      await Promise.all(reads);
    });

    it("lets a reader leave early, and go away by its signal", async () => {
      const token = await version("big.bin");
      const whole = { start: 0, end: big.length - 1 };
      for (let round = 0; round < 10; round++) {
        for await (const _chunk of (await ufs.read("big.bin", token, whole)).stream) break;
      }
      const controller = new AbortController();
      const body = await ufs.read("big.bin", token, whole, { signal: controller.signal });
      await assert.rejects(async () => {
        for await (const _chunk of body.stream) controller.abort();
      }, code("RL_CANCELLED"));
      await assert.rejects(ufs.head("big.bin", { signal: AbortSignal.abort() }), code("RL_CANCELLED"));
      await assert.rejects(ufs.read("big.bin", token, whole, { signal: AbortSignal.abort() }), code("RL_CANCELLED"));
      assert.equal((await ufs.head("big.bin")).version, token);
    });

    it("checks itself, and tells the observer of each operation once", async () => {
      const before = fixture.observations.length;
      await ufs.check();
      await assert.rejects(ufs.head("none"));
      const token = await version("dir/1");
      await collect((await ufs.read("dir/1", token, { start: 0, end: 4 })).stream);
      await ufs.list({ prefix: "", delimiter: "/", startAfter: "", maxKeys: 1 });
      assert.deepEqual(
        fixture.observations.slice(before).map(({ op, status, bytes }) => [op, status, bytes]),
        [
          ["check", "ok", 0],
          ["head", "RL_NOT_FOUND", 0],
          ["head", "ok", 0],
          ["get", "ok", 5],
          ["list", "ok", 0],
        ],
      );
    });

    it("ends what is under way when it is closed, and closes twice", async () => {
      const token = await version("big.bin");
      const body = await ufs.read("big.bin", token, { start: 0, end: big.length - 1 });
      const iterator = body.stream[Symbol.asyncIterator]();
      await iterator.next();
      await ufs.close();
      await assert.rejects(async () => {
        while (!(await iterator.next()).done);
      }, code("RL_CANCELLED"));
      await assert.rejects(ufs.head("big.bin"), code("RL_CANCELLED"));
      await ufs.close();
    });
  });
}
