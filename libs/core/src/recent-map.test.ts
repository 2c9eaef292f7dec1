import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentMap } from "./recent-map.ts";

test("the oldest entry leaves, by when it was last set or used", () => {
  const map = new RecentMap<number>(3);
  for (const [at, key] of ["a", "b", "c"].entries()) map.set(key, at);
  assert.equal(map.use("a"), 0);
  assert.equal(map.get("b"), 1, "a look is no use");
  map.set("d", 3);
  assert.deepEqual([...map.entries()].flat(), ["c", 2, "a", 0, "d", 3]);
  map.set("c", 4);
  map.set("e", 5);
  assert.deepEqual([...map.entries()].flat(), ["d", 3, "c", 4, "e", 5]);
  assert.equal(map.use("gone"), undefined);
  assert.equal(map.has("a"), false);
  assert.equal(map.delete("d"), true);
  assert.equal(map.delete("d"), false);
  assert.equal(map.size, 2);
});

test("keeps what a plain list would keep, over any sequence of uses", () => {
  let seed = 20261128;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (const limit of [1, 2, 7, 64, 300]) {
    const map = new RecentMap<number>(limit);
    let kept: [string, number][] = [];
    for (let step = 0; step < 20_000; step++) {
      const key = `key ${random(limit * 2)}`;
      const action = random(10);
      const found = kept.find(([other]) => other === key);
      if (action === 0) {
        assert.equal(map.delete(key), found !== undefined);
        kept = kept.filter((entry) => entry !== found);
        // Now and then most of it, so that the tables shrink and the oldest are looked for from the beginning.
        if (random(50) === 0) for (const [other] of kept.splice(0, random(limit))) map.delete(other);
      } else if (action < 4) {
        assert.equal(map.use(key), found?.[1]);
        if (found !== undefined) kept = [...kept.filter((entry) => entry !== found), found];
      } else {
        map.set(key, step);
        kept = [...kept.filter((entry) => entry !== found), [key, step]];
        if (kept.length > limit) kept.shift();
      }
      if (step % 97 === 0) assert.deepEqual([...map.entries()], kept);
    }
    assert.deepEqual([...map.entries()], kept);
    assert.equal(map.size, kept.length);
  }
});
