import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "./dataplane/cpu-profile.ts";
import type { Measured } from "./dataplane/measured.ts";
import { figuresOf, sharesOf, telemetryText } from "./telemetry.ts";

/** A slice in which requests took so many microseconds of CPU time, on a core that did nothing else. */
function slice(cpuUs: number): Measured {
  const requests = 10_000;
  const seconds = (requests * cpuUs) / 1e6;
  return {
    requests,
    bytes: requests * 4096,
    seconds,
    errors: 0,
    bad: "",
    p50Us: cpuUs,
    p99Us: cpuUs,
    p999Us: cpuUs,
    firstByteP50Us: cpuUs,
    serverCpuSeconds: seconds,
    generatorShare: 0.5,
  };
}

/** Six starts of two rounds, in which every start has its own luck and telemetry costs `factor`. */
function starts(factor: number, spread: number) {
  return Array.from({ length: 6 }, (_, start) => {
    const luck = (side: number) => 1 + spread * Math.sin(start * 7 + side * 3);
    const round = {
      on: [slice(20 * factor * luck(1)), slice(20 * factor * luck(1))],
      off: [slice(20 * luck(2)), slice(20 * luck(2))],
      onAgain: [slice(20 * factor * luck(5)), slice(20 * factor * luck(5))],
      offAgain: [slice(20 * luck(3)), slice(20 * luck(3))],
      // It takes part in the first rounds only.
      everySampled: start < 4 ? [slice(30 * luck(4)), slice(30 * luck(4))] : [],
    };
    return [round, round];
  });
}

const PROFILES = [{ traces: 0.01, counts: 0.002 }];

test("telemetry that costs 1 % keeps the bar of 3 %, one that costs 6 % misses it, and a restless machine cannot tell", () => {
  const cheap = figuresOf(starts(1.01, 0.002), PROFILES, 0);
  assert.equal(cheap.verdict, "kept");
  assert.ok(Math.abs(cheap.onAgainstOff.cpuPerRequest.estimate - 1.01) < 0.004);
  assert.ok(Math.abs(cheap.againAgainstFirst.cpuPerRequest.estimate - 1) < 0.004);
  assert.ok(Math.abs(cheap.everySampledAgainstOff.cpuPerRequest.estimate - 1.5) < 0.01);
  assert.match(
    telemetryText(cheap),
    /bar: within 3 % of requests\/s\. By requests\/s kept, by CPU time a request kept: KEPT/,
  );
  assert.equal(figuresOf(starts(1.06, 0.002), PROFILES, 0).verdict, "missed");
  assert.equal(figuresOf(starts(1.03, 0.1), PROFILES, 0).verdict, "undecided");
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
