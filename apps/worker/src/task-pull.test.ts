import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskUnit } from "@ringlight/proto";
import { withHolders } from "./task-pull.ts";

const MIB = 1024 * 1024;
const place = { pageBytes: MIB, segmentBytes: 4 * MIB };
const unit = (path: string, segment: number, ...sources: string[]) =>
  TaskUnit.fromPartial({ path, version: "1", sizeBytes: 9 * MIB, segment, sources });
const { signal } = new AbortController();

test("each source is asked once for a whole task, and units keep those that have pages of them", async () => {
  const asked: string[] = [];
  const held: Record<string, { first: number; last: number }[]> = {
    "a /m/one": [{ first: 4, last: 7 }],
    "b /m/one": [{ first: 0, last: 0 }],
    "b /m/two": [{ first: 3, last: 4 }],
  };
  const units = [
    unit("/m/one", 0, "a", "b"),
    unit("/m/one", 1, "a", "b"),
    unit("/m/two", 1, "b"),
    unit("/m/two", 2, "b"),
    unit("/m/three", 0, "a"),
    TaskUnit.fromPartial({ ...unit("/m/two", 0, "b"), whole: true }),
  ];
  const found = await withHolders(
    {
      ...place,
      coverageAt: async (id, objects) => {
        asked.push(`${id} ${objects.length}`);
        return objects.map(({ path }) => ({ cached: held[`${id} ${path}`] ?? [], cachedBytes: 0 }));
      },
    },
    units,
    signal,
  );
  assert.deepEqual(asked.sort(), ["a 3", "b 5"]);
  assert.deepEqual(
    found.map(({ sources }) => sources.join()),
    ["b", "a", "b", "", "", "b"],
  );
});

test("a source that does not answer, or is not known, stays with every unit", async () => {
  const units = [unit("/m/one", 0, "gone", "silent"), unit("/m/two", 0, "strange")];
  const coverageAt = async (id: string) => {
    if (id === "silent") throw new Error("no answer");
    return id === "gone" ? undefined : [];
  };
  assert.deepEqual(await withHolders({ ...place, coverageAt }, units, signal), units);
});
