import assert from "node:assert/strict";
import { test } from "node:test";
import { namesOf, shortName, Window } from "./job-window.ts";

test("the mark is behind the last object before which everything is done", () => {
  const window = new Window({ source: 0, after: "" }, 0);
  const finish = ["a", "b", "c", "d"].map((key) => window.enter({ source: 0, after: key }, key));
  finish[1]?.();
  finish[3]?.();
  assert.deepEqual([window.mark.after, window.position, window.size], ["", 0, 4]);
  assert.deepEqual(namesOf(window.doneBeyond()), new Set([shortName("b"), shortName("d")]));
  finish[0]?.();
  assert.deepEqual([window.mark.after, window.position, window.size], ["b", 2, 2]);
  assert.deepEqual(namesOf(window.doneBeyond()), new Set([shortName("d")]));
  finish[2]?.();
  assert.deepEqual([window.mark.after, window.position, window.size], ["d", 4, 0]);
  assert.equal(window.doneBeyond(), "");
});

test("whatever the order in which objects end, a checkpoint leaves out exactly what is done", () => {
  const keys = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(6, "0"));
  let seed = 7;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const window = new Window({ source: 0, after: "" }, 0);
  const done = new Set<string>();
  const open: { key: string; finish: () => void }[] = [];
  for (const key of keys) {
    open.push({ key, finish: window.enter({ source: 0, after: key }, key) });
    while (open.length > 200 * random()) {
      const [entry] = open.splice(Math.floor(random() * open.length), 1);
      entry?.finish();
      done.add(entry?.key ?? "");
    }
    if (random() > 0.02) continue;
    const names = namesOf(window.doneBeyond());
    const { after } = window.mark;
    const entered = keys.slice(0, keys.indexOf(key) + 1);
    assert.deepEqual(
      entered.filter((other) => other <= after || names.has(shortName(other))),
      entered.filter((other) => done.has(other)),
    );
  }
});
