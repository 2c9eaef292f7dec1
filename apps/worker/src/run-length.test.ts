import assert from "node:assert/strict";
import { test } from "node:test";
import { RunLength } from "./run-length.ts";

const MIB = 1024 * 1024;

test("a run is as long as four latencies of transfer, from 4 to 16 MiB", () => {
  const lengthOf = (latencyMs: number, bytesPerMs: number) => {
    const length = new RunLength();
    for (let sample = 0; sample < 50; sample++) length.observe(latencyMs, bytesPerMs * 100, 100);
    return length.bytes / MIB;
  };
  assert.equal(new RunLength().bytes, 8 * MIB);
  assert.equal(lengthOf(30, 80_000), 8, "an object store far away");
  assert.equal(lengthOf(100, 80_000), 16);
  assert.equal(lengthOf(0.1, 1_000_000), 4, "a store on this machine");
  assert.equal(lengthOf(0.1, 100_000), 4, "a disk");
  assert.equal(lengthOf(10, 100_000), 4);
});

test("small transfers say nothing of the throughput, and the averages follow a change", () => {
  const length = new RunLength();
  for (let sample = 0; sample < 50; sample++) length.observe(10, 4096, 0.01);
  assert.equal(length.bytes, 8 * MIB);
  for (let sample = 0; sample < 50; sample++) length.observe(10, MIB, 10);
  assert.equal(length.bytes, 4 * MIB);
  for (let sample = 0; sample < 50; sample++) length.observe(40, MIB, 10);
  assert.equal(length.bytes, 16 * MIB);
  for (let sample = 0; sample < 50; sample++) length.observe(1, MIB, 10);
  assert.equal(length.bytes, 4 * MIB);
});
