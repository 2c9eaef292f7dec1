/** Searches the highest rate of an open loop that meets a goal. */
import { KEPT_UP } from "../results/figures.ts";

/** One try. */
export interface RateTry {
  readonly rate: number;
  readonly achieved: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly saturated: boolean;
}

/** What the search came to. */
export interface HighestRate {
  /** 0 when not even the lowest rate met the goal. */
  readonly rate: number;
  readonly tries: readonly RateTry[];
  /** True when the generator, not the target, ended the search. */
  readonly limitedByGenerator: boolean;
}

/** Options of the search. */
export interface FindMaxOptions {
  readonly goalP99Ms: number;
  readonly startRate: number;
  /** The rate that is found is within this share below the highest one; 0.05 when left out. */
  readonly precision?: number;
  readonly maxTries?: number;
}

/** Rates one after the other at which the generator was late: a machine so busy measures nothing, however low the rate. */
const MOST_SATURATED = 3;
/** Below this share of the offered rate a target is overrun beyond doubt. */
const OVERRUN = 0.9;

/**
 * Doubles the rate while the goal is met, then halves the gap until it is within `precision` of the rate. A rate that does not meet the
 * goal is tried again before that is believed, unless the target was overrun: one pause of a machine is not its capacity. A generator
 * that sends late is charged to the target, so a rate that meets the goal all the same does meet it.
 */
export async function findMax<T extends RateTry>(
  run: (rate: number) => Promise<T>,
  { goalP99Ms, startRate, precision = 0.05, maxTries = 30 }: FindMaxOptions,
): Promise<HighestRate & { readonly tries: readonly T[]; readonly best: T | undefined }> {
  const tries: T[] = [];
  let best: T | undefined;
  const meets = async (rate: number) => {
    for (let attempt = 1; ; attempt++) {
      const tried = await run(rate);
      tries.push(tried);
      if (tried.errors === 0 && tried.p99Ms <= goalP99Ms && tried.achieved >= rate * KEPT_UP) {
        best = tried;
        return true;
      }
      if (attempt === 2 || tried.achieved < rate * OVERRUN || tries.length >= maxTries) return false;
    }
  };
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  let rate = startRate;
  let saturated = 0;
  while (tries.length < maxTries && (bad - good) / (Number.isFinite(bad) ? bad : good || 1) > precision) {
    if (await meets(rate)) good = rate;
    else bad = rate;
    saturated = rate === bad && tries.at(-1)?.saturated === true ? saturated + 1 : 0;
    if (good === 0 && saturated === MOST_SATURATED) break;
    if (Number.isFinite(bad)) rate = good === 0 ? bad / 2 : (good + bad) / 2;
    else rate = good * 2;
    if (rate < 1) break;
  }
  const ended = tries.filter((tried) => tried.rate === bad);
  return { rate: good, tries, best, limitedByGenerator: ended.some(({ saturated }) => saturated) };
}
