/**
 * The closed loop: each lane does its steps in order, thinks or computes between them, and fetches ahead as far as its readers
 * may. What a lane asks for depends on when it got what it asked for before, as in real training and real sessions; a target
 * that stalls is asked less, so rates are found with the open loop (open-load.ts).
 */
import type { Clock } from "@ringlight/core";
import type { Lane, Plan, PlannedRequest, Step } from "../workloads/plan.ts";
import { Barrier } from "./barrier.ts";
import type { Recorder } from "./recorder.ts";
import type { Target } from "./target.ts";

/** What a loop needs. */
export interface LoadContext {
  readonly target: Target;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** Looked at before each step. */
  readonly stopped: () => boolean;
}

/** Runs lanes until all have ended. `iterators` go on where they are, so that rounds of an endless plan follow each other. */
export async function runClosed(plan: Plan, lanes: readonly RunningLane[], context: LoadContext): Promise<void> {
  const barrier = plan.inStep && lanes.length > 1 ? new Barrier(lanes.length) : undefined;
  await Promise.all(
    lanes.map(async (lane) => {
      try {
        await runLane(lane, plan, context, barrier);
      } finally {
        barrier?.leave();
      }
    }),
  );
}

/** A lane under way. */
export interface RunningLane {
  readonly lane: Lane;
  readonly steps: Iterator<Step>;
}

/** Lanes at their first steps. */
export function startLanes(lanes: readonly Lane[]): RunningLane[] {
  return lanes.map((lane) => ({ lane, steps: lane.steps()[Symbol.iterator]() }));
}

interface Fetched {
  readonly step: Step;
  readonly startedMs: number;
  readonly ready: Promise<void>;
}

async function runLane(
  { lane, steps }: RunningLane,
  plan: Plan,
  context: LoadContext,
  barrier: Barrier | undefined,
): Promise<void> {
  const { clock, recorder } = context;
  const queue: Fetched[] = [];
  let pending: Step | undefined;
  let inFlight = 0;
  let limit = Math.max(1, lane.ahead);
  let epoch = -1;
  const next = (): Step | undefined => {
    if (pending === undefined && !context.stopped()) pending = steps.next().value as Step | undefined;
    return pending;
  };
  /** Begins fetches as far as the lane may. */
  const refill = () => {
    while (queue.length < limit && inFlight < lane.depth) {
      const step = next();
      if (step === undefined || (step.epoch !== epoch && epoch !== -1)) return;
      epoch = step.epoch;
      pending = undefined;
      inFlight++;
      const ready = perform(step, context).finally(() => {
        inFlight--;
        refill();
      });
      queue.push({ step, startedMs: clock.monotonicMs(), ready });
    }
  };
  const track = plan.training === undefined ? undefined : new EpochTrack(lane.name, recorder);
  let partStartMs: number | undefined;
  for (;;) {
    if (queue.length === 0) {
      // Between epochs nothing is ahead.
      const step = next();
      if (step === undefined) break;
      if (isPlain(step) && lane.depth === 1 && lane.ahead === 0 && barrier === undefined) {
        pending = undefined;
        await runPlain(step, steps, context, (other) => {
          pending = other;
        });
        epoch = -1;
        continue;
      }
      if (step.epoch !== epoch) {
        epoch = step.epoch;
        track?.begin(epoch, clock.monotonicMs());
      }
    }
    limit = Math.max(1, lane.ahead);
    refill();
    const fetched = queue[0];
    if (fetched === undefined) break;
    partStartMs ??= fetched.startedMs;
    await fetched.ready;
    queue.shift();
    const { step } = fetched;
    if (step.endsPart) {
      recorder.part(step.part, clock.monotonicMs() - partStartMs);
      partStartMs = undefined;
    }
    limit = lane.ahead;
    refill();
    if (barrier !== undefined) await barrier.arrive();
    if (step.computeMs > 0) await clock.sleep(step.computeMs);
    track?.step(step, clock.monotonicMs());
  }
  track?.end();
}

/** A single request without anything around it: the small benchmarks, which are to cost the generator as little as can be. */
function isPlain(step: Step): boolean {
  return step.requests.length === 1 && step.computeMs === 0 && step.part === "";
}

/** Runs plain steps by callbacks, with no promise between them, until one comes that is not, which is handed to `other`. */
function runPlain(
  first: Step,
  steps: Iterator<Step>,
  { target, recorder, clock, stopped }: LoadContext,
  other: (step: Step) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let step: Step | undefined = first;
    let isSending = false;
    const go = () => {
      // A target that answers at once calls back while it is still being asked; that must not deepen the stack.
      if (isSending) return;
      isSending = true;
      while (step !== undefined) {
        const request: PlannedRequest = step.requests[0]!;
        const startedMs = clock.monotonicMs();
        let isAnswered = false;
        target.perform(request, (answer) => {
          recorder.request(request, startedMs, clock.monotonicMs(), answer);
          isAnswered = true;
          step = stopped() ? undefined : (steps.next().value as Step | undefined);
          if (step !== undefined && !isPlain(step)) {
            other(step);
            step = undefined;
          }
          if (step === undefined) resolve();
          else go();
        });
        if (!isAnswered) break;
      }
      isSending = false;
    };
    go();
  });
}

/** The requests of a step, `width` of them at once. Failures are the recorder's; this does not reject. */
function perform(step: Step, { target, recorder, clock }: LoadContext): Promise<void> {
  return new Promise((resolve) => {
    const { requests, width } = step;
    let begun = 0;
    let ended = 0;
    if (requests.length === 0) {
      resolve();
      return;
    }
    const more = () => {
      const request = requests[begun++];
      if (request === undefined) return;
      const startedMs = clock.monotonicMs();
      target.perform(request, (answer) => {
        recorder.request(request, startedMs, clock.monotonicMs(), answer);
        if (++ended === requests.length) resolve();
        else more();
      });
    };
    for (let reader = 0; reader < Math.max(1, width); reader++) more();
  });
}

/**
 * Accelerator utilisation by MLPerf Storage's definition: computation over running time, from the end of an epoch's first step, for
 * the first one waits for a pipeline that is not full yet.
 */
class EpochTrack {
  readonly #lane: string;
  readonly #recorder: Recorder;
  #epoch = 0;
  #beganMs = 0;
  #firstMs = 0;
  #lastMs = 0;
  #steps = 0;
  #samples = 0;
  #computeMs = 0;

  constructor(lane: string, recorder: Recorder) {
    this.#lane = lane;
    this.#recorder = recorder;
  }

  begin(epoch: number, nowMs: number): void {
    this.end();
    this.#epoch = epoch;
    this.#beganMs = nowMs;
    this.#steps = 0;
    this.#samples = 0;
    this.#computeMs = 0;
  }

  step({ samples, computeMs }: Step, nowMs: number): void {
    if (this.#steps++ === 0) this.#firstMs = nowMs;
    else this.#computeMs += computeMs;
    this.#samples += samples;
    this.#lastMs = nowMs;
  }

  end(): void {
    if (this.#steps === 0) return;
    this.#recorder.epoch({
      lane: this.#lane,
      epoch: this.#epoch,
      steps: this.#steps,
      samples: this.#samples,
      runningMs: this.#lastMs - this.#firstMs,
      computeMs: this.#computeMs,
      totalMs: this.#lastMs - this.#beganMs,
    });
    this.#steps = 0;
  }
}
