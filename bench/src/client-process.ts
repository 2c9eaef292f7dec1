/** Load from a program of its own, pinned away from the servers, which prints one line of JSON about a round. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Measured } from "./dataplane/measured.ts";
import { GENERATOR_CORE } from "./dataplane/stage.ts";

const run = promisify(execFile);
const DEADLINE_MS = 120_000;

/** Runs a program of this folder on the generator's core. @throws Error when it fails or met an error */
export async function runClient(program: string, options: object): Promise<Measured> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const args = ["-c", GENERATOR_CORE, process.execPath, file, JSON.stringify(options)];
  const { stdout } = await run("taskset", args, { timeout: DEADLINE_MS });
  const printed = JSON.parse(stdout) as Pick<Measured, "requests" | "bytes" | "seconds" | "errors" | "bad"> &
    Pick<Measured, "serverCpuSeconds" | "generatorShare">;
  if (printed.errors > 0) throw new Error(`${program}: ${printed.errors} errors, the first of them ${printed.bad}`);
  // Streams and closed loops of one client say nothing of latency.
  return { p50Us: 0, p99Us: 0, p999Us: 0, firstByteP50Us: 0, ...printed };
}
