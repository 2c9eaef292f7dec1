/** Records of the registry, and the view of the cluster that they make. */

import type { PolicyRule } from "./policy.ts";

/** How fresh a mount's metadata must be. */
export type Freshness =
  | { readonly kind: "immutable" }
  | { readonly kind: "ttl"; readonly ttlMs: number }
  | { readonly kind: "strict" };

/** Default freshness: a change in the store is seen at the latest a minute later. */
export const DEFAULT_FRESHNESS: Freshness = { kind: "ttl", ttlMs: 60_000 };

/** Where a mount's credentials come from; never the credentials themselves. */
export type CredentialsRef =
  | { readonly kind: "default" }
  | { readonly kind: "anonymous" }
  /** Environment variables <prefix>_ACCESS_KEY_ID and <prefix>_SECRET_ACCESS_KEY (and _SESSION_TOKEN) of the worker. */
  | { readonly kind: "env"; readonly prefix: string }
  /** A profile of the worker's AWS configuration files. */
  | { readonly kind: "profile"; readonly name: string }
  /** A JSON file {"accessKeyId","secretAccessKey"} on the worker's disk, readable by its owner only. */
  | { readonly kind: "file"; readonly path: string };

/** A mount: a prefix of the namespace bound to a UFS URI. */
export interface MountRecord {
  /** Name without slashes: the first path element and the S3 bucket. */
  readonly name: string;
  /** s3://bucket/prefix or file:///directory */
  readonly uri: string;
  readonly readOnly: boolean;
  readonly freshness: Freshness;
  readonly replicas: number;
  readonly credentials: CredentialsRef;
  /** Who may read over S3: whoever signs with a key that is known here (the default), or everybody. Writing needs a signature always. */
  readonly access?: "signed" | "anonymous-read";
  /** Options of the UFS type, as strings: for s3 endpoint, region, addressing ("path" or "virtual"). */
  readonly options: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

/** A worker's addresses: host:port each. */
export interface WorkerAddresses {
  readonly grpc: string;
  readonly s3: string;
  readonly rest: string;
}

/** A member of the ring: persistent; says who owns arcs, not who is alive. */
export interface MemberRecord {
  /** Stable identity of the worker, kept in its data directory. */
  readonly id: string;
  readonly weight: number;
  readonly joinedMs: number;
}

/** A live worker's lease record. */
export interface WorkerRecord {
  readonly id: string;
  readonly addresses: WorkerAddresses;
  readonly weight: number;
  readonly version: string;
  readonly startedMs: number;
  readonly hostname: string;
  readonly pid: number;
}

/** A live scheduler's lease record. */
export interface SchedulerRecord {
  readonly id: string;
  readonly address: string;
  readonly version: string;
  readonly startedMs: number;
}

/** One epoch of the ring, kept in history. */
export interface EpochRecord {
  readonly epoch: number;
  readonly members: readonly MemberRecord[];
  readonly atMs: number;
  /** What made the epoch, for people: "worker-2 joined". */
  readonly cause: string;
}

/** The cluster as one participant knows it. Immutable; a change makes a new one. */
export interface ClusterView {
  readonly cluster: string;
  readonly epoch: number;
  readonly members: readonly MemberRecord[];
  /** Live workers by id. */
  readonly workers: ReadonlyMap<string, WorkerRecord>;
  readonly mounts: ReadonlyMap<string, MountRecord>;
  /** Rules by path, in the order in which they are asked. */
  readonly policies: readonly PolicyRule[];
  readonly schedulers: ReadonlyMap<string, SchedulerRecord>;
  /** Id of the leading scheduler, if one leads. */
  readonly leader: string | undefined;
  /** False while the registry does not answer; the view is then the last one known. */
  readonly connected: boolean;
  /** When the view was last known to be true, milliseconds since the Unix epoch. */
  readonly asOfMs: number;
}

/** A registration that renews itself until closed. */
export interface Registration {
  /** True while the lease is known to be held. */
  readonly held: boolean;
  /** Removes the record at once and stops renewing. Idempotent. */
  close(): Promise<void>;
}

/** A candidacy for the leadership of the schedulers. */
export interface Campaign {
  readonly leading: boolean;
  close(): Promise<void>;
}

/** What a large copy is of: an upload is gone on with only where all of it is the same. */
export interface CopyPlan {
  /** Path, store and version of the source. */
  readonly source: string;
  readonly sourceUri: string;
  readonly version: string;
  readonly sizeBytes: number;
  readonly target: string;
  readonly targetUri: string;
  readonly partBytes: number;
}

/** An upload of a large copy that was begun at the target's store. */
export interface CopyUpload extends CopyPlan {
  readonly uploadId: string;
}

/** The uploads of one worker, so that another can go on with them, or give them up, when that one is gone. */
export interface UploadsNote {
  readonly workerId: string;
  /** When it was written, milliseconds since the Unix epoch by the worker's clock. */
  readonly writtenMs: number;
  readonly uploads: readonly CopyUpload[];
}

/**
 * The registry as the rest of Ringlight sees it. Every call has a deadline and throws RL_REGISTRY_UNAVAILABLE past it;
 * nothing here rejects unobserved. The view survives the loss of the registry.
 */
export interface Registry {
  /** The last known view. */
  view(): ClusterView;
  /** Calls the listener on every change of the view, until the returned function is called. */
  onChange(listener: (view: ClusterView) => void): () => void;
  /** Resolves when a first view was read from the registry. @throws RL_REGISTRY_UNAVAILABLE past the deadline. */
  ready(timeoutMs: number): Promise<void>;
  /**
   * Makes the worker a member of the ring and keeps its lease; registers again by itself whenever the lease or the data is lost.
   * Resolves when the own view shows it as registered.
   */
  registerWorker(worker: WorkerRecord): Promise<Registration>;
  registerScheduler(scheduler: SchedulerRecord): Promise<Registration>;
  /** Stands for leadership; `lead` runs while leading, and its signal aborts when leadership ends. Stands again by itself. */
  campaign(id: string, lead: (signal: AbortSignal) => Promise<void>): Campaign;
  /** Removes a member from the ring: a new epoch. No error if it is not there. */
  removeMember(id: string): Promise<void>;
  /** @throws RL_MOUNT_EXISTS */
  addMount(mount: MountRecord): Promise<void>;
  /** @throws RL_NO_SUCH_MOUNT */
  removeMount(name: string): Promise<void>;
  /**
   * Replaces the rules by path by what `change` makes of them, all at once; nothing is written where that is the same. Returns
   * those before and after.
   */
  changePolicies(
    change: (rules: readonly PolicyRule[]) => readonly PolicyRule[],
  ): Promise<{ readonly before: readonly PolicyRule[]; readonly after: readonly PolicyRule[] }>;
  putEpoch(record: EpochRecord): Promise<void>;
  /** Newest first. */
  listEpochs(limit: number): Promise<EpochRecord[]>;
  /** Notes which uploads of large copies a worker has begun and not ended, in place of what was noted of it before; none removes the note. */
  putUploads(note: UploadsNote): Promise<void>;
  /** The notes of all workers, those that are gone included. */
  listUploads(): Promise<UploadsNote[]>;
  /** Lets go of leases and closes. Idempotent. */
  close(): Promise<void>;
}
