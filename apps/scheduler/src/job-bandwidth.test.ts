import assert from "node:assert/strict";
import { test } from "node:test";
import { divideRate, type RateShare } from "./job-bandwidth.ts";

const share = (id: string, fields: Partial<RateShare> = {}): RateShare => ({
  id,
  busy: true,
  allotted: 0,
  used: undefined,
  ...fields,
});
const sum = (shares: ReadonlyMap<string, number>) => [...shares.values()].reduce((total, rate) => total + rate, 0);

test("busy workers get equal parts, and idle ones nothing", () => {
  const shares = divideRate(900, [share("a"), share("b"), share("c"), share("d", { busy: false })]);
  assert.deepEqual(
    [...shares],
    [
      ["a", 300],
      ["b", 300],
      ["c", 300],
      ["d", 0],
    ],
  );
});

test("what a slow worker does not use goes to the others", () => {
  const shares = divideRate(900, [
    share("slow", { allotted: 300, used: 40 }),
    share("b", { allotted: 300, used: 299 }),
    share("c", { allotted: 300, used: 290 }),
  ]);
  assert.deepEqual(
    [...shares],
    [
      ["slow", 60],
      ["b", 420],
      ["c", 420],
    ],
  );
});

test("a worker that uses its small share gets an equal one again", () => {
  const shares = divideRate(900, [
    share("a", { allotted: 60, used: 59 }),
    share("b", { allotted: 420, used: 419 }),
    share("c", { allotted: 420, used: 419 }),
  ]);
  assert.deepEqual([...shares.values()], [300, 300, 300]);
});

test("the parts are never more than the whole, whoever uses how much", () => {
  let seed = 3;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let round = 0; round < 2_000; round++) {
    const total = Math.ceil(random() * 1e9);
    const shares = Array.from({ length: Math.ceil(random() * 20) }, (_, index) =>
      share(String(index), {
        busy: random() < 0.8,
        allotted: random() * total,
        used: random() < 0.3 ? undefined : random() * total,
      }),
    );
    const divided = divideRate(total, shares);
    assert.ok(sum(divided) <= total);
    const busy = shares.filter((entry) => entry.busy);
    if (busy.some(({ allotted, used }) => used === undefined || used >= allotted * 0.8)) {
      assert.ok(sum(divided) >= total - 20, "all of it is given away where somebody wants it");
    }
    for (const { id } of busy) assert.ok((divided.get(id) ?? 0) > 0 || total < 200);
  }
});
