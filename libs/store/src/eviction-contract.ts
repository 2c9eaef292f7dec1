/** What every eviction policy must do, as tests. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { simulateHitRatio } from "./policy-simulation.ts";
import { mix32 } from "./version-table.ts";

/** Runs the contract on the policies that `make` makes. */
export function evictionPolicyContract(name: string, make: (pages: EvictablePages) => EvictionPolicy): void {
  describe(`${name} keeps the contract of an eviction policy`, () => {
    test("it never names a page that it does not hold, and never one twice, under random operations", () => {
      const operation = fc.record({ kind: fc.nat(3), pick: fc.nat(), bytes: fc.integer({ min: 1, max: 9 }) });
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
          const held = new Map<number, number>();
          const hashes = new Map<number, number>();
          const policy = make({
            hashOf: (slot) => hashes.get(slot) ?? assert.fail("the policy asked about a page that it does not hold"),
            bytesOf: (slot) => held.get(slot) ?? assert.fail("the policy asked about a page that it does not hold"),
          });
          const free = Array.from({ length: 300 }, (_, slot) => 299 - slot);
          for (const { kind, pick, bytes } of operations) {
            const slots = [...held.keys()];
            const slot = slots[pick % Math.max(1, slots.length)];
            if (kind === 0 || slot === undefined) {
              const taken = free.pop()!;
              held.set(taken, bytes);
              hashes.set(taken, mix32(pick % 50));
              if (pick % 7 === 0) policy.onRecover(taken);
              else policy.onInsert(taken);
              policy.onMiss(mix32(pick % 50));
            } else if (kind === 1) {
              policy.onHit(slot);
            } else if (kind === 2) {
              policy.onRemove(slot);
              held.delete(slot);
              free.push(slot);
            } else {
              const victims: number[] = [];
              const wanted = Math.min(bytes, sum(held.values()));
              policy.victims(bytes, 300, victims);
              assert.ok(sum(victims.map((victim) => held.get(victim) ?? Number.NaN)) >= wanted);
              for (const victim of victims) {
                assert.ok(held.delete(victim));
                free.push(victim);
              }
            }
            assert.equal(policy.size, held.size);
          }
        }),
        { numRuns: 200 },
      );
    });

    test("it chooses no more pages than asked for, and none when it is empty", () => {
      const policy = make({ hashOf: mix32, bytesOf: () => 10 });
      const victims: number[] = [];
      policy.victims(1, 10, victims);
      assert.deepEqual(victims, []);
      for (let slot = 0; slot < 100; slot++) policy.onInsert(slot);
      policy.victims(1000, 7, victims);
      assert.equal(victims.length, 7);
      policy.victims(25, 100, victims);
      assert.equal(victims.length, 10);
    });

    test("a cache of all pages misses each page once", () => {
      const requests = Uint32Array.from({ length: 1000 }, (_, at) => at % 100);
      assert.equal(simulateHitRatio(make, 100, { name: "loop", requests, pages: 100 }), 0.9);
    });
  });
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
