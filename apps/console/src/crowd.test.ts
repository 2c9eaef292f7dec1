import assert from "node:assert/strict";
import { test } from "node:test";
import { crowdOf, readCrowd } from "./crowd.ts";
import type { BriefTick } from "./wire.ts";

const tick = (part: Partial<BriefTick>): BriefTick => ({
  sampleMs: 900,
  totals: {},
  rates: {},
  gauges: {},
  tiers: [],
  ...part,
});

test("numbers of workers go through columns unchanged, also where some workers lack some of them", () => {
  const workers: [string, BriefTick][] = [
    ["a", tick({ totals: { "pages.hit.mem": 5 }, tiers: [{ name: "mem", limitBytes: 8, usedBytes: 3, pages: 1 }] })],
    ["b", tick({ sampleMs: 400, rates: { cpu: 0.25 }, gauges: { "gauge.rss": 7 } })],
    ["c", tick({ totals: { "pages.hit.mem": 9, "bytes.miss": 4 } })],
    ["d", tick({ tiers: [{ name: "ssd", limitBytes: 9, usedBytes: 0, pages: 0, error: "disk gone" }] })],
  ];
  const numbers = readCrowd(JSON.parse(JSON.stringify(crowdOf(1000, workers))));
  assert.deepEqual(numbers.ids, ["a", "b", "c", "d"]);
  for (const [id, expected] of workers) assert.deepEqual(numbers.get(id), expected);
  assert.equal(numbers.get("e"), undefined);
});

test("columns of many workers are less than half of the bytes of objects", () => {
  const workers = Array.from({ length: 200 }, (_, place): [string, BriefTick] => [
    `worker-${place}`,
    tick({
      totals: { "pages.hit.mem": 123_456 + place, "pages.miss.cold": 99 + place, "bytes.hit.mem": 1e9 + place },
      rates: { "req.2xx": 12.5 + place, cpu: 0.125 },
      tiers: [{ name: "mem", limitBytes: 64e9, usedBytes: 1e9 + place, pages: 1000 + place }],
    }),
  ]);
  const objects = JSON.stringify(Object.fromEntries(workers)).length;
  assert.ok(JSON.stringify(crowdOf(1000, workers)).length < objects / 2);
});
