/**
 * Five fields of cron in UTC: minute, hour, day of the month, month, day of the week. `*`, numbers, ranges, lists, steps, and the
 * English short names of months and days. Where both days are restricted, either of them is enough, as in Vixie's cron.
 */
import { RinglightError } from "@ringlight/core";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const FIELDS = [
  { name: "minute", least: 0, most: 59, words: [] as string[] },
  { name: "hour", least: 0, most: 23, words: [] as string[] },
  { name: "day of the month", least: 1, most: 31, words: [] as string[] },
  { name: "month", least: 1, most: 12, words: MONTHS },
  { name: "day of the week", least: 0, most: 7, words: DAYS },
] as const;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** The longest wait of any schedule that ever comes: the 29th of February over a century that is no leap year. */
const MAX_DAYS = 366 * 9;

/** The first time after `afterMs` that the schedule names, Unix milliseconds. @throws RL_BAD_REQUEST saying what is wrong with it */
export function nextTime(schedule: string, afterMs: number): number {
  const texts = schedule.trim().split(/\s+/);
  if (texts.length !== FIELDS.length) {
    throw bad(schedule, "five fields are wanted: minute, hour, day of the month, month, day of the week");
  }
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, index) =>
    valuesOf(schedule, field, texts[index] ?? ""),
  );
  if (!minutes || !hours || !days || !months || !weekdays) throw bad(schedule, "a field is missing");
  if (weekdays.has(7)) weekdays.add(0);
  const anyDay = texts[2]?.startsWith("*") === true;
  const anyWeekday = texts[4]?.startsWith("*") === true;
  const first = new Date(Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS).getTime();
  for (let day = 0; day < MAX_DAYS; day++) {
    const midnightMs = Math.floor(first / DAY_MS) * DAY_MS + day * DAY_MS;
    const date = new Date(midnightMs);
    if (!months.has(date.getUTCMonth() + 1)) continue;
    const isDay = days.has(date.getUTCDate());
    const isWeekday = weekdays.has(date.getUTCDay());
    if (anyDay || anyWeekday ? !(isDay && isWeekday) : !(isDay || isWeekday)) continue;
    for (let minute = day === 0 ? (first - midnightMs) / MINUTE_MS : 0; minute < 24 * 60; minute++) {
      if (hours.has(Math.floor(minute / 60)) && minutes.has(minute % 60)) return midnightMs + minute * MINUTE_MS;
    }
  }
  throw bad(schedule, "it names no time that ever comes");
}

function valuesOf(schedule: string, field: (typeof FIELDS)[number], text: string): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/(\d+))?$/i.exec(part);
    if (match === null) throw bad(schedule, `"${part}" is no ${field.name}`);
    const [, from = "", to, stepText] = match;
    const step = stepText === undefined ? 1 : Number(stepText);
    const least = from === "*" ? field.least : numberOf(schedule, field, from);
    // "5/10" is every tenth from the fifth on.
    const open = from === "*" || stepText !== undefined ? field.most : least;
    const most = to === undefined ? open : numberOf(schedule, field, to);
    if (step === 0 || least > most || (from === "*" && to !== undefined))
      throw bad(schedule, `"${part}" is no ${field.name}`);
    for (let value = least; value <= most; value += step) values.add(value);
  }
  return values;
}

function numberOf(schedule: string, { name, least, most, words }: (typeof FIELDS)[number], text: string): number {
  const word = words.indexOf(text.toLowerCase());
  const value = word >= 0 ? word + (least === 1 ? 1 : 0) : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw bad(schedule, `${text} is no ${name}: ${least} to ${most}`);
  return value;
}

function bad(schedule: string, why: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", `the schedule "${schedule}": ${why}`);
}
