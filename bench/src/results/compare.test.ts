import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runClosed, startLanes } from "../load/closed-load.ts";
import { TimeHistogram } from "../load/histogram.ts";
import { simulated, TimedTarget } from "../load/test-targets.ts";
import { get, type Plan, step } from "../workloads/plan.ts";
import { RandomStream } from "../workloads/random.ts";
import { ratioInterval, studentQuantile } from "./bootstrap.ts";
import { compareFigures, compareRuns, gate } from "./compare.ts";
import type { StoredRun } from "./run-directory.ts";
import { RESULT_FORMAT, type RoundFigures } from "./run-summary.ts";

const ROUNDS = 5;

/** A run on a simulated build: service times of a log-normal distribution, and a mood of the machine that each round has. */
async function simulatedRun(
  id: string,
  options: { readonly slower: number; readonly seed: number; readonly moods: number },
) {
  const random = new RandomStream(options.seed, `service/${id}`);
  // Both sides of interleaved rounds meet the same mood.
  const moods = new RandomStream(options.moods, "moods");
  const rounds: RoundFigures[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const mood = Math.exp(moods.normal(0, 0.1)) * Math.exp(random.normal(0, 0.01));
    const plan: Plan = {
      objects: [],
      lanes: Array.from({ length: 4 }, (_, lane) => ({
        name: `user-${lane}`,
        depth: 1,
        ahead: 0,
        steps: function* () {
          for (let at = 0; at < 100; at++) yield step([get("k", 0, 100)]);
        },
      })),
      endless: false,
      inStep: false,
    };
    const record = await simulated(
      (context) => runClosed(plan, startLanes(plan.lanes), context),
      (clock) => new TimedTarget(clock, () => 10 * options.slower * mood * Math.exp(random.normal(0, 0.2))),
    );
    const latency = TimeHistogram.decode(record.operations.get!.latency);
    rounds.push(figuresOf(round, record.requests / record.seconds, latency));
  }
  return storedRun(id, rounds);
}

function figuresOf(round: number, requestsPerSecond: number, latency: TimeHistogram): RoundFigures {
  return {
    round,
    startedMs: 0,
    seconds: 1,
    requests: latency.count,
    bytes: 0,
    errors: 0,
    firstError: "",
    requestsPerSecond,
    bytesPerSecond: 0,
    p50Ms: latency.quantileMs(0.5),
    p90Ms: latency.quantileMs(0.9),
    p99Ms: latency.quantileMs(0.99),
    p999Ms: latency.quantileMs(0.999),
    maxMs: latency.maxMs,
    meanMs: latency.meanMs,
    firstByteP50Ms: 0,
    firstByteP99Ms: 0,
    parts: {},
    saturation: { saturated: false, reasons: [], utilization: 0, cpuSeconds: 0, latenessP99Ms: 0 },
  };
}

function storedRun(id: string, rounds: readonly RoundFigures[], planDigest = "same"): StoredRun {
  return {
    directory: "",
    manifest: {
      format: RESULT_FORMAT,
      id,
      command: [],
      workload: {},
      options: {},
      seed: 1,
      planDigest,
      interleaved: "together",
      target: { label: id, url: "" },
      machine: { host: "here" },
      versions: {},
      git: { revision: "r", dirty: false },
      startedMs: 0,
    },
    summary: {
      format: RESULT_FORMAT,
      id,
      workload: "simulated",
      title: "",
      kind: "micro",
      target: id,
      startedMs: 0,
      state: "done",
      rounds,
      operations: {},
    },
  };
}

describe("the comparison of two runs", () => {
  it("calls two runs of the same build different at most once in twenty", async () => {
    let alarms = 0;
    for (let repetition = 0; repetition < 20; repetition++) {
      const a = await simulatedRun("a", { slower: 1, seed: repetition, moods: repetition });
      const b = await simulatedRun("b", { slower: 1, seed: repetition, moods: repetition });
      if (!/^No difference seen/.test(compareRuns(a, b).sentence)) alarms++;
    }
    assert.ok(alarms <= 1, `${alarms} false alarms`);
  });

  it("finds a delay of 10 %, and the gate fails for it and passes the other way round", async () => {
    const base = await simulatedRun("base", { slower: 1, seed: 7, moods: 7 });
    const slow = await simulatedRun("slow", { slower: 1.1, seed: 7, moods: 7 });
    const comparison = compareRuns(base, slow);
    assert.match(comparison.sentence, /^slow is slower than base/);
    assert.equal(gate(comparison, 0.05).state, "failed");
    assert.match(gate(comparison, 0.05).sentence, /^Regression above 5\.0 %: throughput -/);
    assert.equal(gate(comparison, 0.2).state, "passed");
    assert.equal(gate(compareRuns(slow, base), 0.05).state, "passed");
    assert.match(compareRuns(slow, base).sentence, /is faster than/);
  });

  it("says nothing of too few rounds, and refuses runs that asked for different bytes", () => {
    const round = figuresOf(1, 100, new TimeHistogram());
    const few = compareFigures("throughput", true, [100, 101], [50, 51], true);
    assert.equal(few.verdict, "too few rounds");
    const undecided = gate(compareRuns(storedRun("a", [round]), storedRun("b", [round])), 0.05);
    assert.equal(undecided.state, "undecided");
    assert.throws(() => compareRuns(storedRun("a", []), storedRun("b", [], "other")), /did not ask for the same bytes/);
  });
});

describe("the bootstrap", () => {
  it("covers the true ratio as often as it says, with five rounds", () => {
    const random = new RandomStream(3, "coverage");
    let covered = 0;
    const trials = 300;
    for (let trial = 0; trial < trials; trial++) {
      const draw = () => Array.from({ length: 5 }, () => Math.exp(random.normal(0, 0.1)));
      const { low, high } = ratioInterval(draw(), draw(), { paired: true, confidence: 0.95 });
      if (low <= 1 && high >= 1) covered++;
    }
    assert.ok(covered / trials > 0.91, `${covered} of ${trials}`);
  });

  it("knows Student's quantiles", () => {
    for (const [p, freedom, expected] of [
      [0.975, 4, 2.776],
      [0.995, 4, 4.604],
      [0.975, 1, 12.706],
      [0.975, 9, 2.262],
    ] as const) {
      assert.ok(Math.abs(studentQuantile(p, freedom) - expected) < 0.001, `${p} ${freedom}`);
    }
  });
});
