import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange, resolveRange } from "./range.ts";

test("every single form of Range is read", () => {
  assert.deepEqual(parseRange("bytes=0-9"), { kind: "from-to", start: 0, end: 9 });
  assert.deepEqual(parseRange("bytes=5-"), { kind: "from-to", start: 5 });
  assert.deepEqual(parseRange("bytes=-8"), { kind: "suffix", length: 8 });
  assert.deepEqual(parseRange("Bytes=7-7"), { kind: "from-to", start: 7, end: 7 });
});

test("malformed, reversed, foreign and multiple ranges are ignored", () => {
  const ignored = ["bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=1-2,4-5", "items=0-1", "0-1", ""];
  for (const header of [undefined, ...ignored, "bytes=--1", "bytes=1.5-2", "bytes=0 - 1"]) {
    assert.equal(parseRange(header), undefined, String(header));
  }
});

test("ranges are cut at the object's end, and those behind it are none", () => {
  assert.deepEqual(resolveRange({ kind: "from-to", start: 0, end: 9 }, 5), { start: 0, end: 4 });
  assert.deepEqual(resolveRange({ kind: "from-to", start: 4 }, 5), { start: 4, end: 4 });
  assert.deepEqual(resolveRange({ kind: "suffix", length: 2 }, 5), { start: 3, end: 4 });
  assert.deepEqual(resolveRange({ kind: "suffix", length: 99 }, 5), { start: 0, end: 4 });
  assert.equal(resolveRange({ kind: "from-to", start: 5 }, 5), undefined);
  assert.equal(resolveRange({ kind: "suffix", length: 0 }, 5), undefined);
  assert.equal(resolveRange({ kind: "suffix", length: 1 }, 0), undefined);
  assert.equal(resolveRange({ kind: "from-to", start: 0 }, 0), undefined);
});

test("numbers beyond what JavaScript counts exactly do not wrap", () => {
  const requested = parseRange("bytes=3-99999999999999999999999999");
  assert.ok(requested);
  assert.deepEqual(resolveRange(requested, 10), { start: 3, end: 9 });
  const behind = parseRange("bytes=99999999999999999999999999-");
  assert.ok(behind);
  assert.equal(resolveRange(behind, 10), undefined);
});
