/** Tables and numbers for terminals. */
import { formatBytes, formatDuration } from "@ringlight/core";

/** Alignment of a column. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Rows under titles, padded with spaces; nothing but the titles' line when there are no rows. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, column) =>
    Math.max(width(title), ...rows.map((row) => width(row[column] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const padding = " ".repeat(Math.max(0, widths[column]! - width(cell)));
        return columns[column]?.right ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  return [columns.map(({ title }) => title), ...rows].map(line).join("\n");
}

function width(text: string): number {
  return [...text].length;
}

/** "12.5 %"; "–" of nothing. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const share = (100 * part) / whole;
  // 99.97 % is not 100 %.
  const shown = share < 100 ? Math.min(share, 99.9) : 100;
  return `${shown.toFixed(shown === 0 || shown === 100 ? 0 : 1)} %`;
}

/** "3 files", "1 file". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** How long ago, for people. */
export function ago(atMs: number, nowMs: number): string {
  return `${formatDuration(Math.max(0, nowMs - atMs))} ago`;
}

/** A time as local date and minute. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Bytes exactly or with a unit. */
export function size(bytes: number, exact: boolean): string {
  return exact ? String(bytes) : formatBytes(bytes);
}

/** Runs of pages as "0-3, 7": at most `limit` runs are written out. */
export function formatRuns(runs: readonly { readonly first: number; readonly last: number }[], limit = 8): string {
  if (runs.length === 0) return "none";
  const shown = runs.slice(0, limit).map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  if (runs.length > limit) shown.push(`and ${runs.length - limit} more runs`);
  return shown.join(", ");
}
