import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { benchCompare, benchDetail, benchRuns } from "./bench-runs.ts";

const scratch = mkdtempSync(join(tmpdir(), "ringlight-runs-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const HARNESS = fileURLToPath(new URL("../../../../bench/src/main.ts", import.meta.url));

function write(id: string, target: string, rates: readonly number[], state = "done"): void {
  const place = join(scratch, id);
  mkdirSync(place);
  const saturation = { saturated: false, reasons: [], utilization: 0, cpuSeconds: 0, latenessP99Ms: 0 };
  const rounds = rates.map((rate, at) => ({
    round: at + 1,
    requestsPerSecond: rate,
    errors: 0,
    p50Ms: 1000 / rate,
    p90Ms: 1100 / rate,
    p99Ms: 1200 / rate,
    parts: {},
    saturation,
  }));
  const summary = {
    format: 1,
    id,
    workload: "random-get",
    title: "t",
    kind: "micro",
    target,
    startedMs: 1,
    state,
    rounds,
  };
  const manifest = {
    format: 1,
    id,
    seed: 7,
    planDigest: "d",
    interleaved: "i",
    command: ["ringlight"],
    machine: { host: "h" },
    git: { revision: "r", dirty: false },
  };
  writeFileSync(join(place, "summary.json"), JSON.stringify(summary));
  writeFileSync(join(place, "manifest.json"), JSON.stringify(manifest));
  writeFileSync(join(place, "windows.jsonl"), '{"round":1,"atMs":5,"requests":3}\n{"round":1,"at');
  writeFileSync(
    join(place, "spans.jsonl"),
    '{"round":1,"atMs":5,"traceId":"abc"}\n{"round":1,"atMs":6,"traceId":"def"}\n',
  );
}

test("runs are listed newest first, and one that is being written is read as far as it is", async () => {
  write("20260101T000000-a", "direct", [100, 101, 99, 100, 100]);
  write("20260102T000000-b", "ringlight", [200, 203, 199, 201, 200], "running");
  mkdirSync(join(scratch, "20260103T000000-not-a-run"));
  const { runs } = await benchRuns(scratch);
  assert.deepEqual(
    runs.map(({ id, state, interleaved }) => [id, state, interleaved]),
    [
      ["20260102T000000-b", "running", "i"],
      ["20260101T000000-a", "done", "i"],
    ],
  );
  const { windows, spans, manifest, metrics } = await benchDetail(scratch, "20260102T000000-b", async (ids) =>
    ids.filter((id) => id === "def"),
  );
  assert.deepEqual([windows.length, spans[0]?.traceId, manifest.seed, metrics], [1, "abc", 7, []]);
  assert.deepEqual(
    spans.map(({ isStored }) => isStored),
    [false, true],
  );
  assert.deepEqual((await benchRuns(join(scratch, "nothing"))).runs, []);
});

test("two runs are compared by the harness, whose sentence is shown", async () => {
  const { sentence, comparisons, paired } = await benchCompare(
    scratch,
    "20260101T000000-a",
    "20260102T000000-b",
    HARNESS,
  );
  assert.match(sentence, /^ringlight is faster than direct: throughput/);
  assert.ok(paired && Math.abs(comparisons[0]!.ratio.estimate - 2) < 0.02);
});

test("ids that name other places are refused", async () => {
  for (const id of ["../secrets", "a/b", ""])
    await assert.rejects(
      benchDetail(scratch, id, async () => []),
      { code: "RL_BAD_REQUEST" },
    );
  await assert.rejects(
    benchDetail(scratch, "nothing", async () => []),
    { code: "RL_NOT_FOUND" },
  );
});
