/** The demo of a first start: its files made by a child beside the starting cluster, its mount, its reader. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { formatBytes, type MountRecord } from "@ringlight/core";
import { ROOT } from "../../layout.ts";
import { dataPaths } from "../data-dir.ts";
import { processEnvironment } from "../processes.ts";
import type { DemoProgress } from "./data.ts";

/** Name of the demo's mount. */
export const DEMO_MOUNT = "demo";
/** The demo's live log changes every few seconds, and is to be seen changing. */
const DEMO_TTL_MS = 5_000;
/** With so many files there is one of each kind. */
const SAMPLE_FILES = 5;
const STEP = 0.25;

/** What is kept about the demo between starts. */
interface DemoState {
  readonly complete: boolean;
}

/** The demo's state from an earlier start; undefined if there was no demo. */
export function readDemoState(dataDir: string): DemoState | undefined {
  try {
    return JSON.parse(readFileSync(dataPaths(dataDir).demoState, "utf8")) as DemoState;
  } catch {
    return undefined;
  }
}

/** True until a cluster was ready in this data directory. */
export function isFirstStart(dataDir: string): boolean {
  return !existsSync(dataPaths(dataDir).started);
}

/** Remembers that a cluster was ready here: from now on a start without a mount makes no demo. */
export function rememberStart(dataDir: string): void {
  writeFileSync(dataPaths(dataDir).started, `${new Date().toISOString()}\n`, { mode: 0o600 });
}

/** The demo's mount. */
export function demoMount(dataDir: string): MountRecord {
  return {
    name: DEMO_MOUNT,
    uri: pathToFileURL(dataPaths(dataDir).demo).href,
    readOnly: true,
    freshness: { kind: "ttl", ttlMs: DEMO_TTL_MS },
    replicas: 1,
    credentials: { kind: "default" },
    options: {},
    createdMs: Date.now(),
  };
}

/** The making of the demo's files. */
export interface DemoMaking {
  /** Resolves once there is something of each kind, or nothing will come. Never rejects. */
  readonly sample: Promise<void>;
  stop(): void;
}

/** Makes the files, or goes on making them, in a process of its own; says how far it is. */
export function startDemo(dataDir: string, say: (line: string) => void): DemoMaking {
  const paths = dataPaths(dataDir);
  mkdirSync(paths.demo, { recursive: true, mode: 0o700 });
  writeFileSync(paths.demoState, JSON.stringify({ complete: false } satisfies DemoState), { mode: 0o600 });
  const program = path.join(ROOT, "apps/cli/src/up/demo/generate.ts");
  const child = spawn(process.execPath, [program, paths.demo], {
    stdio: ["pipe", "pipe", "pipe"],
    env: processEnvironment(),
    detached: true,
  });
  const sample = Promise.withResolvers<void>();
  const started = Date.now();
  say("Demo data: making some 270 MB of Parquet, image and log files.");
  let stopped = false;
  let told = STEP;
  let errors = "";
  let last: DemoProgress | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = JSON.parse(line) as DemoProgress;
    if (last.files >= SAMPLE_FILES) sample.resolve();
    const share = last.files / last.totalFiles;
    if (share >= told && share < 1) {
      say(`Demo data: ${Math.round(share * 100)} %, ${formatBytes(last.bytes)}.`);
      while (told <= share) told += STEP;
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString("utf8")).slice(-2000);
  });
  child.stdin.on("error", () => {});
  child.once("error", (error) => {
    errors = error.message;
  });
  child.once("close", (code) => {
    sample.resolve();
    if (stopped) return;
    if (code === 0 && last) {
      writeFileSync(paths.demoState, JSON.stringify({ complete: true } satisfies DemoState), { mode: 0o600 });
      say(
        `Demo data: ${last.files} files, ${formatBytes(last.bytes)}, made in ${Math.round((Date.now() - started) / 1000)} s.`,
      );
    } else {
      say(`Demo data: not all of it could be made: ${reason(errors)}. The next start goes on.`);
    }
  });
  return {
    sample: sample.promise,
    stop() {
      stopped = true;
      killGroup(child);
    },
  };
}

function reason(errors: string): string {
  if (errors.includes("ENOSPC")) return "the disk is full";
  const line = errors.split("\n").find((text) => /Error\b/.test(text));
  return line?.trim() ?? "its process ended early";
}

function killGroup(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
}
