/**
 * Runs one task of a job: so many units at once, results as they come, and a sign of life every second while nothing does.
 * A task ends with its caller: when the scheduler is gone its tasks stop, and the next leader starts them again.
 */
import type { TierStats } from "@ringlight/core";
import { RinglightError, toRinglightError } from "@ringlight/core";
import type { TaskEvent, TaskRequest, TaskUnit, UnitResult } from "@ringlight/proto";
import { newTraceContext, recordSpan } from "@ringlight/telemetry";
import { checkUnit, freeUnit, scrubUnit, syncUnit } from "./task-checks.ts";
import { copyUnit, moveUnit } from "./task-copy.ts";
import type { LimitTable } from "./task-limits.ts";
import { loadUnit } from "./task-load.ts";
import { pullUnit, withHolders } from "./task-pull.ts";
import { outcomeOf, type TaskSettings, type TaskSources, type UnitOutcome } from "./task-unit.ts";

/** Longest silence of a running task, milliseconds. */
const HEARTBEAT_MS = 1_000;
/** Results that come within so long go out as one event, milliseconds: each costs both sides as much as a small object does. */
const GATHER_MS = 50;
/** Most units in one task. */
const MAX_UNITS = 10_000;

type DoUnit = (sources: TaskSources, unit: TaskUnit, settings: TaskSettings) => Promise<UnitOutcome>;

const OPERATIONS: Readonly<Record<string, DoUnit>> = {
  load: loadUnit,
  check: checkUnit,
  free: freeUnit,
  pull: pullUnit,
  copy: copyUnit,
  move: moveUnit,
  sync: syncUnit,
  scrub: scrubUnit,
};

/** What running tasks need of the worker. */
export interface TaskRunOptions extends TaskSources {
  readonly workerId: string;
  readonly limits: LimitTable;
  /** Told of every unit that was done. */
  readonly count: (op: string, outcome: string, readBytes: number) => void;
}

/** Who asked for the task. */
export interface TaskCaller {
  readonly signal: AbortSignal;
  readonly traceparent: string | undefined;
}

/** Runs a task and yields its events; leaving the loop stops it. @throws RL_BAD_REQUEST */
export async function* runTask(
  options: TaskRunOptions,
  request: TaskRequest,
  caller: TaskCaller,
): AsyncGenerator<TaskEvent> {
  const doUnit = OPERATIONS[request.op];
  if (doUnit === undefined) throw new RinglightError("RL_BAD_REQUEST", `"${request.op}" is not an operation of tasks`);
  if (request.limits === undefined) throw new RinglightError("RL_BAD_REQUEST", "limits are missing");
  if (request.units.length > MAX_UNITS) {
    throw new RinglightError("RL_BAD_REQUEST", `${request.units.length} units in one task; at most ${MAX_UNITS}`);
  }
  const { clock, store, workerId } = options;
  const { jobId } = request.limits;
  const context = newTraceContext(caller.traceparent);
  const startMs = clock.now();
  const startedMs = clock.monotonicMs();
  const limits = options.limits.enter(jobId, request.limits);
  const ending = new AbortController();
  const signal = AbortSignal.any([caller.signal, ending.signal]);
  let readBytes = 0;
  let results: UnitResult[] = [];
  let wake: () => void = () => undefined;
  const settings: TaskSettings = {
    op: request.op,
    verify: request.verify,
    skipCached: request.skipCached,
    metadataOnly: request.metadataOnly,
    columns: request.columns,
    overwrite: request.overwrite,
    limits,
    signal,
    traceparent: context.traceparent,
    onRead: (bytes) => {
      readBytes += bytes;
    },
  };
  const outcomes: Record<string, number> = {};
  let next = 0;
  let { units } = request;
  const lane = async () => {
    while (next < units.length && !signal.aborted) {
      const index = next++;
      const unit = units[index];
      if (unit === undefined) return;
      const outcome = await doUnit(options, unit, settings).catch((error: unknown) => {
        if (signal.aborted) throw error;
        const { code, message } = toRinglightError(error);
        return outcomeOf("failed", { code, message });
      });
      options.count(request.op, outcome.outcome, outcome.readBytes);
      outcomes[outcome.outcome] = (outcomes[outcome.outcome] ?? 0) + 1;
      results.push({ ...outcome, unit: index });
    }
  };
  const allLanes = async () => {
    if (request.op === "pull") units = await withHolders(options, units, signal);
    await Promise.allSettled(Array.from({ length: Math.min(limits.transfers.limit, units.length) }, lane));
  };
  let running = true;
  const done = allLanes().then(() => {
    running = false;
    wake();
  });
  try {
    let toldMs = startedMs;
    for (;;) {
      if (running) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          void clock.sleep(GATHER_MS).then(resolve);
        });
      }
      signal.throwIfAborted();
      const ended = !running;
      const nowMs = clock.monotonicMs();
      if (results.length === 0 && !ended && nowMs - toldMs < HEARTBEAT_MS) continue;
      toldMs = nowMs;
      const ready = results;
      results = [];
      yield { results: ready, readBytes, evictedPages: lostPages(store.stats()) };
      if (ended) break;
    }
  } finally {
    ending.abort(new RinglightError("RL_CANCELLED", "the task's caller left"));
    await done;
    options.limits.leave(jobId);
    recordSpan({
      context,
      name: `ringlight.task ${request.op}`,
      kind: "server",
      startMs,
      endMs: startMs + (clock.monotonicMs() - startedMs),
      attributes: {
        "ringlight.job.id": jobId,
        "ringlight.task.id": request.taskId,
        "ringlight.worker": workerId,
        "ringlight.task.units": request.units.length,
        "ringlight.bytes": readBytes,
        ...Object.fromEntries(Object.entries(outcomes).map(([name, count]) => [`ringlight.task.${name}`, count])),
      },
    });
  }
}

/** Pages that left the tiers altogether: evicted, and not moved to a slower tier. */
function lostPages(tiers: readonly (TierStats & { readonly demotedPages?: number })[]): number {
  return tiers.reduce(
    (sum, tier) => sum + tier.evictedPages + tier.ttlPages + tier.quotaPages - (tier.demotedPages ?? 0),
    0,
  );
}
