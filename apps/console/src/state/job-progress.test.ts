import assert from "node:assert/strict";
import { test } from "node:test";
import { Job } from "@ringlight/proto";
import type { SpanRecord } from "@ringlight/trace-store";
import { doneShare, remaining, stalledFor, taskSegments } from "./job-progress.ts";

const task = (startMs: number, durationMs: number, units: number, more: Record<string, number> = {}): SpanRecord => ({
  traceId: "t",
  spanId: `s${startMs}`,
  name: "ringlight.task load",
  kind: "server",
  startMs,
  durationMs,
  status: "unset",
  resource: 0,
  attributes: { "ringlight.worker": "w1", "ringlight.task.units": units, "ringlight.bytes": units * 10, ...more },
});

const running = (done: number, listed: number) =>
  Job.fromPartial({
    state: "running",
    startedUnixMs: 1,
    listingEnded: true,
    listed: { objects: listed, bytes: listed * 10 },
    loaded: { objects: done, bytes: done * 10 },
  });

test("tasks are the segments, in the order of their ends, with what they could not do", () => {
  const root = { ...task(0, 9, 0), name: "ringlight.job load" };
  const spans = [task(200, 100, 5, { "ringlight.task.failed": 2, "ringlight.task.refused": 1 }), task(0, 100, 4), root];
  assert.deepEqual(
    taskSegments(spans).map(({ endMs, units, notDone, bytes, worker }) => [endMs, units, notDone, bytes, worker]),
    [
      [100, 4, 0, 40, "w1"],
      [300, 5, 3, 50, "w1"],
    ],
  );
});

test("the rest is told with bounds that are narrow for a steady job and wide for one that stutters", () => {
  const steady = taskSegments(Array.from({ length: 10 }, (_, at) => task(at * 1000, 1000, 10)));
  const even = remaining(running(100, 200), steady, 10_000);
  assert.ok(even && Math.abs(even.ms - 10_000) < 1 && even.toMs - even.fromMs < 10, JSON.stringify(even));
  const stuttering = taskSegments([0, 200, 400, 8_000, 8_200].map((at) => task(at, 200, 20)));
  const uneven = remaining(running(100, 200), stuttering, 10_000);
  assert.ok(uneven && uneven.fromMs < uneven.ms && uneven.toMs > uneven.ms * 1.3, JSON.stringify(uneven));
  assert.equal(remaining(running(1, 2), steady.slice(0, 2), 10_000), undefined);
});

test("a job that runs and does nothing is marked, one that moves or waits is not", () => {
  const tasks = taskSegments([task(1_000, 1_000, 1)]);
  assert.equal(stalledFor(running(1, 2), tasks, 30_000), 28_000);
  assert.equal(stalledFor(running(1, 2), tasks, 10_000), undefined);
  assert.equal(stalledFor(Job.fromPartial({ ...running(1, 2), bytesPerSecond: 5 }), tasks, 30_000), undefined);
  assert.equal(stalledFor(Job.fromPartial({ ...running(1, 2), state: "paused" }), tasks, 30_000), undefined);
});

test("what is done is told by bytes, and by objects where there are none", () => {
  assert.equal(doneShare(running(1, 4)), 0.25);
  assert.equal(
    doneShare(Job.fromPartial({ state: "running", listed: { objects: 2, bytes: 0 }, loaded: { objects: 1 } })),
    0.5,
  );
  assert.equal(doneShare(Job.fromPartial({ state: "complete" })), 1);
  assert.equal(doneShare(Job.fromPartial({ state: "queued" })), 0);
});
