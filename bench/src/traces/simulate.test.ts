import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pageTraces, policyHitRatio } from "@ringlight/store/simulation";
import { curveSizes, pageRequests, recommended, simulateCache } from "./simulate.ts";
import { Trace } from "./trace.ts";

describe("the simulation of a trace", () => {
  it("makes pages of ranges, the last one short", () => {
    const trace = new Trace();
    const row = { atMs: 0, op: "get" as const, key: "a", client: "" };
    trace.add({ ...row, offset: 0, length: 0, sizeBytes: 250 });
    trace.add({ ...row, offset: 90, length: 20, sizeBytes: 250 });
    trace.add({ ...row, key: "b", offset: 0, length: 10, sizeBytes: 10 });
    trace.add({ ...row, op: "head", offset: 0, length: 0, sizeBytes: 250 });
    const { requests, bytes, totalBytes } = pageRequests(trace, 100);
    assert.deepEqual([...requests], [0, 1, 2, 0, 1, 3]);
    assert.deepEqual([[...bytes], totalBytes], [[100, 100, 50, 10], 260]);
  });

  it("agrees with the page store's own simulation where all pages are full", () => {
    const trace = pageTraces(0.02).find(({ name }) => name === "SQL zipf")!;
    const pages = { requests: trace.requests, bytes: new Float64Array(trace.pages).fill(1), totalBytes: trace.pages };
    const capacity = Math.round(trace.pages / 10);
    for (const policy of ["lru", "sieve", "s3fifo", "wtinylfu"] as const) {
      const { missRatio } = simulateCache(policy, capacity, pages);
      assert.ok(Math.abs(1 - missRatio - policyHitRatio(policy, capacity, trace)) < 0.005, policy);
    }
  });

  it("misses each page once where all fit, and recommends the least size that is as good", () => {
    const trace = pageTraces(0.01)[0]!;
    const pages = {
      requests: trace.requests,
      bytes: new Float64Array(trace.pages).fill(10),
      totalBytes: trace.pages * 10,
    };
    const results = curveSizes(pages.totalBytes).map((size) => simulateCache("lru", size, pages));
    assert.equal(results.at(-1)?.missRatio, trace.pages / trace.requests.length);
    // A loop has nothing from LRU until all of it fits.
    assert.equal(results.at(-2)?.missRatio, 1);
    assert.equal(recommended(results)?.sizeBytes, pages.totalBytes);
  });
});
