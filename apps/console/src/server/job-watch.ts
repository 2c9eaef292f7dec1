/** The jobs as the detectors of problems need them: their records are read every five seconds. */
import type { JobStore } from "@ringlight/registry";
import type { JobSample } from "./load-problems.ts";

const EVERY_MS = 5_000;

export class JobWatch {
  readonly #store: JobStore;
  readonly #timer: NodeJS.Timeout;
  #jobs: readonly JobSample[] = [];
  #reading: Promise<void> | undefined;

  constructor(store: JobStore) {
    this.#store = store;
    this.#timer = setInterval(() => this.#read(), EVERY_MS);
    this.#timer.unref();
    this.#read();
  }

  /** As they were when they were last read. */
  get jobs(): readonly JobSample[] {
    return this.#jobs;
  }

  /** Stops reading and closes the store. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
    this.#store.close();
  }

  #read(): void {
    this.#reading ??= this.#store
      .list()
      .then((stored) => {
        this.#jobs = stored.map(({ record: { id, state, counters, finishedMs, reasonCode, reason } }) => ({
          id,
          state,
          // The position of the listing moves as well while everything is cached already.
          doneObjects:
            counters.listed.objects + counters.loaded.objects + counters.cached.objects + counters.failed.objects,
          failedObjects: counters.failed.objects,
          endedMs: finishedMs,
          reason: [reasonCode, reason].filter(Boolean).join(": "),
        }));
      })
      // The registry does not answer: that is a problem of its own, and what was known stays.
      .catch(() => {})
      .finally(() => {
        this.#reading = undefined;
      });
  }
}
