import assert from "node:assert/strict";
import { test } from "node:test";
import { type Access, AccessLog } from "./access-log.ts";

function access(offset: number): Access {
  const traceId = offset.toString(16).padStart(32, "0");
  return { atMs: 0, offset, length: 1, outcome: "hit", tier: "mem", missReason: "", durationMs: 0, traceId };
}

test("the last sixteen reads of a path are told, the newest first", () => {
  const log = new AccessLog();
  for (let offset = 0; offset < 40; offset++) {
    log.add("/demo/a", access(offset));
    if (offset % 3 === 0) log.add("/demo/b", access(1000 + offset));
  }
  const offsets = log.of("/demo/a").map((read) => read.offset);
  assert.deepEqual(
    offsets,
    Array.from({ length: 16 }, (_, at) => 39 - at),
  );
  assert.equal(log.of("/demo/b").length, 14);
  assert.equal(log.find(access(39).traceId)?.path, "/demo/a");
  assert.equal(log.find(access(23).traceId), undefined, "older than what is kept");
  assert.deepEqual(log.of("/demo/c"), []);
});

test("the paths that were read last are remembered", () => {
  const log = new AccessLog();
  for (let path = 0; path < 6000; path++) {
    log.add(`/demo/${path}`, access(path));
    log.add("/demo/often", access(path));
  }
  assert.equal(log.of("/demo/0").length, 0);
  assert.equal(log.of("/demo/5999").length, 1);
  assert.equal(log.of("/demo/often").length, 16);
});
