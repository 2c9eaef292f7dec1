import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isRinglightError } from "@ringlight/core";
import fc from "fast-check";
import { buildRing, diff, type Ring, type RingMember, type RingParams, whatIf } from "./index.ts";

const equalMembers = (count: number, prefix = "worker"): RingMember[] =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}-${index}`, weight: 1 }));

const anyMembers = (maxLength = 12) =>
  fc.uniqueArray(
    fc.record({
      id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
      weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
    }),
    { minLength: 1, maxLength, selector: (member) => member.id },
  );

const anyParams: fc.Arbitrary<Partial<RingParams>> = fc.record(
  {
    arcs: fc.constantFrom(64, 1024, 2048),
    replicas: fc.integer({ min: 1, max: 5 }),
    loadCap: fc.constantFrom(1, 1.01, 1.05, 1.5, 100),
  },
  { requiredKeys: ["arcs"] },
);

function assertSameRing(actual: Ring, expected: Ring): void {
  assert.deepEqual(actual.params, expected.params);
  assert.deepEqual(actual.members, expected.members);
  assert.ok(Buffer.from(actual.table.buffer).equals(Buffer.from(expected.table.buffer)), "the tables differ");
  assert.ok(Buffer.from(actual.choices.buffer).equals(Buffer.from(expected.choices.buffer)), "the choices differ");
}

/** The heaviest member's load as a multiple of its fair share. */
function worstLoad(ring: Ring): number {
  const total = ring.members.reduce((sum, member) => sum + member.weight, 0);
  return Math.max(...ring.members.map(({ id, weight }) => (ring.share(id) * total) / weight));
}

describe("a ring", () => {
  it("is the same for the same members in any order", () => {
    const shuffled = anyMembers().chain((members) =>
      fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
    );
    fc.assert(
      fc.property(shuffled, anyParams, ([members, other], params) => {
        assertSameRing(buildRing(other, { params }), buildRing(members, { params }));
      }),
    );
  });

  it("is the same from an earlier ring as from nothing, whatever changed", () => {
    fc.assert(
      fc.property(anyMembers(), anyMembers(), fc.nat(3), anyParams, (before, fresh, drop, params) => {
        const previous = buildRing(before, { params });
        const kept = before.slice(drop);
        const ids = new Set(kept.map((member) => member.id));
        const after = [...kept, ...fresh.slice(0, 2).filter((member) => !ids.has(member.id))];
        assertSameRing(buildRing(after, { params, previous }), buildRing(after, { params }));
        const reweighed = before.map((member, index) => (index === drop ? { ...member, weight: 3 } : member));
        assertSameRing(buildRing(reweighed, { params, previous }), buildRing(reweighed, { params }));
      }),
    );
  });

  it("is restored exactly when a member is added and removed again", () => {
    fc.assert(
      fc.property(anyMembers(), anyParams, (members, params) => {
        const ring = buildRing(members, { params });
        const grown = whatIf(ring, { add: [{ id: "one more worker", weight: 2 }] }).ring;
        assertSameRing(whatIf(grown, { remove: ["one more worker"] }).ring, ring);
      }),
    );
  });

  it("names distinct owners, the primary first, and more of them on demand in the same order", () => {
    fc.assert(
      fc.property(anyMembers(), anyParams, fc.string({ unit: "grapheme" }), (members, params, key) => {
        const ring = buildRing(members, { params });
        const owners = ring.owners(key);
        assert.equal(owners.length, Math.min(params.replicas ?? 3, members.length));
        assert.deepEqual(owners, ring.ownersOfArc(ring.arcOf(key)));
        assert.equal(owners[0], ring.members[ring.primaryIndex(ring.arcOf(key))]!.id);
        const all = ring.owners(key, members.length + 5);
        assert.deepEqual(
          [...all].sort(),
          ring.members.map((member) => member.id),
        );
        assert.deepEqual(all.slice(0, owners.length), owners);
        for (let count = 0; count <= members.length; count++) {
          assert.deepEqual(ring.owners(key, count), all.slice(0, count));
        }
      }),
    );
  });

  it("never gives a member more arcs than its fair share times the cap, rounded up, and gives out every arc", () => {
    fc.assert(
      fc.property(anyMembers(), anyParams, (members, params) => {
        const ring = buildRing(members, { params });
        const total = ring.members.reduce((sum, member) => sum + member.weight, 0);
        let arcs = 0;
        for (const { id, weight } of ring.members) {
          arcs += ring.arcCount(id);
          assert.ok(ring.arcCount(id) <= Math.ceil((ring.params.loadCap * ring.arcs * weight) / total));
        }
        assert.equal(arcs, ring.arcs);
      }),
    );
  });

  it("without a cap moves exactly the arcs of the member that comes or goes", () => {
    fc.assert(
      fc.property(anyMembers(), (members) => {
        const ring = buildRing(members, { params: { arcs: 2048, loadCap: 1e9 } });
        const { ring: grown, diff: change } = whatIf(ring, { add: [{ id: "one more worker", weight: 1 }] });
        assert.equal(change.needlessArcs, 0);
        assert.equal(change.movedArcs, grown.arcCount("one more worker"));
        assert.equal(diff(grown, ring).movedArcs, change.movedArcs);
      }),
    );
  });

  it("hands the arcs of a dead member to the next names of the table", () => {
    const ring = buildRing(equalMembers(10), { params: { loadCap: 100 } });
    const without = whatIf(ring, { remove: ["worker-3"] }).ring;
    for (let arc = 0; arc < ring.arcs; arc++) {
      const [first, second] = ring.ownersOfArc(arc, 2);
      assert.equal(without.ownersOfArc(arc, 1)[0], first === "worker-3" ? second : first);
    }
  });

  it("of no members names no owners", () => {
    const ring = buildRing([], { epoch: 7 });
    assert.equal(ring.epoch, 7);
    assert.deepEqual(ring.owners("bucket/key"), []);
    assert.deepEqual(ring.owners("bucket/key", 3), []);
    assert.equal(ring.primaryIndex(0), -1);
    assert.equal(ring.table.length, 0);
    assert.equal(ring.share("nobody"), 0);
    assert.ok(ring.arcOf("bucket/key") < ring.arcs);
  });

  it("refuses members and parameters that make no ring", () => {
    const bad: (() => unknown)[] = [
      () => buildRing([{ id: "", weight: 1 }]),
      () => buildRing([{ id: "a", weight: 0 }]),
      () => buildRing([{ id: "a", weight: -1 }]),
      () => buildRing([{ id: "a", weight: Number.NaN }]),
      () => buildRing([{ id: "a", weight: Number.POSITIVE_INFINITY }]),
      () => buildRing(["a", "b"].map((id) => ({ id, weight: Number.MAX_VALUE }))),
      () => buildRing(["a", "b", "a"].map((id) => ({ id, weight: 1 }))),
      () => buildRing(equalMembers(2), { params: { arcs: 1000 } }),
      () => buildRing(equalMembers(2), { params: { arcs: 2 ** 25 } }),
      () => buildRing(equalMembers(2), { params: { replicas: 0 } }),
      () => buildRing(equalMembers(2), { params: { loadCap: 0.9 } }),
      () => buildRing(equalMembers(65_536)),
      () => whatIf(buildRing(equalMembers(2)), { remove: ["nobody"] }),
      () => whatIf(buildRing(equalMembers(2)), { reweigh: [{ id: "nobody", weight: 1 }] }),
      () => whatIf(buildRing(equalMembers(2)), { add: [{ id: "worker-1", weight: 1 }] }),
      () => buildRing(equalMembers(2)).ownersOfArc(65_536),
      () => buildRing(equalMembers(2)).primaryIndex(-1),
    ];
    for (const make of bad) assert.throws(make, (error) => isRinglightError(error, "RL_BAD_REQUEST"));
  });
});

describe("balance and movement", () => {
  for (const { count, bound, seeds } of [
    { count: 10, bound: 1.03, seeds: 20 },
    { count: 50, bound: 1.06, seeds: 20 },
    { count: 200, bound: 1.11, seeds: 20 },
    { count: 1500, bound: 1.11, seeds: 1 },
  ]) {
    it(`of ${count} members: the worst is within ${bound} of fair, a change moves within 1.03 of what must move`, () => {
      let added = 0;
      let removed = 0;
      let trials = 0;
      for (let seed = 0; seed < seeds; seed++) {
        const members = equalMembers(count, `seed-${seed}`);
        const ring = buildRing(members);
        assert.ok(worstLoad(ring) <= bound, `the worst has ${worstLoad(ring)}`);
        for (let trial = 0; trial < 3; trial++) {
          const id = `added-${seed}-${trial}`;
          const grown = whatIf(ring, { add: [{ id, weight: 1 }] });
          assert.ok(worstLoad(grown.ring) <= bound);
          assert.ok(grown.diff.movedArcs <= 1.03 * grown.ring.arcCount(id), `${id} moves too much`);
          added += grown.diff.movedArcs / (ring.arcs / (count + 1));
          const gone = members[trial * 3]!.id;
          const shrunk = whatIf(ring, { remove: [gone] });
          assert.ok(worstLoad(shrunk.ring) <= bound);
          assert.ok(shrunk.diff.movedArcs <= 1.03 * ring.arcCount(gone), `removing ${gone} moves too much`);
          removed += shrunk.diff.movedArcs / (ring.arcs / count);
          trials++;
        }
      }
      // Of one change the member's own share, which the balance bounds, decides how much must move; on average it is fair.
      assert.ok(added / trials <= 1.03, `an addition moves ${added / trials} of a fair share on average`);
      assert.ok(removed / trials <= 1.03, `a removal moves ${removed / trials} of a fair share on average`);
    });
  }

  it("of weighted members: shares stay within the same bounds of weight over total", () => {
    const weightOf = (index: number) => [1, 2, 4, 0.5][index % 4]!;
    for (const { count, bound } of [
      { count: 10, bound: 1.03 },
      { count: 50, bound: 1.06 },
      { count: 200, bound: 1.11 },
    ]) {
      for (let seed = 0; seed < 5; seed++) {
        const members = equalMembers(count, `weighted-${seed}`).map(({ id }, index) => ({
          id,
          weight: weightOf(index),
        }));
        const ring = buildRing(members);
        assert.ok(worstLoad(ring) <= bound, `the worst of ${count} has ${worstLoad(ring)}`);
        // All members of one weight together have next to exactly what they are due.
        const total = members.reduce((sum, member) => sum + member.weight, 0);
        for (const weight of [1, 2, 4, 0.5]) {
          const group = members.filter((member) => member.weight === weight);
          const share = group.reduce((sum, { id }) => sum + ring.share(id), 0);
          const due = (group.length * weight) / total;
          assert.ok(Math.abs(share / due - 1) < 0.05, `members of weight ${weight} have ${share / due} of their due`);
        }
        const heavier = whatIf(ring, { reweigh: [{ id: members[0]!.id, weight: 2 }] });
        const delta: number = heavier.ring.share(members[0]!.id) - ring.share(members[0]!.id);
        assert.ok(delta > 0 && heavier.diff.movedShare <= 1.1 * delta, `${heavier.diff.movedShare} moved for ${delta}`);
      }
    }
  });
});

describe("diff", () => {
  it("accounts for every moved arc by member and by pair", () => {
    fc.assert(
      fc.property(anyMembers(8), anyMembers(8), (before, after) => {
        const from = buildRing(before, { params: { arcs: 1024 } });
        const to = buildRing(after, { params: { arcs: 2048 } });
        const change = diff(from, to);
        assert.equal(change.arcs, 2048);
        const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
        assert.equal(sum(change.members.map((member) => member.gainedArcs)), change.movedArcs);
        assert.equal(sum(change.members.map((member) => member.lostArcs)), change.movedArcs);
        assert.equal(sum(change.moves.map((move) => move.arcs)), change.movedArcs);
        for (const member of change.members) {
          const delta: number = (member.shareAfter - member.shareBefore) * change.arcs;
          assert.equal(member.gainedArcs - member.lostArcs, Math.round(delta));
        }
      }),
    );
  });

  it("is empty between a ring and itself", () => {
    const ring = buildRing(equalMembers(4));
    const change = diff(ring, buildRing(equalMembers(4).reverse()));
    assert.equal(change.movedArcs, 0);
    assert.deepEqual(change.moves, []);
    assert.equal(change.members.length, 4);
  });

  it("says undefined for nobody when the first member comes and when the last one goes", () => {
    const empty = buildRing([]);
    const one = whatIf(empty, { add: [{ id: "a", weight: 1 }] });
    assert.equal(one.diff.movedShare, 1);
    assert.deepEqual(one.diff.moves, [{ from: undefined, to: "a", arcs: one.ring.arcs }]);
    const gone = whatIf(one.ring, { remove: ["a"] });
    assert.deepEqual(gone.diff.moves, [{ from: "a", to: undefined, arcs: one.ring.arcs }]);
    assert.equal(gone.diff.needlessArcs, 0);
  });
});
