/** Figures of a round from what was recorded. */
import type { GeneratorFigures } from "../load/generator.ts";
import { TimeHistogram } from "../load/histogram.ts";
import type { MergedRound } from "../load/merge-rounds.ts";
import type { EpochRecord } from "../load/recorder.ts";
import { median } from "../statistics.ts";
import type { Plan } from "../workloads/plan.ts";
import type { PartFigures, RoundFigures, Saturation, ServerFigures, TrainingFigures } from "./run-summary.ts";

/** An event loop that is busier than this is taken to be the limit. */
const BUSY = 0.95;
/** Sent so much later than due, against the median latency, and the generator has shaped what it measured. */
const LATE_SHARE = 0.1;
const LATE_MS = 1;
/** Achieved below this share of the offered rate: not kept up. */
export const KEPT_UP = 0.98;

/** What else is known of a round. */
export interface RoundContext {
  readonly round: number;
  readonly startedMs: number;
  readonly training: Plan["training"];
  readonly rate?: number | undefined;
  readonly server?: ServerFigures | undefined;
  /** Processor time of the servers. */
  readonly serverCpuSeconds?: number | undefined;
  readonly storeCostUsd?: number | undefined;
}

/** The figures. */
export function roundFigures(merged: MergedRound, context: RoundContext): RoundFigures {
  const { latency, seconds, requests, bytes } = merged;
  const firstByte = new TimeHistogram();
  for (const operation of merged.operations.values()) firstByte.add(operation.firstByte);
  return {
    round: context.round,
    startedMs: context.startedMs,
    seconds,
    requests,
    bytes,
    errors: merged.errors,
    firstError: merged.firstError,
    requestsPerSecond: (requests - merged.errors) / seconds,
    bytesPerSecond: bytes / seconds,
    p50Ms: latency.quantileMs(0.5),
    p90Ms: latency.quantileMs(0.9),
    p99Ms: latency.quantileMs(0.99),
    p999Ms: latency.quantileMs(0.999),
    maxMs: latency.maxMs,
    meanMs: latency.meanMs,
    firstByteP50Ms: firstByte.quantileMs(0.5),
    firstByteP99Ms: firstByte.quantileMs(0.99),
    ...(context.rate !== undefined && { rate: context.rate }),
    ...(context.training && merged.epochs.length > 0 && { training: trainingFigures(merged.epochs, context.training) }),
    parts: Object.fromEntries([...merged.parts].map(([name, histogram]) => [name, partFigures(histogram)])),
    ...(context.server && { server: context.server }),
    ...(context.serverCpuSeconds !== undefined && { serverCpuSeconds: context.serverCpuSeconds }),
    ...(context.storeCostUsd !== undefined && { storeCostUsd: context.storeCostUsd }),
    saturation: saturationOf(merged.generators, latency.quantileMs(0.5)),
  };
}

function partFigures(histogram: TimeHistogram): PartFigures {
  return { count: histogram.count, p50Ms: histogram.quantileMs(0.5), p99Ms: histogram.quantileMs(0.99) };
}

/** Utilisation: by epoch the mean of the accelerators, then the mean of the epochs. */
export function trainingFigures(
  records: readonly EpochRecord[],
  training: NonNullable<Plan["training"]>,
): TrainingFigures {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const epochs = [...new Set(records.map(({ epoch }) => epoch))].sort((a, b) => a - b);
  const of = (epoch: number) => records.filter((record) => record.epoch === epoch);
  // An epoch of one step has nothing to tell.
  const byEpoch = epochs.map((epoch) =>
    mean(of(epoch).map(({ runningMs, computeMs }) => (runningMs > 0 ? Math.min(1, computeMs / runningMs) : 1))),
  );
  const samples = records.reduce((sum, record) => sum + record.samples, 0);
  const totalMs = epochs.reduce((sum, epoch) => sum + Math.max(...of(epoch).map((record) => record.totalMs)), 0);
  const utilization = mean(byEpoch);
  return {
    utilization,
    byEpoch,
    samplesPerSecond: samples / (totalMs / 1000),
    passMark: training.passMark,
    passes: utilization >= training.passMark,
    accelerator: training.accelerator,
    accelerators: training.accelerators,
  };
}

/** Says whether the generators were the limit. */
export function saturationOf(generators: readonly GeneratorFigures[], p50Ms: number): Saturation {
  const utilization = Math.max(0, ...generators.map((generator) => generator.utilization));
  const latenessP99Ms = Math.max(0, ...generators.map((generator) => generator.latenessP99Ms));
  const unanswered = generators.reduce((sum, generator) => sum + generator.unanswered, 0);
  const reasons: string[] = [];
  if (utilization > BUSY) {
    const share = `${(utilization * 100).toFixed(0)} %`;
    reasons.push(`a generator process was busy ${share} of the time; start more of them (--processes, --generator)`);
  }
  if (latenessP99Ms > Math.max(LATE_MS, p50Ms * LATE_SHARE)) {
    reasons.push(
      `requests were sent up to ${latenessP99Ms.toFixed(1)} ms (p99) later than due by the generator's own doing`,
    );
  }
  if (unanswered > 0) reasons.push(`${unanswered} requests had no answer when the round was given up`);
  return {
    saturated: reasons.length > 0,
    reasons,
    utilization,
    cpuSeconds: generators.reduce((sum, generator) => sum + generator.cpuSeconds, 0),
    latenessP99Ms,
  };
}

/** Medians of rounds, figure by figure. */
export function medianRound(rounds: readonly RoundFigures[]): RoundFigures | undefined {
  const [first] = rounds;
  if (first === undefined) return undefined;
  const of = (value: (round: RoundFigures) => number) => median(rounds.map(value));
  const byThroughput = [...rounds].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  // What is not a number is that of the round in the middle.
  const middle = byThroughput[rounds.length >> 1]!;
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round.parts)))];
  return {
    ...middle,
    seconds: of((round) => round.seconds),
    requests: of((round) => round.requests),
    bytes: of((round) => round.bytes),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    firstError: rounds.find((round) => round.firstError !== "")?.firstError ?? "",
    requestsPerSecond: of((round) => round.requestsPerSecond),
    bytesPerSecond: of((round) => round.bytesPerSecond),
    p50Ms: of((round) => round.p50Ms),
    p90Ms: of((round) => round.p90Ms),
    p99Ms: of((round) => round.p99Ms),
    p999Ms: of((round) => round.p999Ms),
    maxMs: of((round) => round.maxMs),
    meanMs: of((round) => round.meanMs),
    firstByteP50Ms: of((round) => round.firstByteP50Ms),
    firstByteP99Ms: of((round) => round.firstByteP99Ms),
    ...(middle.serverCpuSeconds !== undefined && {
      serverCpuSeconds: of((round) => round.serverCpuSeconds ?? Number.NaN),
    }),
    ...(middle.training && {
      training: {
        ...middle.training,
        utilization: of((round) => round.training?.utilization ?? Number.NaN),
        samplesPerSecond: of((round) => round.training?.samplesPerSecond ?? Number.NaN),
      },
    }),
    parts: Object.fromEntries(
      names.map((name) => {
        const times = rounds.flatMap((round) => round.parts[name] ?? []);
        return [
          name,
          {
            count: times.reduce((sum, time) => sum + time.count, 0),
            p50Ms: median(times.map((time) => time.p50Ms)),
            p99Ms: median(times.map((time) => time.p99Ms)),
          },
        ];
      }),
    ),
  };
}
