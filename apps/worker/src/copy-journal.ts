/**
 * What this worker has uploaded of large objects that it copies: for each target a small file in its data directory, of which
 * the first line says what is copied and by which upload, and every other one names a part that the store has. So a copy
 * that was interrupted (its job was paused, its scheduler died, the store failed for a while, this process was killed) goes on
 * with the parts that are missing. What nobody goes on with is given up at the store after a day.
 *
 * A file that was torn counts up to where it is whole. It is never more than a saving: what it says is compared with what the
 * store says of the upload, and the finished object with its source.
 */
import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** How long an upload that nobody goes on with is kept, milliseconds. */
const KEPT_MS = 24 * 60 * 60_000;
/** How long it is tried to give one up, milliseconds: its mount may be gone for good. */
const TRIED_MS = 7 * KEPT_MS;
/** How often such uploads are looked for, milliseconds. */
const SWEEP_MS = 60 * 60_000;
const SUFFIX = ".copy";

/** What is copied: an upload is gone on with only where all of it is the same. */
export interface CopyPlan {
  /** Path, store and version of the source. */
  readonly source: string;
  readonly sourceUri: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly target: string;
  readonly targetUri: string;
  readonly partBytes: number;
}

/** A part that the store has. */
export interface CopiedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** MD5 of what was sent, hex; absent where the store copied it by itself. */
  readonly md5?: string;
}

interface Saved extends CopyPlan {
  readonly uploadId: string;
}

/** Gives an upload up at its store. @throws anything; it is tried again an hour later */
export type GiveUp = (target: string, targetUri: string, uploadId: string) => Promise<void>;

/** The copies of one worker. */
export class CopyJournal {
  readonly #directory: string;
  readonly #giveUp: GiveUp;
  readonly #inUse = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(directory: string, giveUp: GiveUp) {
    this.#directory = directory;
    this.#giveUp = giveUp;
    this.#timer = setInterval(() => void this.sweep(Date.now()), SWEEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Takes the target's file, to be closed or ended; undefined while another copy to the same target is under way here. */
  async open(plan: CopyPlan): Promise<CopyEntry | undefined> {
    const file = join(this.#directory, `${createHash("sha256").update(plan.target).digest("hex")}${SUFFIX}`);
    if (this.#inUse.has(file)) return undefined;
    this.#inUse.add(file);
    const letGo = () => this.#inUse.delete(file);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const before = await read(file);
      const same = before !== undefined && sameCopy(before.saved, plan);
      // Another object is copied there now: the upload of before will never be wanted.
      if (before !== undefined && !same) await this.#drop(file, before.saved);
      return new CopyEntry(file, plan, same ? before : undefined, letGo);
    } catch (error) {
      letGo();
      throw error;
    }
  }

  /** Gives up what nobody has gone on with for a day. Never rejects. */
  async sweep(nowMs: number): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) {
      const file = join(this.#directory, name);
      if (!name.endsWith(SUFFIX) || this.#inUse.has(file)) continue;
      try {
        const ageMs = nowMs - (await stat(file)).mtimeMs;
        if (ageMs < KEPT_MS) continue;
        const saved = (await read(file))?.saved;
        // The store may be away: it is tried again in an hour.
        if (saved !== undefined && ageMs < TRIED_MS) await this.#giveUp(saved.target, saved.targetUri, saved.uploadId);
        await rm(file, { force: true });
      } catch {}
    }
  }

  async #drop(file: string, { target, targetUri, uploadId }: Saved): Promise<void> {
    await this.#giveUp(target, targetUri, uploadId).catch(() => undefined);
    await rm(file, { force: true });
  }
}

/** One copy's file. */
export class CopyEntry {
  readonly #file: string;
  readonly #plan: CopyPlan;
  readonly #letGo: () => void;
  /** The upload that was begun before, and its parts. */
  readonly before: { readonly uploadId: string; readonly parts: readonly CopiedPart[] } | undefined;

  constructor(
    file: string,
    plan: CopyPlan,
    before: { readonly saved: Saved; readonly parts: readonly CopiedPart[] } | undefined,
    letGo: () => void,
  ) {
    this.#file = file;
    this.#plan = plan;
    this.#letGo = letGo;
    this.before = before && { uploadId: before.saved.uploadId, parts: before.parts };
  }

  /** The upload that is used from now on, with the parts that the store has already. */
  async begin(uploadId: string, parts: readonly CopiedPart[]): Promise<void> {
    const saved: Saved = { ...this.#plan, uploadId };
    await writeFile(this.#file, [saved, ...parts].map(lineOf).join(""), { mode: 0o600 });
  }

  /** The store has another part. */
  async add(part: CopiedPart): Promise<void> {
    await appendFile(this.#file, lineOf(part));
  }

  /** The upload is kept, to be gone on with. */
  close(): void {
    this.#letGo();
  }

  /** The upload is over, in whatever way. */
  async end(): Promise<void> {
    await rm(this.#file, { force: true });
    this.#letGo();
  }
}

function lineOf(value: Saved | CopiedPart): string {
  return `${JSON.stringify(value)}\n`;
}

function sameCopy(saved: Saved, plan: CopyPlan): boolean {
  return (Object.keys(plan) as (keyof CopyPlan)[]).every((field) => saved[field] === plan[field]);
}

/** A file, as far as it is whole; undefined where there is none. */
async function read(file: string): Promise<{ readonly saved: Saved; readonly parts: CopiedPart[] } | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  const values: unknown[] = [];
  // What follows the last line feed was not written to its end.
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      values.push(JSON.parse(line));
    } catch {
      break;
    }
  }
  const [saved, ...parts] = values;
  if (!isSaved(saved)) return undefined;
  return { saved, parts: parts.filter(isPart) };
}

function isSaved(value: unknown): value is Saved {
  const saved = value as Partial<Saved> | null | undefined;
  return typeof saved?.uploadId === "string" && typeof saved.target === "string" && typeof saved.targetUri === "string";
}

function isPart(value: unknown): value is CopiedPart {
  const part = value as Partial<CopiedPart> | null;
  return typeof part?.partNumber === "number" && typeof part.etag === "string";
}
