import assert from "node:assert/strict";
import { test } from "node:test";
import { grown } from "./typed-array.ts";

for (const Type of [Uint8Array, Uint16Array, Uint32Array, Int32Array]) {
  test(`a ${Type.name} keeps its elements while it grows, and what is new is zero`, () => {
    const value = (at: number) => (at * 2_654_435_761) % 251;
    let array = new Type(8) as Uint32Array<ArrayBuffer>;
    let written = 0;
    let changes = 0;
    while (written < 1_000_000) {
      const least = Math.ceil(written * 1.3) + 1;
      if (least > array.length) {
        const old = array;
        array = grown(array, least);
        changes++;
        assert.notEqual(array, old);
      }
      assert.ok(array.length >= least);
      assert.ok(array.subarray(written).every((element) => element === 0));
      for (; written < least; written++) array[written] = value(written);
    }
    assert.ok(changes > 10, `${changes} growths`);
    assert.ok(array.subarray(0, written).every((element, at) => element === value(at)));
  });
}

test("a large array grows where it is: the old one is gone, and nothing was copied", () => {
  const first = grown(new Uint32Array(64), 200_000);
  first[199_999] = 7;
  const second = grown(first, 210_000);
  assert.equal(first.length, 0);
  assert.equal(second[199_999], 7);
  assert.ok(second.length >= 210_000 && second.length < 300_000);
});

test("an array beyond the largest memory is a copy", () => {
  const first = grown(new Uint8Array(64), 2 ** 20);
  first[5] = 9;
  const second = grown(first, 2 ** 32 + 1);
  assert.equal(first[5], 9);
  assert.equal(second[5], 9);
  assert.ok(second.length > 2 ** 32);
});
