import assert from "node:assert/strict";
import test from "node:test";
import { formatMoment } from "./format.ts";
import {
  absoluteRange,
  describeRange,
  isMoving,
  parseMoment,
  QUICK_RANGES,
  resolveRange,
  shiftWindow,
  zoomOut,
} from "./time-range.ts";

/** A Thursday in the reader's own zone, so that the tests hold in every zone. */
const NOW = new Date(2026, 10, 26, 14, 5, 30, 250).getTime();
const at = (...parts: [number, number, number, number?, number?, number?, number?]) => new Date(...parts).getTime();
const from = (text: string) => parseMoment(text, NOW, "from");
const to = (text: string) => parseMoment(text, NOW, "to");

test("relative moments count back and forth from now, a missing count is one", () => {
  assert.equal(from("now"), NOW);
  assert.equal(from("now-1h"), NOW - 3_600_000);
  assert.equal(from("now-h"), NOW - 3_600_000);
  assert.equal(from(" now-90s "), NOW - 90_000);
  assert.equal(from("now+15m"), NOW + 900_000);
  assert.equal(from("now-2d+3h"), at(2026, 10, 24, 17, 5, 30, 250));
});

test("months and years keep the day, or end at the last one of a shorter month", () => {
  const march = new Date(2026, 2, 31, 12).getTime();
  assert.equal(parseMoment("now-1M", march, "from"), at(2026, 1, 28, 12));
  assert.equal(parseMoment("now-1y", new Date(2028, 1, 29).getTime(), "from"), at(2027, 1, 28));
});

test("rounding goes down at the start of a range and up to the last millisecond at its end", () => {
  assert.equal(from("now/d"), at(2026, 10, 26));
  assert.equal(to("now/d"), at(2026, 10, 27) - 1);
  assert.equal(from("now-1d/d"), at(2026, 10, 25));
  assert.equal(to("now-1d/d"), at(2026, 10, 26) - 1);
  assert.equal(from("now/w"), at(2026, 10, 23), "weeks begin on Monday");
  assert.equal(from("now/M"), at(2026, 10, 1));
  assert.equal(from("now/y"), at(2026, 0, 1));
  assert.equal(from("now/h"), at(2026, 10, 26, 14));
  assert.equal(from("now/d+8h"), at(2026, 10, 26, 8));
});

test("absolute moments are dates in the reader's zone, ISO with a zone, or milliseconds", () => {
  assert.equal(from("2026-11-26"), at(2026, 10, 26));
  assert.equal(to("2026-11-26"), at(2026, 10, 27) - 1);
  assert.equal(from("2026-11-26 14:05"), at(2026, 10, 26, 14, 5));
  assert.equal(from("2026-11-26T14:05:07"), at(2026, 10, 26, 14, 5, 7));
  assert.equal(from("2026-11-26T14:05:07.250Z"), Date.UTC(2026, 10, 26, 14, 5, 7, 250));
  assert.equal(from("2026-11-26T14:05:07+02:00"), Date.UTC(2026, 10, 26, 12, 5, 7));
  assert.equal(from("1795700730250"), 1795700730250);
});

test("what is no moment is refused, not guessed", () => {
  for (const text of [
    "",
    "nows",
    "now-",
    "now-1x",
    "now/q",
    "yesterday",
    "2026-13-01",
    "2026-02-30",
    "2026-11-26 25:00",
  ])
    assert.equal(from(text), undefined, text);
});

test("a range needs its start before its end", () => {
  assert.deepEqual(resolveRange({ from: "now-5m", to: "now" }, NOW), { fromMs: NOW - 300_000, toMs: NOW });
  assert.equal(resolveRange({ from: "now", to: "now-5m" }, NOW), undefined);
  assert.equal(resolveRange({ from: "now-5m", to: "noon" }, NOW), undefined);
  assert.ok(resolveRange({ from: "2026-11-20", to: "now" }, NOW), "half absolute, half moving");
  assert.equal(isMoving({ from: "2026-11-20", to: "now" }), true);
  assert.equal(isMoving({ from: "2026-11-20", to: "2026-11-21" }), false);
  for (const range of QUICK_RANGES) assert.ok(resolveRange(range, NOW), JSON.stringify(range));
});

test("a window shifts by half of itself and not past now, and zooms out to twice itself", () => {
  const window = { fromMs: NOW - 300_000, toMs: NOW };
  assert.deepEqual(shiftWindow(window, -1, NOW), { fromMs: NOW - 450_000, toMs: NOW - 150_000 });
  assert.deepEqual(shiftWindow(window, 1, NOW), window);
  assert.deepEqual(shiftWindow({ fromMs: 0, toMs: 100 }, 1, NOW), { fromMs: 50, toMs: 150 });
  assert.deepEqual(zoomOut(window, NOW), { fromMs: NOW - 600_000, toMs: NOW });
  assert.deepEqual(zoomOut({ fromMs: 1000, toMs: 2000 }, NOW), { fromMs: 500, toMs: 2500 });
});

test("what is written can be read back, and a range is said in words", () => {
  assert.equal(from(formatMoment(NOW)), NOW - 250);
  assert.deepEqual(resolveRange(absoluteRange({ fromMs: 1e12, toMs: 2e12 }), NOW), { fromMs: 1e12, toMs: 2e12 });
  assert.equal(describeRange({ from: "now-15m", to: "now" }), "last 15 minutes");
  assert.equal(describeRange({ from: "now-1h", to: "now" }), "last hour");
  assert.equal(describeRange({ from: "now-1d/d", to: "now-1d/d" }), "yesterday");
  assert.equal(
    describeRange(absoluteRange({ fromMs: at(2026, 10, 26, 9), toMs: at(2026, 10, 26, 10, 30) })),
    "2026-11-26 09:00:00 to 10:30:00",
  );
  assert.equal(describeRange({ from: "2026-11-20", to: "now" }), "2026-11-20 00:00:00 to now");
});
