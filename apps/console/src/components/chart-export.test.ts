import assert from "node:assert/strict";
import test from "node:test";
import { csvField, seriesCsv, seriesJson } from "./chart-export.ts";

const CHART = {
  times: [1795700730, 1795700731],
  series: [
    { name: "hits, mem", values: [1.5, null] },
    { name: "misses", values: [0, 2] },
  ],
};

test("CSV quotes what needs it, leaves gaps empty, and hands no formula to a spreadsheet", () => {
  assert.equal(csvField('say "a,b"'), '"say ""a,b"""');
  assert.equal(csvField("=cmd()"), "'=cmd()");
  assert.equal(csvField(-3), "-3");
  assert.equal(
    seriesCsv(CHART),
    'time,"hits, mem",misses\r\n2026-11-26T14:25:30.000Z,1.5,0\r\n2026-11-26T14:25:31.000Z,,2\r\n'.replaceAll(
      "2026-11-26T14:25:3",
      new Date(1795700730_000).toISOString().slice(0, 18),
    ),
  );
});

test("JSON has one record a step, gaps as null", () => {
  const records = JSON.parse(seriesJson(CHART)) as Record<string, unknown>[];
  assert.deepEqual(records[1], { time: new Date(1795700731_000).toISOString(), "hits, mem": null, misses: 2 });
});
