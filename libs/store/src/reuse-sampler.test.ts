import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterCurve, clusterHitRatio, hitRatioAt, sizeAdvice } from "@ringlight/core";
import { epochLoop, fileReshuffle, pageTraces, seededRandom, sqlZipf } from "./page-traces.ts";
import { policyHitRatio } from "./policy-simulation.ts";
import { ReuseSampler } from "./reuse-sampler.ts";
import { RollingReuse } from "./rolling-reuse.ts";
import { mix32 } from "./version-table.ts";

const NEVER = 0;
/** Pages of one byte, as the simulation has them. */
const ofPages = () => new ReuseSampler(16_384, 0);
const hashOf = (page: number, seed = 1) => mix32(Math.imul(page + 1, 0x9e3779b1) + seed);

/** Cache sizes as shares of all pages. The last is larger than the trace. */
const SIZES = [0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1.1];
const POINTS = 0.02;

for (const trace of pageTraces(0.5)) {
  test(`the sampled curve of "${trace.name}" is within 2 points of an exact simulation of LRU at every size`, () => {
    const sampler = ofPages();
    for (const page of trace.requests) sampler.request(hashOf(page), 1, NEVER);
    assert.ok(sampler.rate < 1 && sampler.pages <= 16_384, `a sample: ${sampler.pages} pages at ${sampler.rate}`);
    const histogram = sampler.histogram();
    for (const size of SIZES) {
      const capacity = Math.round(trace.pages * size);
      const exact = policyHitRatio("lru", capacity, trace);
      const sampled = hitRatioAt(histogram, capacity);
      assert.ok(Math.abs(sampled - exact) <= POINTS, `at ${capacity} pages: sampled ${sampled}, exact ${exact}`);
    }
  });
}

test("other hashes of the same pages give the same curve within 2 points", () => {
  const trace = sqlZipf(0.5);
  for (let seed = 2; seed < 8; seed++) {
    const sampler = ofPages();
    for (const page of trace.requests) sampler.request(hashOf(page, seed), 1, NEVER);
    for (const size of [0.05, 0.25, 0.75]) {
      const capacity = Math.round(trace.pages * size);
      const error = Math.abs(hitRatioAt(sampler.histogram(), capacity) - policyHitRatio("lru", capacity, trace));
      assert.ok(error <= POINTS, `seed ${seed} at ${capacity}: off by ${error}`);
    }
  }
});

test("as long as every page has room the curve is that of all requests", () => {
  const sampler = new ReuseSampler();
  const trace = fileReshuffle(0.02);
  for (const page of trace.requests) sampler.request(hashOf(page), 4096, NEVER);
  assert.equal(sampler.rate, 1);
  assert.equal(sampler.pages, trace.pages);
  const all = hitRatioAt(sampler.histogram(), trace.pages * 4096 * 2);
  assert.ok(Math.abs(all - (1 - trace.pages / trace.requests.length)) < 1e-9, String(all));
});

test("pages of different lengths count with their bytes", () => {
  const sampler = new ReuseSampler();
  // A large page and a hundred small ones, round and round: the small ones lie a megabyte apart, not a hundred pages.
  for (let round = 0; round < 50; round++) {
    sampler.request(hashOf(0), 1_000_000, NEVER);
    for (let page = 1; page <= 100; page++) sampler.request(hashOf(page), 1_000, NEVER);
  }
  assert.ok(hitRatioAt(sampler.histogram(), 500_000) < 0.01);
  assert.ok(hitRatioAt(sampler.histogram(), 1_200_000) > 0.97);
});

test("many requests for a page at once are one at its distance and the others at none", () => {
  const sampler = ofPages();
  for (let round = 0; round < 10; round++)
    for (let page = 0; page < 100; page++) sampler.request(hashOf(page), 1, NEVER, 4);
  const histogram = sampler.histogram();
  assert.equal(histogram.requests, 4000);
  assert.ok(Math.abs(hitRatioAt(histogram, 2) - 0.75) < 0.001);
  assert.ok(Math.abs(hitRatioAt(histogram, 128) - 0.975) < 0.001);
});

test("the working set is what was used since a moment", () => {
  const sampler = new ReuseSampler();
  for (let page = 0; page < 50_000; page++) sampler.request(hashOf(page), 1024, page < 40_000 ? 1_000_000 : 2_000_000);
  const within = (bytes: number, pages: number) =>
    assert.ok(Math.abs(bytes / (pages * 1024) - 1) < 0.05, String(bytes / 1024));
  within(sampler.workingSetBytes(0), 50_000);
  within(sampler.workingSetBytes(1_500_000), 10_000);
});

test("a cluster's curve adds the workers' requests up, each against its own size", () => {
  const worker = (sampler: ReuseSampler, limitBytes: number) => ({
    ...sampler.histogram(),
    tiers: [
      { name: "mem", limitBytes: limitBytes / 4 },
      { name: "ssd", limitBytes: (limitBytes * 3) / 4 },
    ],
  });
  const loop = ofPages();
  for (const page of epochLoop(0.05).requests) loop.request(hashOf(page), 1, NEVER);
  const random = seededRandom(4);
  const hot = ofPages();
  for (let at = 0; at < 10_000; at++) hot.request(hashOf(Math.floor(random() * 100)), 1, NEVER);
  const workers = [worker(loop, 1_000), worker(hot, 1_000)];
  // The loop of 3500 pages fits nowhere near 1000, the hot pages do.
  assert.ok(Math.abs(clusterHitRatio(workers, 1) - 0.99 * (10_000 / 38_000)) < 0.02);
  const curve = clusterCurve(workers);
  assert.ok(curve.every(({ hitRatio }, at) => at === 0 || hitRatio >= curve[at - 1]!.hitRatio));
  assert.equal(curve.find(({ scale }) => scale === 1)?.hitRatio, clusterHitRatio(workers, 1));
  assert.ok(curve.at(-1)!.hitRatio > 0.9);
  assert.equal(curve.find(({ scale }) => scale === 2)?.bytes, 4_000);
  assert.equal(clusterHitRatio(workers, 2, "ssd"), clusterHitRatio([worker(loop, 1_750), worker(hot, 1_750)], 1));
  // 3500 pages have room in 250 + 4 * 750 of them not yet, and in twice that.
  assert.match(sizeAdvice(workers) ?? "", /^More ssd would not help: at 26 %/);
  assert.match(
    sizeAdvice([worker(loop, 2_000)]) ?? "",
    /^Twice the ssd would raise the hit rate from 0 % to 3\d %\. Four times: 88 %\.$/,
  );
  assert.equal(sizeAdvice([worker(ofPages(), 1_000)]), undefined);
});

test("a rolling sample forgets what is older than its life, and always covers half of it", () => {
  const hour = 3_600_000;
  const rolling = new RollingReuse(0);
  const round = (from: number) => {
    for (let page = from; page < from + 100; page++) rolling.request(hashOf(page), 4096);
  };
  round(0);
  for (let at = 1; at <= 30; at++) {
    rolling.tick(at * hour);
    round(1000);
    const coveredMs = at * hour - rolling.sinceMs;
    assert.ok(
      coveredMs <= 12 * hour && (at < 6 || coveredMs >= 6 * hour),
      `covers ${coveredMs / hour} h after ${at} h`,
    );
  }
  assert.ok(Math.abs(rolling.workingSetBytes(0) - 100 * 4096) < 1, "the first round is forgotten");
  assert.equal(rolling.sample.rate, 1);
});
