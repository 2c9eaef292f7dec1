/** Puts the settings of a process together: flag before environment before file before default. */
import { RinglightError } from "@ringlight/core";
import { type ProcessConfigs, type ProcessName, SETTINGS, schemaOf } from "./schemas.ts";
import type { RawValue, Settings } from "./setting.ts";
import { type Action, readConfigFile, readEnv, readFlags, type Written } from "./sources.ts";
import { envOf, flagOf } from "./spelling.ts";
import { configTable, helpText, maskSecrets, type SettingView, settingViews } from "./tables.ts";

/** Where a value comes from. */
export interface Origin {
  readonly origin: "default" | "file" | "env" | "flag";
  /** The flag, variable or file; for a default, "default" or what it was derived from. */
  readonly from: string;
}

/** The settings of one process. */
export interface LoadedConfig<T> {
  /** What the command line asks for. The caller prints and leaves unless it is "run". */
  readonly action: Action;
  /** The values. With action "help" nothing was read, and reading them throws RL_BAD_CONFIG. */
  readonly values: T;
  /** Origin of each value, by key as it is written in a file. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Every setting with its value, origin and default; secrets masked. Empty with action "help". */
  settings(): readonly SettingView[];
  /** A table of key, value, origin, default and description; secrets masked; no newline at its end. */
  print(): string;
  /** What --help prints. */
  help(): string;
}

/** What to read instead of the process's own command line and environment. */
export interface ConfigInput {
  /** Arguments after the script's name. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the settings of a process.
 * @throws RL_BAD_CONFIG naming each bad key with its value, its origin and what is allowed.
 */
export function loadConfig<P extends ProcessName>(
  processName: P,
  input: ConfigInput = {},
): LoadedConfig<ProcessConfigs[P]> {
  const env = input.env ?? process.env;
  const flags = readFlags(processName, input.argv ?? process.argv.slice(2));
  const help = () => helpText(processName);
  if (flags.action === "help") {
    return {
      action: "help",
      get values(): ProcessConfigs[P] {
        throw new RinglightError("RL_BAD_CONFIG", "--help was asked for: no settings were read");
      },
      origins: {},
      settings: () => [],
      print: help,
      help,
    };
  }
  const settings: Settings = SETTINGS[processName];
  const configFile = flags.configFile ?? (env.RINGLIGHT_CONFIG || undefined);
  const fromEnv = readEnv(processName, env);
  const fromFile = configFile === undefined ? new Map<string, Written>() : readConfigFile(processName, configFile);

  const raw: Record<string, RawValue> = {};
  const origins: Record<string, Origin> = {};
  const take = (key: string, origin: Origin["origin"], from: string, value: RawValue | undefined) => {
    origins[key] = { origin, from };
    if (value !== undefined) raw[key] = value;
  };
  for (const [key, setting] of Object.entries(settings)) {
    const flag = flags.values.get(key);
    const variable = fromEnv.get(key);
    const line = fromFile.get(key);
    if (flag) take(key, "flag", flag.from, flag.raw);
    else if (variable) take(key, "env", variable.from, variable.raw);
    else if (line) take(key, "file", line.from, line.raw);
    else if (!setting.derive) take(key, "default", "default", setting.default);
  }
  for (const [key, setting] of Object.entries(settings)) {
    if (setting.derive && origins[key] === undefined) {
      take(key, "default", setting.deriveNote ?? "default", setting.derive(raw));
    }
  }

  const missing = Object.keys(settings).filter((key) => settings[key]?.required && raw[key] === undefined);
  const parsed = schemaOf(processName).safeParse(raw);
  if (missing.length > 0 || !parsed.success) {
    const lines = missing.map(
      (key) => `${key} is not set; set ${flagOf(key)}, ${envOf(key)}, or ${key} in a configuration file`,
    );
    for (const issue of parsed.error?.issues ?? []) {
      const key = String(issue.path[0] ?? "");
      if (raw[key] === undefined) continue;
      const origin = origins[key];
      const where = origin?.origin === "default" ? `default, ${origin.from}` : (origin?.from ?? "unknown");
      lines.push(`${key} = "${maskSecrets(String(raw[key]))}" (${where}) ${issue.message}`);
    }
    throw new RinglightError("RL_BAD_CONFIG", `bad settings of the ${processName}: ${lines.join("; ")}`);
  }

  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) values[setting.as ?? key] = parsed.data[key];
  return {
    action: flags.action,
    // The schema of the process makes exactly these keys: see Values in setting.ts.
    values: Object.freeze(values) as unknown as ProcessConfigs[P],
    origins,
    settings: () => settingViews(processName, raw, origins),
    print: () => configTable(settingViews(processName, raw, origins)),
    help,
  };
}
