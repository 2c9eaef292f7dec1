/**
 * The language in which a page's time range is written, in its URL and in its picker: Grafana's, since that is what
 * operators already write. A moment is `now`, `now-15m`, `now/d`, `now-1d/d`, a date (`2026-11-26`, `2026-11-26 14:05`,
 * ISO 8601), or milliseconds since the epoch. A range is two moments; it may mix an absolute start with `now`.
 *
 * `/d` rounds to the calendar in the reader's time zone: down at the start of a range and up at its end, so that
 * `now/d` to `now/d` is the whole of today and `now-1d/d` twice is yesterday.
 */

import { formatMoment } from "./format.ts";

/** A range as it is written. */
export interface TimeRange {
  readonly from: string;
  readonly to: string;
}

/** A range as it is meant at one moment; `fromMs` is before `toMs`. */
export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

const UNITS = ["s", "m", "h", "d", "w", "M", "y"] as const;
type Unit = (typeof UNITS)[number];
const UNIT_WORDS: Readonly<Record<Unit, string>> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  M: "month",
  y: "year",
};
const FIXED_MS: Readonly<Partial<Record<Unit, number>>> = { s: 1000, m: 60_000, h: 3_600_000 };

const TERM = /([+-])(\d*)([smhdwMy])|\/([smhdwMy])/y;

/** A moment later by so many units of the calendar. A month that is too short ends the sum at its last day. */
function add(ms: number, count: number, unit: Unit): number {
  const fixed = FIXED_MS[unit];
  if (fixed !== undefined) return ms + count * fixed;
  const date = new Date(ms);
  if (unit === "d" || unit === "w") date.setDate(date.getDate() + count * (unit === "w" ? 7 : 1));
  else {
    const day = date.getDate();
    date.setDate(1);
    if (unit === "M") date.setMonth(date.getMonth() + count);
    else date.setFullYear(date.getFullYear() + count);
    date.setDate(Math.min(day, new Date(date.getFullYear(), date.getMonth() + 1, 0).getDate()));
  }
  return date.getTime();
}

/** Start of the unit that a moment lies in; weeks begin on Monday. */
function floor(ms: number, unit: Unit): number {
  const date = new Date(ms);
  date.setMilliseconds(0);
  if (unit === "s") return date.getTime();
  date.setSeconds(0);
  if (unit === "m") return date.getTime();
  date.setMinutes(0);
  if (unit === "h") return date.getTime();
  date.setHours(0);
  if (unit === "w") date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  if (unit === "M" || unit === "y") date.setDate(1);
  if (unit === "y") date.setMonth(0);
  return date.getTime();
}

/**
 * Reads one moment, milliseconds since the epoch; undefined for what is none. `edge` says which way `/d` rounds: the
 * end of a range is the last millisecond of its unit.
 */
export function parseMoment(text: string, nowMs: number, edge: "from" | "to"): number | undefined {
  const trimmed = text.trim();
  if (/^now/.test(trimmed)) {
    let ms = nowMs;
    TERM.lastIndex = 3;
    while (TERM.lastIndex < trimmed.length) {
      const term = TERM.exec(trimmed);
      if (!term) return undefined;
      const [, sign, digits, unit, rounded] = term;
      if (rounded) {
        const start = floor(ms, rounded as Unit);
        ms = edge === "from" ? start : add(start, 1, rounded as Unit) - 1;
      } else {
        const count = digits === "" ? 1 : Number(digits);
        ms = add(ms, sign === "-" ? -count : count, unit as Unit);
      }
    }
    return Number.isFinite(ms) ? ms : undefined;
  }
  if (/^\d{10,14}$/.test(trimmed)) return Number(trimmed);
  const parts = /^(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(trimmed);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = parts;
  const [y, mo, d] = [Number(year), Number(month), Number(day)];
  if (mo < 1 || mo > 12 || d < 1 || d > new Date(y, mo, 0).getDate()) return undefined;
  const [h, mi, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)];
  if (h > 23 || mi > 59 || s > 59) return undefined;
  const millis = fraction ? Math.floor(Number(fraction) * 1000) : 0;
  if (zone !== undefined) {
    const offset = zone === "Z" ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
    return Date.UTC(y, mo - 1, d, h, mi, s, millis) - (zone.startsWith("-") ? -offset : offset) * 60_000;
  }
  const start = new Date(y, mo - 1, d, h, mi, s, millis).getTime();
  // A bare day that ends a range is meant to its end.
  return edge === "to" && hour === undefined ? add(start, 1, "d") - 1 : start;
}

/** What a range means at a moment; undefined where an end is no moment, or the start is not before the end. */
export function resolveRange(range: TimeRange, nowMs: number): TimeWindow | undefined {
  const fromMs = parseMoment(range.from, nowMs, "from");
  const toMs = parseMoment(range.to, nowMs, "to");
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) return undefined;
  return { fromMs, toMs };
}

/** True for a range that moves with the clock. */
export function isMoving(range: TimeRange): boolean {
  return range.to.trim().startsWith("now");
}

/** A range of two fixed moments, as the URL holds it. */
export function absoluteRange({ fromMs, toMs }: TimeWindow): TimeRange {
  return { from: String(Math.round(fromMs)), to: String(Math.round(toMs)) };
}

/** The window before (-1) or after (1), half a window on, as Grafana's arrows have it; never past now. */
export function shiftWindow({ fromMs, toMs }: TimeWindow, direction: -1 | 1, nowMs: number): TimeWindow {
  const width = toMs - fromMs;
  const end = direction === 1 ? Math.max(toMs, Math.min(nowMs, toMs + width / 2)) : toMs - width / 2;
  return { fromMs: end - width, toMs: end };
}

/** Twice the window about its middle; its end stops at now, and the start takes the rest. */
export function zoomOut({ fromMs, toMs }: TimeWindow, nowMs: number): TimeWindow {
  const width = toMs - fromMs;
  const end = Math.min(Math.max(nowMs, toMs), toMs + width / 2);
  return { fromMs: end - 2 * width, toMs: end };
}

const NAMED: Readonly<Record<string, string>> = {
  "now/d now": "today so far",
  "now/d now/d": "today",
  "now-1d/d now-1d/d": "yesterday",
  "now/w now": "this week so far",
  "now/w now/w": "this week",
  "now/M now": "this month so far",
};

/** A range in words that end a sentence: "last 15 minutes", "yesterday", "2026-11-26 14:05:00 to 14:20:00". */
export function describeRange(range: TimeRange): string {
  const from = range.from.trim();
  const to = range.to.trim();
  const named = NAMED[`${from} ${to}`];
  if (named) return named;
  const last = /^now-(\d*)([smhdwMy])$/.exec(from);
  if (last && to === "now") {
    const count = last[1] === "" ? 1 : Number(last[1]);
    const word = UNIT_WORDS[last[2] as Unit];
    return count === 1 ? `last ${word}` : `last ${count} ${word}s`;
  }
  const words = (text: string, edge: "from" | "to") => {
    const ms = text.startsWith("now") ? undefined : parseMoment(text, 0, edge);
    return ms === undefined ? text : formatMoment(ms);
  };
  const start = words(from, "from");
  const end = words(to, "to");
  // The day is said once.
  return start.slice(0, 11) === end.slice(0, 11) && /^\d/.test(end)
    ? `${start} to ${end.slice(11)}`
    : `${start} to ${end}`;
}

/** Ranges that a picker offers, shortest first. */
export const QUICK_RANGES: readonly TimeRange[] = [
  { from: "now-5m", to: "now" },
  { from: "now-15m", to: "now" },
  { from: "now-30m", to: "now" },
  { from: "now-1h", to: "now" },
  { from: "now-3h", to: "now" },
  { from: "now-12h", to: "now" },
  { from: "now-24h", to: "now" },
  { from: "now-7d", to: "now" },
  { from: "now-30d", to: "now" },
  { from: "now/d", to: "now" },
  { from: "now-1d/d", to: "now-1d/d" },
];
