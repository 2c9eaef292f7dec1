import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVersionId } from "./version-table.ts";

test("what is no version id is refused: other lengths, capitals, other characters, also those far beyond the digits", () => {
  const good = "0123456789abcdef0123456789abcdef";
  const words = new Uint32Array(4);
  parseVersionId(good, words);
  assert.deepEqual([...words], [0x01234567, 0x89abcdef, 0x01234567, 0x89abcdef]);
  const bad = ["", good.slice(1), `${good}0`];
  for (const odd of ["A", "g", "/", ":", "`", " ", "\u0000", "\u007f", "\u0080", "é", "\u0161", "蹁", "\uffff"])
    for (const at of [0, 7, 8, 31]) bad.push(good.slice(0, at) + odd + good.slice(at + 1));
  for (const id of bad) assert.throws(() => parseVersionId(id, words), { code: "RL_BAD_REQUEST" }, JSON.stringify(id));
});
