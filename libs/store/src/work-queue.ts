/** A bounded queue of background work. */

/**
 * Runs jobs a few at a time. A full queue refuses (the caller counts what it drops); a closed one forgets what has not
 * begun. Jobs handle their own errors.
 */
export class WorkQueue {
  readonly #concurrency: number;
  readonly #limit: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(concurrency: number, limit: number) {
    this.#concurrency = concurrency;
    this.#limit = limit;
  }

  /** Jobs waiting and running. */
  get size(): number {
    return this.#waiting.length + this.#running.size;
  }

  /** Adds a job; false if the queue is full or closed. */
  push(job: () => Promise<void>): boolean {
    if (this.#closed || this.#waiting.length >= this.#limit) return false;
    this.#waiting.push(job);
    this.#next();
    return true;
  }

  /** Resolves when no job waits or runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Forgets waiting jobs and resolves when the running ones have ended. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    await Promise.all(this.#running);
  }

  #next(): void {
    while (this.#running.size < this.#concurrency) {
      const job = this.#waiting.shift();
      if (!job) return;
      const run = job().finally(() => {
        this.#running.delete(run);
        this.#next();
      });
      this.#running.add(run);
    }
  }
}
