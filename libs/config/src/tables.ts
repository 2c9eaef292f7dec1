/** Settings as text: the table of --print-config, and --help. */
import type { Origin } from "./load.ts";
import { type ProcessName, SETTINGS } from "./schemas.ts";
import type { RawValue, Setting, Settings } from "./setting.ts";
import { flagOf } from "./spelling.ts";

/** Hides the password of a URL or of user:password@host. */
export function maskSecrets(text: string): string {
  return text.replace(/([A-Za-z0-9._~%-]+):[^@/\s,]+@/g, "$1:********@");
}

/** The default of a setting as people read it. */
export function defaultText(setting: Setting): string {
  if (setting.required) return "(required)";
  return setting.default ?? (setting.deriveNote ? `(${setting.deriveNote})` : "(none)");
}

/** Columns under a heading, padded with spaces; the last column is free. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join("  ");
  return rows.map(line).join("\n");
}

/** The table of --print-config. */
export function configTable(
  process: ProcessName,
  raw: Readonly<Record<string, RawValue>>,
  origins: Readonly<Record<string, Origin>>,
): string {
  const settings: Settings = SETTINGS[process];
  const rows = [["key", "value", "origin", "default", "description"]];
  for (const [key, setting] of Object.entries(settings)) {
    const value = raw[key];
    const origin = origins[key];
    const shown = value === undefined ? "" : typeof value === "string" ? value : value.join(",");
    const from = origin === undefined || origin.origin === "default" ? "default" : `${origin.origin} ${origin.from}`;
    rows.push([key, maskSecrets(shown), from, defaultText(setting), setting.about]);
  }
  return columns(rows);
}

/** The text of --help. */
export function helpText(process: ProcessName): string {
  const settings: Settings = SETTINGS[process];
  const rows = [["flag", "default", "description"]];
  for (const [key, setting] of Object.entries(settings)) {
    rows.push([`${flagOf(key)} VALUE`, defaultText(setting), `${setting.about} Must be ${setting.allowed}.`]);
  }
  rows.push(["--config FILE", "(none)", "YAML file with settings; flags and environment variables go before it."]);
  rows.push(["--print-config", "", "Prints every value with its origin, and leaves."]);
  rows.push(["--help", "", "Prints this, and leaves."]);
  return `Settings of the Ringlight ${process}. Each flag is also an environment variable: --data-dir is RINGLIGHT_DATA_DIR.\n\n${columns(rows)}`;
}
