/** Runs and comparisons for a terminal and as Markdown. */
import { formatBytes, formatDuration } from "@ringlight/core";
import type { Interval } from "./bootstrap.ts";
import type { RunComparison } from "./compare.ts";
import type { StoredRun } from "./run-directory.ts";
import type { RoundFigures } from "./run-summary.ts";

/** A table of texts. */
export interface TextTable {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** As columns for a terminal. */
export function plainTable({ head, rows }: TextTable): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** As Markdown. */
export function markdownTable({ head, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Figures of a run's first access and of the median of its rounds. */
export function runTable(runs: readonly StoredRun[]): TextTable {
  const rows = runs.flatMap(({ summary }) => {
    const lines: string[][] = [];
    if (summary.warmUp) lines.push([summary.target, "warm-up", ...cellsOf(summary.warmUp)]);
    if (summary.median) lines.push([summary.target, `median of ${summary.rounds.length}`, ...cellsOf(summary.median)]);
    return lines;
  });
  return {
    head: ["target", "rounds", "requests/s", "bytes/s", "p50", "p99", "p99.9", "AU", "hits", "from store", "errors"],
    rows,
  };
}

function cellsOf(figures: RoundFigures): string[] {
  const { training, server } = figures;
  return [
    figures.requestsPerSecond.toFixed(0),
    `${formatBytes(figures.bytesPerSecond)}/s`,
    formatDuration(figures.p50Ms),
    formatDuration(figures.p99Ms),
    formatDuration(figures.p999Ms),
    training ? `${(training.utilization * 100).toFixed(1)} % ${training.passes ? "passes" : "fails"}` : "",
    server?.hitRate === undefined ? "" : `${(server.hitRate * 100).toFixed(1)} %`,
    server ? `${formatBytes(server.storeBytes)} (${server.amplification.toFixed(2)}x)` : "",
    String(figures.errors),
  ];
}

/** Times of parts, such as queries, of several runs side by side. */
export function partTable(runs: readonly StoredRun[]): TextTable | undefined {
  const names = [...new Set(runs.flatMap(({ summary }) => Object.keys(summary.median?.parts ?? {})))];
  if (names.length === 0) return undefined;
  return {
    head: ["part", ...runs.map(({ summary }) => `${summary.target}, p50`)],
    rows: names.map((name) => [
      name,
      ...runs.map(({ summary }) => {
        const part = summary.median?.parts[name];
        return part === undefined ? "" : formatDuration(part.p50Ms);
      }),
    ]),
  };
}

/** A ratio with its interval, which one round does not give. */
export function intervalText({ estimate, low, high }: Interval, unit = ""): string {
  const range = Number.isFinite(high) ? `${low.toFixed(2)} to ${high.toFixed(2)}` : "one round";
  return `${estimate.toFixed(2)}${unit} (${range})`;
}

/** A comparison. */
export function comparisonTable({ comparisons }: RunComparison): TextTable {
  return {
    head: ["metric", "A", "B", "B/A", "99.5 % interval", "effect", "verdict"],
    rows: comparisons.map(({ metric, a, b, ratio, effect, verdict }) => [
      metric,
      a.toPrecision(4),
      b.toPrecision(4),
      ratio.estimate.toFixed(3),
      `${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)}`,
      effect.toFixed(2),
      verdict,
    ]),
  };
}

/** What must be said beside the figures of a run. */
export function remarks({ summary, manifest }: StoredRun): string[] {
  const said: string[] = [];
  if (summary.highestRate !== undefined) {
    const { rate, goalP99Ms } = summary.highestRate;
    said.push(`${rate.toFixed(0)} requests/s is the highest rate that was found with p99 below ${goalP99Ms} ms`);
  }
  for (const { round, saturation, errors, firstError } of summary.rounds) {
    if (saturation.saturated)
      said.push(`round ${round}: the generator was the limit: ${saturation.reasons.join("; ")}`);
    if (errors > 0) said.push(`round ${round}: ${errors} requests failed, the first: ${firstError}`);
  }
  if (summary.failure !== undefined) said.push(`the run failed: ${summary.failure}`);
  if (manifest.git.dirty) said.push(`files differed from revision ${manifest.git.revision.slice(0, 12)}`);
  return said;
}

/** report.md of a set of runs of one workload. */
export function markdownReport(runs: readonly StoredRun[]): string {
  const [first] = runs;
  if (first === undefined) return "";
  const parts = partTable(runs);
  const said = runs.flatMap((run) => remarks(run).map((remark) => `- ${run.summary.target}: ${remark}`));
  return [
    `## ${first.summary.title}`,
    markdownTable(runTable(runs)),
    ...(parts ? [markdownTable(parts)] : []),
    ...(said.length > 0 ? [said.join("\n")] : []),
    `Seed ${first.manifest.seed}, requests ${first.manifest.planDigest.slice(0, 16) || "of the trace"}, revision ${first.manifest.git.revision.slice(0, 12)}, ${first.manifest.machine.cpus} x ${first.manifest.machine.cpu}, Node ${first.manifest.versions.node}.`,
  ].join("\n\n");
}
