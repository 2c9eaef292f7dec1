/** Jobs as the registry keeps them, and their way from JSON. */
import { count, fieldsOf, list, MalformedRecord, number } from "./records.ts";

/** Kinds of jobs. */
export const JOB_KINDS = ["load", "free", "copy", "move", "sync", "scrub", "rebalance"] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** States of a job; the last four are final. */
export const JOB_STATES = ["queued", "running", "paused", "complete", "partial", "failed", "stopped"] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What a job is to do. */
export interface JobSpec {
  readonly kind: JobKind;
  readonly paths: readonly string[];
  /** A file of paths in a mounted store; "" for none. */
  readonly manifestPath: string;
  /** Hash of a manifest that was sent with the job and is kept beside the record; "" for none. */
  readonly manifestHash: string;
  /** 0: as the mount says. */
  readonly replicas: number;
  /** 0: no bound. */
  readonly bytesPerSecond: number;
  /** 0: the worker's default. */
  readonly concurrency: number;
  readonly verify: boolean;
  readonly skipCached: boolean;
  readonly metadataOnly: boolean;
  readonly dryRun: boolean;
  readonly failOnPartial: boolean;
  /** 0 to 9. */
  readonly priority: number;
  /** Of copy and move: where to; "" otherwise. */
  readonly target: string;
  /** Of copy and move: replace objects of the target that are others. */
  readonly overwrite: boolean;
  /** Of load: columns of Parquet files; none for whole objects. */
  readonly columns: readonly string[];
  /** Five fields of cron, in UTC; "" for once. */
  readonly schedule: string;
  /** Of rebalance: epochs of the rings whose owners hold what is handed over. */
  readonly fromEpochs: readonly number[];
  /** Of rebalance: epoch of the ring to whose owners it goes; 0 otherwise. */
  readonly toEpoch: number;
}

/** A number of objects with their bytes. */
export interface Amount {
  readonly objects: number;
  readonly bytes: number;
}

/** What a pass over the listing has found and done; consistent with the checkpoint that it is written with. */
export interface JobCounters {
  readonly listed: Amount;
  readonly loaded: Amount;
  readonly cached: Amount;
  readonly refused: Amount;
  readonly failed: Amount;
  readonly verifiedObjects: number;
  readonly changedObjects: number;
}

/** Up to where everything is done, and what is done beyond. */
export interface JobCheckpoint {
  /** Which of the job's sources (paths, or the manifest). */
  readonly source: number;
  /** Where the source goes on: a key to start after, or an offset in a manifest. */
  readonly after: string;
  /** Hashes of the objects beyond that are done already, base64 of 8 bytes each. */
  readonly doneBeyond: string;
  /** Number of the objects up to here. */
  readonly position: number;
}

/** One job. The leader alone writes it; each write is conditional on the one before. */
export interface JobRecord {
  readonly id: string;
  readonly spec: JobSpec;
  readonly specHash: string;
  readonly state: JobState;
  readonly submittedMs: number;
  /** 0 until it starts. */
  readonly startedMs: number;
  /** 0 until it ends. */
  readonly finishedMs: number;
  readonly runningMs: number;
  /** Error code and words: why it ended as it did. "" where there is nothing to say. */
  readonly reasonCode: string;
  readonly reason: string;
  readonly scheduler: string;
  readonly takeovers: number;
  /** From 1 on. */
  readonly pass: number;
  /** "load", "repair" or "audit". */
  readonly phase: string;
  readonly counters: JobCounters;
  /** Of the first pass: what was cached before the job began. */
  readonly cachedAtFirst: Amount;
  readonly listingEnded: boolean;
  readonly checkpoint: JobCheckpoint;
  readonly readBytes: number;
  /** What the pass began with, to know whether another one is needed; "" before it began. */
  readonly placement: string;
  /** Pages lost by evictions, by worker, when the pass began. */
  readonly evictedBefore: Readonly<Record<string, number>>;
  /** W3C trace context of the job's root span. */
  readonly traceparent: string;
  readonly retryOf: string;
  /** Entries of the failed list, and whether more failed than it has room for. */
  readonly failedListed: number;
  readonly failedTruncated: boolean;
  /** For a dry run. */
  readonly cacheLimitBytes: number;
  readonly cacheFreeBytes: number;
  /** Not to be started before, Unix milliseconds. */
  readonly dueMs: number;
  /** For a dry run: how long the load would take, milliseconds; -1 where it cannot be known. */
  readonly estimatedMs: number;
}

/** True for states that a job does not leave any more. */
export function isFinal(state: JobState): boolean {
  return state === "complete" || state === "partial" || state === "failed" || state === "stopped";
}

type Fields = Readonly<Record<string, unknown>>;

/** Parses a job's record. @throws MalformedRecord */
export function parseJob(fields: Fields): JobRecord {
  const counters = fieldsOf(fields.counters, "counters");
  const checkpoint = fieldsOf(fields.checkpoint, "checkpoint");
  const evicted = fieldsOf(fields.evictedBefore, "evictedBefore");
  return {
    id: text(fields, "id"),
    spec: parseSpec(fieldsOf(fields.spec, "spec")),
    specHash: text(fields, "specHash"),
    state: oneOf(fields, "state", JOB_STATES),
    submittedMs: number(fields, "submittedMs"),
    startedMs: number(fields, "startedMs"),
    finishedMs: number(fields, "finishedMs"),
    runningMs: number(fields, "runningMs"),
    reasonCode: text(fields, "reasonCode"),
    reason: text(fields, "reason"),
    scheduler: text(fields, "scheduler"),
    takeovers: count(fields, "takeovers"),
    pass: count(fields, "pass"),
    phase: text(fields, "phase"),
    counters: {
      listed: amount(counters, "listed"),
      loaded: amount(counters, "loaded"),
      cached: amount(counters, "cached"),
      refused: amount(counters, "refused"),
      failed: amount(counters, "failed"),
      verifiedObjects: count(counters, "verifiedObjects"),
      changedObjects: count(counters, "changedObjects"),
    },
    cachedAtFirst: amount(fields, "cachedAtFirst"),
    listingEnded: flag(fields, "listingEnded"),
    checkpoint: {
      source: count(checkpoint, "source"),
      after: text(checkpoint, "after"),
      doneBeyond: text(checkpoint, "doneBeyond"),
      position: count(checkpoint, "position"),
    },
    readBytes: number(fields, "readBytes"),
    placement: text(fields, "placement"),
    evictedBefore: Object.fromEntries(Object.keys(evicted).map((id) => [id, number(evicted, id)])),
    traceparent: text(fields, "traceparent"),
    retryOf: text(fields, "retryOf"),
    failedListed: count(fields, "failedListed"),
    failedTruncated: flag(fields, "failedTruncated"),
    cacheLimitBytes: number(fields, "cacheLimitBytes"),
    cacheFreeBytes: number(fields, "cacheFreeBytes"),
    dueMs: number({ dueMs: 0, ...fields }, "dueMs"),
    estimatedMs: number({ estimatedMs: -1, ...fields }, "estimatedMs"),
  };
}

/** What records of versions before 0.2 do not have. */
const NEWER = { target: "", overwrite: false, columns: [], schedule: "", fromEpochs: [], toEpoch: 0 };

function parseSpec(stored: Fields): JobSpec {
  const fields: Fields = { ...NEWER, ...stored };
  return {
    kind: oneOf(fields, "kind", JOB_KINDS),
    paths: texts(fields, "paths"),
    manifestPath: text(fields, "manifestPath"),
    manifestHash: text(fields, "manifestHash"),
    replicas: count(fields, "replicas"),
    bytesPerSecond: number(fields, "bytesPerSecond"),
    concurrency: count(fields, "concurrency"),
    verify: flag(fields, "verify"),
    skipCached: flag(fields, "skipCached"),
    metadataOnly: flag(fields, "metadataOnly"),
    dryRun: flag(fields, "dryRun"),
    failOnPartial: flag(fields, "failOnPartial"),
    priority: count(fields, "priority"),
    target: text(fields, "target"),
    overwrite: flag(fields, "overwrite"),
    columns: texts(fields, "columns"),
    schedule: text(fields, "schedule"),
    fromEpochs: list(fields, "fromEpochs").map((epoch) => count({ epoch }, "epoch")),
    toEpoch: count(fields, "toEpoch"),
  };
}

function texts(fields: Fields, name: string): string[] {
  return list(fields, name).map((value) => {
    if (typeof value !== "string") throw new MalformedRecord(`${name} holds something that is not a string`);
    return value;
  });
}

function amount(fields: Fields, name: string): Amount {
  const value = fieldsOf(fields[name], name);
  return { objects: count(value, "objects"), bytes: number(value, "bytes") };
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new MalformedRecord(`${name} is not a string`);
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== "boolean") throw new MalformedRecord(`${name} is not a boolean`);
  return value;
}

function oneOf<T extends string>(fields: Fields, name: string, values: readonly T[]): T {
  const value = values.find((known) => known === fields[name]);
  if (value === undefined) throw new MalformedRecord(`${name} is none of ${values.join(", ")}`);
  return value;
}
