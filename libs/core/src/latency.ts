/** Latency histograms with fixed buckets, the same on workers, on the wire and in the console. */

/** Upper bounds of the buckets, seconds: 1-2.5-5 steps from 50 µs to 60 s. One more bucket takes what is longer. */
export const LATENCY_BOUNDS_S: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Index of the bucket for a latency in seconds. */
export function latencyBucket(seconds: number): number {
  let index = 0;
  while (index < LATENCY_BOUNDS_S.length && seconds > LATENCY_BOUNDS_S[index]!) index++;
  return index;
}

/**
 * Quantile `q` (0 to 1) of bucket counts, seconds, interpolated within the bucket; undefined when there is nothing.
 * `counts` has LATENCY_BOUNDS_S.length + 1 entries.
 */
export function latencyQuantile(counts: readonly number[], q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = q * total;
  let seen = 0;
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index]!;
    if (count > 0 && seen + count >= rank) {
      const low = index === 0 ? 0 : LATENCY_BOUNDS_S[index - 1]!;
      const high = LATENCY_BOUNDS_S[index] ?? LATENCY_BOUNDS_S[LATENCY_BOUNDS_S.length - 1]!;
      return low + (high - low) * Math.max(0, (rank - seen) / count);
    }
    seen += count;
  }
  return LATENCY_BOUNDS_S[LATENCY_BOUNDS_S.length - 1]!;
}
