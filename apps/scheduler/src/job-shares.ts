/** The parts of a job's rate that its workers have, and how they change while the job runs. */
import type { Clock } from "@ringlight/core";
import type { JobSpec } from "@ringlight/registry";
import { divideRate } from "./job-bandwidth.ts";
import type { Placement } from "./job-placement.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** What a worker has used is judged over at least so long, milliseconds. */
const SPAN_MS = 500;

/** Options of the shares. */
export interface RateSharesOptions {
  readonly jobId: string;
  readonly spec: Pick<JobSpec, "bytesPerSecond" | "concurrency">;
  readonly placement: Pick<Placement, "alive" | "worker">;
  readonly calls: Pick<WorkerCalls, "limit">;
  readonly clock: Clock;
  /** Workers that have had units of the job. */
  readonly workers: () => Iterable<string>;
  readonly isBusy: (workerId: string) => boolean;
  /** Of the pass, once it runs. */
  readonly signal: () => AbortSignal;
}

interface Share {
  allotted: number;
  sinceMs: number;
  /** Read since then. */
  bytes: number;
  used: number | undefined;
}

/** The shares of one pass; of a job without a bound they say so and do nothing. */
export class RateShares {
  readonly #options: RateSharesOptions;
  readonly #shares = new Map<string, Share>();
  #dividing: Promise<void> = Promise.resolve();

  constructor(options: RateSharesOptions) {
    this.#options = options;
  }

  /** Before the first task everybody may get work: equal shares, which together are the whole. */
  begin(): void {
    const { spec, placement, clock } = this.#options;
    if (spec.bytesPerSecond === 0) return;
    const alive = placement.alive();
    const sinceMs = clock.monotonicMs();
    const allotted = Math.floor(spec.bytesPerSecond / Math.max(1, alive.length));
    for (const { id } of alive) this.#shares.set(id, { allotted, sinceMs, bytes: 0, used: undefined });
  }

  /** Bytes a second that a worker may use now: 0 no bound, -1 none at all. */
  of(workerId: string): number {
    if (this.#options.spec.bytesPerSecond === 0) return 0;
    const allotted = this.#shares.get(workerId)?.allotted ?? 0;
    return allotted > 0 ? allotted : -1;
  }

  /** A worker has read so many bytes more. */
  note(workerId: string, bytes: number): void {
    const share = this.#shares.get(workerId);
    if (share !== undefined) share.bytes += bytes;
  }

  /** Divides the rate anew, after what is being divided now. @param measured what was used since the last time counts */
  divideSoon(measured: boolean): void {
    if (this.#options.spec.bytesPerSecond === 0) return;
    this.#dividing = this.#dividing.then(() => this.#divide(measured)).catch(() => undefined);
  }

  /** Resolves when nothing is being divided any more; the signal must have been aborted. */
  async end(): Promise<void> {
    await this.#dividing;
    this.#shares.clear();
  }

  /** Takes from some before it gives to others, so that the sum is never more than the whole. */
  async #divide(measured: boolean): Promise<void> {
    const { spec, placement, calls, clock, jobId, workers, isBusy } = this.#options;
    const signal = this.#options.signal();
    if (signal.aborted) return;
    const nowMs = clock.monotonicMs();
    for (const id of workers()) {
      if (!this.#shares.has(id)) this.#shares.set(id, { allotted: 0, sinceMs: nowMs, bytes: 0, used: undefined });
    }
    const shares = [...this.#shares].map(([id, share]) => {
      const spanMs = nowMs - share.sinceMs;
      if (measured && spanMs >= SPAN_MS) {
        share.used = (share.bytes / spanMs) * 1000;
        share.sinceMs = nowMs;
        share.bytes = 0;
      }
      return { id, allotted: share.allotted, used: share.used, busy: isBusy(id) };
    });
    const target = divideRate(spec.bytesPerSecond, shares);
    const changes = shares.filter(({ id, allotted }) => Math.abs((target.get(id) ?? 0) - allotted) > allotted * 0.01);
    const apply = async (id: string) => {
      const share = this.#shares.get(id);
      if (share === undefined) return;
      const wanted = target.get(id) ?? 0;
      const worker = placement.worker(id);
      const limits = { jobId, bytesPerSecond: wanted > 0 ? wanted : -1, concurrency: spec.concurrency };
      if (worker !== undefined) await calls.limit(worker, limits, signal);
      share.allotted = wanted;
      share.sinceMs = clock.monotonicMs();
      share.bytes = 0;
      share.used = undefined;
    };
    const less = changes.filter(({ id, allotted }) => (target.get(id) ?? 0) < allotted);
    const taken = await Promise.allSettled(less.map(({ id }) => apply(id)));
    // A worker that did not hear of it goes on with what it had: there is nothing to give to others then.
    if (taken.some(({ status }) => status === "rejected")) return;
    await Promise.allSettled(changes.filter((share) => !less.includes(share)).map(({ id }) => apply(id)));
  }
}
