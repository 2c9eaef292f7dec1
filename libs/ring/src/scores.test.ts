import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadLimits, matchPrimaries } from "./match.ts";
import { checkMembers } from "./members.ts";
import { allChoices, findPreferences, nextChoice } from "./preferences.ts";
import { Scores } from "./scores.ts";

const ARCS = 4096;
const members = checkMembers(
  Array.from({ length: 17 }, (_, index) => ({ id: `worker-${index}`, weight: 1 + (index % 4) })),
);
const scores = new Scores(members, ARCS);

describe("scores", () => {
  it("rank every arc once with every member, in both directions", () => {
    for (const arcs of [16, 32, 4096, 2 ** 17]) {
      const ranked = new Scores(members.slice(0, 3), arcs);
      for (let member = 0; member < 3; member++) {
        const seen = new Uint8Array(arcs);
        for (let rank = 0; rank < arcs; rank++) {
          const arc = ranked.arcAt(member, rank);
          assert.ok(arc >= 0 && arc < arcs && seen[arc] === 0);
          seen[arc] = 1;
          assert.equal(ranked.rankOf(member, arc), rank);
        }
      }
    }
  });

  it("grow with the rank and stay within the rank's span of the exponential distribution", () => {
    for (let member = 0; member < members.length; member++) {
      const weight = members[member]!.weight;
      let last = -1;
      for (let rank = 0; rank < ARCS; rank++) {
        const time = scores.timeAt(member, rank);
        assert.ok(time > last);
        assert.ok(time >= -Math.log1p(-rank / ARCS) / weight - 1e-8);
        assert.ok(time <= -Math.log1p(-(rank + 1) / ARCS) / weight + 1e-8);
        last = time;
      }
    }
  });

  it("give the same first choices whether members walk their ranks or every arc asks everybody", () => {
    const choices = findPreferences(members, scores, ARCS, 3);
    for (let arc = 0; arc < ARCS; arc++) {
      const asked = allChoices(arc, members.length, members.length, scores);
      assert.deepEqual([...choices.subarray(arc * 3, arc * 3 + 3)], asked.slice(0, 3));
      assert.equal(nextChoice(arc, asked[3]!, members.length, scores), asked[4]);
    }
  });
});

describe("the matching of arcs to primaries", () => {
  it("is stable: no arc scores better with a member that has room or holds a worse arc", () => {
    for (const loadCap of [1, 1.001, 1.02, 1.05]) {
      const limits = loadLimits(members, ARCS, loadCap);
      const choices = findPreferences(members, scores, ARCS, 2);
      const primaries = matchPrimaries(choices, 2, limits, scores, ARCS);
      const counts = new Uint32Array(members.length);
      const worst = new Float64Array(members.length);
      primaries.forEach((member, arc) => {
        counts[member]!++;
        worst[member] = Math.max(worst[member]!, scores.time(member, arc));
      });
      counts.forEach((count, member) => {
        assert.ok(count <= limits[member]!);
      });
      primaries.forEach((owner, arc) => {
        const time = scores.time(owner, arc);
        for (let member = 0; member < members.length; member++) {
          const better = scores.time(member, arc);
          if (better < time) assert.ok(counts[member] === limits[member] && worst[member]! < better);
        }
      });
    }
  });
});
