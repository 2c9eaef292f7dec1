/** Where settings come from: flags, the environment, a YAML file. Each source refuses the keys that it does not know. */
import { readFileSync } from "node:fs";
import { fileError, RinglightError } from "@ringlight/core";
import { parse } from "yaml";
import { type ProcessName, SETTINGS } from "./schemas.ts";
import type { RawValue, Settings } from "./setting.ts";
import { didYouMean, envOf, flagOf } from "./spelling.ts";

/** Environment variables that no process's schema holds. */
export const OTHER_ENV: Readonly<Record<string, string>> = {
  RINGLIGHT_CONFIG: "YAML file with settings, as --config.",
  RINGLIGHT_DATA: "Data directory of `ringlight up` and of the commands that look for its token.",
  RINGLIGHT_ENDPOINT: "gRPC endpoints of workers that the command line connects to, host:port, separated by commas.",
  RINGLIGHT_PARENT_PIPE:
    "1: the process ends in order when its standard input closes, so that it never outlives its parent.",
  RINGLIGHT_TOKEN: "Cluster token that the command line sends.",
};

/** Mount credentials by `env:PREFIX` may carry any prefix, ours too. */
const CREDENTIAL_ENV = /_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)$/;

/** What was asked for: to run, or to print something and leave. */
export type Action = "run" | "print-config" | "help";

/** One value as it was written. */
export interface Written {
  readonly raw: RawValue;
  /** The flag, variable or file that says so. */
  readonly from: string;
}

/** What the command line says. */
export interface Flags {
  readonly action: Action;
  readonly configFile: string | undefined;
  readonly values: ReadonlyMap<string, Written>;
}

/** Reads `--key value` and `--key=value`. The last of several wins. @throws RL_BAD_CONFIG */
export function readFlags(process: ProcessName, argv: readonly string[]): Flags {
  const settings: Settings = SETTINGS[process];
  const keyByFlag = new Map(Object.keys(settings).map((key) => [flagOf(key), key]));
  const values = new Map<string, Written>();
  let action: Action = "run";
  let configFile: string | undefined;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === "--help" || argument === "-h") {
      action = "help";
      continue;
    }
    if (argument === "--print-config") {
      if (action !== "help") action = "print-config";
      continue;
    }
    const equals = argument.indexOf("=");
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const key = keyByFlag.get(flag);
    if (key === undefined && flag !== "--config") {
      const known = [...keyByFlag.keys(), "--config", "--print-config", "--help"];
      const what = flag.startsWith("-") ? "is no flag" : "is an argument, and none is taken,";
      throw new RinglightError(
        "RL_BAD_CONFIG",
        `${flag} ${what} of the ${process}${didYouMean(flag, known)}; see --help`,
      );
    }
    const next = argv[index + 1];
    const value = equals === -1 ? next : argument.slice(equals + 1);
    if (value === undefined || (equals === -1 && value.startsWith("--"))) {
      throw new RinglightError("RL_BAD_CONFIG", `${flag} needs a value: ${flag} <value>`);
    }
    if (equals === -1) index++;
    if (key === undefined) configFile = value;
    else values.set(key, { raw: value, from: flag });
  }
  return { action, configFile, values };
}

/** Reads RINGLIGHT_*; an empty variable counts as not set. @throws RL_BAD_CONFIG for one that nothing of Ringlight knows. */
export function readEnv(
  process: ProcessName,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, Written> {
  const settings: Settings = SETTINGS[process];
  const keyByName = new Map(Object.keys(settings).map((key) => [envOf(key), key]));
  const others = Object.values(SETTINGS).flatMap((table) => Object.keys(table).map(envOf));
  const known = new Set([...others, ...Object.keys(OTHER_ENV)]);
  const values = new Map<string, Written>();
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("RINGLIGHT_") || value === undefined || value === "") continue;
    const key = keyByName.get(name);
    if (key !== undefined) values.set(key, { raw: value, from: name });
    else if (!known.has(name) && !CREDENTIAL_ENV.test(name)) {
      throw new RinglightError(
        "RL_BAD_CONFIG",
        `the environment variable ${name} is no setting of Ringlight${didYouMean(name, [...known])}; unset it`,
      );
    }
  }
  return values;
}

/** Reads a YAML file of settings at top level. @throws RL_BAD_CONFIG naming the file and the key. */
export function readConfigFile(process: ProcessName, file: string): ReadonlyMap<string, Written> {
  const settings: Settings = SETTINGS[process];
  const content = parseYaml(file);
  const values = new Map<string, Written>();
  if (content === null || content === undefined) return values;
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new RinglightError("RL_BAD_CONFIG", `${file} must hold settings as "key: value" at its top level`);
  }
  for (const [key, value] of Object.entries(content)) {
    const setting = settings[key];
    if (!Object.hasOwn(settings, key) || setting === undefined) {
      const hint = didYouMean(key, Object.keys(settings));
      throw new RinglightError("RL_BAD_CONFIG", `${key} in ${file} is no setting of the ${process}${hint}`);
    }
    if (value === null) continue;
    values.set(key, { raw: fromYaml(key, value, setting.list, file), from: file });
  }
  return values;
}

function parseYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw fileError("the configuration file", file, error, "RL_BAD_CONFIG");
  }
  try {
    return parse(text);
  } catch (error) {
    const message = `the configuration file ${file} is not YAML: ${(error as Error).message}`;
    throw new RinglightError("RL_BAD_CONFIG", message, { cause: error });
  }
}

function fromYaml(key: string, value: unknown, list: boolean, file: string): RawValue {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  if (list && Array.isArray(value)) return value.map(String);
  throw new RinglightError(
    "RL_BAD_CONFIG",
    `${key} in ${file} must be ${list ? "a value or a list of values" : "one value"}, not ${Array.isArray(value) ? "a list" : "a table"}`,
  );
}
