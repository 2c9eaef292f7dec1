/** Jobs by the SDK: asks the schedulers that the cluster names, the one that leads first, and another one where that is gone. */
import { isRinglightError, RinglightError } from "@ringlight/core";
import { type Cluster, type FailedObject, type Job, JobServiceClient, JobSpec } from "@ringlight/proto";
import { ClientPool, callUnary } from "@ringlight/rpc";

/** How long is asked while no scheduler leads, milliseconds: longer than a lease and an election. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 300;
const PASSING = ["RL_NO_LEADER", "RL_NO_WORKERS", "RL_REGISTRY_UNAVAILABLE", "RL_DEADLINE"] as const;
const FOLLOW_MS = 500;
const FAILED_PAGE = 1_000;

/** What to do; what is left out takes its default. The kind is "load" where it is left out. */
export type NewJob = Partial<JobSpec>;

/** Submits and follows jobs. All its errors are RinglightErrors. */
export class Jobs {
  readonly #cluster: () => Promise<Cluster>;
  readonly #clients: ClientPool<JobServiceClient>;

  constructor(cluster: () => Promise<Cluster>, token: string | undefined) {
    this.#cluster = cluster;
    this.#clients = new ClientPool(JobServiceClient, { token });
  }

  /** Submits a job, or finds the one of the same specification that has not ended. @param manifest paths, one a line, in place of spec.paths */
  async submit(spec: NewJob, manifest = ""): Promise<Job> {
    const request = {
      spec: JobSpec.fromPartial({ kind: "load", ...spec }),
      manifest: Buffer.from(manifest),
      retryOf: "",
    };
    return jobOf((await this.#ask((client) => callUnary(client, "submitJob", request))).job);
  }

  /** Submits a job for just what another one could not do. @throws RL_NO_SUCH_JOB, RL_CONFLICT */
  async retry(id: string): Promise<Job> {
    const request = { spec: undefined, manifest: Buffer.alloc(0), retryOf: id };
    return jobOf((await this.#ask((client) => callUnary(client, "submitJob", request))).job);
  }

  /** @throws RL_NO_SUCH_JOB */
  get(id: string): Promise<Job> {
    return this.#ask((client) => callUnary(client, "getJob", { id }, { idempotent: true }));
  }

  /** Newest first. */
  async list(states: readonly string[] = [], limit = 0): Promise<Job[]> {
    return (await this.#ask((client) => callUnary(client, "listJobs", { states: [...states], limit }))).jobs;
  }

  /** @throws RL_NO_SUCH_JOB, RL_CONFLICT for an action that the job's state does not allow */
  control(id: string, action: "pause" | "resume" | "stop"): Promise<Job> {
    return this.#ask((client) => callUnary(client, "controlJob", { id, action }));
  }

  /** What a job could not do, as far as the schedulers list it. */
  async *failed(id: string): AsyncGenerator<FailedObject, void> {
    for (let offset = 0; ; ) {
      const request = { id, offset, limit: FAILED_PAGE };
      const page = await this.#ask((client) => callUnary(client, "listFailed", request, { idempotent: true }));
      yield* page.failed;
      offset += page.failed.length;
      if (page.failed.length === 0 || offset >= page.total) return;
    }
  }

  /** Resolves with the job when it has ended, whatever its end. @throws the signal's reason */
  async wait(
    id: string,
    options: { readonly signal?: AbortSignal; readonly onProgress?: (job: Job) => void } = {},
  ): Promise<Job> {
    for (;;) {
      options.signal?.throwIfAborted();
      const job = await this.get(id);
      options.onProgress?.(job);
      if (!["queued", "running", "paused"].includes(job.state)) return job;
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    }
  }

  close(): void {
    this.#clients.close();
  }

  async #ask<T>(call: (client: JobServiceClient) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const { schedulers, leader } = await this.#cluster();
      let failure: unknown = new RinglightError("RL_NO_LEADER", "the cluster has no scheduler");
      for (const { address } of [...schedulers].sort((a, b) => Number(b.id === leader) - Number(a.id === leader))) {
        try {
          return await call(this.#clients.get(address));
        } catch (error) {
          if (!PASSING.some((code) => isRinglightError(error, code))) throw error;
          failure = error;
        }
      }
      if (performance.now() >= untilMs) throw failure;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

function jobOf(job: Job | undefined): Job {
  if (job === undefined) throw new RinglightError("RL_INTERNAL", "the scheduler's answer lacks the job");
  return job;
}
