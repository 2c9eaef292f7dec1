/**
 * Intervals of ratios by bootstrap. Rounds are the units: seconds of one round depend on each other. With few rounds a percentile
 * interval is too narrow, so its ends are moved out by Student's t (the expanded percentile interval of T. Hesterberg, "What
 * Teachers Should Know About the Bootstrap", The American Statistician 69 (2015), section 5). Five rounds have so few resamples that
 * no percentile of them is as sure as is asked for; the interval is therefore never narrower than Student's own.
 */
import { RandomStream } from "../workloads/random.ts";

/** An estimate with its interval. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 10_000;
const SEED = 1;

/**
 * Ratio B/A of geometric means with its interval. Paired: a[i] and b[i] were taken in turn and are drawn together.
 * @param confidence such as 0.99
 */
export function ratioInterval(
  a: readonly number[],
  b: readonly number[],
  options: { readonly paired: boolean; readonly confidence: number },
): Interval {
  const logsA = a.map(Math.log);
  const logsB = b.map(Math.log);
  const random = new RandomStream(SEED, "bootstrap");
  const differences = options.paired ? logsB.map((log, at) => log - logsA[at]!) : [];
  const estimate = options.paired ? mean(differences) : mean(logsB) - mean(logsA);
  const drawn = new Float64Array(RESAMPLES);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    drawn[resample] = options.paired
      ? meanOfDraw(differences, random)
      : meanOfDraw(logsB, random) - meanOfDraw(logsA, random);
  }
  drawn.sort();
  const units = options.paired ? differences.length : Math.min(a.length, b.length);
  const tail = expandedTail(1 - options.confidence, units);
  const at = (share: number) => drawn[Math.min(RESAMPLES - 1, Math.max(0, Math.floor(share * RESAMPLES)))]!;
  const variance = options.paired
    ? spread(differences) / differences.length
    : spread(logsA) / logsA.length + spread(logsB) / logsB.length;
  // One round says nothing of how sure it is.
  const half =
    units < 2
      ? Number.POSITIVE_INFINITY
      : studentQuantile((1 + options.confidence) / 2, units - 1) * Math.sqrt(variance);
  return {
    estimate: Math.exp(estimate),
    low: Math.exp(Math.min(at(tail), estimate - half)),
    high: Math.exp(Math.max(at(1 - tail), estimate + half)),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Variance of values, by one less than their number. */
function spread(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1);
}

function meanOfDraw(values: readonly number[], random: RandomStream): number {
  let sum = 0;
  for (let draw = 0; draw < values.length; draw++) sum += values[random.below(values.length)]!;
  return sum / values.length;
}

/** Share of resamples that is cut off at each end so that the interval is as wide as a t interval of so many units. */
function expandedTail(alpha: number, units: number): number {
  if (units < 2) return 0;
  return normalTail(Math.sqrt(units / (units - 1)) * studentQuantile(1 - alpha / 2, units - 1));
}

/** Quantile of Student's distribution, by bisection of its integral. */
export function studentQuantile(p: number, freedom: number): number {
  let low = 0;
  let high = 1e4;
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (studentBelow(middle, freedom) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T < t) for t >= 0, by the finite sums for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4). */
function studentBelow(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  let sum = 0;
  if (freedom % 2 === 1) {
    let term = cosine;
    for (let k = 1; k <= freedom - 2; k += 2) {
      sum += term;
      term *= ((k + 1) / (k + 2)) * cosine * cosine;
    }
    return 0.5 + (angle + (freedom > 1 ? sine * sum : 0)) / Math.PI;
  }
  let term = 1;
  for (let k = 0; k <= freedom - 2; k += 2) {
    sum += term;
    term *= ((k + 1) / (k + 2)) * cosine * cosine;
  }
  return 0.5 + (sine * sum) / 2;
}

/** P(Z > z), by Abramowitz and Stegun 7.1.26 (error below 1.5e-7). */
function normalTail(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return (series * Math.exp(-x * x)) / 2;
}

/** Cliff's delta: how much more often a value of b is above one of a than below, -1 to 1. */
export function cliffsDelta(a: readonly number[], b: readonly number[]): number {
  let balance = 0;
  for (const ofA of a) for (const ofB of b) balance += Math.sign(ofB - ofA);
  return balance / (a.length * b.length);
}
