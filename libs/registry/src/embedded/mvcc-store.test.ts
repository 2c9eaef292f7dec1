import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomBytes } from "@ringlight/testing";
import { MvccStore, type RevisionEntry } from "./mvcc-store.ts";

const ALL = { start: "\0", end: "\0" };

function put(store: MvccStore, key: string, value: string): RevisionEntry | undefined {
  return store.commit(() => store.put(key, Buffer.from(value), 0)).entry;
}

function contents(store: MvccStore, revision = 0): string[] {
  return store.range(ALL, revision).map((entry) => `${entry.key}=${entry.value}`);
}

describe("the store of the embedded registry", () => {
  it("counts revisions, versions and creations as etcd does", () => {
    const store = new MvccStore();
    assert.equal(store.revision, 1);
    put(store, "a", "1");
    put(store, "a", "2");
    assert.deepEqual(store.get("a"), {
      key: "a",
      value: Buffer.from("2"),
      createRevision: 2,
      modRevision: 3,
      version: 2,
      lease: 0,
    });
    store.commit(() => store.delete("a"));
    put(store, "a", "3");
    assert.equal(store.get("a")?.createRevision, 5);
    assert.equal(store.get("a")?.version, 1);
    assert.equal(store.commit(() => store.delete("none")).entry, undefined);
    assert.equal(store.revision, 5);
  });

  it("takes a change that throws back whole", () => {
    const store = new MvccStore();
    put(store, "a", "1");
    assert.throws(() =>
      store.commit(() => {
        store.put("a", Buffer.from("2"), 0);
        store.put("b", Buffer.from("2"), 0);
        store.delete("a");
        throw new Error("no");
      }),
    );
    assert.deepEqual(contents(store), ["a=1"]);
    assert.equal(store.revision, 2);
  });

  it("reads every revision of its history as it was, whatever happened since", () => {
    const random = randomBytes(7, 800);
    const store = new MvccStore();
    const past = new Map<number, string[]>();
    for (let i = 0; i < 400; i++) {
      const key = `k${random[2 * i]! % 12}`;
      if (random[2 * i + 1]! < 80) store.commit(() => store.delete(key));
      else put(store, key, String(i));
      past.set(store.revision, contents(store));
    }
    for (const [revision, expected] of past) assert.deepEqual(contents(store, revision), expected);
    store.compact(200);
    assert.throws(() => contents(store, 199), /compacted/);
    assert.throws(() => contents(store, store.revision + 1), /future revision/);
    for (const [revision, expected] of past) {
      if (revision >= 200) assert.deepEqual(contents(store, revision), expected);
    }
  });

  it("ranges over a single key, a prefix, an open end and everything", () => {
    const store = new MvccStore();
    for (const key of ["b", "a", "ab", "c", "\xff"]) put(store, key, "1");
    const keys = (start: string, end: string) => store.range({ start, end }).map((entry) => entry.key);
    assert.deepEqual(keys("a", ""), ["a"]);
    assert.deepEqual(keys("a", "b"), ["a", "ab"]);
    assert.deepEqual(keys("b", "\0"), ["b", "c", "\xff"]);
    assert.deepEqual(keys("\0", "\0"), ["a", "ab", "b", "c", "\xff"]);
    assert.deepEqual(keys("x", ""), []);
  });

  it("bounds its history in revisions and in bytes", () => {
    const few = new MvccStore(undefined, { revisions: 10, bytes: 1e9 });
    const small = new MvccStore(undefined, { revisions: 1e9, bytes: 10_000 });
    for (let i = 0; i < 100; i++) {
      put(few, "a", "1");
      few.compactIfLarge();
      put(small, "a", "x".repeat(1_000));
      small.compactIfLarge();
    }
    assert.ok([...few.entriesFrom(0)].length <= 10);
    assert.ok([...small.entriesFrom(0)].length <= 10);
    assert.equal(few.compactRevision, [...few.entriesFrom(0)][0]?.revision);
    assert.deepEqual([...few.entriesFrom(few.revision)].length, 1);
  });
});
