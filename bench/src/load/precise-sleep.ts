/** Waits that end within some ten microseconds of their time: a timer until shortly before, then turns of the event loop. */
import type { Clock } from "@ringlight/core";

/** A timer of Node's may be so late even on an idle machine. */
const TIMER_SLACK_MS = 1.5;

/** The machine's clock, with waits that are precise. I/O goes on while it turns. */
export const preciseClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const dueMs = performance.now() + ms;
      const turn = () => {
        if (signal?.aborted) reject(signal.reason);
        else if (performance.now() >= dueMs) resolve();
        else setImmediate(turn);
      };
      if (ms > TIMER_SLACK_MS) setTimeout(turn, ms - TIMER_SLACK_MS);
      else turn();
    }),
};
