/** Where the parts of the checkout are. Apps are started by path, never imported. */
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlagsOf } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";

/** Root of the checkout. */
export const ROOT = path.resolve(fileURLToPath(import.meta.url), "../../../..");

/** A process that the command line starts by path. */
export type AppName = "registry" | "worker" | "scheduler" | "console" | "bench";

const MAINS: Readonly<Record<AppName, string>> = {
  registry: "libs/registry/src/main.ts",
  worker: "apps/worker/src/main.ts",
  scheduler: "apps/scheduler/src/main.ts",
  console: "apps/console/src/main.ts",
  bench: "bench/src/main.ts",
};

/** What Node is to run for a process: flags of Node's own, and the program. */
export function programOf(app: AppName): string[] {
  return [...nodeFlagsOf(app), path.join(ROOT, MAINS[app])];
}

/** Says so when the console cannot be started. @throws RL_BAD_CONFIG when it is not built. */
export function requireConsoleBuild(): void {
  if (existsSync(path.join(ROOT, "apps/console/.next/BUILD_ID"))) return;
  throw new RinglightError(
    "RL_BAD_CONFIG",
    "the console is not built; run npx turbo run build, or start without it by --no-console",
  );
}
