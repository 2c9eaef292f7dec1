import assert from "node:assert/strict";
import { test } from "node:test";
import { type Row, spread } from "./row.ts";
import { disturbed, spreadText, summary, tableMarkdown, tableText } from "./table.ts";

const figures = {
  requestsPerSecond: 54_400,
  bytesPerSecond: 222_822_400,
  p50Us: 242.4,
  p99Us: 833,
  cpuMicrosPerRequest: 18.04,
  cpuSecondsPerGb: 4.4,
  generatorShare: 0.61,
  serverShare: 0.99,
};
const reached: Row = {
  case: "warm 4 KiB",
  reference: "nginx static",
  value: spread([0.9, 0.93, 0.97]),
  unit: "x",
  bar: { kind: "at least", value: 0.7, aim: 1 },
  ours: figures,
  theirs: { ...figures, requestsPerSecond: 12.34 },
};
const missed: Row = {
  case: "PUT",
  reference: "direct",
  value: undefined,
  unit: "",
  bar: { kind: "at least", value: 0.8 },
  note: "refused: 403",
};

test("a row says its ratio with its spread, its bar, whether it is reached, and both sides' speed and CPU", () => {
  const line = tableText([reached]).split("\n")[1] ?? "";
  for (const part of [
    "0.93x (0.90 to 0.97)",
    "≥ 0.7x, aim 1",
    "pass",
    "54400/s",
    "12.3/s",
    "p50 242 µs",
    "18.0 µs a request",
    "61 % / 61 %",
  ]) {
    assert.ok(line.includes(part), `${part} in ${line}`);
  }
});

test("columns stand under each other, and what was refused says why beneath the table, once", () => {
  const lines = tableText([reached, missed, { ...missed, case: "PUT of more" }]).split("\n");
  assert.equal(lines[0]?.indexOf("against"), lines[2]?.indexOf("direct"));
  assert.match(lines[2] ?? "", /none .* SHORT$/);
  assert.deepEqual(lines.slice(4), ["", "PUT, direct and 1 more: refused: 403"]);
});

test("the table in Markdown has a cell for each heading", () => {
  const [head = "", rule = "", row = ""] = tableMarkdown([reached]).split("\n");
  assert.equal(rule.split("|").length, head.split("|").length);
  assert.equal(row.split("|").length, head.split("|").length);
});

test("the summary counts verdicts", () => {
  const { bar: _, ...free } = reached;
  assert.equal(
    summary([reached, missed, free]),
    "1 reach their bar, 1 are short, 1 have none and are printed for comparison.",
  );
});

test("a single figure has no spread", () => {
  assert.equal(spreadText(spread([222]), "MiB"), "222 MiB");
  assert.equal(spreadText(spread([1.5]), "ms"), "1.50 ms");
});

test("a warm row whose server and generator both lacked their core was disturbed by other work", () => {
  const starved = { ...figures, serverShare: 0.5 };
  assert.equal(disturbed([reached, { ...reached, ours: starved }, { ...reached, case: "cold", ours: starved }]), 1);
  assert.equal(disturbed([{ ...reached, theirs: { ...starved, generatorShare: 0.97 } }]), 0);
});
