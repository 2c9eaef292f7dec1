/**
 * What this worker has uploaded of large objects that it copies: for each target a small file in its data directory, of which
 * the first line says what is copied and by which upload, and every other one names a part that the store has. So a copy
 * that was interrupted (its job was paused, its scheduler died, the store failed for a while, this process was killed) goes on
 * with the parts that are missing. What nobody goes on with is given up at the store after a day. The registry has a note of
 * each upload (copy-notes.ts), by which another worker goes on with it or gives it up when this one is gone.
 *
 * A file that was torn counts up to where it is whole. It is never more than a saving: what it says is compared with what the
 * store says of the upload, and the finished object with its source.
 */
import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CopyPlan, CopyUpload } from "@ringlight/core";
import { type CopyNotes, isSameCopy } from "./copy-notes.ts";

/** How long an upload that nobody goes on with is kept, milliseconds. */
const KEPT_MS = 24 * 60 * 60_000;
/** How long it is tried to give one up, milliseconds: its mount may be gone for good. */
const TRIED_MS = 7 * KEPT_MS;
/** How often such uploads are looked for, milliseconds. */
const SWEEP_MS = 60 * 60_000;
const SUFFIX = ".copy";

/** A part that the store has. */
export interface CopiedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** MD5 of what was sent, hex; absent where the store copied it by itself. */
  readonly md5?: string;
}

/** An upload that may be gone on with. */
export interface BegunUpload {
  readonly uploadId: string;
  /** Its parts, as they were sent by this worker; undefined where another one sent them. */
  readonly parts: readonly CopiedPart[] | undefined;
}

/** Gives an upload up at its store. @throws anything; it is tried again an hour later */
export type GiveUp = (target: string, targetUri: string, uploadId: string) => Promise<void>;

/** The copies of one worker. */
export class CopyJournal {
  readonly #directory: string;
  readonly #giveUp: GiveUp;
  readonly #notes: CopyNotes;
  readonly #inUse = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(directory: string, giveUp: GiveUp, notes: CopyNotes) {
    this.#directory = directory;
    this.#giveUp = giveUp;
    this.#notes = notes;
    void this.#restore();
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
      const same = before !== undefined && isSameCopy(before.saved, plan);
      // Another object is copied there now: the upload of before will never be wanted.
      if (before !== undefined && !same) await this.#drop(file, before.saved);
      const begun: BegunUpload[] = same ? [{ uploadId: before.saved.uploadId, parts: before.parts }] : [];
      for (const uploadId of await this.#notes.find(plan)) {
        if (uploadId !== begun[0]?.uploadId) begun.push({ uploadId, parts: undefined });
      }
      return new CopyEntry(file, plan, begun, letGo, this.#notes);
    } catch (error) {
      letGo();
      throw error;
    }
  }

  /** Gives up what nobody has gone on with for a day, here and at workers that are gone. Never rejects. */
  async sweep(nowMs: number): Promise<void> {
    for (const file of await this.#files()) {
      if (this.#inUse.has(file)) continue;
      try {
        const ageMs = nowMs - (await stat(file)).mtimeMs;
        if (ageMs < KEPT_MS) continue;
        const saved = (await read(file))?.saved;
        // The store may be away: it is tried again in an hour.
        if (saved !== undefined && ageMs < TRIED_MS && !(await this.#notes.isElsewhere(saved.uploadId))) {
          await this.#end(saved);
        }
        await rm(file, { force: true });
        if (saved !== undefined) this.#notes.remove(saved.target);
      } catch {}
    }
    for (const { ageMs, uploads, forget } of await this.#notes.abandoned()) {
      if (ageMs < KEPT_MS) continue;
      try {
        if (ageMs < TRIED_MS) for (const upload of uploads) await this.#end(upload);
        await forget();
      } catch {}
    }
  }

  /** Notes what an earlier process has left. */
  async #restore(): Promise<void> {
    const found = await Promise.all((await this.#files()).map(read));
    this.#notes.restore(found.flatMap((copy) => copy?.saved ?? []));
  }

  async #files(): Promise<string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names.filter((name) => name.endsWith(SUFFIX)).map((name) => join(this.#directory, name));
  }

  #end({ target, targetUri, uploadId }: CopyUpload): Promise<void> {
    return this.#giveUp(target, targetUri, uploadId);
  }

  async #drop(file: string, upload: CopyUpload): Promise<void> {
    await this.#end(upload).catch(() => undefined);
    await rm(file, { force: true });
    this.#notes.remove(upload.target);
  }
}

/** One copy's file. */
export class CopyEntry {
  readonly #file: string;
  readonly #plan: CopyPlan;
  readonly #letGo: () => void;
  readonly #notes: CopyNotes;
  /** Uploads of this copy that were begun before: this worker's, then those of others. */
  readonly begun: readonly BegunUpload[];

  constructor(file: string, plan: CopyPlan, begun: readonly BegunUpload[], letGo: () => void, notes: CopyNotes) {
    this.#file = file;
    this.#plan = plan;
    this.#letGo = letGo;
    this.begun = begun;
    this.#notes = notes;
  }

  /** The upload that is used from now on, with the parts that the store has already. */
  async begin(uploadId: string, parts: readonly CopiedPart[]): Promise<void> {
    const saved: CopyUpload = { ...this.#plan, uploadId };
    await writeFile(this.#file, [saved, ...parts].map(lineOf).join(""), { mode: 0o600 });
    this.#notes.add(saved);
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
    this.#notes.remove(this.#plan.target);
    this.#letGo();
  }
}

function lineOf(value: CopyUpload | CopiedPart): string {
  return `${JSON.stringify(value)}\n`;
}

/** A file, as far as it is whole; undefined where there is none. */
async function read(file: string): Promise<{ readonly saved: CopyUpload; readonly parts: CopiedPart[] } | undefined> {
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
  if (!isUpload(saved)) return undefined;
  return { saved, parts: parts.filter(isPart) };
}

function isUpload(value: unknown): value is CopyUpload {
  const saved = value as Partial<CopyUpload> | null | undefined;
  return typeof saved?.uploadId === "string" && typeof saved.target === "string" && typeof saved.targetUri === "string";
}

function isPart(value: unknown): value is CopiedPart {
  const part = value as Partial<CopiedPart> | null;
  return typeof part?.partNumber === "number" && typeof part.etag === "string";
}
