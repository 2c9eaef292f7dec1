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

/** One setting of a process that runs, as people read it. */
export interface SettingView {
  readonly key: string;
  /** As it was written, with secrets masked; empty where it is not set. */
  readonly value: string;
  readonly origin: Origin["origin"];
  /** The flag, variable or file; for a default, "default" or what it was derived from. */
  readonly from: string;
  readonly defaultValue: string;
  readonly about: string;
}

/** Every setting of a process, in the order of its table. */
export function settingViews(
  process: ProcessName,
  raw: Readonly<Record<string, RawValue>>,
  origins: Readonly<Record<string, Origin>>,
): SettingView[] {
  const settings: Settings = SETTINGS[process];
  return Object.entries(settings).map(([key, setting]) => {
    const value = raw[key];
    const shown = value === undefined ? "" : typeof value === "string" ? value : value.join(",");
    const { origin, from } = origins[key] ?? { origin: "default", from: "default" };
    return {
      key,
      value: maskSecrets(shown),
      origin,
      from,
      defaultValue: defaultText(setting),
      about: setting.about,
    };
  });
}

/** The table of --print-config. */
export function configTable(views: readonly SettingView[]): string {
  const rows = [["key", "value", "origin", "default", "description"]];
  for (const { key, value, origin, from, defaultValue, about } of views) {
    rows.push([key, value, origin === "default" ? "default" : `${origin} ${from}`, defaultValue, about]);
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
