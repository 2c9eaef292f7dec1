/** What the client knows of the cluster: who is where, the ring, and who failed a moment ago. */
import { hostname } from "node:os";
import {
  type Clock,
  DEFAULT_PAGE_BYTES,
  DEFAULT_SEGMENT_BYTES,
  isRinglightError,
  parsePath,
  RinglightError,
  segmentKey,
} from "@ringlight/core";
import { type Cluster, DirectServiceClient, WorkerServiceClient } from "@ringlight/proto";
import { buildRing, type Ring } from "@ringlight/ring";
import { ClientPool, callUnary } from "@ringlight/rpc";

/** How long a view of the cluster is taken for true, milliseconds. */
const FRESH_MS = 5_000;
/** How long a worker that did not answer is asked last, milliseconds. */
const SUSPECT_MS = 2_000;
/** Workers beyond the owners that one request may try. */
const MAX_OTHERS = 3;
/** One worker's time to say what it knows of the cluster, milliseconds. */
const CLUSTER_DEADLINE_MS = 3_000;

/** A worker to ask: its id where known, and its clients. */
export interface Candidate {
  readonly id: string;
  readonly client: WorkerServiceClient;
  readonly direct: DirectServiceClient;
}

/** Codes after which another worker may still succeed: this one was not reached, is overloaded, or is broken. */
const ANOTHER_MAY = ["RL_NO_WORKERS", "RL_DEADLINE", "RL_OVERLOADED", "RL_INTERNAL"] as const;

/** True when it is worth asking another worker. */
export function anotherMay(error: unknown): boolean {
  return ANOTHER_MAY.some((code) => isRinglightError(error, code));
}

/** Options of ClusterState. */
export interface ClusterStateOptions {
  /** Workers to learn the cluster from at first, host:port. */
  readonly endpoints: readonly string[];
  readonly token: string | undefined;
  readonly deadlineMs: number | undefined;
  readonly clock: Clock;
}

/** The cluster as the client last heard of it. Views are replaced, never changed. */
export class ClusterState {
  readonly #options: ClusterStateOptions;
  readonly #pool: ClientPool<WorkerServiceClient>;
  /** Clients of the other service at the same addresses; the connections are shared. */
  readonly #direct: ClientPool<DirectServiceClient>;
  readonly #hostname = hostname();
  readonly #suspects = new Map<string, number>();
  #cluster: Cluster | undefined;
  #learnedMs = 0;
  #learning: Promise<Cluster> | undefined;
  #ring: { readonly cluster: Cluster; readonly membersKey: string; readonly ring: Ring } | undefined;
  #byId: { readonly cluster: Cluster; readonly byId: ReadonlyMap<string, Candidate> } | undefined;

  constructor(options: ClusterStateOptions) {
    this.#options = options;
    const connect = { token: options.token, deadlineMs: options.deadlineMs };
    this.#pool = new ClientPool(WorkerServiceClient, connect);
    this.#direct = new ClientPool(DirectServiceClient, connect);
  }

  /** The cluster, at most 5 s old. @throws RL_NO_WORKERS when nobody says what it is, RL_UNAUTHENTICATED */
  async fresh(): Promise<Cluster> {
    const known = this.#cluster;
    return known !== undefined && this.#isFresh(known) ? known : this.learn();
  }

  /** The last cluster known, learnt anew in the background when it has become old: reads go on without an answer. */
  async known(): Promise<Cluster> {
    if (this.#cluster === undefined) return this.learn();
    // Nobody can be asked by a view without workers: who told it may have its lease back by now.
    if (this.#cluster.workers.length === 0) return this.learn();
    if (!this.#isFresh(this.#cluster)) this.learn().catch(() => {});
    return this.#cluster;
  }

  /** Asks for the cluster now; concurrent callers share one question. */
  learn(): Promise<Cluster> {
    this.#learning ??= this.#ask().finally(() => {
      this.#learning = undefined;
    });
    return this.#learning;
  }

  /** The ring of the cluster's members. */
  ring(cluster: Cluster): Ring {
    if (this.#ring?.cluster === cluster) return this.#ring.ring;
    const membersKey = `${cluster.epoch}\0${cluster.members.map(({ id, weight }) => `${id}\0${weight}`).join("\0")}`;
    const previous = this.#ring?.ring;
    const ring =
      this.#ring?.membersKey === membersKey
        ? this.#ring.ring
        : buildRing(cluster.members, { epoch: cluster.epoch, ...(previous && { previous }) });
    this.#ring = { cluster, membersKey, ring };
    return ring;
  }

  /** Ids of a segment's owners by preference, as many as its mount has replicas. @throws RL_BAD_REQUEST for no path */
  owners(cluster: Cluster, path: string, segment: number): string[] {
    const { mount, key } = parsePath(path);
    const replicas = cluster.mounts.find((record) => record.name === mount)?.replicas || 1;
    return this.ring(cluster).owners(segmentKey(mount, key, segment), replicas);
  }

  /**
   * Whom to ask about a segment: its owners, then the owners of the object's first segment, which know its metadata, then
   * a few others in random order. Workers without a lease are left out; those that just failed come last.
   */
  candidates(cluster: Cluster, path: string, segment: number): Candidate[] {
    const owners = this.owners(cluster, path, segment);
    return this.#order(cluster, segment === 0 ? owners : [...owners, ...this.owners(cluster, path, 0)]);
  }

  /** The worker to ask first about a segment, like candidates() but for one: undefined where no owner is alive and well. */
  owner(cluster: Cluster, path: string, segment: number): Candidate | undefined {
    const { mount, key } = parsePath(path);
    const replicas = cluster.mounts.find((record) => record.name === mount)?.replicas || 1;
    const owners = this.ring(cluster).owners(segmentKey(mount, key, segment), replicas);
    const nowMs = this.#suspects.size > 0 ? this.#options.clock.monotonicMs() : 0;
    for (const id of owners) {
      const known = this.#candidatesById(cluster).get(id);
      if (known !== undefined && (this.#suspects.get(id) ?? 0) <= nowMs) return known;
    }
    return undefined;
  }

  #candidatesById(cluster: Cluster): ReadonlyMap<string, Candidate> {
    if (this.#byId?.cluster !== cluster) {
      const byId = new Map(cluster.workers.map(({ id, grpcAddress }) => [id, this.#candidate(id, grpcAddress)]));
      this.#byId = { cluster, byId };
    }
    return this.#byId.byId;
  }

  /** A few workers in random order, for what anybody can answer. */
  anybody(cluster: Cluster): Candidate[] {
    return this.#order(cluster, []);
  }

  /** All workers that hold a lease. */
  everybody(cluster: Cluster): Candidate[] {
    return cluster.workers.map(({ id, grpcAddress }) => this.#candidate(id, grpcAddress));
  }

  /** Bytes of a segment, as far as is known. */
  get segmentBytes(): number {
    return this.#cluster?.segmentBytes || DEFAULT_SEGMENT_BYTES;
  }

  /** Bytes of a page, as far as is known. */
  get pageBytes(): number {
    return this.#cluster?.pageBytes || DEFAULT_PAGE_BYTES;
  }

  /** The worker on this host that owns a segment, if the cluster as last heard of has one. Asks nobody. */
  onThisHost(path: string, segment: number): { readonly id: string; readonly client: DirectServiceClient } | undefined {
    const cluster = this.#cluster;
    if (cluster === undefined) return undefined;
    const near = cluster.workers.filter((worker) => worker.hostname === this.#hostname && worker.hostname !== "");
    if (near.length === 0) return undefined;
    const owners = this.owners(cluster, path, segment);
    const worker = near.find(({ id }) => owners.includes(id));
    return worker && { id: worker.id, client: this.#direct.get(worker.grpcAddress) };
  }

  /** Remembers that a worker failed, and asks for the cluster again. */
  suspect(id: string): void {
    this.#suspects.set(id, this.#options.clock.monotonicMs() + SUSPECT_MS);
    this.learn().catch(() => {});
  }

  /** Closes all connections. Idempotent. */
  close(): void {
    this.#pool.close();
    this.#direct.close();
  }

  #candidate(id: string, address: string): Candidate {
    return { id, client: this.#pool.get(address), direct: this.#direct.get(address) };
  }

  #isFresh(known: Cluster): boolean {
    return known.workers.length > 0 && this.#options.clock.monotonicMs() - this.#learnedMs < FRESH_MS;
  }

  #order(cluster: Cluster, preferred: readonly string[]): Candidate[] {
    const live = new Map(cluster.workers.map((worker) => [worker.id, worker.grpcAddress]));
    const others = [...live.keys()].filter((id) => !preferred.includes(id));
    const chosen = [...new Set(preferred)].filter((id) => live.has(id)).concat(pick(others, MAX_OTHERS));
    const nowMs = this.#options.clock.monotonicMs();
    const suspected = (id: string) => ((this.#suspects.get(id) ?? 0) > nowMs ? 1 : 0);
    return chosen.sort((a, b) => suspected(a) - suspected(b)).map((id) => this.#candidate(id, live.get(id) ?? ""));
  }

  async #ask(): Promise<Cluster> {
    const known = this.#cluster?.workers.map((worker) => worker.grpcAddress) ?? [];
    const addresses = [...new Set([...pick(known, MAX_OTHERS), ...this.#options.endpoints])];
    const failures: string[] = [];
    for (const address of addresses) {
      try {
        const control = { deadlineMs: CLUSTER_DEADLINE_MS };
        const cluster = await callUnary(this.#pool.get(address), "getCluster", {}, control);
        this.#adopt(cluster);
        return cluster;
      } catch (error) {
        if (!anotherMay(error)) throw error;
        failures.push((error as Error).message);
      }
    }
    throw new RinglightError("RL_NO_WORKERS", `no worker answers at ${addresses.join(", ")}: ${failures.join("; ")}`);
  }

  #adopt(cluster: Cluster): void {
    this.#learnedMs = this.#options.clock.monotonicMs();
    // A worker that lags behind must not take the ring back to an epoch that has passed.
    if (this.#cluster !== undefined && cluster.epoch < this.#cluster.epoch && cluster.name === this.#cluster.name)
      return;
    this.#cluster = cluster;
    const addresses = [...cluster.workers.map((worker) => worker.grpcAddress), ...this.#options.endpoints];
    this.#pool.retain(addresses);
    this.#direct.retain(addresses);
    for (const [id, untilMs] of this.#suspects) if (untilMs <= this.#learnedMs) this.#suspects.delete(id);
  }
}

/** At most `count` of the items, in random order. */
function pick<T>(items: readonly T[], count: number): T[] {
  const left = [...items];
  const picked: T[] = [];
  while (left.length > 0 && picked.length < count) {
    picked.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  }
  return picked;
}
