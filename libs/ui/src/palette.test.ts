import assert from "node:assert/strict";
import { test } from "node:test";
import { compareTiers, tierColour, workerColour, workerColours } from "./palette.ts";

test("a newcomer changes nobody's colour", () => {
  const members = [
    { id: "b", joinedMs: 1 },
    { id: "a", joinedMs: 2 },
  ];
  const before = workerColours(members);
  const after = workerColours([{ id: "0", joinedMs: 3 }, ...members]);
  for (const member of members) assert.equal(after.get(member.id), before.get(member.id));
});

test("many workers all have different colours", () => {
  assert.equal(new Set(Array.from({ length: 60 }, (_, index) => workerColour(index))).size, 60);
});

test("tiers come in the order of the hierarchy and unknown ones last", () => {
  assert.deepEqual(["zfs", "ssd", "hdd", "mem", "abc"].sort(compareTiers), ["mem", "ssd", "hdd", "abc", "zfs"]);
  assert.equal(tierColour("abc"), "var(--rl-tier-other)");
});
