/** Jobs as JSON. */
import type { Amount, Job } from "@ringlight/proto";

const NOTHING: Amount = { objects: 0, bytes: 0 };

/** A job as JSON, the same from REST and from the command line: the numbers of the gRPC message, without empty parts. */
export function jobJson(job: Job) {
  const { spec } = job;
  return {
    id: job.id,
    kind: spec?.kind ?? "",
    state: job.state,
    phase: job.phase,
    pass: job.pass,
    paths: spec?.paths ?? [],
    manifestPath: spec?.manifestPath ?? "",
    priority: spec?.priority ?? 0,
    submittedMs: job.submittedUnixMs,
    startedMs: job.startedUnixMs || null,
    finishedMs: job.finishedUnixMs || null,
    runningMs: job.runningMs,
    reason: job.reason === "" ? null : { code: job.reasonCode, message: job.reason },
    listed: job.listed ?? NOTHING,
    listingEnded: job.listingEnded,
    loaded: job.loaded ?? NOTHING,
    cached: job.cached ?? NOTHING,
    refused: job.refused ?? NOTHING,
    failed: job.failed ?? NOTHING,
    verifiedObjects: job.verifiedObjects,
    changedObjects: job.changedObjects,
    readBytes: job.readBytes,
    objectsPerSecond: job.objectsPerSecond,
    bytesPerSecond: job.bytesPerSecond,
    remainingMs: job.remainingMs < 0 ? null : job.remainingMs,
    takeovers: job.takeovers,
    scheduler: job.scheduler,
    traceId: job.traceId,
    retryOf: job.retryOf === "" ? null : job.retryOf,
    target: spec?.target || null,
    columns: spec?.columns ?? [],
    schedule: spec?.schedule || null,
    dueMs: job.dueUnixMs || null,
    dryRun: spec?.dryRun ?? false,
    estimatedMs: job.estimatedMs < 0 ? null : job.estimatedMs,
    cacheLimitBytes: job.cacheLimitBytes,
    cacheFreeBytes: job.cacheFreeBytes,
  };
}
