/** wrk: the generator of TLS cases, and the yardstick of our own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cpuSecondsOf } from "../process-cpu.ts";
import type { Measured } from "./measured.ts";
import { program } from "./references.ts";
import { GENERATOR_CORE } from "./stage.ts";

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL("../../native/range.lua", import.meta.url));
const SLACK_MS = 30_000;

/** One run of wrk: one thread, ranges of one URL. */
export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds: wrk knows no others. */
  readonly seconds: number;
  readonly rangeBytes: number;
  readonly objectBytes: number;
  readonly pids: readonly number[];
}

/** Runs wrk. @throws Error when an answer was wrong */
export async function wrk(options: WrkOptions): Promise<Measured> {
  const { url, connections, seconds, rangeBytes, objectBytes, pids } = options;
  const before = cpuSecondsOf(pids);
  const { stdout } = await run(
    "taskset",
    [
      ...[
        "-c",
        GENERATOR_CORE,
        program("wrk"),
        "-t1",
        `-c${connections}`,
        `-d${Math.ceil(seconds)}s`,
        "-s",
        SCRIPT,
        url,
      ],
      ...["--", String(rangeBytes), String(objectBytes)],
    ],
    { timeout: seconds * 1000 + SLACK_MS },
  );
  const serverCpuSeconds = cpuSecondsOf(pids) - before;
  const last = stdout.trim().split("\n").at(-1) ?? "";
  const printed = JSON.parse(last) as Record<
    "requests" | "bytes" | "micros" | "errors" | "p50" | "p99" | "p999",
    number
  >;
  if (printed.errors > 0) throw new Error(`${printed.errors} of ${printed.requests} answers were wrong`);
  return {
    requests: printed.requests,
    bytes: printed.bytes,
    seconds: printed.micros / 1e6,
    errors: 0,
    bad: "",
    p50Us: printed.p50,
    p99Us: printed.p99,
    p999Us: printed.p999,
    firstByteP50Us: Number.NaN,
    serverCpuSeconds,
    generatorShare: Number.NaN,
  };
}
