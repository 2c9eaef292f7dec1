import assert from "node:assert/strict";
import test from "node:test";
import { buildRing, whatIf } from "@ringlight/ring";
import { isWish, NO_WISH, newIds, parseWish, wishCost, writeWish } from "./what-if.ts";

test("a change is written and read back the same, and what is no change is left out", () => {
  const wish = { add: 2, addWeight: 1.5, remove: ["worker-3"], weights: { "worker-1": 2 } };
  assert.equal(writeWish(wish), "+2@1.5,-worker-3,worker-1@2");
  assert.deepEqual(parseWish(writeWish(wish)), wish);
  assert.deepEqual(parseWish(""), NO_WISH);
  assert.deepEqual(parseWish("nonsense,+x,worker-1@0,-"), NO_WISH);
  assert.equal(isWish(NO_WISH), false);
  assert.deepEqual(newIds(2, new Set(["new-1"])), ["new-2", "new-3"]);
});

test("a fourth worker of equal weight takes a quarter, of each of the three alike", () => {
  const ring = buildRing(["a", "b", "c"].map((id) => ({ id, weight: 1 })));
  const { diff } = whatIf(ring, { add: [{ id: "d", weight: 1 }] });
  const holding = { bytes: 1000, pages: 100, limitBytes: 2000 };
  const cost = wishCost(diff, new Map(["a", "b", "c"].map((id) => [id, holding])), new Set(), 2000, 0.8);
  assert.ok(Math.abs(cost.movedBytes - 750) < 30, String(cost.movedBytes));
  assert.ok(Math.abs(cost.movedPages - 75) < 3);
  assert.equal(cost.lostBytes, 0);
  assert.equal(cost.overflowBytes, 0);
  assert.ok(Math.abs(cost.coldHitRate! - 0.6) < 0.01);
  assert.equal(cost.warmHitRate, 0.8);
});

test("what a removed worker held goes with it, and what does not fit any more is a lasting loss", () => {
  const ring = buildRing(["a", "b"].map((id) => ({ id, weight: 1 })));
  const { diff } = whatIf(ring, { remove: ["b"] });
  const holding = { bytes: 1000, pages: 10, limitBytes: 1000 };
  const cost = wishCost(diff, new Map(["a", "b"].map((id) => [id, holding])), new Set(["b"]), 0, 0.9);
  assert.equal(cost.lostBytes, 1000);
  assert.equal(cost.movedBytes, 1000);
  assert.equal(cost.overflowBytes, 1000);
  assert.equal(cost.warmHitRate, 0.45);
  assert.equal(wishCost(diff, new Map(), new Set(["b"]), 0, undefined).coldHitRate, undefined);
});
