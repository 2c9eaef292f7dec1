/** The objects that are asked for the most of late, in bounded memory. */
import type { Clock } from "@ringlight/core";

/** Time over which requests are summed, milliseconds; answers cover one to two of these. */
const WINDOW_MS = 60_000;
/** Objects counted at once, and those that stay when there are more. */
const MAX_COUNTED = 4_096;
const KEPT = 1_024;

/** Page requests for one object, and the bytes that they got. */
export interface HotObject {
  readonly path: string;
  readonly requests: number;
  readonly bytes: number;
}

interface Count {
  requests: number;
  bytes: number;
}

/**
 * Requests by path in two windows. When a window holds too many paths, the least asked for are forgotten: a path that comes
 * often enough is counted short by what it had when it was among them, and no path is counted that was not asked for
 * (lossy counting, Manku and Motwani 2002, with a bound on the entries instead of one on the error).
 */
export class HotObjects {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #now = new Map<string, Count>();
  #before = new Map<string, Count>();
  #startedMs: number;
  #beforeMs = 0;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  /** Counts page requests for an object, and the bytes that they got together. */
  note(path: string, requests: number, bytes: number): void {
    const count = this.#now.get(path);
    if (count !== undefined) {
      count.requests += requests;
      count.bytes += bytes;
      return;
    }
    // The clock is asked where something is new only: a window in which nothing is lasts a little longer.
    this.#turn();
    this.#now.set(path, { requests, bytes });
    if (this.#now.size > MAX_COUNTED) this.#now = new Map([...this.#now].sort(byRequests).slice(0, KEPT));
  }

  /** The hottest, and the time in which they were asked for so often. */
  top(limit: number): { readonly windowMs: number; readonly objects: readonly HotObject[] } {
    this.#turn();
    const sums = new Map<string, Count>();
    for (const [path, { requests, bytes }] of [...this.#before, ...this.#now]) {
      const sum = sums.get(path) ?? { requests: 0, bytes: 0 };
      sum.requests += requests;
      sum.bytes += bytes;
      sums.set(path, sum);
    }
    const objects = [...sums].sort(byRequests).slice(0, limit);
    return {
      windowMs: this.#beforeMs + this.#clock.monotonicMs() - this.#startedMs,
      objects: objects.map(([path, count]) => ({ path, ...count })),
    };
  }

  #turn(): void {
    const nowMs = this.#clock.monotonicMs();
    const lastedMs = nowMs - this.#startedMs;
    if (lastedMs < WINDOW_MS) return;
    // A window that nobody looked at for long says little of now.
    const isRecent = lastedMs < 2 * WINDOW_MS;
    this.#before = isRecent ? this.#now : new Map();
    this.#beforeMs = isRecent ? lastedMs : 0;
    this.#now = new Map();
    this.#startedMs = nowMs;
  }
}

function byRequests([, a]: readonly [string, Count], [, b]: readonly [string, Count]): number {
  return b.requests - a.requests;
}
