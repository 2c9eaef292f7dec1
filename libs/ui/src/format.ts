/** Numbers as the console writes them: always with a unit, never with more digits than mean something. */
import { formatBytes } from "@ringlight/core";

export { formatBytes, formatDuration } from "@ringlight/core";

/** What the console shows where there is no value: an en dash, never a zero. */
export const NOTHING = "–";

const THOUSANDS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SI = ["", "k", "M", "G", "T"] as const;

/** A whole count with thousands separators: 1234567 is "1,234,567". Exact, for totals that people compare. */
export function formatCount(count: number | undefined | null): string {
  return count === undefined || count === null || !Number.isFinite(count) ? NOTHING : THOUSANDS.format(count);
}

/** A number with three significant digits and an SI prefix: 12345 is "12.3 k", 0.5 is "0.5". */
export function formatShort(value: number | undefined | null): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return NOTHING;
  let scaled = Math.abs(value);
  let step = 0;
  while (scaled >= 999.5 && step < SI.length - 1) {
    scaled /= 1000;
    step++;
  }
  const digits = scaled >= 100 || scaled === 0 ? 0 : scaled >= 10 ? 1 : 2;
  const text = String(Number(scaled.toFixed(digits)));
  return `${value < 0 ? "-" : ""}${text}${SI[step] === "" ? "" : ` ${SI[step]}`}`;
}

/** A rate of events: 12.34 is "12.3 /s". */
export function formatRate(perSecond: number | undefined | null): string {
  return perSecond === undefined || perSecond === null || !Number.isFinite(perSecond)
    ? NOTHING
    : `${formatShort(perSecond)} /s`;
}

/** A rate of bytes: 1048576 is "1 MiB/s". */
export function formatByteRate(bytesPerSecond: number | undefined | null): string {
  return bytesPerSecond === undefined || bytesPerSecond === null || !Number.isFinite(bytesPerSecond)
    ? NOTHING
    : `${formatBytes(bytesPerSecond)}/s`;
}

/** Bytes, or the sign for nothing. */
export function formatSize(bytes: number | undefined | null): string {
  return bytes === undefined || bytes === null || !Number.isFinite(bytes) ? NOTHING : formatBytes(bytes);
}

/**
 * A share of 0 to 1 in per cent. Never rounds up to 100 % or down to 0 % what is neither: 0.99996 is "99.9 %" and
 * 0.00001 is "<0.1 %".
 */
export function formatPercent(share: number | undefined | null, digits = 1): string {
  if (share === undefined || share === null || !Number.isFinite(share)) return NOTHING;
  const step = 10 ** -digits;
  const percent = share * 100;
  if (percent > 0 && percent < step) return `<${step} %`;
  if (percent < 100 && percent > 100 - step) return `${(100 - step).toFixed(digits)} %`;
  return `${Number(percent.toFixed(digits))} %`;
}

/** A deviation from fair: 1.034 is "+3.4 %". */
export function formatDeviation(ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return NOTHING;
  const percent = (ratio - 1) * 100;
  const text = Math.abs(percent).toFixed(1);
  return text === "0.0" ? "±0.0 %" : `${percent < 0 ? "−" : "+"}${text} %`;
}

/** A latency in seconds: 0.00042 is "420 µs", 0.0123 is "12.3 ms". */
export function formatLatency(seconds: number | undefined | null): string {
  if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) return NOTHING;
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${formatShort(seconds * 1000)} ms`;
  return `${formatShort(seconds)} s`;
}

/** How long ago, or how long: 400 is "0.4 s", 65000 is "1 min 5 s", 90061000 is "1 d 1 h". */
export function formatAge(ms: number | undefined | null): string {
  if (ms === undefined || ms === null || !Number.isFinite(ms)) return NOTHING;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
  if (whole < 3600) return pair(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86_400) return pair(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return pair(Math.floor(whole / 86_400), "d", Math.floor((whole % 86_400) / 3600), "h");
}

/** A moment in the reader's own time zone, to the second: "2026-11-22 20:41:05". */
export function formatMoment(unixMs: number): string {
  const date = new Date(unixMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The time of day of a moment, to the second. */
export function formatTime(unixMs: number): string {
  return formatMoment(unixMs).slice(11);
}

/** "1 worker", "3 workers". */
export function formatPlural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
