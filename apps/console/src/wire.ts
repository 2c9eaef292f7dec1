/** What the console's server tells its pages: the JSON of `/api/*` and of the event stream. */
import type {
  EpochRecord,
  MemberRecord,
  MountRecord,
  PolicyRule,
  SchedulerRecord,
  WorkerAddresses,
} from "@ringlight/core";

/** Counters or gauges by column name; `columns.ts` lists the names. */
export type Columns = Readonly<Record<string, number>>;

/**
 * State of a member of the ring. `live`: the lease is held and the statistics flow. `connecting`: the lease is held, and
 * the first statistics are awaited. `unreachable`: the lease is held, and the worker does not answer the console.
 * `down`: no lease.
 */
export type WorkerState = "live" | "connecting" | "unreachable" | "down";

/** A member as the pages see it. */
export interface WorkerView {
  readonly id: string;
  readonly state: WorkerState;
  /** Since when it is in this state, as far as this console saw. */
  readonly sinceMs: number;
  /** Why it is unreachable, in the error's own words. */
  readonly reason?: string;
  readonly weight: number;
  readonly joinedMs: number;
  readonly addresses?: WorkerAddresses;
  readonly version?: string;
  readonly hostname?: string;
  readonly pid?: number;
  readonly startedMs?: number;
}

/** What one worker found when it asked the store behind a mount. */
export interface MountCheckView {
  readonly workerId: string;
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly durationMs: number;
}

/** A mount and its state: which of the workers that were asked reach the store behind it. */
export interface MountView {
  readonly record: MountRecord;
  readonly checks: readonly MountCheckView[];
  /** Workers that were asked; those missing from `checks` did not answer. */
  readonly asked: number;
  /** When, or undefined before the first time. */
  readonly checkedMs?: number;
}

/** A named problem, with its cause and what to do. */
export interface Problem {
  /** Which kind of the catalogue. */
  readonly kind: ProblemKind;
  readonly severity: "critical" | "warning";
  /** What it is about: a worker, a mount, a tier. */
  readonly subject: string;
  readonly title: string;
  readonly cause: string;
  readonly remedy: string;
  readonly command?: string;
  /** Page of the console that shows more. */
  readonly href?: string;
  readonly sinceMs?: number;
}

/** Ids of the catalogue of problems (`problem-catalogue.ts`, docs/problems.md). */
export type ProblemKind =
  | "registry_unreachable"
  | "no_members"
  | "worker_down"
  | "mount_failing"
  | "reads_failing"
  | "telemetry_store_failing"
  | "job_failed"
  | "job_partial"
  | "job_stalled"
  | "worker_unreachable"
  | "store_errors"
  | "store_slow"
  | "hit_rate_fell"
  | "tier_too_small"
  | "tier_disk_error"
  | "pages_corrupt"
  | "pins_exceed_share"
  | "event_loop_busy"
  | "worker_hot"
  | "reads_fall_back"
  | "ring_behind"
  | "clock_skew"
  | "versions_differ"
  | "config_differs"
  | "telemetry_refused"
  | "no_leader";

/** What a rule by path comes to on the workers that tell their counters. */
export interface RuleUsage {
  readonly pages: number;
  readonly bytes: number;
}

/** The cluster as the console knows it at one moment. */
export interface ClusterSnapshot {
  readonly cluster: string;
  readonly epoch: number;
  readonly members: readonly MemberRecord[];
  readonly workers: readonly WorkerView[];
  readonly mounts: readonly MountView[];
  /** Rules by path, in the order in which they are asked. */
  readonly policies: readonly PolicyRule[];
  readonly schedulers: readonly SchedulerRecord[];
  readonly leader?: string;
  readonly registry: {
    readonly connected: boolean;
    readonly endpoints: readonly string[];
    /** When the view was last known to be true; 0 when it never was. */
    readonly asOfMs: number;
  };
  readonly problems: readonly Problem[];
  readonly atMs: number;
}

/** Gauges and rates of one worker at this moment. */
export interface WorkerTick extends BriefTick {
  readonly tiers: readonly TierView[];
}

/** The same, as far as tables of many workers show it. */
export interface BriefTick {
  /** When its statistics last came. */
  readonly sampleMs: number;
  /** Counters since the start of its process. */
  readonly totals: Columns;
  /** Increase a second over the last ten seconds. */
  readonly rates: Columns;
  readonly gauges: Columns;
  readonly tiers: readonly TierBrief[];
}

/** How full one tier of one worker is. */
export type TierBrief = Pick<TierView, "name" | "limitBytes" | "usedBytes" | "pages" | "error">;

/** `GET /api/worker-numbers`: columns with a value for each of `ids`; null, or nothing at the end, where a worker has none. */
export interface Crowd {
  readonly atMs: number;
  readonly ids: readonly string[];
  /** How old each worker's numbers are, milliseconds. */
  readonly ageMs: readonly number[];
  readonly totals: Readonly<Record<string, readonly (number | null)[]>>;
  readonly rates: Readonly<Record<string, readonly (number | null)[]>>;
  readonly gauges: Readonly<Record<string, readonly (number | null)[]>>;
  /** By the tier's name. */
  readonly tiers: Readonly<
    Record<string, Readonly<Record<"limitBytes" | "usedBytes" | "pages", readonly (number | null)[]>>>
  >;
  /** Errors of disks, by "tier worker". */
  readonly errors: Readonly<Record<string, string>>;
}

/** One tier of one worker. */
export interface TierView {
  readonly name: string;
  readonly directories: readonly string[];
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly pages: number;
  readonly evictedPages: number;
  readonly evictedBytes: number;
  readonly corruptPages: number;
  readonly error?: string;
}

/** Sent every second. */
export interface Tick {
  readonly atMs: number;
  /** Sum over the workers of their counters since the start of each one's process. */
  readonly totals: Columns;
  /** By the names of the rules. */
  readonly rules: Readonly<Record<string, RuleUsage>>;
  /** What all live workers together are busy with; the delay is that of the worst event loop. */
  readonly load: { readonly loopDelayMs?: number; readonly cores: number; readonly fetches: number };
  /** Workers whose numbers are in the totals. */
  readonly known: number;
  /** Empty where there are many workers: pages that show each of them ask for `/api/worker-numbers`. */
  readonly workers: Readonly<Record<string, WorkerTick>>;
  readonly crowd?: true;
}

/** A time series: for each step the rates (counters) and values (gauges) of every column; null where nothing was seen. */
export interface SeriesView {
  readonly stepS: number;
  /** Start of each step, seconds since the Unix epoch. */
  readonly times: readonly number[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
  /** The console's clock when it answered, milliseconds. */
  readonly atMs: number;
  /** When this console began to watch, milliseconds. */
  readonly sinceMs: number;
}

/** Requests of one API of one worker since its start. */
export interface ApiView {
  readonly api: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly bytesOut: number;
  readonly latencyCounts: readonly number[];
  readonly latencySumS: number;
}

/** Calls of one UFS operation by one worker since its start. */
export interface UfsView {
  readonly mount: string;
  readonly op: string;
  readonly status: string;
  readonly count: number;
  readonly bytes: number;
  readonly latencyCounts: readonly number[];
  readonly latencySumS: number;
}

/** Page requests of one worker since its start. */
export interface PagesView {
  readonly mount: string;
  readonly tier: string;
  readonly outcome: string;
  readonly missReason: string;
  readonly count: number;
  readonly bytes: number;
}

/** Everything about one worker. */
export interface WorkerDetail {
  readonly worker: WorkerView;
  readonly tick?: WorkerTick;
  readonly apis: readonly ApiView[];
  readonly ufs: readonly UfsView[];
  readonly pages: readonly PagesView[];
  /** How page bytes leave on its S3 port, in words; absent before it has told. */
  readonly dataPath?: string;
}

/** One row of Browse. */
export interface BrowseEntry {
  readonly kind: "folder" | "file";
  readonly name: string;
  readonly path: string;
  readonly sizeBytes?: number;
  readonly modifiedMs?: number;
  /** Bytes cached, summed over the workers that answered. */
  readonly cachedBytes?: number;
}

/** One page of a folder. */
export interface BrowsePage {
  readonly path: string;
  readonly entries: readonly BrowseEntry[];
  readonly truncated: boolean;
  readonly next: string;
  /** When the store was asked, by the console's clock. */
  readonly listedMs: number;
  readonly answered: number;
  readonly asked: number;
}

/** A run of pages, both ends included. */
export interface RunView {
  readonly first: number;
  readonly last: number;
}

/** Everything about one file. */
export interface FileDetail {
  readonly path: string;
  readonly ufsUri: string;
  readonly sizeBytes: number;
  readonly version: string;
  readonly etag: string;
  readonly modifiedMs: number;
  readonly contentType: string;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly epoch: number;
  readonly segments: readonly { readonly segment: number; readonly arc: number; readonly owners: readonly string[] }[];
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly cachedBytes: number;
  /** Runs of cached pages by worker. */
  readonly cached: readonly { readonly workerId: string; readonly runs: readonly RunView[]; readonly bytes: number }[];
  readonly accesses: readonly {
    readonly workerId: string;
    readonly atMs: number;
    readonly offset: number;
    readonly length: number;
    readonly outcome: string;
    readonly tier: string;
    readonly missReason: string;
    readonly durationMs: number;
    readonly traceId: string;
  }[];
  /** Why the next read of a page that is not cached would miss at its owner; "" when all is cached. */
  readonly nextMissReason: string;
  /** The kind of rule that took the page out, "ttl" or "quota"; "" where it was none. */
  readonly evictedBy: string;
  /** What each rule by path that matches says of it. */
  readonly rules: readonly RuleEffectView[];
  readonly metadataAgeMs: number;
  readonly answered: number;
  readonly asked: number;
}

/** What one rule says of one path. */
export interface RuleEffectView {
  readonly rule: string;
  readonly path: string;
  /** "ttl", "pin", "priority" or "quota". */
  readonly field: string;
  readonly value: string;
  /** The earlier rule that decides the field in this one's place; empty where this one does. */
  readonly decidedBy: string;
  readonly sentence: string;
}

/** History of the ring. */
export interface EpochsView {
  readonly epochs: readonly EpochRecord[];
  readonly source: "scheduler" | "registry";
}

/** The hand-over of pages between workers that runs at this moment. */
export interface HandOverView {
  readonly jobId: string;
  readonly state: string;
  /** Epochs of the rings whose owners hold what is handed over, the newest first. */
  readonly fromEpochs: readonly number[];
  readonly toEpoch: number;
  readonly doneBytes: number;
  readonly listedBytes: number;
  readonly bytesPerSecond: number;
  /** -1 where it cannot be known. */
  readonly remainingMs: number;
}

/** One setting of a process that runs. */
export interface SettingView {
  readonly key: string;
  /** As it was written, with secrets masked; empty where it is not set. */
  readonly value: string;
  /** "default", "file", "env" or "flag". */
  readonly origin: string;
  /** The flag, variable or file; for a default, what it was derived from. */
  readonly from: string;
  readonly defaultValue: string;
  readonly about: string;
}

/** A log level, and what it was at the start of the process. */
export interface LogLevelView {
  readonly level: string;
  readonly configured: string;
}

/** Settings of one process, or why it did not tell them. */
export interface ProcessConfigView {
  /** "worker", "scheduler" or "console". */
  readonly process: string;
  readonly id: string;
  readonly settings: readonly SettingView[];
  readonly logLevel?: LogLevelView;
  readonly error?: ErrorBody;
}

/** `GET /api/config`: settings of all processes. */
export interface ConfigAnswer {
  readonly processes: readonly ProcessConfigView[];
  readonly asked: number;
  readonly answered: number;
  readonly atMs: number;
}

/** An error as every route answers it. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** The trace of the request that failed, where it has one. */
  readonly traceId?: string;
}

/** An access key, without its secret. */
export interface AccessKeyView {
  readonly accessKeyId: string;
  readonly user: string;
  /** Its policy as JSON text; empty where everything is allowed. */
  readonly policy: string;
  readonly disabled: boolean;
}

/** A secret that was just made. */
export interface NewSecretView {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
