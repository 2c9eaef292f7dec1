import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "./dataplane/cpu-profile.ts";
import { figuresOf, type LetteredWindow, type StartOfWorker, sharesOf, telemetryText } from "./telemetry-figures.ts";

/** A window in which requests took so many microseconds of CPU time, on a core that did nothing else. */
function window(letter: string, cpuUs: number): LetteredWindow {
  const requests = 10_000;
  const seconds = (requests * cpuUs) / 1e6;
  return { letter, requests, seconds, serverCpuSeconds: seconds };
}

/** Six starts, each with its own luck, in which telemetry costs `factor`, and a worker that was never on is `never` as slow. */
function starts(factor: number, { spread = 0.002, never = 1 } = {}): StartOfWorker[] {
  return Array.from({ length: 6 }, (_, start) => {
    // Of the whole process, which falls out; and of what telemetry costs there, which does not.
    const process = 20 * (1 + 0.1 * Math.sin(start * 7));
    const cost = factor * (1 + spread * Math.sin(start * 5 + 1));
    const born = start % 2 === 0 ? "off" : "on";
    const ofLetter = (letter: string, drift = 0) => {
      const state = letter === "0" ? 1 : letter === "s" ? 1.5 : cost;
      return window(letter, process * state * (1 + drift));
    };
    const virgin = window("v", process * (born === "off" ? never : cost));
    return {
      born,
      virgin: [virgin, virgin],
      // The machine becomes slower all the time, which the order of the windows makes up for.
      switched: [..."1001abba0110baab"].map((letter, at) => ofLetter(letter, at / 1000)),
      sampled: [..."s00s"].map((letter) => ofLetter(letter)),
      profile: { traces: 0.01, counts: 0.002 },
    };
  });
}

test("telemetry that costs 1 % keeps the bar of 3 %, one that costs 6 % misses it, and a restless machine cannot tell", () => {
  const cheap = figuresOf(starts(1.01), 0);
  assert.equal(cheap.verdict, "kept");
  const { cpuPerRequest, requestsPerSecond } = cheap.onAgainstOff;
  assert.ok(Math.abs(cpuPerRequest.estimate - 1.01) < 0.002, String(cpuPerRequest.estimate));
  assert.ok(Math.abs(requestsPerSecond.estimate - 1 / 1.01) < 0.002);
  assert.ok(cpuPerRequest.low < 1.01 && cpuPerRequest.high > 1.01 && cpuPerRequest.high < 1.015);
  assert.ok(Math.abs(cheap.onAgainstOn.cpuPerRequest.estimate - 1) < 1e-6, "equal windows are equal");
  assert.ok(Math.abs(cheap.everySampledAgainstOff.cpuPerRequest.estimate - 1.5) < 0.01);
  assert.match(
    telemetryText(cheap),
    /bar: within 3 % of requests\/s\. By requests\/s kept, by CPU time a request kept: KEPT/,
  );
  assert.equal(figuresOf(starts(1.06), 0).verdict, "missed");
  assert.equal(figuresOf(starts(1.03, { spread: 0.1 }), 0).verdict, "undecided");
  assert.equal(figuresOf(starts(1.01).slice(0, 1), 0).verdict, "undecided", "one start says nothing of the next");
});

test("a window that the machine disturbed does not move the figures", () => {
  const disturbed = starts(1.01).map((start) => ({
    ...start,
    switched: [
      ...start.switched,
      ...start.switched,
      ...start.switched.map((one, at) => (at === 0 ? window("1", 90) : one)),
    ],
  }));
  assert.ok(Math.abs(figuresOf(disturbed, 0).onAgainstOff.cpuPerRequest.estimate - 1.01) < 0.002);
});

test("what a worker that was never on differs by is told from what a worker does before any switch", () => {
  const { neverOnAgainstOff } = figuresOf(starts(1.01, { never: 0.98 }), 0);
  // Later windows are half a percent or so slower by the machine's drift, of either birth.
  assert.ok(Math.abs(neverOnAgainstOff.cpuPerRequest.estimate - 0.98) < 0.002);
});

test("what telemetry's functions call belongs to their share of the profile, and counters are told apart", () => {
  const frame = (name: string, where: string, self: number, children: Frame[] = []): Frame => {
    return { name, where, self, children, total: self + children.reduce((sum, { total }) => sum + total, 0) };
  };
  const root = frame("all", "", 0, [
    frame("answer", "apps/worker/src/hit-path.ts:100", 80, [
      frame("samplesRoot", "libs/telemetry/src/trace-context.ts:50", 1, [frame("random", "", 1)]),
      frame("observe", "libs/telemetry/src/metrics.ts:130", 3),
    ]),
    frame("onSocket", "node:_http_agent:10", 5),
    frame("write", "node:net:10", 10),
  ]);
  assert.deepEqual(sharesOf(root), { traces: 0.07, counts: 0.03 });
});
