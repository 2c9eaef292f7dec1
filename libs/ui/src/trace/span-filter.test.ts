import assert from "node:assert/strict";
import test from "node:test";
import { matchesFilter, parseFilter, writeFilter } from "./span-filter.ts";

const SPAN = {
  fields: { name: "ringlight.read", service: "ringlight-worker", status: "error", kind: "server", duration: "12.5" },
  attributes: { "ringlight.outcome": "miss", "ringlight.bytes": 4096, "url.path": "/data/my file", ok: true },
};
const matches = (filter: string) => matchesFilter(parseFilter(filter), SPAN);

test("a word is looked for in names and values, upper and lower case alike", () => {
  assert.equal(matches("READ"), true);
  assert.equal(matches("worker miss"), true);
  assert.equal(matches("worker hit"), false);
  assert.equal(matches(""), true);
});

test("conditions compare attributes and the span's own fields", () => {
  assert.equal(matches("ringlight.outcome=miss status=error"), true);
  assert.equal(matches("ringlight.outcome!=miss"), false);
  assert.equal(matches("absent!=x"), true);
  assert.equal(matches("absent=x"), false);
  assert.equal(matches("ringlight.bytes>4095 ringlight.bytes<4097"), true);
  assert.equal(matches("duration>13"), false);
  assert.equal(matches("ok=true"), true);
  assert.equal(matches('url.path="/data/my file"'), true);
});

test("what is written is read back the same, half-typed text too", () => {
  const terms = parseFilter('read url.path="/data/my \\"file\\"" a!=b n>5');
  assert.deepEqual(terms, [
    { op: "=", value: "read" },
    { key: "url.path", op: "=", value: '/data/my "file"' },
    { key: "a", op: "!=", value: "b" },
    { key: "n", op: ">", value: "5" },
  ]);
  assert.deepEqual(parseFilter(writeFilter(terms)), terms);
  assert.deepEqual(parseFilter('path="/da'), [{ key: "path", op: "=", value: "/da" }]);
});
