/**
 * The list of what a job could not do. All of it is in a file next to the scheduler that runs the job; the first entries are
 * also in the registry, where another scheduler finds them, written in pieces together with the checkpoint that they belong to.
 */
import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JobStore } from "@ringlight/registry";
import type { FailedObject } from "./job-pass.ts";

/** Entries in the registry. */
export const LISTED_FAILURES = 10_000;
/** Entries of one piece, and characters of an entry's message: a piece stays below 256 KiB. */
const PIECE_ENTRIES = 100;
const MESSAGE_CHARS = 300;
const PATH_CHARS = 1_100;

/** The list of one job. */
export class FailureList {
  readonly #jobId: string;
  readonly #store: JobStore;
  readonly #directory: string;
  readonly #log: (message: string, fields: Record<string, unknown>) => void;
  #entries: FailedObject[] = [];
  #total = 0;
  /** Entries that are in the registry, in whole pieces and the last part of one. */
  #saved = 0;
  #pending: string[] = [];
  #started = false;
  #truncated = false;
  #kind = "failed-1";

  constructor(
    jobId: string,
    store: JobStore,
    dataDir: string,
    log: (message: string, fields: Record<string, unknown>) => void,
  ) {
    this.#jobId = jobId;
    this.#store = store;
    this.#directory = join(dataDir, "jobs");
    this.#log = log;
  }

  /** Entries that can be had from the registry. */
  get listed(): number {
    return this.#entries.length;
  }

  /** True when more failed than the registry has room for. */
  get truncated(): boolean {
    return this.#truncated;
  }

  get total(): number {
    return this.#total;
  }

  /** The entries that are also in the registry. */
  get entries(): readonly FailedObject[] {
    return this.#entries;
  }

  /** Takes over what another scheduler has saved: as much as the record counts. */
  async load(pass: number, listed: number, total: number): Promise<void> {
    this.#kind = `failed-${pass}`;
    this.#entries = await savedFailures(this.#store, this.#jobId, pass, listed);
    this.#saved = this.#entries.length;
    this.#total = total;
    this.#truncated = total > listed;
  }

  /** Begins anew for a pass: what is listed of the one before is forgotten once this one is saved. */
  begin(pass: number): void {
    this.#kind = `failed-${pass}`;
    this.#entries = [];
    this.#saved = 0;
    this.#total = 0;
    this.#truncated = false;
    this.#pending = [];
    this.#started = false;
  }

  add(failed: FailedObject): void {
    this.#total++;
    this.#pending.push(`${JSON.stringify(failed)}\n`);
    if (this.#entries.length >= LISTED_FAILURES || failed.path.length > PATH_CHARS) this.#truncated = true;
    else this.#entries.push({ ...failed, message: failed.message.slice(0, MESSAGE_CHARS) });
  }

  /** Writes what is new, before the record that counts it. @throws RL_REGISTRY_UNAVAILABLE */
  async save(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    await this.#toFile(pending);
    const upTo = this.#entries.length;
    for (
      let piece = Math.floor(this.#saved / PIECE_ENTRIES);
      piece * PIECE_ENTRIES < upTo && this.#saved < upTo;
      piece++
    ) {
      const entries = this.#entries.slice(piece * PIECE_ENTRIES, Math.min(upTo, (piece + 1) * PIECE_ENTRIES));
      await this.#store.putPiece(this.#jobId, this.#kind, piece, JSON.stringify(entries));
      this.#saved = piece * PIECE_ENTRIES + entries.length;
    }
  }

  /** Forgets the pieces of the pass before. */
  async forget(pass: number): Promise<void> {
    await this.#store.removePieces(this.#jobId, `failed-${pass}`);
  }

  /** A disk that is full is no reason to stop: the copy in the registry stays. */
  async #toFile(lines: readonly string[]): Promise<void> {
    if (lines.length === 0 && this.#started) return;
    const file = failuresFile(this.#directory, this.#jobId);
    try {
      if (!this.#started) {
        await mkdir(this.#directory, { recursive: true, mode: 0o700 });
        await writeFile(
          file,
          this.#entries
            .slice(0, this.#saved)
            .map((entry) => `${JSON.stringify(entry)}\n`)
            .join(""),
          {
            mode: 0o600,
          },
        );
      }
      this.#started = true;
      if (lines.length > 0) await appendFile(file, lines.join(""));
    } catch (error) {
      this.#log("the list of what failed cannot be written", { file, error: String(error) });
    }
  }
}

function failuresFile(directory: string, jobId: string): string {
  return join(directory, `${jobId}.failed.jsonl`);
}

/** Entries out of the registry. */
export async function savedFailures(
  store: JobStore,
  jobId: string,
  pass: number,
  listed: number,
): Promise<FailedObject[]> {
  const entries: FailedObject[] = [];
  for (let piece = 0; piece * PIECE_ENTRIES < listed; piece++) {
    const text = await store.piece(jobId, `failed-${pass}`, piece);
    if (text === undefined) break;
    entries.push(...(JSON.parse(text) as FailedObject[]));
  }
  return entries.slice(0, listed);
}

/** All entries that the file of this scheduler has; undefined when it has none. */
export async function filedFailures(dataDir: string, jobId: string): Promise<FailedObject[] | undefined> {
  try {
    const text = await readFile(failuresFile(join(dataDir, "jobs"), jobId), "utf8");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as FailedObject]));
  } catch {
    return undefined;
  }
}

/** Removes the file of a job that is forgotten. */
export async function removeFailures(dataDir: string, jobId: string): Promise<void> {
  await rm(failuresFile(join(dataDir, "jobs"), jobId), { force: true }).catch(() => undefined);
}
