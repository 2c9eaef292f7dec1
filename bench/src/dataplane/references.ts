/** The references: nginx and Varnish with the configurations of bench/references, each on one core. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, waitFor } from "@ringlight/testing";
import type { ServerProcess } from "./server-process.ts";
import { SERVER_CORE, type Stage } from "./stage.ts";

/** A server that answers on a loopback port. */
export interface Reference {
  readonly port: number;
  readonly process: ServerProcess;
  readonly pids: readonly number[];
  /** Scratch directory of the server. */
  readonly directory: string;
}

/** Debian's packages and a program of each. */
const PROGRAMS = {
  nginx: "nginx",
  varnish: "varnishd",
  wrk: "wrk",
  stunnel4: "stunnel4",
  gcc: "cc",
  curl: "curl",
} as const;
const SEARCHED = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];

/** Where a program is, or undefined. */
function programPath(name: string): string | undefined {
  return SEARCHED.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** Where a program is. @throws Error naming the package to install */
export function program(name: string): string {
  const path = programPath(name);
  if (path !== undefined) return path;
  const [wanted = name] = Object.entries(PROGRAMS).find(([, program]) => program === name) ?? [];
  throw new Error(`${name} is not installed: apt-get install -y --no-install-recommends ${wanted}`);
}

/** Debian packages that a benchmark needs, of those that are known here, and the machine lacks; of all when none are named. */
export function missingPackages(
  needed: readonly (keyof typeof PROGRAMS)[] = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[],
): string[] {
  return needed.filter((name) => programPath(PROGRAMS[name]) === undefined);
}

const START_MS = 20_000;

/** Fills a configuration of bench/references in; "@NAME@" is what stands for a value. */
export function configuration(name: string, values: Readonly<Record<string, string | number>>): string {
  const text = readFileSync(fileURLToPath(new URL(`../../references/${name}`, import.meta.url)), "utf8");
  return text.replaceAll(/@([A-Z]+)@/g, (_, key: string) => {
    const value = values[key];
    if (value === undefined) throw new Error(`${name} has @${key}@, for which there is no value`);
    return String(value);
  });
}

/** Waits until something answers HTTP on the port, whatever it answers. */
export async function answers(port: number, server: ServerProcess, path = "/"): Promise<void> {
  await waitFor(
    async () => {
      server.assertRunning();
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2000) });
      await response.body?.cancel();
      return true;
    },
    { timeoutMs: START_MS, intervalMs: 50, what: `${server.name} to answer` },
  );
}

/** An nginx by one of bench/references' configurations. */
export async function startNginx(
  stage: Stage,
  config: "nginx-static.conf" | "nginx-counted.conf" | "nginx-slice.conf" | "nginx-tls.conf",
  options: { readonly cores?: string | undefined; readonly values?: Readonly<Record<string, string | number>> } = {},
): Promise<Reference> {
  const directory = stage.scratch("nginx");
  const port = await freePort();
  const file = join(directory, "nginx.conf");
  writeFileSync(file, configuration(config, { DIR: directory, ROOT: stage.root, PORT: port, ...options.values }));
  const cores = "cores" in options ? options.cores : SERVER_CORE;
  const process = stage.start({
    name: config,
    command: program("nginx"),
    // As root nginx would give its worker to an account that may not look into the scratch directory.
    args: ["-p", directory, "-c", file, "-e", join(directory, "error.log"), ...userArgs()],
    ...(cores !== undefined && { cores }),
  });
  if (config !== "nginx-tls.conf") await answers(port, process);
  await waitFor(() => process.pids().length > 1, { timeoutMs: START_MS, what: "nginx's worker process" });
  return { port, process, pids: process.pids(), directory };
}

function userArgs(): string[] {
  return process.getuid?.() === 0 ? ["-g", "user root;"] : [];
}

/** Varnish in front of a store. */
export async function startVarnish(stage: Stage, storePort: number): Promise<Reference> {
  const directory = stage.scratch("varnish");
  const port = await freePort();
  const file = join(directory, "bench.vcl");
  const work = join(directory, "work");
  mkdirSync(work);
  writeFileSync(file, configuration("varnish.vcl", { STORE: storePort }));
  const process = stage.start({
    name: "varnish",
    command: program("varnishd"),
    args: [
      ...["-F", "-j", "none", "-f", file, "-n", work, "-a", `127.0.0.1:${port}`, "-s", "malloc,2g"],
      // One pool for one core; more threads than the benchmark has connections.
      ...["-p", "thread_pools=1", "-p", "thread_pool_min=200", "-p", "workspace_client=64k", "-p", "timeout_idle=600"],
    ],
    cores: SERVER_CORE,
  });
  await answers(port, process);
  return { port, process, pids: process.pids(), directory };
}
