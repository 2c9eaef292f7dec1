import assert from "node:assert/strict";
import test from "node:test";
import { flipOwners, ribbons } from "./ring-flow.ts";

test("ribbons join members that are there, the largest first, and no more than can be told apart", () => {
  const middles = new Map(Array.from({ length: 100 }, (_, index) => [`w${index}`, (index / 100) * 2 * Math.PI]));
  const flows = Array.from({ length: 99 }, (_, index) => ({
    from: "w0",
    to: `w${index + 1}`,
    share: (index + 1) / 10_000,
  }));
  const drawn = ribbons([...flows, { from: "w0", to: "gone", share: 1 }], middles, 320, 170);
  assert.equal(drawn.length, 60);
  assert.equal(drawn[0]!.to, "w99");
  assert.ok(drawn[0]!.widthPx > drawn.at(-1)!.widthPx);
  assert.deepEqual(ribbons([], middles, 320, 170), []);
});

test("arcs flip from the old owners to the new ones, all at the end and about half half-way", () => {
  const arcs = 65536;
  const [before, after, into] = [new Uint16Array(arcs).fill(1), new Uint16Array(arcs).fill(2), new Uint16Array(arcs)];
  const flipped = () => into.reduce((count, owner) => count + (owner === 2 ? 1 : 0), 0);
  flipOwners(before, after, 0, into);
  assert.equal(flipped(), 0);
  flipOwners(before, after, 0.5, into);
  assert.ok(Math.abs(flipped() / arcs - 0.5) < 0.01);
  flipOwners(before, after, 1, into);
  assert.equal(flipped(), arcs);
});
