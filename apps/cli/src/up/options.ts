/** What `ringlight up` is asked for, checked. */
import path from "node:path";
import { defaultDataDir } from "@ringlight/config";
import {
  type MountRecord,
  parseBucketTemplate,
  parseBytes,
  parseDuration,
  parseMountSpec,
  RinglightError,
  toRinglightError,
} from "@ringlight/core";
import { type PortPlan, planPorts } from "./ports.ts";

/** Options as the command line gives them: text. */
export interface RawUpOptions {
  readonly mount?: readonly string[];
  readonly buckets?: string;
  readonly workers?: string;
  readonly mem?: string;
  readonly ssd?: string;
  readonly data?: string;
  readonly consolePort?: string;
  readonly s3Port?: string;
  readonly portOffset?: string;
  readonly demoTraffic?: boolean;
  readonly console?: boolean;
  readonly restart?: boolean;
  readonly restartAfter?: string;
  readonly registry?: string;
  readonly cluster?: string;
  readonly absence?: string;
  readonly leaseTtl?: string;
  readonly json?: boolean;
}

/** Options of one run. */
export interface UpOptions {
  readonly mounts: readonly MountRecord[];
  /** What buckets are made of that S3 clients create; undefined refuses them. */
  readonly buckets: string | undefined;
  readonly workers: number;
  /** Per worker; undefined takes the default, less where the machine has less. */
  readonly memBytes: number | undefined;
  readonly ssdBytes: number | undefined;
  readonly dataDir: string;
  readonly ports: PortPlan;
  readonly demoTraffic: boolean;
  readonly console: boolean;
  /** Undefined leaves dead processes dead. */
  readonly restartAfterMs: number | undefined;
  /** host:port list of a registry elsewhere; undefined starts the embedded one. */
  readonly registry: string | undefined;
  readonly cluster: string;
  readonly absence: string;
  readonly leaseTtl: string;
  readonly json: boolean;
}

const MAX_WORKERS = 26;
/** A worker that died is seen as down when its lease ends; it is started again well after that. */
const RESTART_LEASES = 3;

function whole(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new RinglightError("RL_BAD_REQUEST", `${option} ${text} is not a whole number from ${min} to ${max}`);
}

/** Reads a value, and names its option when it is none. @throws RL_BAD_REQUEST */
function named(option: string, text: string, parse: (text: string) => number): number {
  try {
    return parse(text);
  } catch (error) {
    throw new RinglightError("RL_BAD_REQUEST", `${option}: ${toRinglightError(error).message}`, { cause: error });
  }
}

function portOption(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : whole(option, text, 1, 65_535);
}

function parseMounts(specs: readonly string[], nowMs: number): MountRecord[] {
  const mounts = specs.map((spec) => parseMountSpec(spec, nowMs));
  const names = new Set<string>();
  for (const { name } of mounts) {
    if (names.has(name)) throw new RinglightError("RL_BAD_REQUEST", `--mount names /${name} twice`);
    names.add(name);
  }
  return mounts;
}

function parseBuckets(spec: string | undefined): string | undefined {
  if (spec !== undefined) parseBucketTemplate(spec);
  return spec;
}

/** Checks the options. @throws RL_BAD_REQUEST naming the option */
export function parseUpOptions(raw: RawUpOptions): UpOptions {
  const workers = whole("--workers", raw.workers ?? "3", 1, MAX_WORKERS);
  const leaseTtl = raw.leaseTtl ?? "5s";
  const absence = raw.absence ?? "2m";
  const leaseTtlMs = named("--lease-ttl", leaseTtl, parseDuration);
  named("--absence", absence, parseDuration);
  const restartAfterMs =
    raw.restartAfter === undefined
      ? leaseTtlMs * RESTART_LEASES
      : named("--restart-after", raw.restartAfter, parseDuration);
  const withConsole = raw.console !== false;
  return {
    mounts: parseMounts(raw.mount ?? [], Date.now()),
    buckets: parseBuckets(raw.buckets),
    workers,
    memBytes: raw.mem === undefined ? undefined : named("--mem", raw.mem, parseBytes),
    ssdBytes: raw.ssd === undefined ? undefined : named("--ssd", raw.ssd, parseBytes),
    dataDir: raw.data === undefined ? defaultDataDir() : path.resolve(raw.data),
    ports: planPorts({
      workers,
      offset: whole("--port-offset", raw.portOffset ?? "0", 0, 30_000),
      consolePort: portOption("--console-port", raw.consolePort),
      s3Port: portOption("--s3-port", raw.s3Port),
      ownRegistry: raw.registry === undefined,
      console: withConsole,
    }),
    demoTraffic: raw.demoTraffic !== false,
    console: withConsole,
    restartAfterMs: raw.restart === false ? undefined : restartAfterMs,
    registry: raw.registry,
    cluster: raw.cluster ?? "default",
    absence,
    leaseTtl,
    json: raw.json === true,
  };
}
