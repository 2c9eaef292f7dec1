/** `ringlight worker`, `scheduler`, `registry` and `console`: one process in the foreground, for clusters of many hosts. */
import { spawn } from "node:child_process";
import os from "node:os";
import { type AppName, programOf } from "../layout.ts";
import { processEnvironment } from "../up/processes.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a program on this terminal; signals pass through. Resolves with its exit code. */
function foreground(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  return new Promise((resolve, reject) => {
    // A group of its own: a terminal's Ctrl-C arrives once, by way of this process, and the child ends in order.
    const child = spawn(process.execPath, [...args], { stdio: "inherit", env: { ...env }, detached: true });
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, pass);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      for (const name of SIGNALS) process.removeListener(name, pass);
      resolve(code ?? 128 + os.constants.signals[signal ?? "SIGTERM"]);
    });
  });
}

/** Runs a worker, scheduler, registry or console with the given flags. */
export function runApp(app: AppName, args: readonly string[]): Promise<number> {
  return foreground([...programOf(app), ...args], processEnvironment());
}
