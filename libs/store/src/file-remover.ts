/**
 * Unlinks files in the background: on a disk a few at a time in the thread pool, in memory some in each turn of the event loop. There
 * the pool would be too slow: it hears of the end of two removals a turn, while a turn stores more pages than that, and a full tier
 * would lose four of five small pages for want of room.
 */
import * as fs from "node:fs";

interface Removal {
  readonly path: string;
  readonly bytes: number;
  readonly done: (error: NodeJS.ErrnoException | undefined) => void;
  /** Made when somebody waits. */
  settled: PromiseWithResolvers<void> | undefined;
}

/** At most this many unlinks at once, so that they do not fill the thread pool that reads and writes need too. */
const CONCURRENCY = 2;
/** Files in memory that are removed in one turn: a third of a millisecond by bytes, as much again by number. */
const TURN_BYTES = 4 * 1024 * 1024;
const TURN_FILES = 64;

/**
 * A queue of unlinks. A file that is already gone counts as removed. `settled` orders a write to a path behind the removal
 * of the same path, without which a page that comes back at once could lose its new file.
 */
export class FileRemover {
  readonly #isInMemory: boolean;
  readonly #queue: Removal[] = [];
  readonly #pending = new Map<string, Removal>();
  #running = 0;

  /** @param isInMemory the files are on a file system in memory */
  constructor(isInMemory: boolean) {
    this.#isInMemory = isInMemory;
  }

  /** Removals not yet done. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Removes a file of about so many bytes; `done` is called later, never within this call. */
  remove(path: string, bytes: number, done: (error: NodeJS.ErrnoException | undefined) => void): void {
    const removal: Removal = { path, bytes, done, settled: undefined };
    this.#pending.set(path, removal);
    if (this.#isInMemory) {
      if (this.#queue.push(removal) === 1) setImmediate(this.#turn);
    } else if (this.#running < CONCURRENCY) this.#run(removal);
    else this.#queue.push(removal);
  }

  /** Resolves when no removal of the path is pending. */
  settled(path: string): Promise<void> | undefined {
    const removal = this.#pending.get(path);
    if (removal === undefined) return undefined;
    removal.settled ??= Promise.withResolvers<void>();
    return removal.settled.promise;
  }

  /** Resolves when all removals known now are done. */
  async idle(): Promise<void> {
    await Promise.all([...this.#pending.keys()].map((path) => this.settled(path)));
  }

  #run(removal: Removal): void {
    this.#running++;
    fs.unlink(removal.path, (error) => {
      this.#running--;
      const next = this.#queue.shift();
      if (next) this.#run(next);
      this.#end(removal, error);
    });
  }

  readonly #turn = (): void => {
    let count = 0;
    for (let bytes = 0; count < this.#queue.length && count < TURN_FILES && bytes < TURN_BYTES; count++) {
      bytes += this.#queue[count]!.bytes;
    }
    const removals = this.#queue.splice(0, count);
    if (this.#queue.length > 0) setImmediate(this.#turn);
    for (const removal of removals) {
      let failure: NodeJS.ErrnoException | null = null;
      try {
        fs.unlinkSync(removal.path);
      } catch (error) {
        failure = error as NodeJS.ErrnoException;
      }
      this.#end(removal, failure);
    }
  };

  #end(removal: Removal, error: NodeJS.ErrnoException | null): void {
    const { path, settled, done } = removal;
    this.#pending.delete(path);
    settled?.resolve();
    // A read-only or vanished directory refuses even what is not there.
    done(error && error.code !== "ENOENT" && fs.existsSync(path) ? error : undefined);
  }
}
