import assert from "node:assert/strict";
import { test } from "node:test";
import { buildRing, whatIf } from "@ringlight/ring";
import { changeOf } from "./commands/ring.ts";

const ring = buildRing(["a", "b", "new-1"].map((id) => ({ id, weight: 1 })));

test("options of `ringlight ring` become a change that the ring can try", () => {
  assert.equal(changeOf(ring, {}), undefined);
  const change = changeOf(ring, { add: "2", weight: "1.5", remove: ["a"], reweigh: ["b=2"] });
  assert.deepEqual(change, {
    add: [
      { id: "new-2", weight: 1.5 },
      { id: "new-3", weight: 1.5 },
    ],
    remove: ["a"],
    reweigh: [{ id: "b", weight: 2 }],
  });
  assert.ok(whatIf(ring, change!).diff.movedShare > 0.5);
});

test("numbers that are none are refused", () => {
  assert.throws(() => changeOf(ring, { add: "some" }), /--add some/);
  assert.throws(() => changeOf(ring, { reweigh: ["b=0"] }), /above 0/);
});
