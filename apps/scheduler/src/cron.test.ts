import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTime } from "./cron.ts";

const next = (schedule: string, after: string) => new Date(nextTime(schedule, Date.parse(after))).toISOString();

test("the next time is the first one after now, in UTC", () => {
  assert.equal(next("*/15 * * * *", "2026-03-01T10:07:30Z"), "2026-03-01T10:15:00.000Z");
  assert.equal(next("0 5 * * *", "2026-03-01T05:00:00Z"), "2026-03-02T05:00:00.000Z");
  assert.equal(next("30 22 31 * *", "2026-04-01T00:00:00Z"), "2026-05-31T22:30:00.000Z");
  assert.equal(next("0 0 29 2 *", "2026-01-01T00:00:00Z"), "2028-02-29T00:00:00.000Z");
  assert.equal(next("0 9 * * mon-fri", "2026-03-06T09:00:00Z"), "2026-03-09T09:00:00.000Z");
  assert.equal(next("0 9 * * 7", "2026-03-06T09:00:00Z"), "2026-03-08T09:00:00.000Z");
  assert.equal(next("5,35 8-9 * jan,jul *", "2026-03-06T09:00:00Z"), "2026-07-01T08:05:00.000Z");
});

test("where both days are named, either is enough", () => {
  assert.equal(next("0 0 13 * fri", "2026-03-01T00:00:00Z"), "2026-03-06T00:00:00.000Z");
  assert.equal(next("0 0 13 * fri", "2026-04-11T00:00:00Z"), "2026-04-13T00:00:00.000Z");
});

test("what is no schedule is refused, with the reason", () => {
  const refused = (schedule: string, why: RegExp) => assert.throws(() => nextTime(schedule, 0), why);
  refused("* * * *", /five fields/);
  refused("60 * * * *", /60 is no minute/);
  refused("*/0 * * * *", /no minute/);
  refused("5-1 * * * *", /no minute/);
  refused("0 0 31 2 *", /never|no time that ever comes/);
  refused("0 0 * * someday", /no day of the week/);
});
