/**
 * What the registry says of large copies: which uploads each worker has begun and not ended. When a worker is gone, whoever
 * takes an object over finds its upload there and goes on with it, and what nobody takes over is given up by the others.
 *
 * One note a worker, written at once and then at most every few seconds, so that many copies cost the registry no more than
 * one. A note is a saving and nothing depends on it: while the registry is away copies go on, and are noted later.
 */
import type { Clock, CopyPlan, CopyUpload, Registry } from "@ringlight/core";

/** Least time between two notes, milliseconds: a large copy that began within it is not known to others yet. */
const BETWEEN_MS = 5_000;

/** What notes need of the worker. */
export interface CopyNotesOptions {
  readonly workerId: string;
  readonly registry: Pick<Registry, "putUploads" | "listUploads" | "view">;
  readonly clock: Clock;
  readonly log: (message: string, fields: Readonly<Record<string, string>>) => void;
}

/** An upload of a worker that is gone, and since when nothing was heard of it. */
export interface AbandonedUploads {
  readonly ageMs: number;
  readonly uploads: readonly CopyUpload[];
  /** Removes the note. */
  forget(): Promise<void>;
}

/** The notes, as one worker writes and reads them. */
export class CopyNotes {
  readonly #options: CopyNotesOptions;
  /** Uploads that are noted here, by target. */
  readonly #own = new Map<string, CopyUpload>();
  readonly #ending = new AbortController();
  #changed = false;
  #writing: Promise<void> | undefined;

  constructor(options: CopyNotesOptions) {
    this.#options = options;
  }

  /** Writes nothing any more: what is noted stays, for the others. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#writing;
  }

  /** Takes the uploads that an earlier process of this worker has left; what it noted besides is over. */
  restore(uploads: readonly CopyUpload[]): void {
    for (const upload of uploads) if (!this.#own.has(upload.target)) this.#own.set(upload.target, upload);
    this.#tell();
  }

  add(upload: CopyUpload): void {
    this.#own.set(upload.target, upload);
    this.#tell();
  }

  remove(target: string): void {
    if (this.#own.delete(target)) this.#tell();
  }

  /** Uploads of the same copy that other workers have begun, the newest note first. Never rejects. */
  async find(plan: CopyPlan): Promise<string[]> {
    const notes = await this.#others();
    return notes
      .sort((a, b) => b.writtenMs - a.writtenMs)
      .flatMap(({ uploads }) => uploads)
      .filter((upload) => isSameCopy(upload, plan))
      .map(({ uploadId }) => uploadId);
  }

  /** Another worker that lives is at the upload. Never rejects. */
  async isElsewhere(uploadId: string): Promise<boolean> {
    const { workers } = this.#options.registry.view();
    const notes = await this.#others();
    return notes.some((note) => workers.has(note.workerId) && note.uploads.some((one) => one.uploadId === uploadId));
  }

  /** What workers that are gone have left, without what a worker that lives has taken over. Never rejects. */
  async abandoned(): Promise<AbandonedUploads[]> {
    const { registry, clock } = this.#options;
    const { workers } = registry.view();
    const others = await this.#others();
    const living = others.filter(({ workerId }) => workers.has(workerId)).flatMap(({ uploads }) => uploads);
    const taken = new Set([...living, ...this.#own.values()].map(({ uploadId }) => uploadId));
    return others
      .filter(({ workerId }) => !workers.has(workerId))
      .map(({ workerId, writtenMs, uploads }) => ({
        ageMs: clock.now() - writtenMs,
        uploads: uploads.filter(({ uploadId }) => !taken.has(uploadId)),
        forget: () => registry.putUploads({ workerId, writtenMs, uploads: [] }),
      }));
  }

  async #others() {
    const { registry, workerId, log } = this.#options;
    try {
      return (await registry.listUploads()).filter((note) => note.workerId !== workerId);
    } catch (error) {
      log("the notes of large copies were not read", { error: String(error) });
      return [];
    }
  }

  #tell(): void {
    this.#changed = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes as long as there is something new. Never rejects. */
  async #write(): Promise<void> {
    const { registry, workerId, clock, log } = this.#options;
    const { signal } = this.#ending;
    while (this.#changed && !signal.aborted) {
      this.#changed = false;
      try {
        await registry.putUploads({ workerId, writtenMs: clock.now(), uploads: [...this.#own.values()] });
      } catch (error) {
        this.#changed = true;
        log("the note of large copies was not written", { error: String(error) });
      }
      await clock.sleep(BETWEEN_MS, signal).catch(() => undefined);
    }
  }
}

/** The upload is of exactly this copy. */
export function isSameCopy(upload: CopyUpload, plan: CopyPlan): boolean {
  return (Object.keys(plan) as (keyof CopyPlan)[]).every((field) => upload[field] === plan[field]);
}
