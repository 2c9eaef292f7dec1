/** What a generator process does: makes its share of the plan, runs rounds as it is told, and says how it kept up. */
import { performance } from "node:perf_hooks";
import { importTrace } from "../traces/import-trace.ts";
import type { Trace } from "../traces/trace.ts";
import { tracePlan, traceSchedule } from "../traces/trace-plan.ts";
import type { Description } from "../workloads/description.ts";
import { makePlan, type PlanOptions } from "../workloads/make-plan.ts";
import type { Plan } from "../workloads/plan.ts";
import { type RunningLane, runClosed, startLanes } from "./closed-load.ts";
import { type OpenLoadFigures, runOpen, scheduled } from "./open-load.ts";
import { openTarget } from "./open-target.ts";
import { preciseClock } from "./precise-sleep.ts";
import { Recorder, type RoundRecord, type Window } from "./recorder.ts";
import type { Target, TargetAddress } from "./target.ts";

/** A trace to replay. */
export interface TraceSpec {
  readonly file: string;
  readonly format: string;
  /** 1 is as recorded, 10 ten times as fast; 0 is as fast as possible. */
  readonly speed: number;
  /** Users of a replay that is as fast as possible. */
  readonly users: number;
  readonly limit?: number | undefined;
  /** Prefix that keys lose, such as "lake/" of a capture of the mount /lake. */
  readonly strip?: string | undefined;
}

/** What a generator is to do. */
export interface GeneratorSpec {
  readonly workload:
    | { readonly description: Description; readonly options: PlanOptions }
    | { readonly trace: TraceSpec };
  readonly target: TargetAddress;
  /** This generator's number, of how many: lanes, and rows of a trace, are dealt among them. */
  readonly index: number;
  readonly count: number;
  readonly connections: number;
}

/** One round. */
export interface RoundCommand {
  readonly round: number;
  /** Ends the round; a finite plan ends by itself. */
  readonly seconds?: number | undefined;
  /** Open loop: requests a second of all generators together. */
  readonly rate?: number | undefined;
  readonly poisson?: boolean | undefined;
  readonly seed: number;
}

/** How the generator itself fared in a round. */
export interface GeneratorFigures {
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** Share of the time in which its event loop was busy, 0 to 1. */
  readonly utilization: number;
  /** By how much it sent later than due, p99 in milliseconds; 0 in a closed loop. */
  readonly latenessP99Ms: number;
  readonly unanswered: number;
}

/** What a generator says. */
export type GeneratorEvent =
  | { readonly event: "ready"; readonly lanes: number }
  | { readonly event: "window"; readonly round: number; readonly window: Window }
  | {
      readonly event: "round";
      readonly round: number;
      readonly record: RoundRecord;
      readonly generator: GeneratorFigures;
    };

/** Runs until there is no more to read. */
export async function runGenerator(
  read: () => Promise<string | undefined>,
  write: (event: GeneratorEvent) => void,
): Promise<void> {
  const first = await read();
  if (first === undefined) return;
  const spec = JSON.parse(first) as GeneratorSpec;
  const { index, count } = spec;
  const source = await workOf(spec);
  const target = await openTarget(spec.target, spec.connections);
  write({ event: "ready", lanes: source.lanes });
  try {
    for (let line = await read(); line !== undefined; line = await read()) {
      const command = JSON.parse(line) as RoundCommand;
      await round(command, source, target, { index, count }, write);
    }
  } finally {
    await target.close();
  }
}

interface Work {
  readonly plan: Plan;
  readonly lanes: number;
  /** Lanes of this process, at the start; those of an endless plan where they were left. */
  readonly start: () => readonly RunningLane[];
  readonly trace?: { readonly trace: Trace; readonly speed: number };
}

async function workOf({ workload, index, count }: GeneratorSpec): Promise<Work> {
  if ("trace" in workload) {
    const { file, format, limit, speed, users, strip } = workload.trace;
    const { trace } = await importTrace(file, format, limit, strip);
    const plan = tracePlan(trace, { users, index, count });
    return { plan, lanes: plan.lanes.length, start: () => startLanes(plan.lanes), trace: { trace, speed } };
  }
  const plan = makePlan(workload.description, workload.options);
  const mine = plan.lanes.filter((_, lane) => lane % count === index);
  const kept = plan.endless ? startLanes(mine) : undefined;
  return { plan, lanes: mine.length, start: () => kept ?? startLanes(mine) };
}

async function round(
  command: RoundCommand,
  work: Work,
  target: Target,
  share: { readonly index: number; readonly count: number },
  write: (event: GeneratorEvent) => void,
): Promise<void> {
  const clock = preciseClock;
  const startedMs = clock.monotonicMs();
  const recorder = new Recorder(startedMs, clock.now(), (window) =>
    write({ event: "window", round: command.round, window }),
  );
  const endMs = command.seconds === undefined ? Number.POSITIVE_INFINITY : startedMs + command.seconds * 1000;
  const context = { target, recorder, clock, stopped: () => clock.monotonicMs() >= endMs };
  const cpuBefore = process.cpuUsage();
  const loopBefore = performance.eventLoopUtilization();
  let open: OpenLoadFigures | undefined;
  if (work.trace !== undefined && work.trace.speed > 0) {
    open = await runOpen(traceSchedule(work.trace.trace, work.trace.speed, share), context);
  } else if (command.rate !== undefined) {
    const { rate, seed, poisson = true } = command;
    const options = { rate: rate / share.count, poisson, seed: seed + command.round, share: `${share.index}` };
    open = await runOpen(scheduled(work.start(), options), context);
  } else await runClosed(work.plan, work.start(), context);
  const seconds = (clock.monotonicMs() - startedMs) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const generator: GeneratorFigures = {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    seconds,
    utilization: performance.eventLoopUtilization(loopBefore).utilization,
    latenessP99Ms: open === undefined || open.lateness.count === 0 ? 0 : open.lateness.quantileMs(0.99),
    unanswered: open?.unanswered ?? 0,
  };
  // A round that was cut by its time is as long as was asked for; what came a little later belongs to it.
  write({ event: "round", round: command.round, record: recorder.finish(clock.monotonicMs()), generator });
}
