/** The search for the highest rate, at servers whose capacity arithmetic knows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "@ringlight/core";
import { get, type Plan, step } from "../workloads/plan.ts";
import { startLanes } from "./closed-load.ts";
import { findMax, type RateTry } from "./find-max.ts";
import { TimeHistogram } from "./histogram.ts";
import { runOpen, scheduled } from "./open-load.ts";
import { simulated, TimedTarget } from "./test-targets.ts";

/** Long enough for the 99th of a hundred, short enough for a test. */
const EVEN_SECONDS = 5;
const POISSON_SECONDS = 30;
const PRECISION = 0.05;

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

/** One server that takes `serviceMs` for each request, one after the other; who comes meanwhile waits in line. */
function queue(serviceMs: number): (clock: Clock) => TimedTarget {
  return (clock) => {
    let freeMs = 0;
    return new TimedTarget(clock, () => {
      freeMs = Math.max(freeMs, clock.monotonicMs()) + serviceMs;
      return freeMs - clock.monotonicMs();
    });
  };
}

function offer(serviceMs: number, poisson: boolean): (rate: number) => Promise<RateTry> {
  let seed = 0;
  const lengthS = poisson ? POISSON_SECONDS : EVEN_SECONDS;
  return async (rate) => {
    const options = { rate, poisson, seed: ++seed, share: "0" };
    const record = await simulated(
      (context) => runOpen(scheduled(startLanes(plan.lanes), options), context),
      queue(serviceMs),
      lengthS * 1000,
    );
    const p99Ms = TimeHistogram.decode(record.operations.get!.latency).quantileMs(0.99);
    const seconds = Math.max(lengthS, record.seconds);
    return { rate, achieved: record.requests / seconds, p99Ms, errors: 0, saturated: false };
  };
}

/**
 * P(W <= t) of the wait in an M/D/1 queue (A. K. Erlang, 1909): (1 - rho) sum over k <= t/D of (-u)^k/k! e^u, u = lambda (t - kD).
 */
function waitBelow(tMs: number, ratePerMs: number, serviceMs: number): number {
  let sum = 0;
  for (let k = 0; k <= Math.floor(tMs / serviceMs); k++) {
    const u = ratePerMs * (tMs - k * serviceMs);
    let term = Math.exp(u);
    for (let factor = 1; factor <= k; factor++) term *= -u / factor;
    sum += term;
  }
  return (1 - ratePerMs * serviceMs) * sum;
}

/** Highest rate a second at which 99 % of requests wait no longer than the goal allows. */
function highestPoissonRate(goalMs: number, serviceMs: number): number {
  let [low, high] = [0, 1 / serviceMs];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (waitBelow(goalMs - serviceMs, middle, serviceMs) >= 0.99) low = middle;
    else high = middle;
  }
  return low * 1000;
}

describe("the highest rate that meets a latency goal", () => {
  it("is a server's capacity, within 5 % below it, where requests come at even intervals", async () => {
    // 4 ms a request: 250 a second; up to there nobody waits, beyond it everybody ever longer.
    for (const startRate of [10, 400]) {
      const found = await findMax(offer(4, false), { goalP99Ms: 20, startRate, precision: PRECISION });
      assert.ok(found.rate <= 250 * 1.01 && found.rate >= 250 * (1 - PRECISION), `from ${startRate}: ${found.rate}`);
      assert.equal(found.best?.rate, found.rate);
      assert.equal(found.limitedByGenerator, false);
    }
  });

  it("is what queueing theory says, within 10 %, where they come as a Poisson process", async () => {
    for (const goalP99Ms of [12, 30]) {
      const expected = highestPoissonRate(goalP99Ms, 4);
      // The theory itself: a tight goal leaves much of the capacity unused, a wide one less.
      assert.ok(goalP99Ms === 12 ? expected < 120 : expected > 160, String(expected));
      const { rate } = await findMax(offer(4, true), { goalP99Ms, startRate: 40, precision: 0.02 });
      assert.ok(Math.abs(rate / expected - 1) <= 0.1, `${goalP99Ms} ms: ${rate}, expected ${expected}`);
    }
  });

  it("is 0 where no rate meets it, and tries end", async () => {
    const found = await findMax(offer(4, false), { goalP99Ms: 3, startRate: 100 });
    assert.deepEqual([found.rate, found.best], [0, undefined]);
    assert.ok(found.tries.length <= 30);
  });

  it("gives up where the generator is late at any rate", async () => {
    const server = offer(4, false);
    const busy = async (rate: number) => ({ ...(await server(rate)), saturated: true, p99Ms: 60 });
    const found = await findMax(busy, { goalP99Ms: 20, startRate: 50 });
    assert.deepEqual([found.rate, found.limitedByGenerator, found.tries.length], [0, true, 6]);
  });

  it("survives one pause of the machine, and says when the generator was the limit", async () => {
    const server = offer(4, false);
    let tries = 0;
    const paused = await findMax(
      async (rate) => {
        const tried = await server(rate);
        return ++tries === 2 ? { ...tried, p99Ms: 500 } : tried;
      },
      { goalP99Ms: 20, startRate: 50, precision: PRECISION },
    );
    assert.ok(paused.rate >= 250 * (1 - PRECISION), String(paused.rate));
    const limited = await findMax(
      async (rate) => {
        const tried = await server(Math.min(rate, 100));
        return { ...tried, rate, achieved: rate, ...(rate > 120 && { saturated: true, p99Ms: 60 }) };
      },
      { goalP99Ms: 20, startRate: 50, precision: PRECISION },
    );
    assert.ok(limited.limitedByGenerator && limited.rate <= 120 && limited.rate >= 114, String(limited.rate));
  });
});
