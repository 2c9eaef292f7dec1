/** What the scheduler asks of workers that any of them can answer: listings, metadata, manifests. */
import { type Clock, isRinglightError, RinglightError, type WorkerRecord } from "@ringlight/core";
import {
  type ListResponse,
  type ObjectInfo,
  type TaskEvent,
  type TaskLimits,
  type TaskRequest,
  TaskServiceClient,
  WorkerServiceClient,
} from "@ringlight/proto";
import { ClientPool, callStream, callUnary } from "@ringlight/rpc";
import type { Placement } from "./job-placement.ts";

/** A listing, or another question, is asked so often before the job gives up on it. */
const ATTEMPTS = 7;
const FIRST_PAUSE_MS = 250;
const NOBODY_PAUSE_MS = 500;
/** A worker sends a sign of life every second. */
const TASK_IDLE_MS = 5_000;
/** Longest time for one page of a listing, milliseconds: slow stores and their retries included. */
const LIST_DEADLINE_MS = 60_000;

/** Errors of the store, or of the way to it, that may be gone a moment later. */
const PASSING = [
  "RL_NO_WORKERS",
  "RL_DEADLINE",
  "RL_OVERLOADED",
  "RL_UFS_UNAVAILABLE",
  "RL_UFS_TIMEOUT",
  "RL_UFS_ERROR",
  "RL_REGISTRY_UNAVAILABLE",
  // A mount that the scheduler knows and a worker has not heard of yet.
  "RL_NO_SUCH_MOUNT",
] as const;

/** Options of WorkerCalls. */
export interface WorkerCallsOptions {
  readonly placement: Placement;
  readonly token: string | undefined;
  readonly clock: Clock;
}

/** Calls to workers. */
export class WorkerCalls {
  readonly #options: WorkerCallsOptions;
  readonly #workers: ClientPool<WorkerServiceClient>;
  readonly #tasks: ClientPool<TaskServiceClient>;
  #turn = 0;
  #segmentBytes: number | undefined;

  constructor(options: WorkerCallsOptions) {
    this.#options = options;
    this.#workers = new ClientPool(WorkerServiceClient, { token: options.token });
    this.#tasks = new ClientPool(TaskServiceClient, { token: options.token });
  }

  /** One page of all keys below a path. */
  list(path: string, startAfter: string, signal: AbortSignal): Promise<ListResponse> {
    const request = { path, delimiter: "", startAfter, maxKeys: 1000 };
    return this.#ask(signal, (client) => callUnary(client, "list", request, { signal, deadlineMs: LIST_DEADLINE_MS }));
  }

  /** An object's metadata, from its owner if that lives. */
  stat(path: string, owner: string | undefined, signal: AbortSignal): Promise<ObjectInfo> {
    return this.#ask(signal, (client) => callUnary(client, "stat", { path }, { signal }), owner);
  }

  /** An object's bytes, from the start, of one version. */
  async *read(path: string, signal: AbortSignal): AsyncGenerator<{ readonly version: string; readonly data: Buffer }> {
    const worker = await this.#somebody(signal);
    const request = { path, offset: 0, length: 0, version: "", sizeBytes: 0 };
    let version = "";
    for await (const message of callStream(this.#workers.get(worker.addresses.grpc), "read", request, { signal })) {
      version = message.object?.version ?? version;
      yield { version, data: message.data };
    }
  }

  /** Size of a segment, which is one for the whole cluster. */
  async segmentBytes(signal: AbortSignal): Promise<number> {
    this.#segmentBytes ??= (
      await this.#ask(signal, (client) => callUnary(client, "getCluster", {}, { signal }))
    ).segmentBytes;
    return this.#segmentBytes;
  }

  /** Size and free bytes of a worker's tiers. */
  async tiers(worker: WorkerRecord, signal: AbortSignal): Promise<{ limitBytes: number; usedBytes: number }> {
    const sum = { limitBytes: 0, usedBytes: 0 };
    const request = { intervalMs: 1000 };
    for await (const stats of callStream(this.#workers.get(worker.addresses.grpc), "watchStats", request, { signal })) {
      for (const tier of stats.tiers) {
        sum.limitBytes += tier.limitBytes;
        sum.usedBytes += tier.usedBytes;
      }
      break;
    }
    return sum;
  }

  /** Starts a task. */
  task(
    worker: WorkerRecord,
    request: TaskRequest,
    signal: AbortSignal,
    traceparent: string,
  ): AsyncGenerator<TaskEvent> {
    const control = { signal, traceparent, idleMs: TASK_IDLE_MS };
    return callStream(this.#tasks.get(worker.addresses.grpc), "runTask", request, control);
  }

  /** Changes the limits of a job's tasks on a worker. */
  async limit(worker: WorkerRecord, limits: TaskLimits, signal: AbortSignal): Promise<void> {
    await callUnary(this.#tasks.get(worker.addresses.grpc), "setTaskLimits", limits, { signal, deadlineMs: 2_000 });
  }

  close(): void {
    this.#workers.close();
    this.#tasks.close();
  }

  /** Asks one worker after the other, with longer and longer pauses. Errors that will not pass are thrown at once. */
  async #ask<T>(signal: AbortSignal, ask: (client: WorkerServiceClient) => Promise<T>, first?: string): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const worker =
        (attempt === 1 && first && this.#options.placement.worker(first)) || (await this.#somebody(signal));
      try {
        return await ask(this.#workers.get(worker.addresses.grpc));
      } catch (error) {
        signal.throwIfAborted();
        if (attempt >= ATTEMPTS || !PASSING.some((code) => isRinglightError(error, code))) throw error;
        await this.#options.clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), signal);
      }
    }
  }

  /** The next living worker in turn; waits while there is none. */
  async #somebody(signal: AbortSignal): Promise<WorkerRecord> {
    for (;;) {
      signal.throwIfAborted();
      const alive = this.#options.placement.alive();
      const worker = alive[this.#turn++ % Math.max(1, alive.length)];
      if (worker !== undefined) return worker;
      await this.#options.clock.sleep(NOBODY_PAUSE_MS, signal);
    }
  }
}

/** True for errors of a worker that is gone, ends, or is too slow: its units go to others. */
export function isWorkerLost(error: unknown): boolean {
  return ["RL_NO_WORKERS", "RL_DEADLINE", "RL_CANCELLED", "RL_OVERLOADED", "RL_INTERNAL"].some(
    (code) => error instanceof RinglightError && error.code === code,
  );
}
