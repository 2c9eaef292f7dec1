/** How each process of the cluster is started. */
import os from "node:os";
import path from "node:path";
import { flagOf } from "@ringlight/config";
import { programOf, ROOT } from "../layout.ts";
import type { ProcessSpec } from "./child-process.ts";
import { dataPaths } from "./data-dir.ts";
import type { UpOptions } from "./options.ts";
import type { TierPlan } from "./tiers.ts";

/** Address that everything listens on. */
export const HOST = "127.0.0.1";

/** Variables of the bootstrap that no process of the cluster knows. */
const OWN_VARIABLES = ["RINGLIGHT_BOOTSTRAP_PID", "RINGLIGHT_DATA", "RINGLIGHT_ENDPOINT", "RINGLIGHT_TOKEN"];

/** The environment of every process: this one's, without what is meant for the command line. */
export function processEnvironment(): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env };
  for (const name of OWN_VARIABLES) delete env[name];
  env.NODE_ENV ??= "production";
  // Stripped and compiled modules are kept between starts, which halves the time of the next one.
  env.NODE_COMPILE_CACHE ??= path.join(ROOT, "node_modules/.cache/ringlight/compile");
  return env;
}

function flags(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => [flagOf(key), String(value)]);
}

/** Endpoints of the registry as every process gets them. */
export function registryEndpoints(options: UpOptions): string {
  return options.registry ?? `${HOST}:${options.ports.registry}`;
}

/** Where spans and log lines go: to the console, if there is one. */
function telemetryFlags({ console, ports }: UpOptions): Record<string, string> {
  return console ? { consoleUrl: `http://${HOST}:${ports.console}` } : {};
}

/** The embedded registry. */
export function registrySpec(options: UpOptions): ProcessSpec {
  return {
    name: "registry",
    args: [
      ...programOf("registry"),
      ...flags({ port: options.ports.registry, dataDir: dataPaths(options.dataDir).registry }),
    ],
    env: processEnvironment(),
    stopMs: 5_000,
  };
}

/** Name of a worker's process and directory. */
export function workerName(number: number): string {
  return `worker-${number}`;
}

/** Stable id of a worker in the ring. In a registry that other hosts use too, the host's name tells them apart. */
export function workerId(options: UpOptions, number: number): string {
  return options.registry === undefined ? workerName(number) : `${os.hostname().split(".")[0]}-${number}`;
}

/** Worker `number`, from 1. */
export function workerSpec(options: UpOptions, tiers: TierPlan, number: number): ProcessSpec {
  const paths = dataPaths(options.dataDir);
  const ports = options.ports.workers[number - 1]!;
  return {
    name: workerName(number),
    args: [
      ...programOf("worker"),
      ...flags({
        cluster: options.cluster,
        dataDir: paths.worker(number),
        id: workerId(options, number),
        bind: HOST,
        s3Port: ports.s3,
        s3SharedPort: options.ports.s3,
        grpcPort: ports.grpc,
        restPort: ports.rest,
        registry: registryEndpoints(options),
        tokenFile: paths.token,
        s3CredentialsFile: paths.credentials,
        mem: tiers.memBytes,
        ssd: tiers.ssdBytes,
        leaseTtl: options.leaseTtl,
        ...(options.buckets !== undefined && { buckets: options.buckets }),
        ...telemetryFlags(options),
      }),
    ],
    env: processEnvironment(),
    stopMs: 10_000,
  };
}

/** The scheduler. */
export function schedulerSpec(options: UpOptions): ProcessSpec {
  const paths = dataPaths(options.dataDir);
  return {
    name: "scheduler",
    args: [
      ...programOf("scheduler"),
      ...flags({
        cluster: options.cluster,
        dataDir: paths.scheduler,
        bind: HOST,
        port: options.ports.scheduler,
        restPort: options.ports.schedulerRest,
        registry: registryEndpoints(options),
        tokenFile: paths.token,
        absence: options.absence,
        leaseTtl: options.leaseTtl,
        ...telemetryFlags(options),
      }),
    ],
    env: processEnvironment(),
    stopMs: 5_000,
  };
}

/** The console. */
export function consoleSpec(options: UpOptions): ProcessSpec {
  const paths = dataPaths(options.dataDir);
  return {
    name: "console",
    args: [
      ...programOf("console"),
      ...flags({
        cluster: options.cluster,
        dataDir: paths.console,
        bind: HOST,
        port: options.ports.console,
        registry: registryEndpoints(options),
        tokenFile: paths.token,
      }),
    ],
    env: processEnvironment(),
    stopMs: 5_000,
  };
}

/** The demo reader. */
export function trafficSpec(options: UpOptions): ProcessSpec {
  const paths = dataPaths(options.dataDir);
  return {
    name: "demo-traffic",
    args: [
      path.join(ROOT, "apps/cli/src/up/demo/traffic.ts"),
      `http://${HOST}:${options.ports.s3}`,
      paths.credentials,
      paths.demo,
    ],
    env: processEnvironment(),
    stopMs: 2_000,
  };
}
