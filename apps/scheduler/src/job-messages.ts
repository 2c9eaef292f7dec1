/** Jobs as they are told to callers: one set of numbers for every door. */
import type { Job } from "@ringlight/proto";
import type { Amount, JobCounters, JobRecord } from "@ringlight/registry";
import { parseTraceparent } from "@ringlight/telemetry";
import type { JobView } from "./job-engine.ts";
import { specToMessage } from "./job-spec.ts";

/** A job as a message. */
export function jobToMessage({ record, run }: JobView): Job {
  const { counters } = record;
  const { loaded, cached } = statement(record);
  // The run of a job that has ended may be there a moment longer than the job.
  const rate = record.state === "running" ? run?.rate.perSecond() : undefined;
  const inHand = run?.inHand ?? { objects: 0, bytes: 0 };
  const { objects, bytes } = counters.listed;
  return {
    id: record.id,
    spec: specToMessage(record.spec),
    state: record.state,
    submittedUnixMs: record.submittedMs,
    startedUnixMs: record.startedMs,
    finishedUnixMs: record.finishedMs,
    runningMs: Math.round(record.runningMs),
    reasonCode: record.reasonCode,
    reason: record.reason || (run?.waitsFor ?? ""),
    phase: record.phase,
    pass: record.pass,
    listed: { objects: objects + inHand.objects, bytes: bytes + inHand.bytes },
    listingEnded: record.listingEnded,
    loaded,
    cached,
    refused: counters.refused,
    failed: counters.failed,
    verifiedObjects: counters.verifiedObjects,
    changedObjects: counters.changedObjects,
    readBytes: record.readBytes,
    objectsPerSecond: rate?.objects ?? 0,
    bytesPerSecond: rate?.readBytes ?? 0,
    remainingMs: remainingMs(record, inHand, rate),
    takeovers: record.takeovers,
    traceId: parseTraceparent(record.traceparent)?.traceId ?? "",
    scheduler: record.scheduler,
    retryOf: record.retryOf,
    failedListed: record.failedListed,
    cacheLimitBytes: record.cacheLimitBytes,
    cacheFreeBytes: record.cacheFreeBytes,
    dueUnixMs: record.state === "queued" || record.state === "paused" ? record.dueMs : 0,
    estimatedMs: record.estimatedMs,
  };
}

/**
 * What the job brought in and what was there before it. A later pass finds cached what the first one loaded: what was there
 * before the first stays what it was.
 */
function statement({ counters, pass, cachedAtFirst }: JobRecord): Pick<JobCounters, "loaded" | "cached"> {
  const { loaded, cached } = counters;
  if (pass <= 1) return { loaded, cached };
  const objects = Math.min(cachedAtFirst.objects, loaded.objects + cached.objects);
  const bytes = Math.min(cachedAtFirst.bytes, loaded.bytes + cached.bytes);
  return {
    loaded: { objects: loaded.objects + cached.objects - objects, bytes: loaded.bytes + cached.bytes - bytes },
    cached: { objects, bytes },
  };
}

/** By bytes where there are any, else by objects; -1 while the listing has not ended or nothing moves. */
function remainingMs(
  { state, listingEnded }: JobRecord,
  inHand: Amount,
  rate: { readonly objects: number; readonly bytes: number } | undefined,
): number {
  if (state !== "running" || !listingEnded || rate === undefined) return -1;
  if (inHand.objects === 0) return 0;
  if (inHand.bytes > 0 && rate.bytes > 0) return Math.round((inHand.bytes / rate.bytes) * 1000);
  return rate.objects > 0 ? Math.round((inHand.objects / rate.objects) * 1000) : -1;
}
