/**
 * The open loop: requests are due at times that the target has no say in, and a latency is counted from when its request was due.
 * A target that stalls is charged for everybody who would have waited (no coordinated omission; Gil Tene, "How NOT to measure
 * latency").
 */
import type { PlannedRequest, Step } from "../workloads/plan.ts";
import { RandomStream } from "../workloads/random.ts";
import type { LoadContext, RunningLane } from "./closed-load.ts";
import { TimeHistogram } from "./histogram.ts";

/** A request with its time, milliseconds since the start of the round. */
export interface TimedRequest {
  readonly atMs: number;
  readonly request: PlannedRequest;
}

/** How the generator itself kept up. */
export interface OpenLoadFigures {
  /** How much later than due requests were sent, by the generator's own doing. */
  readonly lateness: TimeHistogram;
  /** Requests without an answer at the end of the round. */
  readonly unanswered: number;
}

/** Longest wait for what was sent in the round, milliseconds. */
const DRAIN_MS = 30_000;
/** The generator looks at its schedule at least so often. */
const TICK_MS = 1;

/** Sends requests at their times until there are no more, or the round is over; then waits for the answers. */
export async function runOpen(requests: Iterator<TimedRequest>, context: LoadContext): Promise<OpenLoadFigures> {
  const { target, recorder, clock, stopped } = context;
  const startedMs = clock.monotonicMs();
  const lateness = new TimeHistogram();
  let open = 0;
  let drained: (() => void) | undefined;
  for (let next = requests.next(); next.done !== true && !stopped(); next = requests.next()) {
    const { atMs, request } = next.value;
    const dueMs = startedMs + atMs;
    let nowMs = clock.monotonicMs();
    while (nowMs < dueMs && !stopped()) {
      await clock.sleep(Math.min(dueMs - nowMs, 100));
      nowMs = clock.monotonicMs();
    }
    if (stopped()) break;
    lateness.record(nowMs - dueMs);
    open++;
    target.perform(request, (answer) => {
      recorder.request(request, dueMs, clock.monotonicMs(), answer);
      if (--open === 0) drained?.();
    });
    // Many may be due at once after a pause; answers are taken in between.
    if (nowMs - dueMs > TICK_MS && open % 64 === 0) await clock.sleep(0);
  }
  if (open > 0) {
    const limit = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => {
        drained = resolve;
      }),
      clock.sleep(DRAIN_MS, limit.signal).catch(() => {}),
    ]);
    limit.abort();
  }
  return { lateness, unanswered: open };
}

/** The lanes' requests in turn, at `rate` a second: at even intervals, or as a Poisson process. */
export function* scheduled(
  lanes: readonly RunningLane[],
  options: { readonly rate: number; readonly poisson: boolean; readonly seed: number; readonly share: string },
): Generator<TimedRequest> {
  const random = new RandomStream(options.seed, `arrivals/${options.share}`);
  const intervalMs = 1000 / options.rate;
  const waiting: PlannedRequest[][] = lanes.map(() => []);
  const live = new Set(lanes.keys());
  let atMs = 0;
  for (let turn = 0; live.size > 0; turn++) {
    const at = turn % lanes.length;
    if (!live.has(at)) continue;
    const queue = waiting[at]!;
    while (queue.length === 0) {
      const step = lanes[at]!.steps.next().value as Step | undefined;
      if (step === undefined) break;
      queue.push(...step.requests);
    }
    const request = queue.shift();
    if (request === undefined) {
      live.delete(at);
      continue;
    }
    yield { atMs, request };
    atMs += options.poisson ? random.exponential(intervalMs) : intervalMs;
  }
}
