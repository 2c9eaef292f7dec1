import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerStats } from "@ringlight/proto";
import { type JobSample, LoadProblems, type LoadSample } from "./load-problems.ts";
import { PROBLEMS } from "./problem-catalogue.ts";

const START = 1_800_000_000_000;
const FINE = { refused: 0, failure: undefined };

/** Counters of one worker by second. */
type Script = (second: number) => Parameters<typeof WorkerStats.create>[0];

/** Plays a script for each worker, second by second, and gives the kinds that are found at the end. */
function play(
  seconds: number,
  scripts: Readonly<Record<string, Script>>,
  more: Partial<LoadSample> = {},
  versions: Readonly<Record<string, string>> = {},
): string[] {
  const detectors = new LoadProblems();
  for (let second = 0; second <= seconds; second++) {
    const atMs = START + second * 1000;
    const workers = Object.entries(scripts).map(([id, script]) => ({
      id,
      atMs,
      version: versions[id] ?? "1",
      stats: WorkerStats.create({
        workerId: id,
        startedUnixMs: START - 1e6,
        timeUnixMs: atMs,
        epoch: 7,
        ...script(second),
      }),
    }));
    detectors.sample({ workers, epoch: 7, jobs: [], telemetry: FINE, differences: [], ...more }, atMs);
  }
  return detectors.found.map(({ kind, subject }) => `${kind} ${subject}`);
}

const pages = (hits: number, misses: number, missReason = "evicted") => [
  { tier: "mem", outcome: "hit", missReason: "", mount: "m", count: hits, bytes: 0 },
  { tier: "ufs", outcome: "miss", missReason, mount: "m", count: misses, bytes: 0 },
];
const ufs = (ok: number, failed: number, latencySumS = 0) => [
  { mount: "m", op: "get", status: "ok", count: ok, bytes: 0, latencyCounts: [], latencySumS },
  { mount: "m", op: "get", status: "RL_UFS_TIMEOUT", count: failed, bytes: 0, latencyCounts: [], latencySumS: 0 },
];
const tier = (evictedPages: number, held = 100, corruptPages = 0) => [
  {
    name: "ssd",
    directories: [],
    limitBytes: 1,
    usedBytes: 1,
    pages: held,
    evictedPages,
    evictedBytes: 0,
    corruptPages,
    error: "",
  },
];

test("a cluster that runs well has no problem", () => {
  const fine: Script = (s) => ({ pages: pages(100 * s, s), ufs: ufs(s, 0, s * 0.01), tiers: tier(0) });
  assert.deepEqual(play(900, { w1: fine, w2: fine, w3: fine }), []);
});

test("a hit rate that fell by 20 points is named with the reason that grew", () => {
  const script: Script = (s) => ({
    pages: s <= 700 ? pages(100 * s, s) : pages(70_000 + 10 * (s - 700), 700 + 90 * (s - 700)),
  });
  assert.deepEqual(play(770, { w1: script }), ["hit_rate_fell cache"]);
  assert.deepEqual(play(1500, { w1: script }), [], "what lasts ten minutes is the new normal");
});

test("failing and slow stores are named by their mount", () => {
  assert.deepEqual(play(70, { w1: (s) => ({ ufs: ufs(10 * s, s) }) }), ["store_errors m"]);
  assert.deepEqual(play(70, { w1: (s) => ({ ufs: ufs(s, 0, 2 * s) }) }), ["store_slow m"]);
  assert.deepEqual(play(70, { w1: (s) => ({ ufs: ufs(1000 * s, s) }) }), []);
});

test("reads that fail, and reads that fall back", () => {
  const apis = (failed: number, fine: number) => [
    { api: "s3.GetObject", status: "2xx", count: fine, bytesOut: 0, latencyCounts: [], latencySumS: 0 },
    { api: "s3.GetObject", status: "5xx", count: failed, bytesOut: 0, latencyCounts: [], latencySumS: 0 },
  ];
  assert.deepEqual(play(70, { w1: (s) => ({ apis: apis(s, 20 * s) }) }), ["reads_failing reads"]);
  assert.deepEqual(play(70, { w1: (s) => ({ fallbacks: s }) }), ["reads_fall_back reads"]);
});

test("a tier that evicts what is asked for again is too small", () => {
  assert.deepEqual(play(70, { w1: (s) => ({ pages: pages(10 * s, 5 * s), tiers: tier(2 * s) }) }), [
    "tier_too_small ssd",
  ]);
  assert.deepEqual(
    play(70, { w1: (s) => ({ pages: pages(10 * s, 5 * s, "cold"), tiers: tier(2 * s) }) }),
    [],
    "one pass over new data",
  );
  assert.deepEqual(play(70, { w1: (s) => ({ tiers: tier(0, 100, s > 10 ? 3 : 0) }) }), ["pages_corrupt ssd"]);
});

test("pins that exceed their share of the last tier", () => {
  const pinned = (unpinnedBytes: number) => tier(0).map((last) => ({ ...last, pinnedBytes: 750, unpinnedBytes }));
  assert.deepEqual(play(20, { w1: () => ({ tiers: pinned(100) }) }), ["pins_exceed_share w1"]);
  assert.deepEqual(play(20, { w1: () => ({ tiers: pinned(0) }) }), []);
});

test("a saturated, a hot, a late and a mistimed worker", () => {
  const process = (eventLoopDelayP99Ms: number) => ({
    cpuSeconds: 0,
    rssBytes: 0,
    heapUsedBytes: 0,
    eventLoopDelayP99Ms,
    openConnections: 0,
  });
  assert.deepEqual(play(20, { w1: () => ({ process: process(400) }) }), ["event_loop_busy w1"]);
  assert.deepEqual(play(10, { w1: () => ({ process: process(400) }) }), [], "not before it lasted");
  const cold: Script = (s) => ({ pages: pages(10 * s, 0) });
  assert.deepEqual(play(60, { w1: cold, w2: cold, w3: (s) => ({ pages: pages(100 * s, 0) }) }), ["worker_hot w3"]);
  assert.deepEqual(play(20, { w1: () => ({ epoch: 6 }) }), ["ring_behind w1"]);
  assert.deepEqual(play(20, { w1: (s) => ({ timeUnixMs: START + s * 1000 + 60_000 }) }), ["clock_skew w1"]);
});

test("versions that differ are a roll-out for ten minutes, and a problem after that", () => {
  const idle: Script = () => ({});
  const versions = { w1: "1.4.0", w2: "1.5.0" };
  assert.deepEqual(play(601, { w1: idle, w2: idle }, {}, versions), ["versions_differ workers"]);
  assert.deepEqual(play(590, { w1: idle, w2: idle }, {}, versions), []);
  assert.deepEqual(play(601, { w1: idle, w2: idle }, {}, { w1: "1.5.0", w2: "1.5.0" }), []);
});

test("settings that differ for ten minutes are named with who has which", () => {
  const differences = [
    {
      process: "worker",
      key: "ufsTimeout",
      values: [
        { value: "10s", ids: ["w1", "w2", "w3"] },
        { value: "1s", ids: ["w4"] },
      ],
    },
  ];
  assert.deepEqual(play(590, {}, { differences }), []);
  const detectors = new LoadProblems();
  const input = { workers: [], epoch: 7, jobs: [], telemetry: FINE, differences };
  detectors.sample(input, START);
  const [found] = detectors.sample(input, START + 600_000);
  assert.deepEqual(
    [found?.kind, found?.subject, found?.cause, found?.href, found?.sinceMs],
    [
      "config_differs",
      "workers",
      "ufsTimeout is 10s on 3 of them, 1s on w4.",
      "/config?only=differs&process=worker",
      START,
    ],
  );
  assert.deepEqual(detectors.sample({ ...input, differences: [] }, START + 601_000), []);
});

test("jobs that failed, are partial, or stand still", () => {
  const job = (state: string, endedMs = 0): JobSample => ({
    id: "j",
    state,
    doneObjects: 5,
    failedObjects: 2,
    endedMs,
    reason: "why",
  });
  assert.deepEqual(play(1, {}, { jobs: [job("failed", START)] }), ["job_failed j"]);
  assert.deepEqual(play(1, {}, { jobs: [job("partial", START)] }), ["job_partial j"]);
  assert.deepEqual(play(1, {}, { jobs: [job("partial", START - 2 * 3_600_000)] }), []);
  assert.deepEqual(play(130, {}, { jobs: [job("running")] }), ["job_stalled j"]);
});

test("a store of telemetry that fails or refuses", () => {
  assert.deepEqual(play(1, {}, { telemetry: { refused: 0, failure: "no space" } }), [
    "telemetry_store_failing console",
  ]);
  const detectors = new LoadProblems();
  const sample = (refused: number) => ({
    workers: [],
    epoch: 0,
    jobs: [],
    telemetry: { refused, failure: undefined },
    differences: [],
  });
  detectors.sample(sample(3), START);
  assert.deepEqual(detectors.found, []);
  detectors.sample(sample(4), START + 1000);
  assert.deepEqual(
    detectors.found.map(({ kind }) => kind),
    ["telemetry_refused"],
  );
  detectors.sample(sample(4), START + 62_000);
  assert.deepEqual(detectors.found, []);
});

test("every kind of the catalogue says when it is shown and what to do", () => {
  for (const [kind, { name, detector, remedy }] of Object.entries(PROBLEMS)) {
    for (const text of [name, detector, remedy]) assert.ok(text.length > 5, kind);
  }
});
