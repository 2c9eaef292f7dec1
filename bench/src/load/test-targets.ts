/** Targets of known service times, on a clock that tests turn, for checks in closed form. */
import type { Clock } from "@ringlight/core";
import { FakeClock } from "@ringlight/testing";
import type { PlannedRequest } from "../workloads/plan.ts";
import type { LoadContext } from "./closed-load.ts";
import { Recorder, type RoundRecord } from "./recorder.ts";
import type { Answer, Target } from "./target.ts";

/** Answers each request after its service time; a stall makes everybody wait until it is over. */
export class TimedTarget implements Target {
  readonly #clock: Clock;
  readonly #serviceMs: (request: PlannedRequest) => number;
  readonly #stall: { readonly fromMs: number; readonly untilMs: number } | undefined;
  /** Requests under way now, and the most that ever were. */
  open = 0;
  mostOpen = 0;

  constructor(
    clock: Clock,
    serviceMs: (request: PlannedRequest) => number,
    stall?: { readonly fromMs: number; readonly untilMs: number },
  ) {
    this.#clock = clock;
    this.#serviceMs = serviceMs;
    this.#stall = stall;
  }

  perform(request: PlannedRequest, done: (answer: Answer) => void): void {
    this.open++;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const now = this.#clock.monotonicMs();
    const { fromMs = 0, untilMs = 0 } = this.#stall ?? {};
    const waitMs = now >= fromMs && now < untilMs ? untilMs - now : 0;
    const ms = waitMs + this.#serviceMs(request);
    void this.#clock.sleep(ms).then(() => {
      this.open--;
      done({ ok: true, bytes: request.length, firstByteMs: ms, error: "", head: "" });
    });
  }

  async close(): Promise<void> {}
}

/** Runs a load to its end on a clock of its own. */
export async function simulated(
  load: (context: LoadContext) => Promise<unknown>,
  makeTarget: (clock: Clock) => Target,
  endMs = Number.POSITIVE_INFINITY,
): Promise<RoundRecord> {
  const clock = new FakeClock();
  const recorder = new Recorder(clock.monotonicMs(), clock.now(), () => {});
  let isOver = false;
  const running = load({
    target: makeTarget(clock),
    recorder,
    clock,
    stopped: () => clock.monotonicMs() >= endMs,
  }).finally(() => {
    isOver = true;
  });
  while (!isOver) await clock.advance(1000);
  await running;
  return recorder.finish(0);
}
