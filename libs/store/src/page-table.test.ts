import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PageTable } from "./page-table.ts";
import { SlotBuckets } from "./slot-buckets.ts";
import { versionId } from "./version-id.ts";
import { mix32, VersionTable } from "./version-table.ts";

test("the index agrees with a plain map under random insertions, removals and look-ups", () => {
  const step = fc.record({ add: fc.boolean(), version: fc.nat(12), index: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1500, minLength: 100 }), (steps) => {
      const versions = new VersionTable();
      const table = new PageTable(versions);
      const oracle = new Map<string, Map<number, number>>();
      for (const { add, version, index } of steps) {
        const id = versionId("m", String(version), "1");
        const pages = oracle.get(id) ?? new Map<number, number>();
        oracle.set(id, pages);
        const ref = versions.find(id);
        const slot = ref < 0 ? -1 : table.find(ref, index);
        assert.equal(slot, pages.get(index) ?? -1);
        if (add && slot < 0) pages.set(index, table.insert(versions.acquire(id), index, index * 7, 0));
        if (!add && slot >= 0) {
          assert.equal(table.lengthOf(slot), index * 7);
          table.remove(slot);
          pages.delete(index);
        }
      }
      let count = 0;
      for (const [id, pages] of oracle) {
        count += pages.size;
        const ref = versions.find(id);
        assert.equal(ref >= 0, pages.size > 0, "a version is known exactly while it has pages");
        if (ref < 0) continue;
        assert.equal(versions.idOf(ref), id);
        assert.deepEqual(new Set(table.slotsOf(ref)), new Set(pages.values()));
      }
      assert.equal(table.size, count);
    }),
    { numRuns: 100 },
  );
});

test("the index holds a hundred thousand pages of ten thousand versions", () => {
  const versions = new VersionTable();
  const table = new PageTable(versions);
  const ids = Array.from({ length: 10_000 }, (_, at) => versionId("m", `k${at}`, "1"));
  for (let index = 0; index < 10; index++) for (const id of ids) table.insert(versions.acquire(id), index, 1, 0);
  assert.equal(table.size, 100_000);
  assert.equal(versions.size, 10_000);
  for (const id of ids) assert.ok(table.find(versions.find(id), 9) >= 0);
  for (const id of ids) for (const slot of table.slotsOf(versions.find(id))) table.remove(slot);
  assert.equal(table.size + versions.size, 0);
});

test("version ids of different fields differ, and are 32 hex digits", () => {
  const ids = [
    versionId("a", "b", "c"),
    versionId("ab", "", "c"),
    versionId("a", "bc", ""),
    versionId("", "ab", "c"),
    versionId("a", "1:b", "c"),
    versionId("a1:", "b", "c"),
  ];
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});

test("buckets find, add and remove slots under colliding hashes, and beyond the slots of narrow buckets", () => {
  const hashes = new Map<number, number>();
  const buckets = new SlotBuckets((slot) => hashes.get(slot) ?? assert.fail("a slot that is not there"));
  const found = (slot: number): boolean => {
    for (let at = buckets.first(hashes.get(slot)!); at >= 0; at = buckets.next()) if (at === slot) return true;
    return false;
  };
  // Hashes of few parts and few places, and slots on both sides of 2^24, where the tags give up bits.
  const slots = Array.from({ length: 4000 }, (_, at) => at + (at < 2000 ? 0 : 2 ** 24));
  for (const slot of slots) {
    hashes.set(slot, (mix32(slot) & 0xc00000ff) >>> 0);
    buckets.add(hashes.get(slot)!, slot);
  }
  assert.ok(slots.every(found));
  for (const slot of slots.filter((_, at) => at % 3 !== 0)) {
    buckets.remove(hashes.get(slot)!, slot);
    assert.ok(!found(slot));
    hashes.delete(slot);
  }
  assert.ok(slots.every((slot, at) => at % 3 !== 0 || found(slot)));
});
