/**
 * Miss-ratio curves: what the hit rate would be if the cache had another size. A worker counts how far apart the uses of its
 * pages lie (libs/store, reuse-sampler.ts); here these counts become curves, of one worker and of a cluster.
 */

/** Buckets of reuse distances to one doubling. */
export const REUSE_BUCKETS_PER_OCTAVE = 16;
/** Number of buckets: distances up to 2^60 bytes. */
export const REUSE_BUCKETS = 60 * REUSE_BUCKETS_PER_OCTAVE;

/**
 * How far apart the uses of pages lie. The distance of a request is the number of bytes of different pages that were used
 * since the same page was used before, with the page itself: a cache that drops what was not used for the longest time hits
 * if it is at least as large.
 */
export interface ReuseHistogram {
  /** Requests for pages. */
  readonly requests: number;
  /** Requests by distance: bucket i holds distances above 2^(i/16) and up to 2^((i+1)/16). What is missing of `requests` was for pages not used before. */
  readonly counts: readonly number[];
}

/** The bucket of a distance in bytes. */
export function reuseBucket(distanceBytes: number): number {
  const bucket = Math.ceil(Math.log2(Math.max(1, distanceBytes)) * REUSE_BUCKETS_PER_OCTAVE) - 1;
  return Math.min(REUSE_BUCKETS - 1, Math.max(0, bucket));
}

/** Hits of a cache of so many bytes, as a share of all requests, 0 to 1; within a bucket distances are taken to be spread evenly by ratio. */
export function hitRatioAt({ requests, counts }: ReuseHistogram, cacheBytes: number): number {
  if (requests <= 0 || cacheBytes < 1) return 0;
  const reach = Math.log2(cacheBytes) * REUSE_BUCKETS_PER_OCTAVE;
  const whole = Math.floor(reach);
  let hits = 0;
  for (let bucket = 0; bucket < counts.length && bucket < whole; bucket++) hits += counts[bucket]!;
  hits += (counts[whole] ?? 0) * (reach - whole);
  return Math.min(1, hits / requests);
}

/** One worker's part of a cluster's curve. */
export interface CacheReuse extends ReuseHistogram {
  /** Its tiers, fastest first. */
  readonly tiers: readonly { readonly name: string; readonly limitBytes: number }[];
}

/** Bytes of a worker's tiers, with some of them scaled. */
function sizeOf({ tiers }: CacheReuse, factor: number, tier?: string): number {
  return tiers.reduce(
    (sum, { name, limitBytes }) => sum + limitBytes * (tier === undefined || name === tier ? factor : 1),
    0,
  );
}

/**
 * Hits of a cluster as a share of all requests, if every worker's tiers, or one of them, were `factor` times as large. Each
 * worker caches its own share of the pages, so that the requests of all are added up, and not their distances.
 */
export function clusterHitRatio(workers: readonly CacheReuse[], factor: number, tier?: string): number {
  let requests = 0;
  let hits = 0;
  for (const worker of workers) {
    requests += worker.requests;
    hits += worker.requests * hitRatioAt(worker, sizeOf(worker, factor, tier));
  }
  return requests > 0 ? hits / requests : 0;
}

/** A point of a curve. */
export interface CurvePoint {
  /** Size of all tiers as a multiple of that of now. */
  readonly scale: number;
  readonly bytes: number;
  readonly hitRatio: number;
}

/** From a thirty-second of today's size to thirty-two times it. */
const OCTAVES = 5;
const POINTS_PER_OCTAVE = 8;

/** The curve of a cluster, every worker's tiers scaled alike. */
export function clusterCurve(workers: readonly CacheReuse[]): CurvePoint[] {
  const bytes = workers.reduce((sum, worker) => sum + sizeOf(worker, 1), 0);
  return Array.from({ length: 2 * OCTAVES * POINTS_PER_OCTAVE + 1 }, (_, step) => {
    const scale = 2 ** (step / POINTS_PER_OCTAVE - OCTAVES);
    return { scale, bytes: bytes * scale, hitRatio: clusterHitRatio(workers, scale) };
  });
}

/** What a tier of another size would do. */
export interface SizeChange {
  readonly tier: string;
  readonly factor: number;
  /** Bytes of the tier in all workers, then. */
  readonly bytes: number;
  readonly hitRatio: number;
}

const FACTORS = [0.5, 2, 4];

/** The hit rate with half, twice and four times of each tier. */
export function sizeChanges(workers: readonly CacheReuse[]): SizeChange[] {
  const totals = new Map<string, number>();
  for (const { tiers } of workers) {
    for (const { name, limitBytes } of tiers) totals.set(name, (totals.get(name) ?? 0) + limitBytes);
  }
  return [...totals].flatMap(([tier, bytes]) =>
    FACTORS.map((factor) => ({
      tier,
      factor,
      bytes: bytes * factor,
      hitRatio: clusterHitRatio(workers, factor, tier),
    })),
  );
}

/** Requests below which a curve says nothing worth a sentence. */
const MIN_REQUESTS = 1_000;
/** A change of the hit rate by less is none. */
const NOTICEABLE = 0.01;

const percent = (ratio: number) => `${Math.round(ratio * 100)} %`;

/** What the curve says about the size of the slowest tier, in a sentence or two; undefined while too little was read. */
export function sizeAdvice(workers: readonly CacheReuse[]): string | undefined {
  const requests = workers.reduce((sum, worker) => sum + worker.requests, 0);
  const changes = sizeChanges(workers);
  const tier = changes.at(-1)?.tier;
  if (requests < MIN_REQUESTS || tier === undefined) return undefined;
  const now = clusterHitRatio(workers, 1);
  const ofSize = (factor: number) => clusterHitRatio(workers, factor, tier);
  const twice = ofSize(2);
  if (twice - now >= NOTICEABLE) {
    const four = ofSize(4);
    const further = four - twice >= NOTICEABLE ? ` Four times: ${percent(four)}.` : " More than that would not help.";
    return `Twice the ${tier} would raise the hit rate from ${percent(now)} to ${percent(twice)}.${further}`;
  }
  const four = ofSize(4);
  if (four - now >= NOTICEABLE) {
    return `Twice the ${tier} would not be noticed; four times as much would raise the hit rate from ${percent(now)} to ${percent(four)}.`;
  }
  const half = ofSize(0.5);
  const rest = `More ${tier} would not help: at ${percent(now)}, what still misses was not read before, or long ago.`;
  return now - half < NOTICEABLE
    ? `${rest} Half the ${tier} would do as well.`
    : `${rest} Half the ${tier} would lower the hit rate to ${percent(half)}.`;
}
