import assert from "node:assert/strict";
import { test } from "node:test";
import { MissMemory } from "./miss-memory.ts";
import { versionId } from "./version-id.ts";

test("reasons are remembered, the later one wins, and strangers are cold", () => {
  const memory = new MissMemory(1 << 12);
  const version = versionId("m", "k", "1");
  memory.remember(version, 0, "evicted");
  memory.remember(version, 1, "corrupt");
  memory.remember(version, 0, "invalidated");
  assert.equal(memory.reasonOf(version, 0), "invalidated");
  assert.equal(memory.reasonOf(version, 1), "corrupt");
  assert.equal(memory.reasonOf(version, 2), "cold");
});

test("it forgets the oldest in its fixed size, and does not take strangers for friends", () => {
  const memory = new MissMemory(1 << 12);
  const version = versionId("m", "k", "1");
  for (let index = 0; index < 100_000; index++) memory.remember(version, index, "evicted");
  let recent = 0;
  for (let index = 98_000; index < 100_000; index++) if (memory.reasonOf(version, index) === "evicted") recent++;
  assert.ok(recent > 1900, `${recent} of the last 2000`);
  let strangers = 0;
  for (let index = 200_000; index < 300_000; index++) if (memory.reasonOf(version, index) !== "cold") strangers++;
  assert.equal(strangers, 0);
});
