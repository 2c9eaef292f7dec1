/** Child processes of benchmarks, with the CPU time that they have used. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { nodeFlagsOf } from "@ringlight/config";

/** Clock ticks a second of /proc/<pid>/stat on Linux. */
const TICKS_PER_SECOND = 100;

/** A process under measurement. */
export class BenchProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  #errors = "";

  /** Starts a script of this repository with the Node that runs this one. Its standard input stays open until stop(). */
  constructor(name: string, script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#name = name;
    // As the product starts it.
    const flags = nodeFlagsOf(/apps\/(\w+)\/src\/main\.ts$/.exec(script)?.[1] ?? "");
    this.#child = spawn(process.execPath, [...flags, script, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, RINGLIGHT_PARENT_PIPE: "1", ...env },
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4000);
    });
  }

  /** Resolves with the first line of output that `pick` accepts. @throws Error with the process's errors when it ends first */
  line<T>(pick: (line: string) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const { stdout } = this.#child;
      if (stdout === null) throw new Error("no output");
      createInterface({ input: stdout }).on("line", (line) => {
        const picked = pick(line);
        if (picked !== undefined) resolve(picked);
      });
      this.#child.once("exit", (code) => reject(new Error(`${this.#name} ended with ${code}: ${this.#errors}`)));
    });
  }

  /** Its process id. @throws Error when it could not be started */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#name} did not start`);
    return this.#child.pid;
  }

  /** User and system time used so far, seconds. */
  cpuSeconds(): number {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(`${this.#name} ended with ${this.#child.exitCode ?? this.#child.signalCode}: ${this.#errors}`);
    }
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory now, bytes. */
  rssBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Closes its standard input, and kills it when it does not end within 10 s. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(timer);
  }
}
