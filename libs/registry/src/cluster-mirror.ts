/**
 * A copy of the registry's records that make the view, kept current by whoever feeds it snapshots and events, and the view
 * itself. The view is immutable and is replaced only when something in it changed; the parts that did not change are shared
 * with the view before it.
 *
 * For a while after the registry was away, workers and schedulers that lose their record are kept in the view: their leases
 * may have died with the registry though they live, and they register again within moments.
 */
import type { ClusterView, MemberRecord, MountRecord, SchedulerRecord, WorkerRecord } from "@ringlight/core";
import type { RegistryKeys } from "./keys.ts";
import {
  type CandidateRecord,
  type IdentityRecord,
  MalformedRecord,
  type PoliciesRecord,
  parseCandidate,
  parseIdentity,
  parseMember,
  parseMount,
  parsePolicies,
  parseRecord,
  parseRingCurrent,
  parseScheduler,
  parseWorker,
  type RingCurrent,
} from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import type { ReadKey } from "./transaction-parts.ts";

/** A record with where it stands in the registry. */
export interface MirrorEntry<T> {
  readonly record: T;
  readonly text: string;
  readonly createRevision: number;
  readonly lease: string;
}

/** A change of one key: what it is now, or undefined when it is gone. */
export interface MirrorChange {
  readonly key: string;
  readonly now: ReadKey | undefined;
}

/** One family of records, by id. */
class Section<T> {
  readonly entries = new Map<string, MirrorEntry<T>>();
  readonly #parse: (fields: Readonly<Record<string, unknown>>) => T;
  changed = false;

  constructor(parse: (fields: Readonly<Record<string, unknown>>) => T) {
    this.#parse = parse;
  }

  /** @throws MalformedRecord, after removing what was there. */
  apply(id: string, now: ReadKey | undefined): void {
    const before = this.entries.get(id);
    if (now === undefined) {
      if (this.entries.delete(id)) this.changed = true;
      return;
    }
    let record = before?.record;
    if (record === undefined || before?.text !== now.value) {
      if (before !== undefined) this.entries.delete(id);
      this.changed = true;
      record = parseRecord(now.value, this.#parse);
    }
    this.entries.set(id, { record, text: now.value, createRevision: now.createRevision, lease: now.lease });
  }

  records(): Map<string, T> {
    const records = new Map<string, T>();
    for (const id of [...this.entries.keys()].sort()) records.set(id, this.entries.get(id)!.record);
    return records;
  }
}

export class ClusterMirror {
  readonly members = new Section<MemberRecord>(parseMember);
  readonly mounts = new Section<MountRecord>(parseMount);
  readonly policies = new Section<PoliciesRecord>(parsePolicies);
  readonly workers = new Section<WorkerRecord>(parseWorker);
  readonly schedulers = new Section<SchedulerRecord>(parseScheduler);
  /** By their keys. */
  readonly candidates = new Section<CandidateRecord>(parseCandidate);
  readonly #current = new Section<RingCurrent>(parseRingCurrent);
  readonly #identity = new Section<IdentityRecord>(parseIdentity);
  readonly #keys: RegistryKeys;
  readonly #log: RegistryLog;
  #view: ClusterView;
  /** Records kept in the view though the registry has them no longer. */
  readonly #keptWorkers = new Map<string, WorkerRecord>();
  readonly #keptSchedulers = new Map<string, SchedulerRecord>();
  #keeping = false;
  /** Revision of the registry that this is a copy of; 0 before the first snapshot. */
  revision = 0;
  /** The same for the part that holds candidates, members and mounts: parts arrive one after another. */
  ringRevision = 0;

  constructor(keys: RegistryKeys, first: ClusterView, log: RegistryLog) {
    this.#keys = keys;
    this.#view = first;
    this.#log = log;
  }

  get view(): ClusterView {
    return this.#view;
  }

  get identity(): IdentityRecord | undefined {
    return this.#identity.entries.get("cluster")?.record;
  }

  /** The identity record as it stands in the registry. */
  get identityText(): string | undefined {
    return this.#identity.entries.get("cluster")?.text;
  }

  get ringCurrent(): RingCurrent | undefined {
    return this.#current.entries.get("current")?.record;
  }

  /** The candidate that leads: the one whose key is the oldest. */
  leader(): { readonly key: string; readonly id: string } | undefined {
    let leader: { key: string; id: string; createRevision: number } | undefined;
    for (const [key, entry] of this.candidates.entries) {
      if (leader === undefined || entry.createRevision < leader.createRevision) {
        leader = { key, id: entry.record.id, createRevision: entry.createRevision };
      }
    }
    return leader;
  }

  /** From now on keeps workers and schedulers that lose their records, until stopKeeping(). */
  startKeeping(): void {
    this.#keeping = true;
  }

  /** Lets go of what was kept. Returns whether the view changed. */
  stopKeeping(): boolean {
    this.#keeping = false;
    this.workers.changed ||= this.#keptWorkers.size > 0;
    this.schedulers.changed ||= this.#keptSchedulers.size > 0;
    this.#keptWorkers.clear();
    this.#keptSchedulers.clear();
    return this.#rebuild({});
  }

  /** Replaces everything. Returns whether the view changed. */
  replace(keys: readonly ReadKey[], revision: number, asOfMs: number): boolean {
    const found = new Set(keys.map((key) => key.key));
    for (const key of this.#allKeys()) if (!found.has(key)) this.#applyOne({ key, now: undefined });
    if (this.revision === 0) this.#leaveFirstView(found);
    for (const now of keys) this.#applyOne({ key: now.key, now });
    this.revision = revision;
    this.ringRevision = revision;
    return this.#rebuild({ connected: true, asOfMs });
  }

  /** Applies the changes of one or more whole revisions, of one range of keys. Returns whether the view changed. */
  apply(changes: readonly MirrorChange[], revision: number, asOfMs: number): boolean {
    let ring = false;
    for (const change of changes) {
      this.#applyOne(change);
      ring ||= change.key >= this.#keys.leader && change.key < this.#keys.epochs;
    }
    this.revision = Math.max(revision, this.revision);
    if (ring) this.ringRevision = revision;
    return this.#rebuild({ connected: true, asOfMs });
  }

  /** Notes that the view was true at a moment. Does not count as a change of the view, unless it was disconnected. */
  confirm(asOfMs: number): boolean {
    return this.#rebuild({ connected: true, asOfMs });
  }

  /** Notes that the registry does not answer. Returns whether that is new. */
  disconnect(): boolean {
    return this.#rebuild({ connected: false });
  }

  /** The first view has no entries behind it: all of it is replaced, and what it knew is kept like what an outage swallowed. */
  #leaveFirstView(found: ReadonlySet<string>): void {
    this.members.changed = this.workers.changed = this.mounts.changed = this.schedulers.changed = true;
    this.policies.changed = true;
    if (!this.#keeping) return;
    for (const [id, record] of this.#view.workers) {
      if (!found.has(this.#keys.worker(id))) this.#keptWorkers.set(id, record);
    }
    for (const [id, record] of this.#view.schedulers) {
      if (!found.has(this.#keys.scheduler(id))) this.#keptSchedulers.set(id, record);
    }
  }

  #applyOne({ key, now }: MirrorChange): void {
    const place = this.#place(key);
    if (place === undefined) return;
    const [section, id] = place;
    if (section === this.workers) this.#keep(this.workers, this.#keptWorkers, id, now);
    if (section === this.schedulers) this.#keep(this.schedulers, this.#keptSchedulers, id, now);
    try {
      section.apply(id, now);
      const record = section.entries.get(id)?.record;
      if (
        typeof record === "object" &&
        record !== null &&
        "id" in record &&
        this.#idMatters(section) &&
        record.id !== id
      ) {
        section.entries.delete(id);
        throw new MalformedRecord(`its id is "${String(record.id)}"`);
      }
    } catch (error) {
      if (!(error instanceof MalformedRecord)) throw error;
      this.#log("warn", "ignored a malformed record of the registry", { key, reason: error.message });
    }
  }

  #idMatters(section: unknown): boolean {
    return section === this.workers || section === this.members || section === this.schedulers;
  }

  #keep<T>(section: Section<T>, kept: Map<string, T>, id: string, now: ReadKey | undefined): void {
    const before = section.entries.get(id)?.record;
    if (now !== undefined) kept.delete(id);
    else if (this.#keeping && before !== undefined) kept.set(id, before);
  }

  #place(key: string): readonly [Section<unknown>, string] | undefined {
    const keys = this.#keys;
    if (key === keys.ringCurrent) return [this.#current, "current"];
    if (key === keys.identity) return [this.#identity, "cluster"];
    if (key === keys.policies) return [this.policies, "rules"];
    if (key.startsWith(keys.workers)) return [this.workers, key.slice(keys.workers.length)];
    if (key.startsWith(keys.members)) return [this.members, key.slice(keys.members.length)];
    if (key.startsWith(keys.mounts)) return [this.mounts, key.slice(keys.mounts.length)];
    if (key.startsWith(keys.schedulers)) return [this.schedulers, key.slice(keys.schedulers.length)];
    if (key.startsWith(keys.leader)) return [this.candidates, key];
    return undefined;
  }

  *#allKeys(): Generator<string> {
    const keys = this.#keys;
    if (this.#current.entries.size > 0) yield keys.ringCurrent;
    if (this.#identity.entries.size > 0) yield keys.identity;
    if (this.policies.entries.size > 0) yield keys.policies;
    for (const id of [...this.workers.entries.keys()]) yield keys.worker(id);
    for (const id of [...this.members.entries.keys()]) yield keys.member(id);
    for (const id of [...this.mounts.entries.keys()]) yield keys.mount(id);
    for (const id of [...this.schedulers.entries.keys()]) yield keys.scheduler(id);
    for (const key of [...this.candidates.entries.keys()]) yield key;
  }

  #rebuild(state: { readonly connected?: boolean; readonly asOfMs?: number }): boolean {
    const before = this.#view;
    const leader = this.revision === 0 ? before.leader : this.leader()?.id;
    const next: ClusterView = {
      cluster: before.cluster,
      epoch: Math.max(before.epoch, this.ringCurrent?.epoch ?? 0),
      members: this.members.changed ? [...this.members.records().values()] : before.members,
      workers: this.workers.changed ? withKept(this.workers.records(), this.#keptWorkers) : before.workers,
      mounts: this.mounts.changed ? this.mounts.records() : before.mounts,
      policies: this.policies.changed ? (this.policies.entries.get("rules")?.record.rules ?? []) : before.policies,
      schedulers: this.schedulers.changed
        ? withKept(this.schedulers.records(), this.#keptSchedulers)
        : before.schedulers,
      leader,
      connected: state.connected ?? before.connected,
      asOfMs: state.asOfMs ?? before.asOfMs,
    };
    this.members.changed = this.workers.changed = this.mounts.changed = this.schedulers.changed = false;
    this.policies.changed = false;
    this.#view = next;
    return (
      next.epoch !== before.epoch ||
      next.members !== before.members ||
      next.workers !== before.workers ||
      next.mounts !== before.mounts ||
      next.policies !== before.policies ||
      next.schedulers !== before.schedulers ||
      next.leader !== before.leader ||
      next.connected !== before.connected
    );
  }
}

function withKept<T>(records: Map<string, T>, kept: ReadonlyMap<string, T>): Map<string, T> {
  for (const [id, record] of kept) if (!records.has(id)) records.set(id, record);
  return records;
}
