/** Paired measurement: cache and reference in turn, round by round, so that both meet the same moods of the machine. */
import type { LoadResult } from "./closed-loop.ts";
import { median, quantile } from "./statistics.ts";

/** One side of a comparison. */
export interface Side {
  /** Runs one round. */
  readonly run: (round: number) => Promise<LoadResult>;
  /** CPU time of the side's server processes so far, seconds. */
  readonly cpuSeconds: () => number;
}

/** A comparison. */
export interface PairedCase {
  readonly name: string;
  readonly cache: Side;
  readonly direct: Side;
}

/** What one side came to: medians over the rounds. */
export interface SideFigures {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Server CPU a request, microseconds. */
  readonly cpuMicrosPerRequest: number;
}

/** What a comparison came to. */
export interface PairedResult {
  readonly name: string;
  readonly rounds: number;
  readonly cache: SideFigures;
  readonly direct: SideFigures;
  /** Throughput of the cache over the reference's in the same round: median, least and greatest of the rounds. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
}

interface Measured {
  readonly load: LoadResult;
  readonly cpuSeconds: number;
}

/** Runs one warm-up round and then the measured ones, each side first in turn. */
export async function runPaired(comparison: PairedCase, rounds: number): Promise<PairedResult> {
  const taken: { cache: Measured[]; direct: Measured[] } = { cache: [], direct: [] };
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? (["cache", "direct"] as const) : (["direct", "cache"] as const);
    for (const side of order) {
      const { run, cpuSeconds } = comparison[side];
      const before = cpuSeconds();
      const load = await run(round);
      if (round > 0) taken[side].push({ load, cpuSeconds: cpuSeconds() - before });
    }
  }
  const rate = ({ load }: Measured) => load.requests / load.seconds;
  const ratios = taken.cache.map((measured, index) => rate(measured) / rate(taken.direct[index] ?? measured));
  return {
    name: comparison.name,
    rounds,
    cache: figures(taken.cache),
    direct: figures(taken.direct),
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
  };
}

function figures(measured: readonly Measured[]): SideFigures {
  const of = (value: (entry: Measured) => number) => median(measured.map(value));
  return {
    requestsPerSecond: of(({ load }) => load.requests / load.seconds),
    bytesPerSecond: of(({ load }) => load.bytes / load.seconds),
    p50Ms: of(({ load }) => quantile(load.latenciesMs, 0.5)),
    p99Ms: of(({ load }) => quantile(load.latenciesMs, 0.99)),
    cpuMicrosPerRequest: of(({ load, cpuSeconds }) => (cpuSeconds * 1e6) / load.requests),
  };
}
