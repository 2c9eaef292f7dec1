/** The reuse of pages over the last hours: what was long ago is forgotten. */
import type { ReuseHistogram } from "@ringlight/core";
import { ReuseSampler } from "./reuse-sampler.ts";

/** How long a sample is kept, milliseconds; its successor begins half of that before, so that an answer always covers half of it at least. */
const LIFE_MS = 12 * 3_600_000;

/** Two samples that take turns: the older one answers. */
export class RollingReuse {
  #now: ReuseSampler;
  #next: ReuseSampler | undefined;
  #sinceMs: number;
  #nextSinceMs = 0;
  #nowMs: number;

  /** @param nowMs milliseconds since the Unix epoch */
  constructor(nowMs: number) {
    this.#now = new ReuseSampler();
    this.#sinceMs = nowMs;
    this.#nowMs = nowMs;
  }

  /** Counts requests for a page; see ReuseSampler.request(). */
  request(hash: number, bytes: number, count = 1): void {
    this.#now.request(hash, bytes, this.#nowMs, count);
    this.#next?.request(hash, bytes, this.#nowMs, count);
  }

  /** Tells the time; to be called every few seconds, so that a request need not ask for it. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#next !== undefined && nowMs - this.#sinceMs >= LIFE_MS) {
      this.#now = this.#next;
      this.#sinceMs = this.#nextSinceMs;
      this.#next = undefined;
    }
    if (this.#next === undefined && nowMs - this.#sinceMs >= LIFE_MS / 2) {
      this.#next = new ReuseSampler();
      this.#nextSinceMs = nowMs;
    }
  }

  /** Begin of what the answers cover. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Share of the pages that are sampled, and how many those are. */
  get sample(): { readonly rate: number; readonly pages: number } {
    const { rate, pages } = this.#now;
    return { rate, pages };
  }

  /** See ReuseSampler. */
  histogram(): ReuseHistogram {
    return this.#now.histogram();
  }

  /** See ReuseSampler. */
  workingSetBytes(sinceMs: number): number {
    return this.#now.workingSetBytes(sinceMs);
  }
}
