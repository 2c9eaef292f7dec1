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

/** Doubles the rate while the goal is met, then halves the gap until it is within `precision` of the rate. */
export async function findMax(
  run: (rate: number) => Promise<RateTry>,
  options: {
    readonly goalP99Ms: number;
    readonly startRate: number;
    readonly precision?: number;
    readonly maxTries?: number;
  },
): Promise<HighestRate> {
  const { goalP99Ms, startRate, precision = 0.05, maxTries = 20 } = options;
  const tries: RateTry[] = [];
  const meets = async (rate: number) => {
    const tried = await run(rate);
    tries.push(tried);
    return tried.errors === 0 && !tried.saturated && tried.p99Ms <= goalP99Ms && tried.achieved >= rate * KEPT_UP;
  };
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  let rate = startRate;
  while (tries.length < maxTries && (bad - good) / (Number.isFinite(bad) ? bad : good || 1) > precision) {
    if (await meets(rate)) good = rate;
    else bad = rate;
    if (Number.isFinite(bad)) rate = good === 0 ? bad / 2 : (good + bad) / 2;
    else rate = good * 2;
    if (rate < 1) break;
  }
  return { rate: good, tries, limitedByGenerator: tries.some((tried) => tried.rate === bad && tried.saturated) };
}
