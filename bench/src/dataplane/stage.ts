/** The stage of a run: scratch directories, the objects that every server serves, and the servers, stopped in reverse. */
import { closeSync, ftruncateSync, linkSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "@ringlight/testing";
import { Generator } from "./generator.ts";
import { type Row, refusedRow } from "./row.ts";
import { type ServerOptions, ServerProcess } from "./server-process.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bucket at the store, mount at Ringlight, first path element at the references. */
export const BUCKET = "bench";

/** The objects, by the names under which every server has them. */
export const OBJECTS = {
  /** 64 objects of 1 MiB: m1/0 to m1/63. */
  small: { prefix: "m1/", count: 64, bytes: MIB },
  /** 4 objects of 64 MiB: m64/0 to m64/3. */
  large: { prefix: "m64/", count: 4, bytes: 64 * MIB },
  /** Files that have any number of names: cold/<file>/<number>. */
  cold: { c4k: 4 * KIB, c100k: 100 * KIB, c1m: MIB, c64m: 64 * MIB, c1g: 1024 * MIB },
} as const;

/** Core of the servers, and of the generator. */
export const SERVER_CORE = "0";
/** Core of the generator. */
export const GENERATOR_CORE = "1";

/** How thorough a run is. */
export interface Effort {
  readonly rounds: number;
  /** Seconds of a measured round. */
  readonly seconds: number;
  readonly quick: boolean;
}

/** Holds what a run made, until close(). */
export class Stage {
  /** On tmpfs where there is one: neither side is to wait for a disk. */
  readonly directory: string;
  readonly effort: Effort;
  readonly progress: (line: string) => void;
  readonly generator: Generator;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #root: string | undefined;
  #cold = 0;

  constructor(effort: Effort, progress: (line: string) => void) {
    this.effort = effort;
    this.progress = progress;
    this.directory = mkdtempSync(join(shared(), "ringlight-bench-"));
    this.generator = new Generator(this.directory, GENERATOR_CORE);
    // Closes first what was opened last, so the directory goes at the very end.
    this.onClose(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** What the references serve; made when it is first needed. */
  get root(): string {
    if (this.#root === undefined) {
      this.#root = join(this.directory, "root");
      makeObjects(this.#root);
    }
    return this.#root;
  }

  /** A run of numbers that no cold read has used yet; the first of them. */
  freshNumbers(count: number): number {
    const first = this.#cold;
    this.#cold += count;
    return first;
  }

  scratch(name: string): string {
    return mkdtempSync(join(this.directory, `${name}-`));
  }

  start(options: ServerOptions): ServerProcess {
    const server = new ServerProcess(options);
    this.onClose(() => server.stop());
    return server;
  }

  onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** The rows of one case. One that fails says why in a row, and the others go on. */
  async rows(name: string, measure: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    this.progress(name);
    try {
      return await measure();
    } catch (error) {
      this.progress(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      const words = error instanceof Error ? error.message : String(error);
      return [refusedRow(name, "", `failed: ${words.split("\n")[0]}`, { kind: "at least", value: Number.NaN })];
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.progress(`ending a part failed: ${String(error)}`);
      }
    }
  }
}

function shared(): string {
  try {
    rmSync(mkdtempSync("/dev/shm/ringlight-probe-"), { recursive: true });
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

function makeObjects(root: string): void {
  const bucket = join(root, BUCKET);
  for (const { prefix, count, bytes } of [OBJECTS.small, OBJECTS.large]) {
    mkdirSync(join(bucket, prefix), { recursive: true });
    const data = Buffer.from(randomBytes(bytes, bytes));
    for (let index = 0; index < count; index++) {
      // Each object is another one, or a cache that mixed them up would not be found out.
      data.writeUInt32LE(index, 0);
      writeFileSync(join(bucket, `${prefix}${index}`), data);
    }
  }
  for (const name of ["c4k", "c100k", "c1m"] as const) {
    writeFileSync(join(bucket, name), randomBytes(OBJECTS.cold[name], OBJECTS.cold[name]));
  }
  linkSync(join(bucket, "m64/0"), join(bucket, "c64m"));
  const sparse = openSync(join(bucket, "c1g"), "w");
  ftruncateSync(sparse, OBJECTS.cold.c1g);
  closeSync(sparse);
}
