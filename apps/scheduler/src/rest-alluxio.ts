/**
 * Alluxio's `/v1/load?path=...&opType=submit|progress|stop`, for scripts that were written for it: the same parameters, the same
 * kinds of answers. A job is named by its path there; here that is the newest load of the path.
 */
import { formatPath, type MountRecord, RinglightError } from "@ringlight/core";
import { type Job, JobSpec } from "@ringlight/proto";
import type { JobCaller, JobCalls } from "./job-service.ts";
import type { RestAnswer } from "./rest-server.ts";

const MAX_JOBS = 1_000;
const OPEN = ["queued", "running", "paused"];
const MIB = 1024 * 1024;

/** What Alluxio calls the states. */
const STATES: Readonly<Record<string, string>> = {
  queued: "CREATED",
  running: "RUNNING",
  paused: "STOPPED",
  complete: "SUCCEEDED",
  partial: "FAILED",
  failed: "FAILED",
  stopped: "STOPPED",
};

/** Serves one call. @throws RL_BAD_REQUEST, RL_NO_SUCH_MOUNT, RL_NO_SUCH_JOB */
export async function alluxioLoad(
  calls: JobCalls,
  mounts: ReadonlyMap<string, MountRecord>,
  method: string,
  query: URLSearchParams,
  caller: JobCaller,
): Promise<RestAnswer> {
  const path = pathOf(query.get("path") ?? query.get("ufsPath") ?? "", mounts);
  const operation = query.get("opType") ?? "";
  const changes = operation === "submit" || operation === "stop";
  if (changes && method !== "POST" && method !== "GET") throw bad(`${operation} takes POST`);
  switch (operation) {
    case "submit": {
      const spec = JobSpec.fromPartial({
        kind: "load",
        paths: [path],
        verify: flag(query, "verify"),
        // Alluxio's partial listing is the only way here: work begins with the first page of the listing.
        metadataOnly: flag(query, "loadMetadataOnly"),
        skipCached: flag(query, "skipIfExists"),
        bytesPerSecond: rate(query.get("bandwidth")),
        replicas: Number(query.get("replicas") ?? 0),
      });
      const { created } = await calls.submitJob({ spec, manifest: Buffer.alloc(0), retryOf: "" }, caller);
      return { body: created };
    }
    case "progress": {
      const job = await newest(calls, path, caller);
      return { body: (query.get("progressFormat") ?? "JSON").toUpperCase() === "TEXT" ? text(job) : progress(job) };
    }
    case "stop": {
      const job = await newest(calls, path, caller);
      if (!OPEN.includes(job.state)) return { body: false };
      await calls.controlJob({ id: job.id, action: "stop" }, caller);
      return { body: true };
    }
    default:
      throw bad(`opType is "${operation}"; there are submit, progress and stop`);
  }
}

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

function flag(query: URLSearchParams, name: string): boolean {
  return query.get(name)?.toLowerCase() === "true";
}

/** Alluxio counts megabytes a second. */
function rate(bandwidth: string | null): number {
  if (bandwidth === null || bandwidth === "") return 0;
  if (!/^\d{1,7}$/.test(bandwidth)) throw bad("bandwidth is not a whole number of MiB a second");
  return Number(bandwidth) * MIB;
}

async function newest(calls: JobCalls, path: string, caller: JobCaller): Promise<Job> {
  const { jobs } = await calls.listJobs({ states: [], limit: MAX_JOBS }, caller);
  const job = jobs.find(({ spec }) => spec?.kind === "load" && spec.paths.length === 1 && spec.paths[0] === path);
  if (job === undefined) throw new RinglightError("RL_NO_SUCH_JOB", `there is no load of ${path}`);
  return job;
}

/** A path of the namespace, or a UFS URI that lies in a mount: the mount whose URI is the longest. */
function pathOf(given: string, mounts: ReadonlyMap<string, MountRecord>): string {
  if (given === "") throw bad("path is missing");
  if (given.startsWith("/")) return given;
  let best: { readonly mount: string; readonly key: string; readonly length: number } | undefined;
  for (const { name, uri } of mounts.values()) {
    const root = uri.replace(/\/+$/, "");
    if (given !== root && !given.startsWith(`${root}/`)) continue;
    if (best !== undefined && best.length >= root.length) continue;
    best = { mount: name, key: given.slice(root.length + 1), length: root.length };
  }
  if (best === undefined) throw new RinglightError("RL_NO_SUCH_MOUNT", `no mount holds ${given}`);
  return formatPath(best);
}

function progress(job: Job) {
  const done = (job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0);
  const failed = (job.failed?.objects ?? 0) + (job.refused?.objects ?? 0);
  return {
    jobState: STATES[job.state] ?? "FAILED",
    mVerbose: false,
    verificationEnabled: job.spec?.verify ?? false,
    bandwidth: job.spec?.bytesPerSecond || null,
    loadedBytes: job.loaded?.bytes ?? 0,
    skippedBytes: job.cached?.bytes ?? 0,
    totalBytes: job.listed?.bytes ?? 0,
    throughput: Math.round(job.bytesPerSecond),
    processedFiles: done + failed,
    loadedFiles: job.loaded?.objects ?? 0,
    skippedFiles: job.cached?.objects ?? 0,
    totalFiles: job.listed?.objects ?? 0,
    failedFiles: failed,
    failureReason: job.reason || null,
    jobId: job.id,
  };
}

function text(job: Job): string {
  const { jobState, verificationEnabled, processedFiles, loadedBytes, throughput, failedFiles } = progress(job);
  return [
    `\tSettings:\tbandwidth: ${job.spec?.bytesPerSecond || "unlimited"}\tverify: ${verificationEnabled}`,
    `\tJob State: ${jobState}${job.reason === "" ? "" : ` (${job.reason})`}`,
    `\tFiles Processed: ${processedFiles}`,
    `\tBytes Loaded: ${loadedBytes}`,
    `\tThroughput: ${throughput}/s`,
    `\tFiles Failed: ${failedFiles}`,
  ].join("\n");
}
