import assert from "node:assert/strict";
import { test } from "node:test";
import { treemap } from "./treemap.ts";

test("the cells fill the rectangle by their values, without overlap, and stay close to squares", () => {
  const values = [6, 6, 4, 3, 2, 2, 1, 0];
  const aspect = 1.5;
  const cells = treemap(values, (value) => value, aspect);
  assert.equal(cells.length, 7);
  const total = 24;
  for (const { item, width, height, x, y } of cells) {
    assert.ok(Math.abs(width * height - item / total) < 1e-9, "the area is the share");
    assert.ok(x >= -1e-9 && y >= -1e-9 && x + width <= 1 + 1e-9 && y + height <= 1 + 1e-9, "within");
    const ratio = (width * aspect) / height;
    assert.ok(Math.max(ratio, 1 / ratio) < 3.1, `${item}: ${ratio}`);
  }
  for (const a of cells) {
    for (const b of cells) {
      if (a === b) continue;
      const overlapX = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const overlapY = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      assert.ok(overlapX < 1e-9 || overlapY < 1e-9, "no overlap");
    }
  }
});

test("nothing of value is an empty map", () => {
  assert.deepEqual(
    treemap([0, 0], (value) => value, 1),
    [],
  );
});
