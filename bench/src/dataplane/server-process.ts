/** A server under measurement: pinned to cores, with the CPU time and the memory of its whole process tree. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** How to start one. */
export interface ServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Cores that it may run on, as taskset writes them; all when left out. */
  readonly cores?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Resident memory of a process tree, bytes. */
export interface Resident {
  readonly total: number;
  /** Of it: heaps, stacks and buffers, which nothing but the processes themselves can give back. */
  readonly anonymous: number;
}

const STOP_MS = 10_000;

/** Runs until it is stopped; its own standard input stays open, and closes first when it is stopped. */
export class ServerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  #output = "";

  constructor({ name, command, args, cores, env = {} }: ServerOptions) {
    this.name = name;
    // Servers end with the benchmark, however it ends.
    const guard = ["--pdeathsig", "TERM", "--"];
    const pin = cores === undefined ? [] : ["taskset", "-c", cores];
    this.#child = spawn("setpriv", [...guard, ...pin, command, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-8000);
      });
    }
    this.#child.on("error", (error) => {
      this.#output += String(error);
    });
    this.#child.stdin?.on("error", () => {});
  }

  /** The last of what it wrote. */
  get output(): string {
    return this.#output;
  }

  /** @throws Error with the process's words when it has ended */
  assertRunning(): void {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(
        `${this.name} ended with ${this.#child.exitCode ?? this.#child.signalCode}: ${this.#output.trim()}`,
      );
    }
  }

  /** Ids of the process and of all that descend from it. */
  pids(): number[] {
    this.assertRunning();
    const found: number[] = [];
    const visit = (pid: number) => {
      found.push(pid);
      for (const child of childrenOf(pid)) visit(child);
    };
    if (this.#child.pid !== undefined) visit(this.#child.pid);
    return found;
  }

  resident(): Resident {
    let total = 0;
    let anonymous = 0;
    for (const pid of this.pids()) {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
      total += kib("VmRSS") * 1024;
      anonymous += kib("RssAnon") * 1024;
    }
    return { total, anonymous };
  }

  /** Asks it to end, and kills it and its children when it has not within 10 s. Idempotent. */
  async stop(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const tree = this.pids();
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.stdin?.end();
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const pid of tree) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It ended by itself.
        }
      }
    }, STOP_MS);
    await gone;
    clearTimeout(timer);
  }
}

/** Ids of the processes that a process has started, none when it is gone. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
