/** A trace as work: at its own times (open loop), or as fast as possible by so many users (closed loop). */
import type { TimedRequest } from "../load/open-load.ts";
import type { Lane, Plan, Step } from "../workloads/plan.ts";
import { step } from "../workloads/plan.ts";
import type { Trace } from "./trace.ts";

/** A generator's share of rows: every n-th, so that each generator has something to do at all times. */
export interface TraceShare {
  readonly index: number;
  readonly count: number;
}

/** The trace by so many users without pauses: each user takes the next row that nobody has taken. */
export function tracePlan(trace: Trace, { users, index, count }: TraceShare & { readonly users: number }): Plan {
  let next = index;
  const lanes = Array.from(
    { length: users },
    (_, user): Lane => ({
      name: `user-${user}`,
      depth: 1,
      ahead: 0,
      steps: function* (): Generator<Step> {
        // The first user to begin a round begins the trace.
        if (user === 0) next = index;
        while (next < trace.rows) {
          const row = next;
          next += count;
          yield step([trace.request(row)]);
        }
      },
    }),
  );
  return { objects: [], lanes, endless: false, inStep: false };
}

/** The rows at their times, `speed` times as fast. */
export function* traceSchedule(trace: Trace, speed: number, { index, count }: TraceShare): Generator<TimedRequest> {
  for (let row = index; row < trace.rows; row += count) {
    yield { atMs: trace.atMs(row) / speed, request: trace.request(row) };
  }
}
