/** Compares two runs: ratios with intervals, effect size, and a plain sentence. */
import { RinglightError } from "@ringlight/core";
import { cliffsDelta, type Interval, ratioInterval } from "./bootstrap.ts";
import type { StoredRun } from "./run-directory.ts";
import type { RoundFigures } from "./run-summary.ts";

/** What is compared, and which way is better. */
const METRICS: readonly {
  readonly name: string;
  readonly higherIsBetter: boolean;
  readonly of: (round: RoundFigures) => number | undefined;
}[] = [
  { name: "throughput", higherIsBetter: true, of: (round) => round.requestsPerSecond },
  { name: "p50 latency", higherIsBetter: false, of: (round) => round.p50Ms },
  { name: "p90 latency", higherIsBetter: false, of: (round) => round.p90Ms },
  { name: "p99 latency", higherIsBetter: false, of: (round) => round.p99Ms },
  {
    name: "server CPU a request",
    higherIsBetter: false,
    of: ({ serverCpuSeconds = 0, requests }) =>
      serverCpuSeconds > 0 && requests > 0 ? (serverCpuSeconds * 1e6) / requests : undefined,
  },
  { name: "accelerator utilisation", higherIsBetter: true, of: (round) => round.training?.utilization },
];

/** Rounds below which nothing is said of a difference. */
const LEAST_ROUNDS = 3;
/** Each of six metrics may cry wolf: at 99.5 % all of them together do so in one comparison of thirty-three, at most. */
const CONFIDENCE = 0.995;
/** A smaller difference is not worth a sentence, however sure it is. */
const SMALLEST_DIFFERENCE = 0.02;

/** One metric of both runs. */
export interface Comparison {
  readonly metric: string;
  readonly higherIsBetter: boolean;
  readonly a: number;
  readonly b: number;
  /** B over A. */
  readonly ratio: Interval;
  /** Cliff's delta of the rounds, -1 to 1. */
  readonly effect: number;
  readonly verdict: "faster" | "slower" | "no difference seen" | "too few rounds";
}

/** The whole comparison. */
export interface RunComparison {
  readonly a: string;
  readonly b: string;
  readonly paired: boolean;
  readonly rounds: readonly [a: number, b: number];
  readonly comparisons: readonly Comparison[];
  readonly sentence: string;
  readonly warnings: readonly string[];
}

/** Compares. B is judged against A. @throws RL_BAD_REQUEST where they did not do the same work */
export function compareRuns(a: StoredRun, b: StoredRun): RunComparison {
  if (a.summary.workload !== b.summary.workload || a.manifest.planDigest !== b.manifest.planDigest) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${a.summary.id} and ${b.summary.id} did not ask for the same bytes; compare runs of one workload, seed and scale`,
    );
  }
  const names = namesOf(a, b);
  const paired = a.manifest.interleaved !== "" && a.manifest.interleaved === b.manifest.interleaved;
  const comparisons = METRICS.flatMap((metric) => {
    const both = [a, b].map(({ summary }) => summary.rounds.flatMap((round) => metric.of(round) ?? []));
    const [ofA = [], ofB = []] = both;
    if (ofA.length === 0 || ofB.length === 0) return [];
    return [compareFigures(metric.name, metric.higherIsBetter, ofA, ofB, paired && ofA.length === ofB.length)];
  });
  return {
    a: names[0],
    b: names[1],
    paired,
    rounds: [a.summary.rounds.length, b.summary.rounds.length],
    comparisons,
    sentence: sentenceOf(names[0], names[1], comparisons),
    warnings: warningsOf(a, b, paired),
  };
}

/** Compares one metric. */
export function compareFigures(
  metric: string,
  higherIsBetter: boolean,
  a: readonly number[],
  b: readonly number[],
  paired: boolean,
): Comparison {
  const ratio = ratioInterval(a, b, { paired, confidence: CONFIDENCE });
  const middle = (values: readonly number[]) => [...values].sort((x, y) => x - y)[values.length >> 1]!;
  const isSure = ratio.low > 1 || ratio.high < 1;
  const isLarge = Math.abs(ratio.estimate - 1) >= SMALLEST_DIFFERENCE;
  let verdict: Comparison["verdict"] = "no difference seen";
  if (Math.min(a.length, b.length) < LEAST_ROUNDS) verdict = "too few rounds";
  else if (isSure && isLarge) verdict = ratio.estimate > 1 === higherIsBetter ? "faster" : "slower";
  return { metric, higherIsBetter, a: middle(a), b: middle(b), ratio, effect: cliffsDelta(a, b), verdict };
}

/** What people call the runs: their targets, and their ids where those are the same. */
function namesOf(a: StoredRun, b: StoredRun): readonly [string, string] {
  const isTold = a.summary.target !== b.summary.target;
  return isTold ? [a.summary.target, b.summary.target] : [a.summary.id, b.summary.id];
}

function sentenceOf(a: string, b: string, comparisons: readonly Comparison[]): string {
  if (comparisons.some(({ verdict }) => verdict === "too few rounds")) {
    return `Nothing can be said: at least ${LEAST_ROUNDS} rounds of each are needed, and 5 or more are better.`;
  }
  const told = (verdict: Comparison["verdict"]) =>
    comparisons
      .filter((comparison) => comparison.verdict === verdict)
      .map(
        ({ metric, ratio }) => `${metric} ${percent(ratio.estimate)} (${percent(ratio.low)} to ${percent(ratio.high)})`,
      );
  const [faster, slower] = [told("faster"), told("slower")];
  if (faster.length === 0 && slower.length === 0) return `No difference seen between ${a} and ${b}.`;
  if (slower.length === 0) return `${b} is faster than ${a}: ${faster.join(", ")}.`;
  if (faster.length === 0) return `${b} is slower than ${a}: ${slower.join(", ")}.`;
  return `${b} against ${a} is better in ${faster.join(", ")}, and worse in ${slower.join(", ")}.`;
}

function percent(ratio: number): string {
  const change = (ratio - 1) * 100;
  return Math.abs(change) >= 200 ? `${ratio.toFixed(1)}x` : `${change >= 0 ? "+" : ""}${change.toFixed(1)} %`;
}

function warningsOf(a: StoredRun, b: StoredRun, paired: boolean): string[] {
  const warnings: string[] = [];
  if (!paired)
    warnings.push("the rounds were not taken in turn: a change of the machine's mood looks like a difference");
  for (const { summary } of [a, b]) {
    const saturated = summary.rounds.filter(({ saturation }) => saturation.saturated);
    if (saturated.length > 0) warnings.push(`${summary.id}: ${saturated[0]!.saturation.reasons.join("; ")}`);
    const errors = summary.rounds.reduce((sum, round) => sum + round.errors, 0);
    if (errors > 0) warnings.push(`${summary.id}: ${errors} requests failed`);
  }
  if (a.manifest.machine.host !== b.manifest.machine.host) warnings.push("the runs are of different machines");
  return warnings;
}

/** Whether B is worse than A by more than is allowed, for a gate. */
export interface GateResult {
  readonly state: "passed" | "failed" | "undecided";
  readonly sentence: string;
}

/** Fails when a metric is worse by more than `maxRegression` (0.05 is 5 %) and surely worse at all. Undecided with too few rounds. */
export function gate(comparison: RunComparison, maxRegression: number): GateResult {
  const judged = comparison.comparisons.filter(({ metric }) => metric !== "p99 latency");
  if (judged.some(({ verdict }) => verdict === "too few rounds")) {
    return { state: "undecided", sentence: comparison.sentence };
  }
  const worse = judged.filter(({ ratio, higherIsBetter, verdict }) => {
    const regression = higherIsBetter ? 1 - ratio.estimate : ratio.estimate - 1;
    return verdict === "slower" && regression > maxRegression;
  });
  const bar = `${(maxRegression * 100).toFixed(1)} %`;
  if (worse.length === 0) return { state: "passed", sentence: `No regression above ${bar}. ${comparison.sentence}` };
  const named = worse.map(({ metric, ratio }) => `${metric} ${percent(ratio.estimate)}`).join(", ");
  return { state: "failed", sentence: `Regression above ${bar}: ${named}. ${comparison.sentence}` };
}
