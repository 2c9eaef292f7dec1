/**
 * Brings what was written into the cache, on mounts that ask for it: the owners of the object read it once from the UFS,
 * after the writer was answered. Bounded in objects at once and waiting; what finds no room is read when it is asked for.
 */
import { newReadStatus, releasePooled } from "@ringlight/core";
import type { MountTable } from "./mount-table.ts";
import type { Router } from "./router.ts";
import { traceOf } from "./trace.ts";

/** Objects that are brought in at once. */
const AT_ONCE = 2;
/** Objects that wait their turn; one more is not brought in. */
const MAX_WAITING = 256;

/** Options of the write cache. */
export interface WriteCacheOptions {
  readonly mounts: MountTable;
  readonly router: Router;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Fills the cache behind writes. */
export class WriteCache {
  readonly #options: WriteCacheOptions;
  readonly #waiting = new Map<string, { readonly mount: string; readonly key: string }>();
  readonly #closing = new AbortController();
  readonly #working = new Set<Promise<void>>();
  /** Objects that found no room. */
  dropped = 0;

  constructor(options: WriteCacheOptions) {
    this.#options = options;
  }

  /** Takes note of objects that have new versions. */
  written(mount: string, keys: readonly string[]): void {
    if (this.#options.mounts.peek(mount)?.options["write-cache"] !== "true") return;
    for (const key of keys) {
      const id = `${mount}/${key}`;
      // Written again before its turn came: the version that is then current is brought in, once.
      if (this.#waiting.size < MAX_WAITING || this.#waiting.has(id)) this.#waiting.set(id, { mount, key });
      else this.dropped++;
    }
    while (this.#working.size < Math.min(AT_ONCE, this.#waiting.size)) {
      const work = this.#work().finally(() => this.#working.delete(work));
      this.#working.add(work);
    }
  }

  async #work(): Promise<void> {
    for (const [id, { mount, key }] of this.#waiting) {
      this.#waiting.delete(id);
      if (this.#closing.signal.aborted) return;
      try {
        const context = { signal: this.#closing.signal, status: newReadStatus(), ...traceOf({}) };
        const read = await this.#options.router.open(mount, key, { conditions: {} }, context);
        if (read.outcome !== "ok") continue;
        for await (const piece of read.body) {
          releasePooled(piece);
          if (this.#closing.signal.aborted) return;
        }
      } catch (error) {
        // It may be gone again, or have changed; whoever reads it brings it in.
        this.#options.log("a written object was not brought into the cache", { mount, error: String(error) });
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#working);
  }
}
