/** One supervised process: started with its log and its parent's pipe, stopped in order or else killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { LogFile } from "./log-file.ts";

/** How to start a process. */
export interface ProcessSpec {
  /** "worker-1"; also the name of its log. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long it may take to end in order. */
  readonly stopMs: number;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** "exit code 1" or "SIGKILL". */
export function describeEnding(ending: Ending): string {
  return ending.signal ?? `exit code ${ending.code}`;
}

/**
 * A running child. It leads a process group of its own, so that a terminal's Ctrl-C reaches the supervisor alone, which
 * then stops all in order. Its standard input is a pipe that nobody writes to: when the supervisor dies, however it
 * dies, the pipe closes and the child, told so by RINGLIGHT_PARENT_PIPE=1, ends in order by itself.
 */
export class Child {
  readonly name: string;
  readonly pid: number | undefined;
  readonly startedMs: number;
  /** Resolves when the process is gone; never rejects. */
  readonly ended: Promise<Ending>;
  #ending: Ending | undefined;
  readonly #process: ChildProcess;
  readonly #spec: ProcessSpec;
  readonly #log: LogFile;
  readonly #logStart: number;

  constructor(spec: ProcessSpec, log: LogFile) {
    this.#spec = spec;
    this.#log = log;
    this.name = spec.name;
    this.startedMs = Date.now();
    this.#logStart = log.size();
    const fd = log.open();
    try {
      this.#process = spawn(process.execPath, [...spec.args], {
        env: { ...spec.env, RINGLIGHT_PARENT_PIPE: "1" },
        stdio: ["pipe", fd, fd],
        detached: true,
      });
    } finally {
      closeSync(fd);
    }
    // A child that ends leaves the pipe broken; that is no news.
    this.#process.stdin?.on("error", () => {});
    this.pid = this.#process.pid;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    const end = (ending: Ending) => {
      this.#ending ??= ending;
      resolve(this.#ending);
    };
    this.#process.once("exit", (code, signal) => end({ code, signal }));
    this.#process.once("error", () => end({ code: 127, signal: null }));
  }

  /** How it ended; undefined while it runs. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** What the process said last in its log. */
  lastWords(): string {
    return this.#log.lastWords(this.#logStart);
  }

  /** Asks it to end, and kills it past its deadline. Resolves with false when it had to be killed. Idempotent. */
  async stop(): Promise<boolean> {
    if (this.#ending) return true;
    this.#process.kill("SIGTERM");
    const timeout = Promise.withResolvers<"late">();
    const timer = setTimeout(() => timeout.resolve("late"), this.#spec.stopMs);
    const result = await Promise.race([this.ended, timeout.promise]);
    clearTimeout(timer);
    if (result !== "late") return true;
    this.kill();
    await this.ended;
    return false;
  }

  /** Kills it and whatever it started, at once. */
  kill(): void {
    if (this.#ending || this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      this.#process.kill("SIGKILL");
    }
  }
}
