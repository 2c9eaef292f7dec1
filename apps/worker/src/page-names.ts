/**
 * The paths of the object versions whose pages are here. The page store knows versions only, which are hashes; what is in
 * the cache is told to people by path, after a restart too. So every version's name is written once to a file beside the
 * pages, and read back when somebody asks: memory does not grow with the number of objects.
 *
 * The file is a hint. It is written behind, losing its last second when the process is killed; a version that it does not
 * name is counted as unnamed until its next page comes.
 */
import { createReadStream } from "node:fs";
import { appendFile, rename, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { VersionId } from "@ringlight/core";
import { RecentSet } from "./recent-set.ts";

/** How long a name waits to be written, milliseconds. */
const WRITE_MS = 1_000;
/** Names that wait at most; more are written at once. */
const MAX_WAITING = 4_096;
/** Versions of which it is remembered that they were named: a large object comes page by page. */
const REMEMBERED = 16_384;
/** A file with so many lines that name nothing that is here, and mostly such lines, is written anew. */
const MAX_STALE = 10_000;

const VERSION = /^[0-9a-f]{32}$/;
const VERSION_LENGTH = 32;

/** Options of PageNames. */
export interface PageNamesOptions {
  /** Made when there is something to write. */
  readonly file: string;
  /** Whether pages of the version are here. */
  readonly isHere: (version: VersionId) => boolean;
}

/** The names of one worker. */
export class PageNames {
  readonly #options: PageNamesOptions;
  #named = new RecentSet(REMEMBERED);
  #waiting: string[] = [];
  /** Accesses to the file, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  constructor(options: PageNamesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#write(), WRITE_MS).unref();
  }

  /** A page of the version was stored. */
  note(version: VersionId, path: string): void {
    if (this.#named.has(version)) return;
    this.#named.add(version);
    this.#waiting.push(`${version} ${JSON.stringify(path)}\n`);
    if (this.#waiting.length >= MAX_WAITING) void this.#write();
  }

  /** Calls `visit` with every name that was noted, the oldest first; with some of them more than once, and with such of which nothing is here any more. */
  async read(visit: (version: VersionId, path: string) => void): Promise<void> {
    await this.#write();
    await this.#inTurn(async () => {
      let stale = 0;
      let here = 0;
      for await (const [version, path] of namesIn(this.#options.file)) {
        if (this.#options.isHere(version)) here++;
        else stale++;
        visit(version, path);
      }
      if (stale > MAX_STALE && stale > here) await this.#rewrite();
    });
  }

  /** Writes what waits. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  #write(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return this.#inTurn(async () => undefined);
    this.#waiting = [];
    return this.#inTurn(async () => {
      // A full disk, say: these are unnamed then.
      await appendFile(this.#options.file, lines.join(""), { mode: 0o600 }).catch(() => undefined);
    });
  }

  /** Leaves out what is not here any more, and what is named twice. */
  async #rewrite(): Promise<void> {
    const { file, isHere } = this.#options;
    const temporary = `${file}.tmp`;
    const kept = new Set<VersionId>();
    // What left may come again, and must be named again then.
    this.#named = new RecentSet(REMEMBERED);
    try {
      await writeFile(
        temporary,
        (async function* () {
          for await (const [version, path] of namesIn(file)) {
            if (kept.has(version) || !isHere(version)) continue;
            kept.add(version);
            yield `${version} ${JSON.stringify(path)}\n`;
          }
        })(),
        { mode: 0o600 },
      );
      await rename(temporary, file);
    } catch {
      await rm(temporary, { force: true });
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** The names in a file, as far as it can be read; none if there is no file yet. */
async function* namesIn(file: string): AsyncGenerator<readonly [VersionId, string]> {
  const input = createReadStream(file, { encoding: "utf8" });
  try {
    for await (const line of createInterface({ input })) {
      const version = line.slice(0, VERSION_LENGTH);
      const path = parsePathOf(line);
      if (path !== undefined && VERSION.test(version)) yield [version, path];
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  } finally {
    input.destroy();
  }
}

/** The path of a line; undefined for one that was cut when a process was killed. */
function parsePathOf(line: string): string | undefined {
  try {
    const path: unknown = JSON.parse(line.slice(VERSION_LENGTH + 1));
    return typeof path === "string" ? path : undefined;
  } catch {
    return undefined;
  }
}
