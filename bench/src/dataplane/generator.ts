/** The generator (bench/native/load.c): built at run time, pinned away from the servers, one process a run. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Measured } from "./measured.ts";

const run = promisify(execFile);
const SOURCE = fileURLToPath(new URL("../../native/load.c", import.meta.url));
const COMPILE_MS = 60_000;
/** How much longer than asked for a run may take before it is given up, milliseconds. */
const SLACK_MS = 60_000;

/** Where requests go: a port, and a file of requests that Targets.write made. */
export interface Endpoint {
  readonly port: number;
  readonly targets: string;
}

/** One run. */
export interface LoadOptions {
  readonly endpoints: readonly Endpoint[];
  readonly connections: number;
  readonly seconds: number;
  /** Seconds on the same connections before the measured ones. */
  readonly warmSeconds?: number;
  /** Which line of the file comes next; "once" ends the run with the file. */
  readonly order?: "random" | "cycle" | "once";
  /** Ranges at random multiples of their size in an object. */
  readonly range?: { readonly bytes: number; readonly objectBytes: number };
  /** The first number that "{n}" becomes. */
  readonly firstNumber?: number;
  /** Requests a second that are due at even intervals; latencies then count from when a request was due. */
  readonly openRate?: number;
  /** Ends the run after so many. */
  readonly requests?: number;
  /** Body bytes are discarded in the kernel instead of being copied to the generator. */
  readonly discard?: boolean;
  /** Bytes to send as the body of each request. */
  readonly bodyBytes?: number;
  /** Bytes a second that each connection reads at most. */
  readonly slowBytesPerSecond?: number;
  /** Processes whose CPU time is taken over the measured interval. */
  readonly pids?: readonly number[];
  readonly seed?: number;
  /** Errors do not end the benchmark. */
  readonly tolerant?: boolean;
  /** Cores of the generator; its own core when left out. */
  readonly cores?: string;
}

/** What load.c prints: times in nanoseconds. */
interface Printed {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly errors: number;
  readonly bad: string;
  readonly late: number;
  readonly generatorCpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly firstByteP50: number;
  readonly firstByteP99: number;
  readonly cpu: readonly number[];
}

/** What load.c prints of one window of many. */
interface PrintedWindow {
  readonly requests: number;
  readonly seconds: number;
  readonly cpu: readonly number[];
}

/** One measured window of many in a run. */
export type Window = Pick<Measured, "requests" | "seconds" | "serverCpuSeconds">;

/** Runs loads. */
export class Generator {
  readonly #directory: string;
  readonly #cores: string;
  #program: Promise<string> | undefined;
  #files = 0;

  /** @param directory where the program and the files of requests go @param cores cores of the generator, as taskset has them */
  constructor(directory: string, cores: string) {
    this.#directory = directory;
    this.#cores = cores;
  }

  /** The program, compiled when it is first needed. */
  #built(): Promise<string> {
    this.#program ??= (async () => {
      const program = join(this.#directory, "load");
      await run("cc", ["-O2", "-o", program, SOURCE], { timeout: COMPILE_MS });
      return program;
    })();
    return this.#program;
  }

  /** Writes a file of requests: "METHOD /path" and headers after tabs, one a line. */
  targets(lines: readonly string[]): string {
    const file = join(this.#directory, `targets-${this.#files++}`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    return file;
  }

  /** @throws Error when an answer was wrong, unless errors are tolerated; Error with the compiler's words */
  async load(options: LoadOptions): Promise<Measured> {
    const { seconds, warmSeconds = 0 } = options;
    const printed = await this.#print<Printed>(options, [], seconds + warmSeconds);
    if (printed.errors > 0 && !options.tolerant) {
      throw new Error(`${printed.errors} of ${printed.requests} answers were wrong; the first: ${printed.bad}`);
    }
    if (printed.requests === 0 && options.slowBytesPerSecond === undefined) throw new Error("no request was answered");
    return {
      requests: printed.requests,
      bytes: printed.bytes,
      seconds: printed.seconds,
      errors: printed.errors,
      bad: printed.bad,
      p50Us: printed.p50 / 1000,
      p99Us: printed.p99 / 1000,
      p999Us: printed.p999 / 1000,
      firstByteP50Us: printed.firstByteP50 / 1000,
      serverCpuSeconds: printed.cpu.reduce((sum, seconds) => sum + seconds, 0),
      generatorShare: printed.generatorCpu / printed.seconds,
    };
  }

  /**
   * Many measured windows of `seconds` each in one run, on the same connections: before each one its letter of `sequence` goes to the
   * Unix socket `socket`, warmSeconds before it, and "f" at its beginning and its end.
   * @throws Error when an answer was wrong
   */
  async windows(options: LoadOptions & { readonly socket: string; readonly sequence: string }): Promise<Window[]> {
    const { seconds, warmSeconds = 0, socket, sequence } = options;
    const printed = await this.#print<{ windows: readonly PrintedWindow[]; errors: number; bad: string }>(
      options,
      [`--switch=${socket}`, `--sequence=${sequence}`],
      (seconds + warmSeconds) * sequence.length,
    );
    if (printed.errors > 0) throw new Error(`${printed.errors} answers were wrong; the first: ${printed.bad}`);
    return printed.windows.map(({ requests, seconds, cpu }) => ({
      requests,
      seconds,
      serverCpuSeconds: cpu.reduce((sum, one) => sum + one, 0),
    }));
  }

  async #print<T>(options: LoadOptions, further: readonly string[], expectedSeconds: number): Promise<T> {
    const { seconds, warmSeconds = 0 } = options;
    const args = [
      ...further,
      ...options.endpoints.map(({ port, targets }) => `--endpoint=${port}=${targets}`),
      `--conns=${options.connections}`,
      `--secs=${seconds}`,
      `--warm=${warmSeconds}`,
      `--order=${options.order ?? "random"}`,
    ];
    if (options.range) args.push(`--range=${options.range.bytes}:${options.range.objectBytes}`);
    if (options.firstNumber !== undefined) args.push(`--first=${options.firstNumber}`);
    if (options.openRate !== undefined) args.push(`--rate=${options.openRate}`);
    if (options.requests !== undefined) args.push(`--requests=${options.requests}`);
    if (options.discard) args.push("--discard");
    if (options.bodyBytes !== undefined) args.push(`--body=${options.bodyBytes}`);
    if (options.slowBytesPerSecond !== undefined) args.push(`--slow=${options.slowBytesPerSecond}`);
    if (options.pids !== undefined && options.pids.length > 0) args.push(`--pids=${options.pids.join(",")}`);
    if (options.seed !== undefined) args.push(`--seed=${options.seed}`);
    const program = await this.#built();
    const { stdout } = await run("taskset", ["-c", options.cores ?? this.#cores, program, ...args], {
      timeout: expectedSeconds * 1000 + SLACK_MS,
    });
    return JSON.parse(stdout) as T;
  }
}
