import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@ringlight/core";
import { DiskHealth } from "./disk-health.ts";

test("a write that was on its way when another one failed does not make the directory well again", () => {
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  const health = new DiskHealth(clock);
  assert.equal(health.fail(new Error("no space left")), true);
  assert.equal(health.succeed(), false);
  assert.equal(health.writable, false);
  assert.equal(health.fail(new Error("no space left")), false, "told once");
  nowMs = 10_000;
  assert.equal(health.succeed(), true);
  assert.equal(health.error, undefined);
});
