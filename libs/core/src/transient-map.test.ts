import assert from "node:assert/strict";
import { test } from "node:test";
import { TransientBag, TransientMap } from "./transient-map.ts";

test("a transient map does what a map does, whatever the keys are called", () => {
  const map = new TransientMap<number>();
  const model = new Map<string, number>();
  const keys = ["__proto__", "constructor", "1", "", "a/b", "toString", "x".repeat(50)];
  let random = 12345;
  for (let step = 0; step < 5_000; step++) {
    random = (random * 1103515245 + 12345) % 2 ** 31;
    const key = keys[random % keys.length] ?? "";
    if (random % 5 < 2) assert.equal(map.delete(key), model.delete(key));
    else {
      map.set(key, step);
      model.set(key, step);
    }
    for (const each of keys) assert.deepEqual([map.get(each), map.has(each)], [model.get(each), model.has(each)]);
    assert.equal(map.size, model.size);
    assert.deepEqual(map.values().sort(), [...model.values()].sort());
  }
});

test("a transient bag holds each member once, and those that stay while others leave", () => {
  const bag = new TransientBag<{ readonly id: number; place: number }>();
  const members = Array.from({ length: 20 }, (_, id) => ({ id, place: -1 }));
  const model = new Set<number>();
  let random = 7;
  for (let step = 0; step < 5_000; step++) {
    random = (random * 1103515245 + 12345) % 2 ** 31;
    const member = members[random % members.length];
    assert.ok(member);
    if (random % 3 === 0) {
      bag.add(member);
      bag.add(member);
      model.add(member.id);
    } else {
      bag.delete(member);
      model.delete(member.id);
    }
    const ids = bag.values().map(({ id }) => id);
    assert.deepEqual(ids.sort(), [...model].sort());
  }
});
