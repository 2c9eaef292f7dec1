import assert from "node:assert/strict";
import { test } from "node:test";
import { evictionPolicyContract, simulateHitRatio } from "./eviction-contract.ts";
import { createEvictionPolicy, DEFAULT_EVICTION_POLICY, EVICTION_POLICY_NAMES } from "./eviction-policy.ts";
import { mix32 } from "./version-table.ts";

for (const name of EVICTION_POLICY_NAMES) evictionPolicyContract(name, () => createEvictionPolicy(name));

const PAGES = 4000;
const REQUESTS = 120_000;

/** Deterministic numbers in [0, 1). */
function* uniform(seed: number): Generator<number, never> {
  for (let at = seed; ; at++) yield mix32(at * 2_654_435_761 + seed) / 2 ** 32;
}

/** Requests for pages by Zipf's law with exponent 0.9, as of SQL on a data lake. */
function zipf(requests: number, seed: number): number[] {
  const cumulative: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= PAGES; rank++) {
    total += rank ** -0.9;
    cumulative.push(total);
  }
  const random = uniform(seed);
  return Array.from({ length: requests }, () => {
    const at = random.next().value * total;
    let low = 0;
    let high = PAGES - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return mix32(low) % 1_000_000_007;
  });
}

/** Zipf, interrupted again and again by a scan of pages that nobody reads again. */
function zipfWithScans(): number[] {
  const trace: number[] = [];
  const hot = zipf(REQUESTS, 7);
  for (let at = 0; at < hot.length; at += 10_000) {
    trace.push(...hot.slice(at, at + 10_000));
    for (let page = 0; page < 3000; page++) trace.push(2 ** 31 + at * 10 + page);
  }
  return trace;
}

/** Training: each epoch reads every page once, in a new order. */
function epochs(): number[] {
  const random = uniform(3);
  const trace: number[] = [];
  for (let epoch = 0; epoch < 8; epoch++) {
    const order = Array.from({ length: PAGES }, (_, page) => page);
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(random.next().value * (at + 1));
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
    trace.push(...order);
  }
  return trace;
}

/** Recency alone: a window of pages that wanders. */
function wandering(): number[] {
  const random = uniform(11);
  return Array.from({ length: REQUESTS }, (_, at) => Math.floor(at / 40) + Math.floor(random.next().value ** 2 * 600));
}

test("the default policy has the best mean hit ratio of those offered, and is near the best on each trace", (t) => {
  const traces = {
    zipf: zipf(REQUESTS, 5),
    "zipf with scans": zipfWithScans(),
    epochs: epochs(),
    wandering: wandering(),
  };
  const mean = new Map<string, number>();
  for (const [trace, requests] of Object.entries(traces)) {
    for (const share of [0.05, 0.25]) {
      const ratios = EVICTION_POLICY_NAMES.map((name) => ({
        name,
        ratio: simulateHitRatio(createEvictionPolicy(name), PAGES * share, requests),
      }));
      t.diagnostic(
        `${trace} @ ${share}: ${ratios.map(({ name, ratio }) => `${name} ${(ratio * 100).toFixed(1)}`).join("  ")}`,
      );
      const best = Math.max(...ratios.map(({ ratio }) => ratio));
      const ours = ratios.find(({ name }) => name === DEFAULT_EVICTION_POLICY)!.ratio;
      assert.ok(ours > best - 0.05, `${trace} @ ${share}: ${ours} against ${best}`);
      for (const { name, ratio } of ratios) mean.set(name, (mean.get(name) ?? 0) + ratio / 8);
    }
  }
  t.diagnostic([...mean].map(([name, ratio]) => `mean ${name} ${(ratio * 100).toFixed(1)}`).join("  "));
  assert.equal([...mean].sort((a, b) => b[1] - a[1])[0]![0], DEFAULT_EVICTION_POLICY);
});

test("lru is exact", () => {
  const policy = createEvictionPolicy("lru");
  for (let slot = 0; slot < 4; slot++) policy.onInsert(slot, slot, 1);
  policy.onHit(0);
  policy.onHit(2);
  const victims: number[] = [];
  policy.victims(4, 4, victims);
  assert.deepEqual(victims, [1, 3, 0, 2]);
});

test("sieve spares what was hit since the hand passed, once", () => {
  const policy = createEvictionPolicy("sieve");
  for (let slot = 0; slot < 4; slot++) policy.onInsert(slot, slot, 1);
  policy.onHit(0);
  policy.onHit(1);
  const victims: number[] = [];
  policy.victims(1, 1, victims);
  assert.deepEqual(victims, [2]);
  policy.victims(3, 3, victims);
  assert.deepEqual(victims, [2, 3, 0, 1]);
});

test("s3fifo lets a scan through its small queue, and takes back what comes again soon into the main one", () => {
  const policy = createEvictionPolicy("s3fifo");
  const victims: number[] = [];
  for (let slot = 0; slot < 10; slot++) policy.onInsert(slot, mix32(slot), 1);
  policy.onHit(0);
  policy.onHit(0);
  policy.victims(1, 1, victims);
  assert.deepEqual(victims.splice(0), [1], "the page that was hit twice went to the main queue");
  policy.onInsert(1, mix32(1), 1);
  policy.victims(8, 8, victims);
  assert.deepEqual(victims, [2, 3, 4, 5, 6, 7, 8, 9], "the page that came again outlived the others");
});
