import assert from "node:assert/strict";
import { test } from "node:test";
import { buildRing, packRing, unpackRing, whatIf } from "./index.ts";

test("a ring that went to another thread gives every arc the same owners, and can be changed like the first", () => {
  const ring = buildRing(
    Array.from({ length: 12 }, (_, index) => ({ id: `w${index}`, weight: 1 + (index % 3) })),
    { epoch: 7 },
  );
  const again = unpackRing(structuredClone(packRing(ring)));
  assert.equal(again.epoch, 7);
  assert.deepEqual(again.table, ring.table);
  for (const arc of [0, 1, 4095, 65_535]) assert.deepEqual(again.ownersOfArc(arc, 12), ring.ownersOfArc(arc, 12));
  assert.equal(again.share("w2"), ring.share("w2"));
  const change = { add: [{ id: "x", weight: 2 }], remove: ["w1"] };
  assert.deepEqual(whatIf(again, change).ring.table, whatIf(ring, change).ring.table);
  assert.deepEqual(unpackRing(packRing(buildRing([]))).owners("key"), []);
});
