/** A clock that stands still until a test turns it. */
import type { Clock } from "@ringlight/core";

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** Fake time for whatever takes a Clock. Sleepers wake in the order of their times, each with the clock at its own time. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  #sleepers: Sleeper[] = [];

  /** @param startMs Wall clock at the start, milliseconds since the Unix epoch. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = startMs;
  }

  /** Number of sleepers that wait. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const abort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#monotonicMs + Math.max(0, ms), order: this.#order++, wake };
      signal?.addEventListener("abort", abort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /**
   * Turns the clock and wakes whoever is due on the way. Between two sleepers everything that became runnable runs, so a
   * loop that sleeps again within the span is woken again.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    await runnable();
    for (;;) {
      const next = this.#sleepers
        .filter((sleeper) => sleeper.dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (next === undefined) break;
      this.#turnTo(next.dueMs);
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
      await runnable();
    }
    this.#turnTo(untilMs);
  }

  #turnTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets promise callbacks and immediates run. */
function runnable(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
