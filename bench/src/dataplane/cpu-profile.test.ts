import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuProfile, foldProfile, hottest, hottestFiles } from "./cpu-profile.ts";
import { flameGraph } from "./flame-graph.ts";

const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
const profile: CpuProfile = {
  startTime: 1000,
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3, 6] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("serve", "file:///somewhere/libs/s3/src/handler.ts", 70), children: [4, 5] },
    { id: 4, callFrame: frame("write<", "node:net", 11) },
    { id: 5, callFrame: frame("", "file:///somewhere/libs/s3/src/handler.ts", 90) },
    { id: 6, callFrame: frame("(garbage collector)") },
  ],
  samples: [3, 4, 2, 4, 5, 6],
  timeDeltas: [10, 20, 1000, 30, 40, 5],
};

test("a profile is folded into totals and self times, without idle time", () => {
  const root = foldProfile(profile);
  assert.equal(root.total, 105);
  const [serve, collector] = root.children;
  assert.deepEqual(
    [serve?.name, serve?.where, serve?.total, serve?.self],
    ["serve", "libs/s3/src/handler.ts:71", 100, 10],
  );
  assert.equal(collector?.total, 5);
  assert.equal(serve?.children[0]?.name, "write<");
});

test("an interval leaves out what came before and after it", () => {
  assert.equal(foldProfile(profile, { from: 1031, to: 2099 }).total, 30);
});

test("functions and files are ranked by the time in them alone", () => {
  const root = foldProfile(profile);
  assert.deepEqual(
    hottest(root, 2).map(({ name, selfMicros }) => [name, selfMicros]),
    [
      ["write<", 50],
      ["(anonymous)", 40],
    ],
  );
  assert.deepEqual(
    hottestFiles(root, 9).map(({ name, selfMicros }) => [name, selfMicros]),
    [
      ["libs/s3/src/handler.ts", 50],
      ["node:net", 50],
      ["(garbage collector)", 5],
    ],
  );
});

test("the flame graph draws a box a frame, as wide as its share, with names escaped", () => {
  const svg = flameGraph(foldProfile(profile), "a <title>");
  assert.equal(svg.match(/<rect x=/g)?.length, 5);
  assert.match(svg, /a &lt;title&gt;/);
  assert.match(svg, /write&lt;/);
  assert.match(svg, /data-share="0\.952/);
});

test("a profile without samples is an empty graph", () => {
  const svg = flameGraph(foldProfile({ startTime: 0, nodes: profile.nodes, samples: [], timeDeltas: [] }), "nothing");
  assert.equal(svg.match(/<rect x=/g), null);
});
