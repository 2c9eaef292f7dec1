/** Unlinks files in the background, a few at a time. */
import * as fs from "node:fs";

interface Removal {
  readonly path: string;
  readonly done: (error: NodeJS.ErrnoException | undefined) => void;
}

/** At most this many unlinks at once, so that they do not fill the thread pool that reads and writes need too. */
const CONCURRENCY = 2;

/**
 * A queue of unlinks. A file that is already gone counts as removed. `settled` orders a write to a path behind the removal
 * of the same path, without which a page that comes back at once could lose its new file.
 */
export class FileRemover {
  readonly #queue: Removal[] = [];
  readonly #pending = new Map<string, Promise<void>>();
  #running = 0;

  /** Removals not yet done. */
  get pending(): number {
    return this.#pending.size;
  }

  remove(path: string, done: (error: NodeJS.ErrnoException | undefined) => void): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.set(path, promise);
    const removal: Removal = {
      path,
      done: (error) => {
        this.#pending.delete(path);
        resolve();
        done(error);
      },
    };
    if (this.#running < CONCURRENCY) this.#run(removal);
    else this.#queue.push(removal);
  }

  /** Resolves when no removal of the path is pending. */
  settled(path: string): Promise<void> | undefined {
    return this.#pending.get(path);
  }

  /** Resolves when all removals known now are done. */
  async idle(): Promise<void> {
    await Promise.all(this.#pending.values());
  }

  #run(removal: Removal): void {
    this.#running++;
    fs.unlink(removal.path, (error) => {
      this.#running--;
      const next = this.#queue.shift();
      if (next) this.#run(next);
      // A read-only or vanished directory refuses even what is not there.
      removal.done(error && error.code !== "ENOENT" && fs.existsSync(removal.path) ? error : undefined);
    });
  }
}
