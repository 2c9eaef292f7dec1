import assert from "node:assert/strict";
import { test } from "node:test";
import { HotObjects } from "./hot-objects.ts";

test("what was asked for the most in the last minute or two comes first, and is forgotten afterwards", () => {
  let nowMs = 0;
  const hot = new HotObjects({ monotonicMs: () => nowMs });
  for (let read = 0; read < 5; read++) hot.note("/m/a", 1, 10);
  hot.note("/m/b", 3, 30);
  assert.deepEqual(hot.top(1).objects, [{ path: "/m/a", requests: 5, bytes: 50 }]);
  nowMs = 70_000;
  hot.note("/m/b", 4, 40);
  assert.deepEqual(
    hot.top(9).objects.map(({ path, requests }) => [path, requests]),
    [
      ["/m/b", 7],
      ["/m/a", 5],
    ],
  );
  assert.equal(hot.top(9).windowMs, 70_000);
  nowMs = 300_000;
  assert.deepEqual(hot.top(9).objects, []);
});

test("a hot object is found among any number of others", () => {
  const hot = new HotObjects({ monotonicMs: () => 0 });
  for (let read = 0; read < 50_000; read++) {
    hot.note(`/m/once-${read}`, 1, 1);
    if (read % 10 === 0) hot.note("/m/hot", 1, 1);
  }
  const [first] = hot.top(3).objects;
  assert.equal(first?.path, "/m/hot");
  assert.equal(first?.requests, 5_000);
});
