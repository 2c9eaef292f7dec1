/**
 * The units that one worker has to do for one pass. They go out as tasks of a bounded number of units and bytes, two at a
 * time, so that the worker has the next one when it ends one; everything else waits here. Units whose worker is lost come back.
 */
import { type RinglightError, toRinglightError } from "@ringlight/core";
import type { TaskRequest, TaskUnit, UnitResult } from "@ringlight/proto";
import { newTraceContext, recordSpan } from "@ringlight/telemetry";
import type { Placement } from "./job-placement.ts";
import { isWorkerLost, type WorkerCalls } from "./worker-calls.ts";

const TASKS_AT_ONCE = 2;
/** Most units and bytes of one task. */
const TASK_UNITS = 256;
const TASK_BYTES = 256 * 1024 * 1024;

/** A unit on its way. */
export interface LaneUnit {
  readonly unit: TaskUnit;
  readonly bytes: number;
}

/** Options of a lane. */
export interface LaneOptions<U extends LaneUnit> {
  readonly workerId: string;
  readonly jobId: string;
  readonly calls: WorkerCalls;
  readonly placement: Placement;
  /** The request but for its number, limits and units. */
  readonly template: Pick<TaskRequest, "op" | "verify" | "skipCached" | "metadataOnly" | "columns" | "overwrite">;
  readonly concurrency: number;
  /** Bytes a second that the worker may use now: 0 no bound, -1 none at all. */
  readonly rate: () => number;
  readonly traceparent: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly onResult: (unit: U, result: UnitResult, workerId: string) => void;
  /** The worker is lost: its units have to go elsewhere. */
  readonly onLost: (units: readonly U[], workerId: string) => void;
  /** The worker refused the task as such. */
  readonly onRefused: (units: readonly U[], workerId: string, error: RinglightError) => void;
  /** Bytes that a task has read from stores since the last call. */
  readonly onRead: (workerId: string, bytes: number) => void;
  /** The lane has begun or ended to have tasks. */
  readonly onBusy: (workerId: string, busy: boolean) => void;
}

let tasks = 0;

/** One worker's queue. */
export class Lane<U extends LaneUnit> {
  readonly #options: LaneOptions<U>;
  #queue: U[] = [];
  readonly #running = new Set<Promise<void>>();

  constructor(options: LaneOptions<U>) {
    this.#options = options;
  }

  /** True while it has tasks. */
  get busy(): boolean {
    return this.#running.size > 0;
  }

  push(unit: U): void {
    this.#queue.push(unit);
  }

  /** Sends what can be sent. */
  pump(): void {
    while (this.#queue.length > 0 && this.#running.size < TASKS_AT_ONCE && !this.#options.signal.aborted) {
      const units = this.#take();
      const wasBusy = this.busy;
      const running: Promise<void> = this.#run(units).finally(() => {
        this.#running.delete(running);
        this.pump();
        if (!this.busy) this.#options.onBusy(this.#options.workerId, false);
      });
      this.#running.add(running);
      if (!wasBusy) this.#options.onBusy(this.#options.workerId, true);
    }
  }

  /** Resolves when no task is under way; the signal must have been aborted. */
  async ended(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }

  #take(): U[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < TASK_UNITS) {
      bytes += this.#queue[count]?.bytes ?? 0;
      if (count > 0 && bytes > TASK_BYTES) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** Never rejects. */
  async #run(units: readonly U[]): Promise<void> {
    const { workerId, jobId, calls, placement, template, concurrency, rate, signal, now } = this.#options;
    const open = new Map(units.entries());
    const worker = placement.worker(workerId);
    if (worker === undefined) {
      this.#lost(units);
      return;
    }
    const context = newTraceContext(this.#options.traceparent);
    const startMs = now();
    const taskId = `${jobId}.${(tasks++).toString(36)}`;
    const limits = { jobId, bytesPerSecond: rate(), concurrency };
    const request: TaskRequest = { ...template, taskId, limits, units: units.map(({ unit }) => unit) };
    let readBytes = 0;
    let failure: unknown;
    try {
      for await (const event of calls.task(worker, request, signal, context.traceparent)) {
        this.#options.onRead(workerId, event.readBytes - readBytes);
        ({ readBytes } = event);
        for (const result of event.results) {
          const unit = open.get(result.unit);
          if (unit === undefined) continue;
          open.delete(result.unit);
          this.#options.onResult(unit, result, workerId);
        }
      }
    } catch (error) {
      failure = error;
    }
    recordSpan({
      context,
      name: "ringlight.job.batch",
      kind: "client",
      startMs,
      endMs: now(),
      attributes: {
        "ringlight.job.id": jobId,
        "ringlight.task.id": taskId,
        "ringlight.worker": workerId,
        "ringlight.task.units": units.length,
        "ringlight.bytes": readBytes,
      },
      ...(failure !== undefined && !signal.aborted && { error: failure }),
    });
    if (signal.aborted || open.size === 0) return;
    const left = [...open.values()];
    if (failure === undefined || isWorkerLost(failure)) this.#lost(left);
    else this.#options.onRefused(left, workerId, toRinglightError(failure));
  }

  /** Gives back what was sent and what waits. */
  #lost(units: readonly U[]): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#options.onLost([...units, ...waiting], this.#options.workerId);
  }
}
