/** Prints paired results. */
import { formatBytes, formatDuration } from "@ringlight/core";
import type { PairedResult, SideFigures } from "./paired.ts";

/** A table for a terminal. */
export function reportText(results: readonly PairedResult[]): string {
  const rows = [
    ["case", "cache", "direct", "cache/direct (least to greatest)", "server CPU a request: cache", "direct"],
    ...results.map(({ name, cache, direct, ratio }) => [
      name,
      speed(cache),
      speed(direct),
      `${ratio.median.toFixed(2)}x (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
      `${cache.cpuMicrosPerRequest.toFixed(0)} µs`,
      `${direct.cpuMicrosPerRequest.toFixed(0)} µs`,
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function speed(side: SideFigures): string {
  const perSecond = `${Math.round(side.requestsPerSecond)}/s`;
  return `${perSecond}, ${formatBytes(side.bytesPerSecond)}/s, p50 ${formatDuration(side.p50Ms)}`;
}
