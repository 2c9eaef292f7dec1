import assert from "node:assert/strict";
import { test } from "node:test";
import type { Measured } from "./measured.ts";
import { differenceRow, ratioRow, refusedRow, spread, verdict } from "./row.ts";

function measured(requests: number, serverCpuSeconds = 1): Measured {
  return {
    requests,
    bytes: requests * 1000,
    seconds: 1,
    errors: 0,
    bad: "",
    p50Us: 100,
    p99Us: 200,
    p999Us: 300,
    firstByteP50Us: 50,
    serverCpuSeconds,
    generatorShare: 0.5,
  };
}

const names = { case: "a case", reference: "nginx" };

test("a ratio is taken round by round, so that a mood of the machine that both met does not count", () => {
  const ours = [measured(100), measured(10), measured(90)];
  const theirs = [measured(200), measured(20), measured(100)];
  const row = ratioRow({ ...names, ours, theirs });
  assert.deepEqual(row.value, { median: 0.5, min: 0.5, max: 0.9 });
  assert.equal(row.ours?.requestsPerSecond, 90);
  assert.equal(row.theirs?.cpuMicrosPerRequest, 10_000);
});

test("a difference is taken of the figure that is named", () => {
  const row = differenceRow(
    {
      ...names,
      ours: [measured(100, 2)],
      theirs: [measured(100, 1)],
      figure: ({ serverCpuSeconds }) => serverCpuSeconds,
    },
    "s",
  );
  assert.deepEqual(row.value, { median: 1, min: 1, max: 1 });
  assert.equal(row.unit, "s");
});

test("a bar is reached by its own value, from the side that it names", () => {
  const row = (value: number, kind: "at least" | "at most") => ({
    ...names,
    value: spread([value]),
    unit: "x",
    bar: { kind, value: 0.85 } as const,
  });
  assert.equal(verdict(row(0.85, "at least")), "pass");
  assert.equal(verdict(row(0.84, "at least")), "short");
  assert.equal(verdict(row(0.85, "at most")), "pass");
  assert.equal(verdict(row(0.86, "at most")), "short");
});

test("what could not be measured is short of its bar, and what has no bar has no verdict", () => {
  assert.equal(verdict(refusedRow("a case", "nginx", "refused", { kind: "at least", value: 1 })), "short");
  assert.equal(verdict(refusedRow("a case", "nginx", "refused")), undefined);
  assert.equal(
    verdict({ ...names, value: spread([Number.NaN]), unit: "x", bar: { kind: "at most", value: 1 } }),
    "short",
  );
});
