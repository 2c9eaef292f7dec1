/** The scheduler's gRPC service for jobs. A scheduler that stands by hands every call on to the one that leads. */
import { type Registry, RinglightError } from "@ringlight/core";
import {
  type ControlJobRequest,
  type GetJobRequest,
  type Job,
  JobServiceClient,
  type JobServiceServer,
  JobServiceService,
  type ListFailedRequest,
  type ListFailedResponse,
  type ListJobsRequest,
  type ListJobsResponse,
  type SubmitJobRequest,
  type SubmitJobResponse,
} from "@ringlight/proto";
import { type CallContext, ClientPool, callUnary, unary } from "@ringlight/rpc";
import type { JobEngine } from "./job-engine.ts";
import { jobToMessage } from "./job-messages.ts";
import { specFromMessage } from "./job-spec.ts";

const MAX_JOBS = 1_000;
const MAX_FAILED = 1_000;
/** Marks a call that was handed on, so that two that each believe in the other do not play ball. */
const HANDED_ON = "ringlight-handed-on";
const HAND_ON_DEADLINE_MS = 8_000;

/** What the service needs of the scheduler. */
export interface JobServiceOptions {
  readonly id: string;
  readonly engine: JobEngine;
  readonly registry: Registry;
  readonly token: string | undefined;
}

/** The service's definition, for the server. */
export const jobServiceDefinition: typeof JobServiceService = JobServiceService;

/** Who calls. */
export interface JobCaller {
  readonly signal: AbortSignal;
  readonly traceparent?: string | undefined;
  /** Another scheduler handed the call on. */
  readonly handedOn?: boolean;
}

/** The calls, for every door: served here, or by the scheduler that leads. */
export interface JobCalls {
  submitJob(request: SubmitJobRequest, caller: JobCaller): Promise<SubmitJobResponse>;
  getJob(request: GetJobRequest, caller: JobCaller): Promise<Job>;
  listJobs(request: ListJobsRequest, caller: JobCaller): Promise<ListJobsResponse>;
  controlJob(request: ControlJobRequest, caller: JobCaller): Promise<Job>;
  listFailed(request: ListFailedRequest, caller: JobCaller): Promise<ListFailedResponse>;
}

/** The service with its connections to other schedulers. */
export interface JobServiceHandle {
  readonly calls: JobCalls;
  readonly implementation: JobServiceServer;
  close(): void;
}

type Method = "submitJob" | "getJob" | "listJobs" | "controlJob" | "listFailed";

/** Makes the service's implementation. */
export function jobService({ id, engine, registry, token }: JobServiceOptions): JobServiceHandle {
  const others = new ClientPool(JobServiceClient, { token });

  /** Serves a call here, or at the leader. */
  function atLeader<Req, Res>(method: Method, serve: (request: Req) => Promise<Res>) {
    return async (request: Req, caller: JobCaller): Promise<Res> => {
      if (engine.leading) return serve(request);
      const { leader, schedulers } = registry.view();
      const address = leader === undefined || leader === id ? undefined : schedulers.get(leader)?.address;
      if (address === undefined || caller.handedOn) {
        throw new RinglightError("RL_NO_LEADER", "no scheduler leads at this moment; try again in a few seconds");
      }
      const control = {
        signal: caller.signal,
        deadlineMs: HAND_ON_DEADLINE_MS,
        metadata: { [HANDED_ON]: id },
        traceparent: caller.traceparent,
        unavailable: "RL_NO_LEADER" as const,
      };
      return (await callUnary(others.get(address), method, request as never, control)) as Res;
    };
  }

  const calls: JobCalls = {
    submitJob: atLeader("submitJob", async ({ spec, manifest, retryOf }: SubmitJobRequest) => {
      if (retryOf !== "") {
        const { job, created } = await engine.retry(retryOf);
        return { job: jobToMessage(job), created };
      }
      if (spec === undefined) throw new RinglightError("RL_BAD_REQUEST", "spec is missing");
      const checked = specFromMessage(spec, manifest, registry.view());
      const { job, created } = await engine.submit(checked, Buffer.from(manifest).toString("utf8"));
      return { job: jobToMessage(job), created };
    }),
    getJob: atLeader("getJob", async ({ id: job }: GetJobRequest) => jobToMessage(engine.get(job))),
    listJobs: atLeader("listJobs", async ({ states, limit }: ListJobsRequest) => ({
      jobs: engine
        .list()
        .filter(({ record }) => states.length === 0 || states.includes(record.state))
        .slice(0, limit === 0 ? 100 : Math.min(MAX_JOBS, limit))
        .map(jobToMessage),
    })),
    controlJob: atLeader("controlJob", async ({ id: job, action }: ControlJobRequest) =>
      jobToMessage(await engine.control(job, action)),
    ),
    listFailed: atLeader("listFailed", async ({ id: job, offset, limit }: ListFailedRequest) => {
      const { entries, truncated } = await engine.failed(job);
      const most = limit === 0 ? MAX_FAILED : Math.min(MAX_FAILED, limit);
      return {
        failed: entries.slice(offset, offset + most).map(({ atMs, ...entry }) => ({ ...entry, atUnixMs: atMs })),
        total: entries.length,
        truncated,
      };
    }),
  };
  /** A call as gRPC makes it. */
  const served = <Req, Res>(call: (request: Req, caller: JobCaller) => Promise<Res>) =>
    unary((request: Req, ctx: CallContext) =>
      call(request, {
        signal: ctx.signal,
        traceparent: ctx.traceparent,
        handedOn: ctx.metadata.get(HANDED_ON).length > 0,
      }),
    );

  return {
    calls,
    implementation: {
      submitJob: served(calls.submitJob),
      getJob: served(calls.getJob),
      listJobs: served(calls.listJobs),
      controlJob: served(calls.controlJob),
      listFailed: served(calls.listFailed),
    },
    close: () => others.close(),
  };
}
