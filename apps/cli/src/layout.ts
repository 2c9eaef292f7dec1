/** Where the parts of the checkout are. Apps are started by path, never imported. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { RinglightError } from "@ringlight/core";

/** Root of the checkout. */
export const ROOT = path.resolve(fileURLToPath(import.meta.url), "../../../..");

/** A process that the command line starts by path. */
export type AppName = "registry" | "worker" | "scheduler" | "bench";

const MAINS: Readonly<Record<AppName, string>> = {
  registry: "libs/registry/src/main.ts",
  worker: "apps/worker/src/main.ts",
  scheduler: "apps/scheduler/src/main.ts",
  bench: "bench/src/main.ts",
};

/** The program of a process. */
export function mainOf(app: AppName): string {
  return path.join(ROOT, MAINS[app]);
}

/** Directory of the console. */
export const CONSOLE_DIR = path.join(ROOT, "apps/console");

/** The launcher that runs Next's server and ends with its parent. */
export const CONSOLE_LAUNCHER = path.join(ROOT, "apps/cli/src/up/console-launcher.ts");

/** Next's own command. @throws RL_BAD_CONFIG when the console is not built. */
export function nextCommand(): string {
  if (!existsSync(path.join(CONSOLE_DIR, ".next/BUILD_ID"))) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      "the console is not built; run npx turbo run build, or start without it by --no-console",
    );
  }
  return createRequire(path.join(CONSOLE_DIR, "package.json")).resolve("next/dist/bin/next");
}
