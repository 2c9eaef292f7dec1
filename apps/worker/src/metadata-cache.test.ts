import assert from "node:assert/strict";
import { test } from "node:test";
import { type Freshness, type ObjectMeta, RinglightError, type Ufs } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import { MetadataCache } from "./metadata-cache.ts";

const TTL: Freshness = { kind: "ttl", ttlMs: 60_000 };

function meta(version: string): ObjectMeta {
  return { sizeBytes: 1, version, etag: version, modifiedMs: 0 };
}

function fixture() {
  const clock = new FakeClock();
  const state = { current: meta('"1"') as ObjectMeta | undefined, heads: 0, error: undefined as Error | undefined };
  const replaced: [string, string | undefined][] = [];
  const ufs = {
    head: async () => {
      state.heads++;
      if (state.error !== undefined) throw state.error;
      if (state.current === undefined) throw new RinglightError("RL_NOT_FOUND", "none");
      return state.current;
    },
  } as Partial<Ufs> as Ufs;
  const cache = new MetadataCache({
    clock,
    negativeTtlMs: 1000,
    onReplaced: (_mount, _key, before, after) => replaced.push([before.version, after?.version]),
  });
  return { clock, state, replaced, cache, get: (freshness: Freshness) => cache.get("m", "k", freshness, ufs) };
}

test("within its time to live a version is believed without asking, and not a moment longer", async () => {
  const { clock, state, get } = fixture();
  await get(TTL);
  await clock.advance(60_000);
  await get(TTL);
  assert.equal(state.heads, 1);
  await clock.advance(1);
  await get(TTL);
  assert.equal(state.heads, 2);
});

test("an immutable object is asked for once", async () => {
  const { clock, state, get } = fixture();
  await get({ kind: "immutable" });
  await clock.advance(1e9);
  await get({ kind: "immutable" });
  assert.equal(state.heads, 1);
});

test("a strict mount asks every time, and never takes the answer to an earlier question", async () => {
  const { state, get } = fixture();
  await Promise.all([get({ kind: "strict" }), get({ kind: "strict" })]);
  assert.equal(state.heads, 2);
});

test("concurrent readers of a ttl mount ask once", async () => {
  const { state, get } = fixture();
  await Promise.all(Array.from({ length: 50 }, () => get(TTL)));
  assert.equal(state.heads, 1);
});

test("not found is believed for the negative time to live only", async () => {
  const { clock, state, get } = fixture();
  state.current = undefined;
  await assert.rejects(get(TTL), { code: "RL_NOT_FOUND" });
  await clock.advance(1000);
  await assert.rejects(get(TTL), { code: "RL_NOT_FOUND" });
  assert.equal(state.heads, 1);
  state.current = meta('"2"');
  await clock.advance(1);
  assert.equal((await get(TTL)).version, '"2"');
});

test("a change of the version and a removal are told, each once", async () => {
  const { clock, state, replaced, get } = fixture();
  await get(TTL);
  state.current = meta('"2"');
  await clock.advance(60_001);
  await get(TTL);
  state.current = undefined;
  await clock.advance(60_001);
  await assert.rejects(get(TTL), { code: "RL_NOT_FOUND" });
  assert.deepEqual(replaced, [
    ['"1"', '"2"'],
    ['"2"', undefined],
  ]);
});

test("an error of the UFS is not remembered as an answer", async () => {
  const { state, get } = fixture();
  state.error = new RinglightError("RL_UFS_UNAVAILABLE", "away");
  await assert.rejects(get(TTL), { code: "RL_UFS_UNAVAILABLE" });
  state.error = undefined;
  assert.equal((await get(TTL)).version, '"1"');
});

test("an expired entry is asked for again whatever the freshness", async () => {
  const { state, cache, get } = fixture();
  await get({ kind: "immutable" });
  cache.expire("m", "k");
  await get({ kind: "immutable" });
  assert.equal(state.heads, 2);
});

test("nobody takes the answer to a question that was asked before a pause", async () => {
  const clock = new FakeClock();
  let resumedMs = Number.NEGATIVE_INFINITY;
  const cache = new MetadataCache({
    clock,
    negativeTtlMs: 1000,
    resumedMs: () => resumedMs,
    onReplaced: () => undefined,
  });
  const asked: PromiseWithResolvers<ObjectMeta>[] = [];
  const ufs = {
    head: () => {
      const question = Promise.withResolvers<ObjectMeta>();
      asked.push(question);
      return question.promise;
    },
  } as Partial<Ufs> as Ufs;
  const before = cache.get("m", "k", TTL, ufs);
  await clock.advance(3_000);
  // The store had answered the first question before the object was overwritten, while this worker stood still.
  resumedMs = clock.monotonicMs();
  const after = cache.get("m", "k", TTL, ufs);
  const joined = cache.get("m", "k", TTL, ufs);
  assert.equal(asked.length, 2);
  asked[0]?.resolve(meta('"old"'));
  assert.equal((await before).version, '"old"');
  asked[1]?.resolve(meta('"new"'));
  assert.equal((await after).version, '"new"');
  assert.equal((await joined).version, '"new"');
  assert.equal((await cache.get("m", "k", TTL, ufs)).version, '"new"');
  assert.equal(asked.length, 2);
});
