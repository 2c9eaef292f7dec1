import assert from "node:assert/strict";
import { test } from "node:test";
import { type DoneUnit, NO_COUNTERS, Tally, type TallyMode } from "./job-tally.ts";

function unit(outcome: string, bytes: number, present = bytes, before = 0): DoneUnit {
  return {
    unit: { path: "/m/k", version: "v", sizeBytes: bytes, segment: 0, whole: false, sources: [], target: "" },
    bytes,
    workerId: "w",
    result: {
      outcome,
      presentBytes: present,
      cachedBeforeBytes: before,
      readBytes: 0,
      wantedBytes: 0,
      verified: false,
      code: outcome === "failed" ? "RL_UFS_ERROR" : "RL_NOT_CACHED",
      message: "",
      object: undefined,
    },
  };
}

function tallied(mode: TallyMode, ...objects: DoneUnit[][]) {
  const tally = new Tally(NO_COUNTERS, mode);
  const short = objects.map(
    (units) =>
      tally.done(
        units,
        units.reduce((sum, { bytes }) => sum + bytes, 0),
      )?.code,
  );
  const { listed, loaded, cached, refused, failed } = tally.counters;
  return { short, listed, loaded, cached, refused, failed };
}

test("an object counts once, as its worst unit; its bytes count as what is cached and what is not", () => {
  const { short, listed, loaded, cached, refused, failed } = tallied(
    "load",
    [unit("loaded", 100), unit("cached", 50, 50, 50)],
    [unit("cached", 10, 10, 10)],
    [unit("loaded", 100), unit("failed", 100, 30, 20)],
    [unit("refused", 8, 3)],
  );
  assert.deepEqual(short, [undefined, undefined, "RL_UFS_ERROR", "RL_NOT_CACHED"]);
  assert.deepEqual(listed, { objects: 4, bytes: 368 });
  assert.deepEqual(loaded, { objects: 1, bytes: 100 + 100 + 10 + 3 });
  assert.deepEqual(cached, { objects: 1, bytes: 50 + 10 + 20 });
  assert.deepEqual(failed, { objects: 1, bytes: 70 });
  assert.deepEqual(refused, { objects: 1, bytes: 5 });
  assert.equal(loaded.bytes + cached.bytes + failed.bytes + refused.bytes, listed.bytes);
});

test("what an audit misses falls short, and what a dry run misses is what would be loaded", () => {
  const objects = [[unit("missing", 10, 4, 4)], [unit("cached", 5, 5, 5)]];
  const audit = tallied("audit", ...objects);
  assert.deepEqual(
    [audit.refused, audit.cached],
    [
      { objects: 1, bytes: 6 },
      { objects: 1, bytes: 9 },
    ],
  );
  const dry = tallied("dry", ...objects);
  assert.deepEqual(
    [dry.loaded, dry.cached, dry.short],
    [{ objects: 1, bytes: 6 }, { objects: 1, bytes: 9 }, [undefined, undefined]],
  );
});

test("free counts what was dropped", () => {
  const free = tallied("free", [unit("freed", 10, 0, 10), unit("freed", 10, 0, 4)], [unit("freed", 5, 0, 0)]);
  assert.deepEqual(
    [free.loaded, free.cached, free.refused],
    [
      { objects: 1, bytes: 14 },
      { objects: 1, bytes: 0 },
      { objects: 0, bytes: 0 },
    ],
  );
});
