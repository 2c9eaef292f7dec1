/** Follows the statistics of one live worker for as long as its lease is held. */
import type { Clock } from "@ringlight/core";
import type { WorkerServiceClient, WorkerStats } from "@ringlight/proto";
import { callStream } from "@ringlight/rpc";
import { errorBody } from "./error-body.ts";

/** Intervals of silence after which a worker counts as unreachable. */
const SILENT_INTERVALS = 3.5;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/** What a watch tells. */
export interface WatchListener {
  onStats(stats: WorkerStats): void;
  onLost(reason: string): void;
}

/** An open stream of statistics that opens itself again when it breaks, first after 250 ms, at last after 5 s. */
export class WorkerWatch {
  readonly address: string;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** @param intervalMs time between two messages, asked for whenever the stream is opened */
  constructor(
    address: string,
    client: WorkerServiceClient,
    listener: WatchListener,
    clock: Clock,
    intervalMs: () => number,
  ) {
    this.address = address;
    this.#done = this.#run(client, listener, clock, intervalMs);
  }

  /** Stops watching. Idempotent. */
  close(): Promise<void> {
    this.#stop.abort();
    return this.#done;
  }

  async #run(
    client: WorkerServiceClient,
    listener: WatchListener,
    clock: Clock,
    interval: () => number,
  ): Promise<void> {
    const { signal } = this.#stop;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        const intervalMs = interval();
        const control = { signal, idleMs: intervalMs * SILENT_INTERVALS };
        for await (const stats of callStream(client, "watchStats", { intervalMs }, control)) {
          pauseMs = FIRST_PAUSE_MS;
          listener.onStats(stats);
        }
        if (!signal.aborted) listener.onLost(`${this.address} ended the stream of statistics`);
      } catch (error) {
        if (!signal.aborted) listener.onLost(errorBody(error).message);
      }
      await clock.sleep(pauseMs, signal).catch(() => {});
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }
}
