/** What a manifest says of the machine and of what was measured. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, hostname, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));

function git(...args: readonly string[]): string | undefined {
  try {
    return execFileSync("git", args, { cwd: REPOSITORY, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    // An installation without its history, or without git.
    return undefined;
  }
}

/** Revision of the source; dirty when files differ from it. */
export function gitState(): { readonly revision: string; readonly dirty: boolean } {
  return {
    revision: git("rev-parse", "HEAD") ?? "unknown",
    dirty: (git("status", "--porcelain", "--untracked-files=no") ?? "") !== "",
  };
}

/** The machine. */
export function machine(): Record<string, string | number> {
  return {
    host: hostname(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpus: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    loadAverage: readFileSync("/proc/loadavg", "utf8").split(" ")[0] ?? "",
  };
}

/** Versions of what runs. */
export function versions(): Record<string, string> {
  const own = JSON.parse(readFileSync(`${REPOSITORY}package.json`, "utf8")) as { version: string };
  return { ringlight: own.version, node: process.version };
}
