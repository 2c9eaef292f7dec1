import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PageTable } from "./page-table.ts";
import { SlotBuckets } from "./slot-buckets.ts";
import { versionId } from "./version-id.ts";
import { mix32, VersionTable } from "./version-table.ts";

test("the index agrees with a plain map under random insertions, removals and look-ups", () => {
  const step = fc.record({
    add: fc.boolean(),
    version: fc.nat(12),
    index: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(40)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1500, minLength: 100 }), (steps) => {
      const versions = new VersionTable();
      // Two directories share the versions, as two tiers of a store do.
      const tables = [new PageTable(versions), new PageTable(versions)];
      const oracles = tables.map(() => new Map<string, Map<number, number>>());
      for (const [at, { add, version, index }] of steps.entries()) {
        const id = versionId("m", String(version), "1");
        const table = tables[at % 2]!;
        const oracle = oracles[at % 2]!;
        const pages = oracle.get(id) ?? new Map<number, number>();
        oracle.set(id, pages);
        const slot = table.find(id, index);
        assert.equal(slot, pages.get(index) ?? -1);
        if (add && slot < 0) pages.set(index, table.insert(id, index, index * 7, 4));
        if (!add && slot >= 0) {
          assert.equal(table.lengthOf(slot), index * 7);
          assert.ok(table.has(slot, 4) && !table.has(slot, 2));
          table.remove(slot);
          pages.delete(index);
        }
      }
      for (const [at, oracle] of oracles.entries()) {
        const table = tables[at]!;
        let count = 0;
        for (const [id, pages] of oracle) {
          count += pages.size;
          assert.deepEqual(new Set(table.slotsOf(id)), new Set(pages.values()));
          for (const [index, slot] of pages) {
            assert.deepEqual([table.versionOf(slot), table.indexOf(slot)], [id, index]);
            assert.equal(table.hashOf(slot), versions.hashOfPage(id, index));
          }
        }
        assert.equal(table.size, count);
      }
      for (const [at, oracle] of oracles.entries()) {
        for (const pages of oracle.values()) for (const slot of pages.values()) tables[at]!.remove(slot);
      }
      assert.equal(versions.size, 0, "a version is known only while it has pages");
    }),
    { numRuns: 100 },
  );
});

test("a version is interned with its second page, and not for its first alone", () => {
  const versions = new VersionTable();
  const table = new PageTable(versions);
  const ids = Array.from({ length: 1000 }, (_, at) => versionId("m", `k${at}`, "1"));
  for (const id of ids) table.insert(id, 0, 100, 1);
  assert.equal(versions.size, 0);
  const [first = "", second = ""] = ids;
  const sole = table.find(first, 0);
  const other = table.insert(first, 7, 200, 0);
  assert.equal(versions.size, 1);
  assert.equal(table.find(first, 0), sole);
  assert.ok(table.has(sole, 1));
  assert.equal(table.lengthOf(sole), 100);
  assert.deepEqual(table.slotsOf(first).sort(), [sole, other].sort());
  table.remove(sole);
  assert.deepEqual(table.slotsOf(first), [other]);
  assert.equal(table.find(first, 0), -1);
  table.remove(other);
  assert.equal(versions.size, 0);
  // The version that stands behind the one asked for has the same words in its row but one.
  assert.equal(table.find(`${second.slice(0, 31)}${second.endsWith("0") ? "1" : "0"}`, 0), -1);
  assert.throws(() => table.find("no version", 0), { code: "RL_BAD_REQUEST" });
  assert.ok(table.find(second, 0) >= 0);
});

test("the index holds a hundred thousand pages of ten thousand versions", () => {
  const versions = new VersionTable();
  const table = new PageTable(versions);
  const ids = Array.from({ length: 10_000 }, (_, at) => versionId("m", `k${at}`, "1"));
  for (let index = 0; index < 10; index++) for (const id of ids) table.insert(id, index, 1, 0);
  assert.equal(table.size, 100_000);
  assert.equal(versions.size, 10_000);
  for (const id of ids) assert.ok(table.find(id, 9) >= 0);
  for (const id of ids) for (const slot of table.slotsOf(id)) table.remove(slot);
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

test("buckets hold half a million slots under random additions and removals, with room made before or not", () => {
  for (const reserved of [0, 300_000]) {
    const buckets = new SlotBuckets((slot) => mix32(slot));
    buckets.reserve(reserved);
    const found = (slot: number): boolean => {
      for (let at = buckets.first(mix32(slot)); at >= 0; at = buckets.next()) if (at === slot) return true;
      return false;
    };
    // Each third one leaves again while the others come, so that parts grow with holes in them.
    for (let slot = 0; slot < 500_000; slot++) {
      buckets.add(mix32(slot), slot);
      if (slot >= 1000 && slot % 3 === 0) buckets.remove(mix32(slot - 999), slot - 999);
    }
    for (let slot = 0; slot < 500_000; slot++) {
      const isGone = slot % 3 === 0 && slot >= 3 && slot + 999 < 500_000;
      assert.equal(found(slot), !isGone, `slot ${slot}`);
    }
  }
});
