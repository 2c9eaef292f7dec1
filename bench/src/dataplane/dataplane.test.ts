import assert from "node:assert/strict";
import { test } from "node:test";
import { dataplane } from "./dataplane.ts";
import { verdict } from "./row.ts";

test("one case runs from its name to its row: a store, a registry, a worker, reads, and a figure", async () => {
  const rows = await dataplane({
    rounds: 1,
    seconds: 0.2,
    quick: true,
    only: "cold sequential, whole object",
    progress: () => {},
  });
  assert.equal(rows.length, 1);
  const [row] = rows;
  assert.equal(row?.case, "read amplification, cold sequential, whole object");
  assert.ok(row !== undefined && row.value !== undefined, row?.note);
  assert.equal(verdict(row), "pass", `${row.value.median} ${row.note}`);
});

test("a name that no case has is told, and not answered with nothing", async () => {
  const options = { rounds: 1, seconds: 0.2, quick: true, only: "no such case", progress: () => {} };
  await assert.rejects(dataplane(options), /no case has "no such case" in its name/);
});
