import assert from "node:assert/strict";
import { test } from "node:test";
import { PageBuffers } from "./page-buffers.ts";

const MIB = 1024 * 1024;

test("memory of released pages is used again, and most of it goes when nothing is fetched for a while", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const made = t.mock.method(Buffer, "allocUnsafeSlow");
  const buffers = new PageBuffers();
  const takeAll = () => Array.from({ length: 100 }, () => buffers.take(MIB));
  for (const buffer of takeAll()) buffer.release();
  for (const buffer of takeAll()) buffer.release();
  assert.equal(made.mock.callCount(), 100);
  t.mock.timers.tick(10_000);
  // It was used meanwhile: it stays for as long again.
  for (const buffer of takeAll()) buffer.release();
  assert.equal(made.mock.callCount(), 100);
  t.mock.timers.tick(10_000);
  t.mock.timers.tick(10_000);
  takeAll();
  assert.equal(made.mock.callCount(), 100 + 52);
});
