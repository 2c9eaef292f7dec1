/** What every eviction policy must do, as tests, and an exact simulation of a cache that compares policies on traces. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { EvictionPolicy } from "./eviction-policy.ts";
import { mix32 } from "./version-table.ts";

/** Share of hits of a policy with `capacity` pages of one byte over a trace of page numbers. */
export function simulateHitRatio(policy: EvictionPolicy, capacity: number, trace: Iterable<number>): number {
  const slotOf = new Map<number, number>();
  const pageOf: number[] = [];
  const free = Array.from({ length: capacity }, (_, slot) => capacity - 1 - slot);
  const victims: number[] = [];
  let hits = 0;
  let requests = 0;
  for (const page of trace) {
    requests++;
    const slot = slotOf.get(page);
    if (slot !== undefined) {
      hits++;
      policy.onHit(slot);
      continue;
    }
    if (free.length === 0) {
      policy.victims(1, 1, victims);
      for (const victim of victims.splice(0)) {
        slotOf.delete(pageOf[victim]!);
        free.push(victim);
      }
    }
    const taken = free.pop()!;
    pageOf[taken] = page;
    slotOf.set(page, taken);
    policy.onInsert(taken, mix32(page), 1);
  }
  return hits / requests;
}

/** Runs the contract on the policies that `make` makes. */
export function evictionPolicyContract(name: string, make: () => EvictionPolicy): void {
  describe(`${name} keeps the contract of an eviction policy`, () => {
    test("it never names a page that it does not hold, and never one twice, under random operations", () => {
      const operation = fc.record({ kind: fc.nat(3), pick: fc.nat(), bytes: fc.integer({ min: 1, max: 9 }) });
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
          const policy = make();
          const held = new Map<number, number>();
          const free = Array.from({ length: 300 }, (_, slot) => 299 - slot);
          for (const { kind, pick, bytes } of operations) {
            const slots = [...held.keys()];
            const slot = slots[pick % Math.max(1, slots.length)];
            if (kind === 0 || slot === undefined) {
              const taken = free.pop()!;
              held.set(taken, bytes);
              policy.onInsert(taken, mix32(pick % 50), bytes);
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
      const policy = make();
      const victims: number[] = [];
      policy.victims(1, 10, victims);
      assert.deepEqual(victims, []);
      for (let slot = 0; slot < 100; slot++) policy.onInsert(slot, mix32(slot), 10);
      policy.victims(1000, 7, victims);
      assert.equal(victims.length, 7);
      policy.victims(25, 100, victims);
      assert.equal(victims.length, 10);
    });

    test("a cache of all pages misses each page once", () => {
      const trace = Array.from({ length: 1000 }, (_, at) => at % 100);
      assert.equal(simulateHitRatio(make(), 100, trace), 0.9);
    });
  });
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
