/** Generator processes on this machine and on others, told what to do and merged. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { GeneratorEvent, GeneratorFigures, GeneratorSpec, RoundCommand } from "./generator.ts";
import { type MergedRound, mergeRounds } from "./merge-rounds.ts";
import type { Window } from "./recorder.ts";

const MAIN = fileURLToPath(new URL("generator-main.ts", import.meta.url));
const READY_MS = 120_000;

/** How to start generators. */
export interface GeneratorsOptions {
  readonly spec: Omit<GeneratorSpec, "index" | "count">;
  /** Processes on this machine. */
  readonly processes: number;
  /** Commands that each start one more, such as "ssh host2 ringlight bench generator". */
  readonly commands?: readonly string[];
  /** Cores of the local ones, as taskset has them. */
  readonly cores?: string | undefined;
}

/** A set of generators with one target. */
export class Generators {
  readonly #parts: readonly GeneratorProcess[];

  private constructor(parts: readonly GeneratorProcess[]) {
    this.#parts = parts;
  }

  /** Starts them, and waits until all have their part of the work. @throws Error with the words of one that fails */
  static async start({ spec, processes, commands = [], cores }: GeneratorsOptions): Promise<Generators> {
    const count = processes + commands.length;
    const local = Array.from({ length: processes }, (): readonly [string, readonly string[]] =>
      cores === undefined ? [process.execPath, [MAIN]] : ["taskset", ["-c", cores, process.execPath, MAIN]],
    );
    const remote = commands.map((command): readonly [string, readonly string[]] => ["sh", ["-c", command]]);
    const parts = [...local, ...remote].map(
      ([command, args], index) => new GeneratorProcess(command, args, { ...spec, index, count }),
    );
    const generators = new Generators(parts);
    try {
      await Promise.all(parts.map((part) => part.ready()));
      return generators;
    } catch (error) {
      await generators.stop();
      throw error;
    }
  }

  /** Runs one round on all of them. @throws Error when one dies */
  async round(command: RoundCommand, onWindow: (window: Window) => void = () => {}): Promise<MergedRound> {
    return mergeRounds(await Promise.all(this.#parts.map((part) => part.round(command, onWindow))));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()));
  }
}

class GeneratorProcess {
  readonly #child: ChildProcess;
  #errors = "";
  #onEvent: (event: GeneratorEvent) => void = () => {};
  #onEnd: ((error: Error) => void) | undefined;
  readonly #ready: Promise<void>;

  constructor(command: string, args: readonly string[], spec: GeneratorSpec) {
    this.#child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-4000);
    });
    this.#child.stdin?.on("error", () => {});
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      // A shell's greeting on another machine is no event.
      if (line.startsWith('{"event":')) this.#onEvent(JSON.parse(line) as GeneratorEvent);
    });
    const ended = (why: string) => this.#onEnd?.(new Error(`a load generator ended: ${why} ${this.#errors}`.trim()));
    this.#child.once("exit", (code, signal) => ended(`exit ${code ?? signal}`));
    this.#child.once("error", (error) => ended(error.message));
    this.#ready = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`a load generator was not ready in time ${this.#errors}`)),
        READY_MS,
      );
      this.#onEnd = reject;
      this.#onEvent = (event) => {
        if (event.event !== "ready") return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#child.stdin?.write(`${JSON.stringify(spec)}\n`);
  }

  ready(): Promise<void> {
    return this.#ready;
  }

  round(
    command: RoundCommand,
    onWindow: (window: Window) => void,
  ): Promise<{
    readonly round: Extract<GeneratorEvent, { event: "round" }>["record"];
    readonly generator: GeneratorFigures;
  }> {
    return new Promise((resolve, reject) => {
      this.#onEnd = reject;
      this.#onEvent = (event) => {
        if (event.event === "window") onWindow(event.window);
        if (event.event === "round") resolve({ round: event.record, generator: event.generator });
      };
      this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    });
  }

  /** Closes its input, and kills it when it does not end within 5 s. */
  async stop(): Promise<void> {
    this.#onEnd = undefined;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await gone;
    clearTimeout(timer);
  }
}
