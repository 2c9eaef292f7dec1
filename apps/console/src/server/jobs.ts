/** Jobs, from the schedulers: the leader first, which the others hand the question on to anyway. */
import { RinglightError } from "@ringlight/core";
import { type Job, JobServiceClient } from "@ringlight/proto";
import { callUnary, connectGrpc } from "@ringlight/rpc";
import type { JobAction, JobsView, JobView } from "../wire-jobs.ts";
import type { ClusterObserver } from "./cluster-observer.ts";
import { codeOf } from "./error-body.ts";

const DEADLINE_MS = 5_000;
const JOBS = 200;
const FAILED = 200;
/** Codes with which another scheduler may still succeed. */
const TRY_ANOTHER = new Set(["RL_NO_LEADER", "RL_NO_WORKERS", "RL_DEADLINE", "RL_REGISTRY_UNAVAILABLE"]);
const ACTIONS: readonly JobAction[] = ["pause", "resume", "stop", "retry"];

async function ask<T>(
  observer: ClusterObserver,
  token: string | undefined,
  call: (client: JobServiceClient) => Promise<T>,
): Promise<T> {
  const { schedulers, leader } = observer.snapshot();
  const sorted = [...schedulers].sort((a, b) => Number(b.id === leader) - Number(a.id === leader));
  let last: unknown = new RinglightError(
    "RL_NO_LEADER",
    "the cluster has no scheduler; `ringlight scheduler` runs one",
  );
  for (const { address } of sorted) {
    const client = connectGrpc(JobServiceClient, address, { token });
    try {
      return await call(client);
    } catch (error) {
      if (!TRY_ANOTHER.has(codeOf(error))) throw error;
      last = error;
    } finally {
      client.close();
    }
  }
  throw last;
}

/** The newest jobs. @throws RL_NO_LEADER */
export async function listJobs(
  observer: ClusterObserver,
  token: string | undefined,
  states: readonly string[],
  signal: AbortSignal,
): Promise<JobsView> {
  const control = { deadlineMs: DEADLINE_MS, signal, idempotent: true } as const;
  const { jobs } = await ask(observer, token, (client) =>
    callUnary(client, "listJobs", { states: [...states], limit: JOBS }, control),
  );
  return { jobs, atMs: Date.now() };
}

/** One job, and what it could not do. @throws RL_NO_LEADER, RL_NO_SUCH_JOB */
export async function jobView(
  observer: ClusterObserver,
  token: string | undefined,
  id: string,
  signal: AbortSignal,
): Promise<JobView> {
  const control = { deadlineMs: DEADLINE_MS, signal, idempotent: true } as const;
  return ask(observer, token, async (client) => {
    const job = await callUnary(client, "getJob", { id }, control);
    const listed =
      job.failedListed === 0
        ? { failed: [], total: 0 }
        : await callUnary(client, "listFailed", { id, offset: 0, limit: FAILED }, control);
    return { job, failed: listed.failed, failedTotal: listed.total, atMs: Date.now() };
  });
}

/** What a page asked to be done. @throws RL_BAD_REQUEST */
export function parseJobAction(body: unknown): JobAction {
  const action = (body as { action?: unknown } | null)?.action;
  const known = ACTIONS.find((candidate) => candidate === action);
  if (known === undefined) throw new RinglightError("RL_BAD_REQUEST", `the action is one of ${ACTIONS.join(", ")}`);
  return known;
}

/** Pauses, resumes or stops a job, or makes a new one of what it could not do. */
export async function changeJob(
  observer: ClusterObserver,
  token: string | undefined,
  id: string,
  action: JobAction,
): Promise<Job> {
  return ask(observer, token, async (client) => {
    if (action !== "retry") return callUnary(client, "controlJob", { id, action }, { deadlineMs: DEADLINE_MS });
    const request = { spec: undefined, manifest: Buffer.alloc(0), retryOf: id };
    const { job } = await callUnary(client, "submitJob", request, { deadlineMs: DEADLINE_MS });
    if (job === undefined) throw new RinglightError("RL_INTERNAL", "the scheduler's answer lacks the job");
    return job;
  });
}
