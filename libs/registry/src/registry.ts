/** The registry's client: joins view, leases, membership, election and records into the one interface of libs/core. */
import {
  type Campaign,
  type Clock,
  type ClusterView,
  checkMountName,
  diffPolicies,
  type EpochRecord,
  type MountRecord,
  type PolicyRule,
  type Registration,
  type Registry,
  RinglightError,
  type SchedulerRecord,
  systemClock,
  toRinglightError,
  type UploadsNote,
  type WorkerRecord,
} from "@ringlight/core";
import { ClusterMirror } from "./cluster-mirror.ts";
import { ClusterSync } from "./cluster-sync.ts";
import { EtcdClient } from "./etcd-client.ts";
import { checkName, type RegistryKeys, registryKeys } from "./keys.ts";
import { Leadership } from "./leadership.ts";
import { type LeasedRecord, LeaseSession, notRegistered } from "./lease-session.ts";
import { Membership } from "./membership.ts";
import type { RegistryLog } from "./registry-log.ts";
import { RegistryRecords } from "./registry-records.ts";
import { Restoration } from "./restoration.ts";
import { hasText, recordText } from "./transaction-parts.ts";
import { ViewFile } from "./view-file.ts";
import { waitUntil } from "./wait-until.ts";

/** How to reach the registry, and as what. */
export interface RegistryOptions {
  /** "host:port" or "http://host:port" each; of an etcd cluster as many as there are. */
  readonly endpoints: readonly string[];
  readonly cluster: string;
  /** How long a participant may be silent before it counts as gone. Default 5000; etcd knows whole seconds. */
  readonly leaseTtlMs?: number;
  /** Deadline of every call. Default 2000. */
  readonly deadlineMs?: number;
  /** Where to keep the last view, for a start while the registry is away. */
  readonly viewFile?: string;
  readonly log?: RegistryLog;
  readonly clock?: Clock;
}

const DEFAULT_LEASE_TTL_MS = 5_000;
const DEFAULT_DEADLINE_MS = 2_000;

/**
 * Connects to an etcd, or to an embedded registry, and keeps a view of the cluster. Returns at once; `ready()` waits for the
 * first read. @throws RL_BAD_CONFIG without endpoints, RL_BAD_REQUEST for a cluster name that cannot be part of a key.
 */
export function connectRegistry(options: RegistryOptions): Registry {
  return new EtcdRegistry(options);
}

/** A worker that keeps itself registered. */
interface WorkerSeat {
  readonly id: string;
  readonly record: LeasedRecord;
  /** It was seen as a member, with its own record there. */
  wasMember: boolean;
  /** Somebody took it out of the ring while it lived: it does not come back by itself. */
  dismissed: boolean;
}

class EtcdRegistry implements Registry {
  readonly #clock: Clock;
  readonly #log: RegistryLog;
  readonly #deadlineMs: number;
  readonly #leaseTtlMs: number;
  readonly #keys: RegistryKeys;
  readonly #client: EtcdClient;
  readonly #mirror: ClusterMirror;
  readonly #sync: ClusterSync;
  readonly #session: LeaseSession;
  readonly #membership: Membership;
  readonly #records: RegistryRecords;
  readonly #viewFile: ViewFile | undefined;
  readonly #listeners = new Set<(view: ClusterView) => void>();
  readonly #mirrorWaiters = new Set<() => void>();
  readonly #campaigns = new Set<Leadership>();
  readonly #workers = new Set<WorkerSeat>();
  readonly #schedulers = new Map<string, LeasedRecord>();
  #closing: Promise<void> | undefined;

  constructor(options: RegistryOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? (() => undefined);
    this.#deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.#leaseTtlMs = options.leaseTtlMs ?? DEFAULT_LEASE_TTL_MS;
    this.#keys = registryKeys(options.cluster);
    const parts = { clock: this.#clock, log: this.#log, deadlineMs: this.#deadlineMs, keys: this.#keys };
    const client = new EtcdClient({ ...parts, endpoints: options.endpoints });
    this.#client = client;
    this.#viewFile = options.viewFile === undefined ? undefined : new ViewFile(options.viewFile, this.#log);
    const saved = this.#viewFile?.load(options.cluster);
    this.#mirror = new ClusterMirror(this.#keys, saved?.view ?? emptyView(options.cluster), this.#log);
    this.#sync = new ClusterSync({
      ...parts,
      client,
      mirror: this.#mirror,
      restoration: new Restoration(client, this.#keys, this.#clock, this.#log),
      leaseTtlMs: this.#leaseTtlMs,
      known: saved?.known,
      onViewChange: () => this.#viewChanged(),
      onMirrorChange: () => this.#mirrorChanged(),
      onDataLoss: (leaderKey) => {
        for (const campaign of this.#campaigns) campaign.dataLost(leaderKey);
        this.#session.repeat();
      },
    });
    this.#session = new LeaseSession({
      ...parts,
      client,
      ttlMs: this.#leaseTtlMs,
      guard: () => this.#sameData(),
      onGuardFailed: () => this.#log("debug", "the registry's data changed beneath a registration", {}),
    });
    this.#session.onChange(() => {
      for (const campaign of this.#campaigns) campaign.look();
    });
    this.#membership = new Membership({ ...parts, client, knownEpoch: () => this.#mirror.view.epoch });
    this.#records = new RegistryRecords(client, this.#keys, this.#log);
    this.#sync.start();
  }

  view(): ClusterView {
    return this.#mirror.view;
  }

  onChange(listener: (view: ClusterView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async ready(timeoutMs: number): Promise<void> {
    const cancel = new AbortController();
    const late = this.#clock.sleep(timeoutMs, cancel.signal).then(
      () => true,
      () => false,
    );
    const isLate = await Promise.race([this.#sync.firstRead.then(() => false), late]);
    cancel.abort();
    if (isLate) throw notRegistered(undefined, "the first view", timeoutMs);
  }

  async registerWorker(worker: WorkerRecord): Promise<Registration> {
    checkName("worker id", worker.id);
    if (!(worker.weight > 0 && Number.isFinite(worker.weight))) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `the weight ${worker.weight} of worker "${worker.id}" is not a positive number`,
      );
    }
    for (const seat of this.#workers) if (seat.id === worker.id) this.#leaveSeat(seat);
    const seat: WorkerSeat = {
      id: worker.id,
      wasMember: false,
      dismissed: false,
      record: {
        key: () => this.#keys.worker(worker.id),
        value: () => worker,
        prepare: async () => {
          if (!seat.dismissed) await this.#membership.ensure(worker.id, worker.weight);
        },
      },
    };
    this.#workers.add(seat);
    await this.#register(seat.record, `worker "${worker.id}"`, () => this.#leaveSeat(seat));
    // The answer to the put may overtake the watch. Whoever asks this worker now is told its view: it must be in there itself.
    if (this.#session.has(seat.record)) await this.#mirrorShows(() => this.#shows(worker));
    return this.#registration(seat.record, () => this.#leaveSeat(seat));
  }

  async registerScheduler(scheduler: SchedulerRecord): Promise<Registration> {
    checkName("scheduler id", scheduler.id);
    const record: LeasedRecord = { key: () => this.#keys.scheduler(scheduler.id), value: () => scheduler };
    const before = this.#schedulers.get(scheduler.id);
    if (before !== undefined) this.#session.remove(before);
    this.#schedulers.set(scheduler.id, record);
    const leave = () => {
      if (this.#schedulers.get(scheduler.id) === record) this.#schedulers.delete(scheduler.id);
      this.#session.remove(record);
    };
    await this.#register(record, `scheduler "${scheduler.id}"`, leave);
    return this.#registration(record, leave);
  }

  campaign(id: string, lead: (signal: AbortSignal) => Promise<void>): Campaign {
    checkName("scheduler id", id);
    this.#refuseWhenClosing();
    const leadership = new Leadership({
      id,
      lead,
      client: this.#client,
      keys: this.#keys,
      mirror: this.#mirror,
      session: this.#session,
      clock: this.#clock,
      log: this.#log,
      ttlMs: this.#leaseTtlMs,
      fenceUntilMs: () => this.#sync.fenceUntilMs,
    });
    this.#campaigns.add(leadership);
    return {
      get leading() {
        return leadership.leading;
      },
      close: async () => {
        await leadership.close();
        this.#campaigns.delete(leadership);
      },
    };
  }

  async removeMember(id: string): Promise<void> {
    checkName("worker id", id);
    await this.#guarded(async () => {
      await this.#membership.remove(id);
      await this.#mirrorShows(() => !this.#mirror.members.entries.has(id));
    });
  }

  async addMount(mount: MountRecord): Promise<void> {
    checkMountName(mount.name);
    await this.#guarded(async () => {
      await this.#records.addMount(mount);
      await this.#mirrorShows(() => this.#mirror.mounts.entries.has(mount.name));
    });
  }

  async removeMount(name: string): Promise<void> {
    await this.#guarded(async () => {
      await this.#records.removeMount(name);
      await this.#mirrorShows(() => !this.#mirror.mounts.entries.has(name));
    });
  }

  async changePolicies(change: (rules: readonly PolicyRule[]) => readonly PolicyRule[]) {
    return this.#guarded(async () => {
      const changed = await this.#records.changePolicies(change);
      await this.#mirrorShows(() => diffPolicies(this.#mirror.view.policies, changed.after).length === 0);
      return changed;
    });
  }

  async putEpoch(record: EpochRecord): Promise<void> {
    await this.#guarded(() => this.#records.putEpoch(record));
  }

  async listEpochs(limit: number): Promise<EpochRecord[]> {
    return this.#guarded(() => this.#records.listEpochs(limit));
  }

  async putUploads(note: UploadsNote): Promise<void> {
    await this.#guarded(() => this.#records.putUploads(note));
  }

  async listUploads(): Promise<UploadsNote[]> {
    return this.#guarded(() => this.#records.listUploads());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#campaigns].map((campaign) => campaign.close()));
    await this.#session.close();
    await this.#sync.close();
    this.#viewFile?.flush();
    this.#client.close();
    this.#listeners.clear();
  }

  /** Waits until the record is in the registry, for one deadline. */
  async #register(record: LeasedRecord, what: string, leave: () => void): Promise<void> {
    this.#refuseWhenClosing();
    this.#session.add(record);
    const registered = await waitUntil(
      this.#clock,
      this.#deadlineMs,
      (listener) => this.#session.onChange(listener),
      () => this.#session.has(record),
    );
    if (registered) return;
    // Who knows the cluster goes on without the registry, and registers when it is back.
    if (this.#sync.known !== undefined) {
      this.#log("warn", `${what} is not registered yet and goes on trying`, {
        reason: String(this.#session.failureOf(record) ?? "no answer"),
      });
      return;
    }
    const failure = this.#session.failureOf(record);
    leave();
    throw notRegistered(failure, what, this.#deadlineMs);
  }

  #registration(record: LeasedRecord, leave: () => void): Registration {
    const session = this.#session;
    return {
      get held() {
        return session.has(record);
      },
      close: async () => {
        leave();
        await waitUntil(
          this.#clock,
          this.#deadlineMs,
          (listener) => session.onChange(listener),
          () => !session.isTakingAway,
        );
      },
    };
  }

  /** True when the own view has the worker as it registered: as a member of this weight, and on the lease that is held. */
  #shows(worker: WorkerRecord): boolean {
    const { workers, members } = this.#mirror;
    const own = workers.entries.get(worker.id);
    return (
      own?.lease === this.#session.leaseId &&
      own?.text === recordText(worker) &&
      members.entries.get(worker.id)?.record.weight === worker.weight
    );
  }

  #leaveSeat(seat: WorkerSeat): void {
    this.#workers.delete(seat);
    this.#session.remove(seat.record);
  }

  /** Registrations hold only in the data that this participant knows: after a loss, restoration comes first. */
  #sameData() {
    const text = this.#mirror.identityText;
    if (text === undefined)
      throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "the registry was not read yet; try again");
    return hasText(this.#keys.identity, text);
  }

  #viewChanged(): void {
    const view = this.#mirror.view;
    const known = this.#sync.known;
    if (known !== undefined) this.#viewFile?.save({ view, known });
    for (const listener of [...this.#listeners]) {
      try {
        listener(view);
      } catch (error) {
        this.#log("error", "a listener of the view failed", { reason: String(error) });
      }
    }
  }

  #mirrorChanged(): void {
    for (const campaign of this.#campaigns) campaign.look();
    for (const waiter of [...this.#mirrorWaiters]) waiter();
    for (const seat of this.#workers) this.#checkSeat(seat);
    for (const [id, record] of this.#schedulers) this.#putBackIfGone(record, this.#mirror.schedulers.entries.has(id));
    this.#session.nudge();
  }

  #checkSeat(seat: WorkerSeat): void {
    const { workers, members } = this.#mirror;
    const own = workers.entries.get(seat.id);
    this.#putBackIfGone(seat.record, own !== undefined);
    if (own === undefined || own.lease !== this.#session.leaseId) return;
    if (members.entries.has(seat.id)) seat.wasMember = true;
    else if (seat.wasMember && !seat.dismissed) {
      seat.dismissed = true;
      this.#log("warn", "this worker was taken out of the ring; it joins again when it is restarted", { id: seat.id });
    }
  }

  /** Somebody deleted a record of ours by hand, or the data lost it. */
  #putBackIfGone(record: LeasedRecord, isThere: boolean): void {
    if (!isThere && this.#mirror.revision >= this.#session.revisionOf(record)) this.#session.repeatOne(record);
  }

  /** Runs a call on the registry after its first read, with errors as they should be. */
  async #guarded<T>(call: () => Promise<T>): Promise<T> {
    this.#refuseWhenClosing();
    try {
      if (this.#sync.known === undefined) await this.ready(this.#deadlineMs);
      return await call();
    } catch (error) {
      throw toRinglightError(error, "RL_REGISTRY_UNAVAILABLE");
    }
  }

  /** Waits for a change that was made to show in the own view: who writes reads it back. Not for long, and not if it cannot be. */
  async #mirrorShows(condition: () => boolean): Promise<void> {
    await waitUntil(
      this.#clock,
      this.#deadlineMs / 2,
      (listener) => {
        this.#mirrorWaiters.add(listener);
        return () => this.#mirrorWaiters.delete(listener);
      },
      condition,
    );
  }

  #refuseWhenClosing(): void {
    if (this.#closing !== undefined) {
      throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "the registry's client is closed; connect again");
    }
  }
}

function emptyView(cluster: string): ClusterView {
  return {
    cluster,
    epoch: 0,
    members: [],
    workers: new Map(),
    mounts: new Map(),
    policies: [],
    schedulers: new Map(),
    leader: undefined,
    connected: false,
    asOfMs: 0,
  };
}
