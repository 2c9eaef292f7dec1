import assert from "node:assert/strict";
import test from "node:test";
import type { SettingView } from "../wire.ts";
import { configRows, unexpectedDifferences } from "./config-diff.ts";

const setting = (key: string, value: string, origin = "default"): SettingView => ({
  key,
  value,
  origin,
  from: origin === "flag" ? `--${key}` : "default",
  defaultValue: "1GiB",
  about: "",
});

test("settings that workers have in common are one row; where they differ, the odd one out is named", () => {
  const rows = configRows([
    { process: "worker", id: "w1", settings: [setting("mem", "1GiB"), setting("id", "w1", "flag")] },
    { process: "worker", id: "w2", settings: [setting("mem", "1GiB"), setting("id", "w2", "flag")] },
    { process: "worker", id: "w3", settings: [setting("mem", "2GiB", "flag"), setting("id", "w3", "flag")] },
    { process: "scheduler", id: "s1", settings: [setting("mem", "3GiB")] },
  ]);
  const mem = rows.find((row) => row.process === "worker" && row.key === "mem");
  assert.deepEqual(
    mem?.values.map(({ value, ids, origins }) => [value, ids, origins]),
    [
      ["1GiB", ["w1", "w2"], ["default"]],
      ["2GiB", ["w3"], ["flag --mem"]],
    ],
  );
  assert.equal(mem?.differs, true);
  assert.equal(rows.find((row) => row.key === "id")?.differs, false, "ids differ by their nature");
  assert.equal(rows.find((row) => row.process === "scheduler")?.differs, false);
  assert.equal(rows.find((row) => row.process === "scheduler")?.changed, false);
});

test("a difference is unexpected unless it lies in what each process has of its own, or in the size of hosts of other weights", () => {
  const worker = (id: string, weight: string, mem: string, ufsTimeout: string) => ({
    process: "worker",
    id,
    settings: [
      setting("id", id, "flag"),
      setting("weight", weight, "flag"),
      setting("mem", mem, "flag"),
      setting("ufsTimeout", ufsTimeout),
    ],
  });
  const alike = [worker("w1", "1", "1GiB", "10s"), worker("w2", "1", "1GiB", "10s"), worker("w3", "4", "4GiB", "10s")];
  assert.deepEqual(unexpectedDifferences(alike), []);
  assert.deepEqual(unexpectedDifferences([...alike, worker("w4", "4", "2GiB", "1s")]), [
    {
      process: "worker",
      key: "ufsTimeout",
      values: [
        { value: "10s", ids: ["w1", "w2", "w3"] },
        { value: "1s", ids: ["w4"] },
      ],
    },
    {
      process: "worker",
      key: "mem",
      values: [
        { value: "2GiB", ids: ["w4"] },
        { value: "4GiB", ids: ["w3"] },
      ],
    },
  ]);
});
