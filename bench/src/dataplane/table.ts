/** The table, for a terminal and for a page of documentation. */
import { formatBytes } from "@ringlight/core";
import { type Bar, type Row, type SideFigures, type Spread, verdict } from "./row.ts";

const HEADINGS = [
  "case",
  "against",
  "figure (least to greatest)",
  "bar",
  "",
  "requests a CPU second",
  "ringlight",
  "reference",
  "CPU: ringlight",
  "reference",
  "generator",
];

/** Columns under headings. */
export function tableText(rows: readonly Row[]): string {
  const cells = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, ...notes(rows)].join("\n");
}

/** The same as a table in Markdown. */
export function tableMarkdown(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const said = notes(rows).map((note) => (note === "" ? note : `- ${note}`));
  return [line(HEADINGS), line(HEADINGS.map(() => "---")), ...rows.map((row) => line(cellsOf(row))), ...said].join(
    "\n",
  );
}

/** A closed loop keeps its server or its generator busy. Where neither had its core, other work had it. */
const CORE_SHARE = 0.85;

/** How many rows met a machine that was busy with other work: their spread says more than their median. */
export function disturbed(rows: readonly Row[]): number {
  const starved = (side: SideFigures | undefined) =>
    side !== undefined && side.serverShare < CORE_SHARE && side.generatorShare < CORE_SHARE;
  return rows.filter((row) => /^warm/.test(row.case) && (starved(row.ours) || starved(row.theirs))).length;
}

/** "12 passed their bar, 3 are short, 4 are for comparison." */
export function summary(rows: readonly Row[]): string {
  const count = (wanted: ReturnType<typeof verdict>) => rows.filter((row) => verdict(row) === wanted).length;
  return `${count("pass")} reach their bar, ${count("short")} are short, ${count(undefined)} have none and are printed for comparison.`;
}

function cellsOf(row: Row): string[] {
  const result = verdict(row);
  return [
    row.case,
    row.reference,
    row.value === undefined ? "none" : spreadText(row.value, row.unit),
    row.bar === undefined || Number.isNaN(row.bar.value) ? "" : barText(row.bar, row.unit),
    result === undefined ? "" : result === "pass" ? "pass" : "SHORT",
    row.perCpu === undefined || Number.isNaN(row.perCpu.median) ? "" : `${row.perCpu.median.toFixed(2)}x`,
    row.ours === undefined ? "" : speed(row.ours),
    row.theirs === undefined ? "" : speed(row.theirs),
    row.ours === undefined ? "" : cpu(row.ours),
    row.theirs === undefined ? "" : cpu(row.theirs),
    [row.ours, row.theirs]
      .map((side) => (side === undefined ? "" : percent(side.generatorShare)))
      .join(row.theirs === undefined ? "" : " / "),
  ];
}

/** What there is to know about rows, each sentence once. */
function notes(rows: readonly Row[]): string[] {
  const said = new Map<string, string[]>();
  for (const row of rows) {
    if (row.note === undefined) continue;
    const names = said.get(row.note) ?? [];
    names.push(row.reference === "" ? row.case : `${row.case}, ${row.reference}`);
    said.set(row.note, names);
  }
  if (said.size === 0) return [];
  const lines = [...said].map(
    ([note, names]) => `${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}: ${note}`,
  );
  return ["", ...lines];
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : "";
}

/** "0.97x (0.93 to 1.01)" */
export function spreadText({ median, min, max }: Spread, unit: string): string {
  const number = (value: number) => (unit === "x" || Math.abs(value) < 100 ? value.toFixed(2) : value.toFixed(0));
  const suffix = unit === "x" ? "x" : ` ${unit}`;
  if (min === max) return `${number(median)}${suffix}`;
  return `${number(median)}${suffix} (${number(min)} to ${number(max)})`;
}

function barText({ kind, value, aim }: Bar, unit: string): string {
  const suffix = unit === "x" ? "x" : unit === "" ? "" : ` ${unit}`;
  return `${kind === "at least" ? "≥" : "≤"} ${value}${suffix}${aim === undefined ? "" : `, aim ${aim}`}`;
}

function speed({ requestsPerSecond, bytesPerSecond, p50Us, p99Us }: SideFigures): string {
  const rate = requestsPerSecond >= 100 ? Math.round(requestsPerSecond).toString() : requestsPerSecond.toFixed(1);
  return `${rate}/s, ${formatBytes(bytesPerSecond)}/s, p50 ${Math.round(p50Us)} µs, p99 ${Math.round(p99Us)} µs`;
}

function cpu({ cpuMicrosPerRequest, cpuSecondsPerGb }: SideFigures): string {
  if (Number.isNaN(cpuMicrosPerRequest)) return "";
  return `${cpuMicrosPerRequest.toFixed(1)} µs a request, ${cpuSecondsPerGb.toFixed(2)} s/GB`;
}
