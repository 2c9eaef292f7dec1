/** Child processes of tests: output captured, awaited by line, stopped by their own pid. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";

/** How to start a child. */
export interface SpawnOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to the child's standard input, which is then closed. */
  readonly input?: string;
  /** The kernel kills the child when this process dies, however it dies (Linux with setpriv of util-linux; else ignored). */
  readonly diesWithParent?: boolean;
  /** Bytes of output that are kept, the newest. Default 1 MiB. */
  readonly keepBytes?: number;
}

/** A child process. */
export interface SpawnedProcess {
  readonly pid: number;
  /** Standard output and standard error as they came, the newest of it. */
  readonly output: string;
  /** Exit code, or the name of the signal that ended it; undefined while it runs. */
  readonly exit: number | string | undefined;
  /**
   * Resolves with the first match in the output, also in what came before the call.
   * @throws Error with the output when the child exits or the time passes first.
   */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Resolves with `exit`. @throws Error past the deadline; the child goes on. */
  waitForExit(timeoutMs?: number): Promise<number | string>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after the grace. Resolves when the child is gone. Idempotent. */
  stop(graceMs?: number): Promise<void>;
}

const SETPRIV = "/usr/bin/setpriv";

/** Starts a child process. @throws Error when it cannot be started at all. */
export async function spawnProcess(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<SpawnedProcess> {
  const env = { ...process.env, ...options.env };
  const tied = options.diesWithParent === true && existsSync(SETPRIV);
  const child = spawn(tied ? SETPRIV : command, tied ? ["--pdeathsig", "KILL", "--", command, ...args] : args, {
    env,
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new Error(`cannot start ${command}: ${cause.message}`, { cause })));
  });
  return new Spawned(command, child, options);
}

/** Runs a command to its end and returns its output. @throws Error with the output for any exit but 0. */
export async function runProcess(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number } = {},
): Promise<string> {
  const child = await spawnProcess(command, args, options);
  try {
    const exit = await child.waitForExit(options.timeoutMs ?? 60_000);
    if (exit !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${exit}:\n${child.output}`);
    return child.output;
  } finally {
    await child.stop(0);
  }
}

class Spawned implements SpawnedProcess {
  readonly pid: number;
  output = "";
  exit: number | string | undefined;
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #changed = new Set<() => void>();

  constructor(command: string, child: ChildProcess, options: SpawnOptions) {
    this.#command = command;
    this.#child = child;
    this.pid = child.pid ?? 0;
    const keepBytes = options.keepBytes ?? 1024 * 1024;
    const take = (text: string) => {
      this.output = (this.output + text).slice(-keepBytes);
      this.#notify();
    };
    child.stdout?.setEncoding("utf8").on("data", take);
    child.stderr?.setEncoding("utf8").on("data", take);
    child.on("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
    // "close" comes after "exit", when the output was read to its end; a grandchild that keeps the pipe open delays it.
    child.once("exit", (code, signal) => {
      const exit = code ?? signal ?? "unknown";
      const settle = () => {
        if (this.exit !== undefined) return;
        this.exit = exit;
        this.#notify();
      };
      child.once("close", settle);
      setTimeout(settle, 1000).unref();
    });
  }

  waitForLine(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpExecArray> {
    return this.#until(() => pattern.exec(this.output) ?? undefined, timeoutMs, `a line like ${pattern}`, true);
  }

  waitForExit(timeoutMs = 15_000): Promise<number | string> {
    return this.#until(() => this.exit, timeoutMs, "its end", false);
  }

  signal(name: NodeJS.Signals): void {
    if (this.exit === undefined) this.#child.kill(name);
  }

  async stop(graceMs = 5000): Promise<void> {
    if (this.exit !== undefined) return;
    if (graceMs > 0) {
      this.#child.kill("SIGTERM");
      const ended = await this.waitForExit(graceMs).then(
        () => true,
        () => false,
      );
      if (ended) return;
    }
    this.#child.kill("SIGKILL");
    await this.waitForExit();
  }

  #notify(): void {
    for (const listener of this.#changed) listener();
  }

  #until<T>(probe: () => T | undefined, timeoutMs: number, what: string, endsWithChild: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#changed.delete(check);
      };
      const fail = (why: string) => {
        done();
        reject(
          new Error(`${this.#command} (pid ${this.pid}): ${why} while waiting for ${what}; output:\n${this.output}`),
        );
      };
      const check = () => {
        const value = probe();
        if (value !== undefined) {
          done();
          resolve(value);
        } else if (endsWithChild && this.exit !== undefined) fail(`ended with ${this.exit}`);
      };
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      this.#changed.add(check);
      check();
    });
  }
}
