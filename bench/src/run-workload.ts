/**
 * Runs a workload against one target, or against several in turn: round by round, the order rotated each time, so that all meet
 * the same moods of the machine. Round 0 warms up and is kept apart: it is also the first access, cold where nothing was cached.
 */
import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import { RinglightError } from "@ringlight/core";
import { AutocannonLoad } from "./load/autocannon-load.ts";
import type { GeneratorSpec, TraceSpec } from "./load/generator.ts";
import { Generators } from "./load/generators.ts";
import { TimeHistogram } from "./load/histogram.ts";
import type { MergedRound } from "./load/merge-rounds.ts";
import type { TargetAddress } from "./load/target.ts";
import { cpuSecondsOf } from "./process-cpu.ts";
import { LIST_PRICES, type StorePrices, storeCostUsd } from "./results/cost.ts";
import { gitState, machine, versions } from "./results/environment.ts";
import { medianRound, roundFigures } from "./results/figures.ts";
import { RunDirectory } from "./results/run-directory.ts";
import { type OperationSummary, RESULT_FORMAT, type RoundFigures, type RunSummary } from "./results/run-summary.ts";
import { type ServerCounters, scrapeServers, serverFigures } from "./results/server-metrics.ts";
import type { Description } from "./workloads/description.ts";
import { makePlan, type PlanOptions } from "./workloads/make-plan.ts";
import { type Plan, planDigest } from "./workloads/plan.ts";

/** One target of a run. */
export interface SideOptions {
  readonly address: TargetAddress;
  /** /metrics of the workers behind it. */
  readonly metrics?: readonly string[] | undefined;
  /** Processes of its servers on this machine, whose processor time is measured; that of /metrics when left out. */
  readonly pids?: (() => readonly number[]) | undefined;
  /** True when its requests go to the store itself: they are what the store costs then. */
  readonly isStore?: boolean | undefined;
  /** Called before each round, such as to empty a cache. */
  readonly beforeRound?: ((round: number) => Promise<void>) | undefined;
}

/** What to run. */
export interface RunOptions {
  readonly workload:
    | { readonly description: Description; readonly options: PlanOptions }
    | { readonly trace: TraceSpec };
  readonly sides: readonly SideOptions[];
  readonly rounds: number;
  /** Rounds end so long after the start, milliseconds: none but the first is begun that would last longer, by those before it. */
  readonly budgetMs?: number | undefined;
  /** Length of a round; needed where the plan has no end. */
  readonly seconds?: number | undefined;
  /** Length of the warm-up; as long as a round when left out, none when 0. */
  readonly warmSeconds?: number | undefined;
  /** Open loop at this rate; or rates, one a round. */
  readonly rates?: readonly number[] | undefined;
  readonly poisson?: boolean | undefined;
  readonly processes: number;
  readonly commands?: readonly string[] | undefined;
  readonly cores?: string | undefined;
  /** The client that sends the requests; ours when left out. */
  readonly driver?: "autocannon" | undefined;
  readonly connections: number;
  readonly prices?: StorePrices | undefined;
  readonly out: string;
  readonly command?: readonly string[] | undefined;
  readonly progress: (line: string) => void;
}

/** A side under way. */
interface RunningSide {
  readonly side: SideOptions;
  readonly generators: Pick<Generators, "round" | "stop">;
  readonly directory: RunDirectory;
  summary: RunSummary;
  readonly kept: MergedRound[];
}

const SCRAPE_MS = 1000;

/** Runs all rounds of all sides. @returns directories of the runs, in the order of the sides */
export async function runWorkload(options: RunOptions): Promise<string[]> {
  const plan =
    "trace" in options.workload ? undefined : makePlan(options.workload.description, options.workload.options);
  if (plan?.endless && options.seconds === undefined) {
    throw new RinglightError("RL_BAD_REQUEST", "this workload has no end; say how long a round is with --seconds");
  }
  const sides: RunningSide[] = [];
  try {
    const interleaved = options.sides.length > 1 ? randomUUID() : "";
    for (const side of options.sides) sides.push(await startSide(side, plan, options, interleaved));
    const rounds = options.rates?.length ?? options.rounds;
    const begunMs = performance.now();
    let longestMs = 0;
    for (let round = options.warmSeconds === 0 ? 1 : 0; round <= rounds; round++) {
      const roundMs = performance.now();
      if (round > 1 && roundMs - begunMs + longestMs > (options.budgetMs ?? Number.POSITIVE_INFINITY)) break;
      for (let turn = 0; turn < sides.length; turn++) {
        await runRound(sides[(turn + round) % sides.length]!, round, plan, options);
      }
      if (round > 0) longestMs = Math.max(longestMs, performance.now() - roundMs);
    }
    for (const side of sides) finish(side);
    return sides.map(({ directory }) => directory.path);
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    for (const side of sides) side.directory.summary({ ...side.summary, state: "failed", failure });
    throw error;
  } finally {
    for (const { generators } of sides) await generators.stop();
  }
}

async function startSide(
  side: SideOptions,
  plan: Plan | undefined,
  options: RunOptions,
  interleaved: string,
): Promise<RunningSide> {
  const { workload } = options;
  const name =
    "trace" in workload ? `trace-${basename(workload.trace.file).replace(/\.\w+$/, "")}` : workload.description.name;
  const startedMs = Date.now();
  const stamp = new Date(startedMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, "");
  const id = `${stamp}-${name}-${side.address.label.replaceAll(/[^\w-]+/g, "-")}-${randomUUID().slice(0, 4)}`;
  // Lanes that begin their steps together meet within one process.
  const processes = plan?.inStep ? 1 : options.processes;
  if (plan?.inStep && (options.commands?.length ?? 0) > 0) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${name} keeps its lanes in step, which one process does; leave --generator out`,
    );
  }
  const spec: Omit<GeneratorSpec, "index" | "count"> = {
    workload,
    target: side.address,
    connections: options.connections,
  };
  const generators =
    options.driver === "autocannon" && plan !== undefined
      ? new AutocannonLoad(plan, side.address)
      : await Generators.start({
          spec,
          processes,
          ...(options.commands && { commands: options.commands }),
          cores: options.cores,
        });
  const isTrace = "trace" in workload;
  const { tables: _, ...planOptions } = isTrace ? { tables: undefined } : workload.options;
  const directory = new RunDirectory(options.out, {
    format: RESULT_FORMAT,
    id,
    command: options.command ?? [],
    workload: isTrace ? { kind: "trace", ...workload.trace } : workload.description,
    options: {
      ...planOptions,
      rounds: options.rounds,
      seconds: options.seconds,
      warmSeconds: options.warmSeconds,
      rates: options.rates,
      poisson: options.poisson,
      processes,
      connections: options.connections,
      driver: options.driver,
    },
    seed: isTrace ? 0 : workload.options.seed,
    planDigest: plan === undefined ? "" : planDigest(plan, 1000),
    interleaved,
    target: { label: side.address.label, url: side.address.url },
    machine: machine(),
    versions: versions(),
    git: gitState(),
    startedMs,
  });
  const summary: RunSummary = {
    format: RESULT_FORMAT,
    id,
    workload: name,
    title: isTrace ? `Replay of ${basename(workload.trace.file)}` : workload.description.title,
    kind: isTrace ? "trace" : workload.description.kind,
    target: side.address.label,
    startedMs,
    state: "running",
    rounds: [],
    operations: {},
  };
  directory.summary(summary);
  return { side, generators, directory, summary, kept: [] };
}

async function runRound(
  running: RunningSide,
  round: number,
  plan: Plan | undefined,
  options: RunOptions,
): Promise<void> {
  const { side, generators, directory } = running;
  await side.beforeRound?.(round);
  const isWarmUp = round === 0;
  const seconds = isWarmUp && plan?.endless !== false ? (options.warmSeconds ?? options.seconds) : options.seconds;
  const rate = options.rates?.[Math.max(0, round - 1) % options.rates.length];
  const startedMs = Date.now();
  directory.beginRound(round, startedMs);
  const before = await countersOf(side);
  const cpuBefore = side.pids && cpuByProcess(side.pids());
  if (before !== undefined) directory.metrics(before);
  const scraping = setInterval(() => {
    void countersOf(side)
      .then((counters) => counters && directory.metrics(counters))
      .catch(() => {});
  }, SCRAPE_MS);
  const seed = "trace" in options.workload ? 0 : options.workload.options.seed;
  let merged: MergedRound;
  try {
    merged = await generators.round({ round, seconds, rate, poisson: options.poisson, seed }, (window) => {
      directory.window(window);
      if (window.second % 5 === 4) {
        options.progress(
          `  ${side.address.label}, ${window.second + 1} s: ${window.requests} requests in the last second`,
        );
      }
    });
  } finally {
    clearInterval(scraping);
  }
  const cpuSeconds = cpuBefore && cpuSince(cpuBefore);
  directory.endRound(merged);
  const after = await countersOf(side);
  const server = before !== undefined && after !== undefined ? serverFigures(before, after) : undefined;
  const prices = options.prices ?? LIST_PRICES;
  const cost = side.isStore
    ? storeCostUsd(merged.requests, merged.bytes, prices)
    : server && storeCostUsd(server.storeRequests, server.storeBytes, prices);
  const figures = roundFigures(merged, {
    round,
    startedMs,
    training: plan?.training,
    rate,
    server,
    serverCpuSeconds: cpuSeconds ?? server?.cpuSeconds,
    storeCostUsd: cost,
  });
  options.progress(`${side.address.label}, ${isWarmUp ? "warm-up" : `round ${round}`}: ${words(figures)}`);
  if (merged.requests > 0 && merged.errors === merged.requests) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${side.address.label}: every request failed; the first: ${merged.firstError}`,
    );
  }
  if (isWarmUp) running.summary = { ...running.summary, warmUp: figures };
  else {
    running.kept.push(merged);
    running.summary = withRounds(running.summary, [...running.summary.rounds, figures], running.kept);
  }
  directory.summary(running.summary);
}

function withRounds(summary: RunSummary, rounds: readonly RoundFigures[], kept: readonly MergedRound[]): RunSummary {
  const median = medianRound(rounds);
  const operations: Record<string, OperationSummary> = {};
  for (const op of new Set(kept.flatMap((round) => [...round.operations.keys()]))) {
    const latency = new TimeHistogram();
    const firstByte = new TimeHistogram();
    let [requests, bytes] = [0, 0];
    for (const round of kept) {
      const operation = round.operations.get(op);
      if (operation === undefined) continue;
      latency.add(operation.latency);
      firstByte.add(operation.firstByte);
      requests += operation.requests;
      bytes += operation.bytes;
    }
    operations[op] = {
      requests,
      bytes,
      p50Ms: latency.quantileMs(0.5),
      p99Ms: latency.quantileMs(0.99),
      firstByteP50Ms: firstByte.quantileMs(0.5),
    };
  }
  return { ...summary, rounds, ...(median && { median }), operations };
}

function finish(running: RunningSide): void {
  running.summary = { ...running.summary, state: "done" };
  running.directory.summary(running.summary);
}

async function countersOf(side: SideOptions): Promise<ServerCounters | undefined> {
  return side.metrics === undefined || side.metrics.length === 0 ? undefined : await scrapeServers(side.metrics);
}

/** Processor time by process; one that has ended, as nginx's loader of its cache does, has none. */
function cpuByProcess(pids: Iterable<number>): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of pids) {
    try {
      found.set(pid, cpuSecondsOf([pid]));
    } catch {
      // It ended between the listing and now.
    }
  }
  return found;
}

function cpuSince(before: ReadonlyMap<number, number>): number {
  let seconds = 0;
  for (const [pid, now] of cpuByProcess(before.keys())) seconds += now - (before.get(pid) ?? now);
  return seconds;
}

function words(figures: RoundFigures): string {
  const parts = [
    `${figures.requestsPerSecond.toFixed(0)} requests/s`,
    `${(figures.bytesPerSecond / 1e6).toFixed(1)} MB/s`,
    `p50 ${figures.p50Ms.toFixed(2)} ms`,
    `p99 ${figures.p99Ms.toFixed(2)} ms`,
  ];
  if (figures.training) parts.push(`AU ${(figures.training.utilization * 100).toFixed(1)} %`);
  if (figures.server?.hitRate !== undefined) parts.push(`hits ${(figures.server.hitRate * 100).toFixed(1)} %`);
  if (figures.errors > 0) parts.push(`${figures.errors} ERRORS (${figures.firstError})`);
  if (figures.saturation.saturated) parts.push(`GENERATOR SATURATED: ${figures.saturation.reasons.join("; ")}`);
  return parts.join(", ");
}
