/** Loads against targets of known service times: what comes out is compared with what arithmetic says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trainingFigures } from "../results/figures.ts";
import { get, type Plan, step } from "../workloads/plan.ts";
import { RandomStream } from "../workloads/random.ts";
import { runClosed, startLanes } from "./closed-load.ts";
import { TimeHistogram } from "./histogram.ts";
import { runOpen, scheduled } from "./open-load.ts";
import type { RoundRecord } from "./recorder.ts";
import { simulated, TimedTarget } from "./test-targets.ts";

function within(actual: number, expected: number, share: number, what: string): void {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${what}: ${actual}, expected ${expected}`);
}

/** Batches of `batch` reads, then computation. */
function training(options: {
  readonly lanes: number;
  readonly steps: number;
  readonly batch: number;
  readonly computeMs: number;
  readonly depth: number;
  readonly ahead: number;
}): Plan {
  const { lanes, steps, batch, computeMs, depth, ahead } = options;
  return {
    objects: [],
    lanes: Array.from({ length: lanes }, (_, lane) => ({
      name: `a-${lane}`,
      depth,
      ahead,
      steps: function* () {
        for (let at = 0; at < steps; at++) {
          const requests = Array.from({ length: batch }, () => get("k", 0, 1000));
          yield step(requests, { computeMs, samples: batch });
        }
      },
    })),
    endless: false,
    inStep: true,
    training: { accelerator: "a100", accelerators: lanes, passMark: 0.9, computeMs },
  };
}

async function utilization(plan: Plan, serviceMs: number): Promise<ReturnType<typeof trainingFigures>> {
  const record = await simulated(
    (context) => runClosed(plan, startLanes(plan.lanes), context),
    (clock) => new TimedTarget(clock, () => serviceMs),
  );
  return trainingFigures(record.epochs, plan.training!);
}

function latencyOf(record: RoundRecord): TimeHistogram {
  return TimeHistogram.decode(record.operations.get!.latency);
}

describe("accelerator utilisation", () => {
  it("is computation over computation and reading, where nothing is read ahead", async () => {
    // A batch takes 8 x 3 ms to read and 36 ms to compute.
    const figures = await utilization(
      training({ lanes: 1, steps: 200, batch: 8, computeMs: 36, depth: 1, ahead: 0 }),
      3,
    );
    within(figures.utilization, 36 / (36 + 24), 0.01, "AU");
    within(figures.samplesPerSecond, 8 / 0.06, 0.01, "samples/s");
    assert.equal(figures.passes, false);
  });

  it("is full where readers are faster than the computation, and limited by them where not", async () => {
    const fast = await utilization(training({ lanes: 2, steps: 200, batch: 8, computeMs: 36, depth: 4, ahead: 8 }), 3);
    within(fast.utilization, 1, 0.01, "AU of fast readers");
    assert.equal(fast.passes, true);
    // Four readers bring a batch of 80 ms every 20 ms; computation takes 10 ms of that.
    const slow = await utilization(training({ lanes: 1, steps: 400, batch: 8, computeMs: 10, depth: 4, ahead: 8 }), 10);
    within(slow.utilization, 0.5, 0.01, "AU of slow readers");
    within(slow.samplesPerSecond, 8 / 0.02, 0.02, "samples/s of slow readers");
  });
});

describe("the closed loop", () => {
  it("has the throughput of its users over service and think time, and the quantiles of the service times", async () => {
    const random = new RandomStream(1, "service");
    const plan: Plan = {
      objects: [],
      lanes: Array.from({ length: 10 }, (_, lane) => ({
        name: `user-${lane}`,
        depth: 1,
        ahead: 0,
        steps: function* () {
          for (let at = 0; at < 3000; at++) yield step([get("k", 0, 100)], { computeMs: 5 });
        },
      })),
      endless: false,
      inStep: false,
    };
    const record = await simulated(
      (context) => runClosed(plan, startLanes(plan.lanes), context),
      // Evenly between 10 and 30 ms: mean 20, quantiles at their places.
      (clock) => new TimedTarget(clock, () => 10 + 20 * random.next()),
    );
    within(record.requests / record.seconds, 10 / 0.025, 0.01, "throughput");
    const latency = latencyOf(record);
    within(latency.quantileMs(0.5), 20, 0.01, "p50");
    within(latency.quantileMs(0.9), 28, 0.01, "p90");
    within(latency.quantileMs(0.99), 29.8, 0.01, "p99");
    within(latency.meanMs, 20, 0.01, "mean");
  });

  it("has no more requests under way than its width and depth allow", async () => {
    let target: TimedTarget | undefined;
    const plan = training({ lanes: 1, steps: 50, batch: 6, computeMs: 1, depth: 3, ahead: 6 });
    const wide: Plan = {
      ...plan,
      lanes: plan.lanes.map((lane) => ({
        ...lane,
        steps: function* () {
          for (const each of lane.steps()) yield { ...each, width: 2 };
        },
      })),
    };
    await simulated(
      (context) => runClosed(wide, startLanes(wide.lanes), context),
      (clock) => {
        target = new TimedTarget(clock, () => 10);
        return target;
      },
    );
    assert.equal(target?.mostOpen, 3 * 2);
  });
});

describe("the open loop", () => {
  const plan: Plan = {
    objects: [],
    lanes: [
      {
        name: "user",
        depth: 1,
        ahead: 0,
        steps: function* () {
          for (;;) yield step([get("k", 0, 100)]);
        },
      },
    ],
    endless: true,
    inStep: false,
  };
  const offered = (rate: number, poisson: boolean) =>
    scheduled(startLanes(plan.lanes), { rate, poisson, seed: 1, share: "0" });

  it("keeps its rate whatever the target does", async () => {
    for (const poisson of [false, true]) {
      const record = await simulated(
        (context) => runOpen(offered(500, poisson), context),
        (clock) => new TimedTarget(clock, () => 20),
        20_000,
      );
      within(record.requests / 20, 500, 0.02, `rate, poisson ${poisson}`);
      within(latencyOf(record).quantileMs(0.99), 20, 0.01, "p99");
    }
  });

  it("charges a stall for everybody who would have waited, which a closed loop does not", async () => {
    // 1 ms of service, and from 4 to 6 s nothing is answered.
    const stall = { fromMs: 4000, untilMs: 6000 };
    const open = await simulated(
      (context) => runOpen(offered(100, false), context),
      (clock) => new TimedTarget(clock, () => 1, stall),
      10_000,
    );
    const latency = latencyOf(open);
    // A fifth of the requests fell into the stall and waited from 0 to 2 s, evenly: in closed form 90 % is at 1001 ms.
    within(latency.quantileMs(0.9), 1001, 0.02, "p90");
    within(latency.quantileMs(0.99), 1901, 0.02, "p99");
    within(latency.maxMs, 2001, 0.02, "the longest");
    const one: Plan = { ...plan, lanes: [plan.lanes[0]!] };
    const closed = await simulated(
      (context) => runClosed(one, startLanes(one.lanes), context),
      (clock) => new TimedTarget(clock, () => 1, stall),
      10_000,
    );
    // One request of thousands met the stall: its quantiles know nothing of it.
    within(latencyOf(closed).quantileMs(0.99), 1, 0.01, "p99 of the closed loop");
  });
});
