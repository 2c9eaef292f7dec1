/** Options that commands share, and what they mean. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseBytes, parseDuration, RinglightError } from "@ringlight/core";
import type { TargetAddress, TargetCredentials } from "../load/target.ts";
import type { SideOptions } from "../run-workload.ts";
import type { PlanOptions } from "../workloads/make-plan.ts";

/** Where runs go if nothing else is said. */
export const RESULTS = fileURLToPath(new URL("../../results/runs", import.meta.url));

/** Options of everything that runs a workload, as parseArgs has them. */
export const RUN_OPTIONS = {
  target: { type: "string", multiple: true },
  store: { type: "string", multiple: true },
  prepare: { type: "string" },
  cluster: { type: "string" },
  metrics: { type: "string", multiple: true },
  seed: { type: "string" },
  scale: { type: "string" },
  "record-scale": { type: "string" },
  accelerator: { type: "string" },
  accelerators: { type: "string" },
  epochs: { type: "string" },
  users: { type: "string" },
  engine: { type: "string" },
  rounds: { type: "string" },
  seconds: { type: "string" },
  warmup: { type: "string" },
  rate: { type: "string" },
  even: { type: "boolean" },
  processes: { type: "string" },
  generator: { type: "string", multiple: true },
  connections: { type: "string" },
  driver: { type: "string" },
  out: { type: "string" },
  json: { type: "boolean" },
  "price-gets": { type: "string" },
  "price-gb": { type: "string" },
} as const;

/** Values of RUN_OPTIONS. */
export type RunValues = {
  readonly [Name in keyof typeof RUN_OPTIONS]?:
    | ((typeof RUN_OPTIONS)[Name] extends { readonly multiple: true }
        ? string[]
        : (typeof RUN_OPTIONS)[Name] extends { readonly type: "boolean" }
          ? boolean
          : string)
    | undefined;
};

function refuse(message: string): never {
  throw new RinglightError("RL_BAD_REQUEST", message);
}

/** A whole number above 0. @throws RL_BAD_REQUEST */
export function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  return Number.isInteger(value) && value > 0
    ? value
    : refuse(`--${name} is "${text}"; a whole number above 0 is needed`);
}

/** A number above 0, or 0 where that is allowed. @throws RL_BAD_REQUEST */
export function number(name: string, text: string | undefined, zero = false): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && (value > 0 || (zero && value === 0))) return value;
  return refuse(`--${name} is "${text}"; a number ${zero ? "of 0 or more" : "above 0"} is needed`);
}

/** Seconds: "5", "5s", "2m". @throws RL_BAD_REQUEST */
export function secondsOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^[\d.]+$/.test(text) ? number(name, text, true) : parseDuration(text) / 1000;
}

/** Bytes. @throws RL_BAD_REQUEST */
export function bytes(text: string): number {
  return parseBytes(text);
}

/** Options of the plan. @throws RL_BAD_REQUEST */
export function planOptions(values: RunValues): PlanOptions {
  const { engine } = values;
  if (engine !== undefined && engine !== "trino" && engine !== "spark" && engine !== "duckdb") {
    refuse(`--engine is "${engine}"; trino, spark and duckdb are known`);
  }
  return {
    seed: wholeNumber("seed", values.seed) ?? 1,
    scale: number("scale", values.scale) ?? 1,
    recordScale: number("record-scale", values["record-scale"]) ?? 1,
    accelerator: values.accelerator,
    accelerators: wholeNumber("accelerators", values.accelerators),
    epochs: wholeNumber("epochs", values.epochs),
    users: wholeNumber("users", values.users),
    engine,
  };
}

/** Rates: "500" or "100,200,400". @throws RL_BAD_REQUEST */
export function ratesOf(text: string | undefined): number[] | undefined {
  return text?.split(",").map((part) => number("rate", part) ?? 0);
}

interface ClusterFile {
  readonly s3Endpoint: string;
  readonly workers: readonly { readonly grpc: string; readonly rest: string }[];
  readonly tokenFile: string;
  readonly credentialsFile: string;
}

function clusterOf(directory: string): ClusterFile {
  const file = join(resolve(directory), "cluster.json");
  try {
    return JSON.parse(readFileSync(file, "utf8")) as ClusterFile;
  } catch {
    return refuse(`no cluster runs in ${directory}; start one with ringlight up, or name it with --cluster`);
  }
}

function credentialsOf(prefix: string): TargetCredentials {
  const [accessKeyId, secretAccessKey] = ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"].map(
    (name) => process.env[`${prefix}_${name}`],
  );
  if (!accessKeyId || !secretAccessKey) {
    return refuse(`${prefix}_ACCESS_KEY_ID and ${prefix}_SECRET_ACCESS_KEY are not in the environment`);
  }
  return { accessKeyId, secretAccessKey };
}

/**
 * A target: [label=]URL[@PREFIX]. "s3:/mount/prefix" and "sdk:/mount/prefix" are the cluster's; "@PREFIX" signs with the key pair in
 * PREFIX_ACCESS_KEY_ID and PREFIX_SECRET_ACCESS_KEY. @throws RL_BAD_REQUEST
 */
export function sideOf(text: string, values: RunValues, isStore: boolean): SideOptions {
  const match = /^(?:([\w-]+)=)?([a-z0-9]+:[^@]+)(?:@(\w+))?$/i.exec(text);
  if (match === null) return refuse(`"${text}" is no target; write [label=]URL[@PREFIX]`);
  const [, given, url = "", prefix] = match;
  const own = /^(s3|sdk):(\/.+)$/.exec(url);
  if (own !== null) {
    const cluster = clusterOf(values.cluster ?? ".ringlight");
    const metrics = cluster.workers.map(({ rest }) => `http://${rest}/metrics`);
    if (own[1] === "sdk") {
      const endpoints = cluster.workers.map(({ grpc }) => grpc).join(",");
      const token = readFileSync(cluster.tokenFile, "utf8").trim();
      return { address: { label: given ?? "sdk", url: `ringlight://${endpoints}${own[2]}`, token }, metrics };
    }
    const { accessKeyId, secretAccessKey } = JSON.parse(
      readFileSync(cluster.credentialsFile, "utf8"),
    ) as TargetCredentials;
    const address = {
      label: given ?? "s3",
      url: cluster.s3Endpoint + own[2],
      credentials: { accessKeyId, secretAccessKey },
    };
    return { address, metrics };
  }
  const address: TargetAddress = {
    label: given ?? (isStore ? "store" : "target"),
    url,
    ...(prefix !== undefined && { credentials: credentialsOf(prefix) }),
  };
  return { address, isStore, ...(!isStore && values.metrics && { metrics: values.metrics }) };
}

/** All targets of a command, in order. @throws RL_BAD_REQUEST where there is none */
export function sidesOf(values: RunValues): SideOptions[] {
  const sides = [
    ...(values.store ?? []).map((text) => sideOf(text, values, true)),
    ...(values.target ?? []).map((text) => sideOf(text, values, false)),
  ];
  if (sides.length === 0) refuse("there is no --target; a URL, s3:/mount/prefix or sdk:/mount/prefix is needed");
  return sides;
}
