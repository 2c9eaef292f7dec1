/** What one worker's statistics amount to over time: increases that survive restarts of its process. */
import type { WorkerStats } from "@ringlight/proto";
import type { TierView } from "../wire.ts";
import { type FlatStats, flattenStats } from "./flatten-stats.ts";
import { SeriesBuffer } from "./series-buffer.ts";

/** Samples kept for the rates of this moment. */
const RATE_WINDOW_MS = 10_000;

/** An increase of counters between two moments. */
export interface Increase {
  readonly fromMs: number;
  readonly toMs: number;
  readonly amounts: ReadonlyMap<string, number>;
}

/**
 * The history of one worker. The first sample is the base and adds nothing, unless the process started while this
 * console was watching: then all its counters are increase. A later process of the same worker begins from zero, and so
 * does a counter that fell.
 */
export class WorkerHistory {
  readonly series: SeriesBuffer;
  /** The last message, or undefined before the first. */
  last: WorkerStats | undefined;
  /** When it came, by this console's clock, milliseconds. */
  lastMs = 0;
  #flat: FlatStats | undefined;
  readonly #recent: Increase[] = [];
  /** Sums of `#recent`, and the time that they cover. */
  readonly #recentSums = new Map<string, number>();
  #recentMs = 0;
  readonly #watchingSinceMs: number;

  /** @param watchingSinceMs when the console began to watch the cluster */
  constructor(watchingSinceMs: number, seconds = 3600) {
    this.#watchingSinceMs = watchingSinceMs;
    this.series = new SeriesBuffer(seconds);
  }

  /** Takes a message in and returns what it adds. */
  take(stats: WorkerStats, nowMs: number): Increase {
    const flat = flattenStats(stats);
    const before = this.last;
    const sameProcess = before !== undefined && before.startedUnixMs === stats.startedUnixMs;
    const watched = before !== undefined || stats.startedUnixMs >= this.#watchingSinceMs;
    const startedMs = Math.min(Math.max(stats.startedUnixMs, this.lastMs), nowMs - 1);
    const fromMs = sameProcess ? this.lastMs : watched ? startedMs : nowMs;
    const amounts = new Map<string, number>();
    if (sameProcess || watched) {
      for (const [name, value] of flat.counters) {
        const base = sameProcess ? (this.#flat?.counters.get(name) ?? 0) : 0;
        const increase = value >= base ? value - base : value;
        if (increase > 0) amounts.set(name, increase);
      }
    }
    this.series.record(Math.min(fromMs, nowMs), nowMs, amounts, flat.gauges);
    this.last = stats;
    this.lastMs = nowMs;
    this.#flat = flat;
    const increase = { fromMs, toMs: nowMs, amounts };
    this.#recent.push(increase);
    this.#recentMs += nowMs - fromMs;
    for (const [name, amount] of amounts) this.#recentSums.set(name, (this.#recentSums.get(name) ?? 0) + amount);
    this.#forget(nowMs);
    return increase;
  }

  /** Counters since the start of the worker's process: all, or those that are asked for. */
  totals(isAsked?: (column: string) => boolean): Record<string, number> {
    return recordOf(this.#flat?.counters, isAsked);
  }

  /** Gauges of the last message. */
  gauges(isAsked?: (column: string) => boolean): Record<string, number> {
    return recordOf(this.#flat?.gauges, isAsked);
  }

  /** Increase a second over the last ten seconds; empty while there is too little to tell. */
  rates(nowMs: number, isAsked?: (column: string) => boolean): Record<string, number> {
    this.#forget(nowMs);
    if (this.#recentMs < 500) return {};
    const rates = recordOf(this.#recentSums, isAsked);
    for (const name in rates) rates[name] = (rates[name]! * 1000) / this.#recentMs;
    return rates;
  }

  /** Lets go of what is older than the window of the rates. */
  #forget(nowMs: number): void {
    while (this.#recent.length > 0 && this.#recent[0]!.toMs <= nowMs - RATE_WINDOW_MS) {
      const { fromMs, toMs, amounts } = this.#recent.shift()!;
      this.#recentMs -= toMs - fromMs;
      for (const [name, amount] of amounts) {
        const left = (this.#recentSums.get(name) ?? 0) - amount;
        // What is less than a billionth of what was is the rounding of sums.
        if (left > amount * 1e-9) this.#recentSums.set(name, left);
        else this.#recentSums.delete(name);
      }
    }
  }

  /** The tiers as the last message told. */
  tiers(): TierView[] {
    return (this.last?.tiers ?? []).map(({ error, ...tier }) => (error ? { ...tier, error } : tier));
  }
}

function recordOf(
  values: ReadonlyMap<string, number> | undefined,
  isAsked: ((column: string) => boolean) | undefined,
): Record<string, number> {
  const record: Record<string, number> = {};
  for (const [name, value] of values ?? []) if (isAsked === undefined || isAsked(name)) record[name] = value;
  return record;
}
