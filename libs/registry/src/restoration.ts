/**
 * What makes a cluster's data whole again after a loss. The `cluster` record is the identity of the data: a participant that
 * knows the cluster and does not find it (or finds a younger one, made by somebody who knew nothing) puts back what it
 * knows. An absent mount beside a present identity is a removal; without the identity it is a loss.
 *
 * Order makes it safe: mounts and members go first, create-only, and each transaction only while the identity is still as it
 * was found; the identity goes last, together with a higher epoch. So an identity is never seen before what belongs to it,
 * and of several restorers one wins. One that knew the lost data at a later revision than the winner then adds what the
 * winner lacked and takes away what the winner brought back although it had been removed.
 */
import { randomUUID } from "node:crypto";
import type { Clock, ClusterView } from "@ringlight/core";
import type { ICompare, IRequestOp } from "etcd3";
import type { EtcdClient } from "./etcd-client.ts";
import type { RegistryKeys } from "./keys.ts";
import {
  type IdentityRecord,
  parseIdentity,
  parseRingCurrent,
  type RingCurrent,
  tryParseRecord,
  writtenPolicies,
} from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import { deleteOp, ifOp, isAbsent, isUnchanged, putOp, type ReadKey } from "./transaction-parts.ts";

/** What a participant knows of the data beyond the view. */
export interface Knowledge {
  readonly identity: IdentityRecord;
  readonly incarnation: number;
  /** Revision up to which it knew this incarnation. */
  readonly revision: number;
}

/** The registry's records of the view at one revision. */
export interface Snapshot {
  readonly keys: readonly ReadKey[];
  readonly revision: number;
}

/** Operations of one transaction; etcd allows 128. */
const CHUNK = 100;

export class Restoration {
  readonly #client: EtcdClient;
  readonly #keys: RegistryKeys;
  readonly #clock: Clock;
  readonly #log: RegistryLog;

  constructor(client: EtcdClient, keys: RegistryKeys, clock: Clock, log: RegistryLog) {
    this.#client = client;
    this.#keys = keys;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Makes the registry's data fit what is known. Returns true when the snapshot may be taken as it is; otherwise something
   * was written and the registry must be read again. `fenceMs` is how long a leader of lost data may believe in its lease.
   */
  async settle(snapshot: Snapshot, known: Knowledge | undefined, view: ClusterView, fenceMs: number): Promise<boolean> {
    const identityKey = snapshot.keys.find((key) => key.key === this.#keys.identity);
    const currentKey = snapshot.keys.find((key) => key.key === this.#keys.ringCurrent);
    // A malformed one counts as absent, and is written anew.
    const identity = tryParseRecord(identityKey?.value, parseIdentity);
    const current = tryParseRecord(currentKey?.value, parseRingCurrent);
    const found: Found = { snapshot, identityKey, currentKey, identity, current };
    if (known === undefined) {
      if (identity === undefined) return this.#begin(found, view);
    } else if (identity === undefined || isBehind(identity, current, known)) {
      return this.#restore(found, known, view, fenceMs);
    } else if (identity.id !== known.identity.id) {
      this.#log("warn", "the registry holds another and older cluster's data, which is taken over", {
        known: known.identity.id,
        found: identity.id,
      });
    }
    if (current !== undefined && current.epoch >= view.epoch) return true;
    return this.#raiseEpoch(found, view);
  }

  /** Nobody was here: makes the identity. */
  async #begin(found: Found, view: ClusterView): Promise<false> {
    const identity: IdentityRecord = { id: randomUUID(), createdMs: this.#clock.now() };
    const current: RingCurrent = { epoch: Math.max(view.epoch, found.current?.epoch ?? 0), incarnation: 1 };
    await this.#client.txn({
      compare: unchanged(found, this.#keys),
      success: [putOp(this.#keys.ringCurrent, current), putOp(this.#keys.identity, identity)],
    });
    return false;
  }

  async #restore(found: Found, known: Knowledge, view: ClusterView, fenceMs: number): Promise<false> {
    const keys = this.#keys;
    const guard = unchanged(found, keys)[0]!;
    this.#log("warn", "the registry has lost data, which is restored from the last view", {
      mounts: view.mounts.size,
      members: view.members.length,
      epoch: view.epoch,
    });
    const present = new Set(found.snapshot.keys.map((key) => key.key));
    const wanted = new Map<string, object>();
    for (const mount of view.mounts.values()) wanted.set(keys.mount(mount.name), mount);
    for (const member of view.members) wanted.set(keys.member(member.id), member);
    if (view.policies.length > 0) wanted.set(keys.policies, writtenPolicies(view.policies));
    const operations: IRequestOp[] = [];
    let membersChange = found.identity === undefined;
    for (const [key, record] of wanted) {
      if (present.has(key)) continue;
      operations.push(ifOp([isAbsent(key)], [putOp(key, record)]));
      membersChange ||= key.startsWith(keys.members);
    }
    for (const stale of this.#broughtBack(found, wanted)) {
      operations.push(ifOp([isUnchanged(stale.key, stale.modRevision)], [deleteOp(stale.key)]));
      membersChange ||= stale.key.startsWith(keys.members);
    }
    const policies = this.#olderPolicies(found, view);
    if (policies !== undefined) {
      const put = putOp(keys.policies, writtenPolicies(view.policies));
      operations.push(ifOp([isUnchanged(policies.key, policies.modRevision)], [put]));
    }
    for (let start = 0; start < operations.length; start += CHUNK) {
      const answer = await this.#client.txn({ compare: [guard], success: operations.slice(start, start + CHUNK) });
      if (!answer.succeeded) return false;
    }
    const epoch = Math.max(found.current?.epoch ?? 0, view.epoch) + (membersChange ? 1 : 0);
    const current: RingCurrent = {
      epoch,
      incarnation: Math.max(found.current?.incarnation ?? 0, known.incarnation + 1),
    };
    const restored = {
      atMs: found.identity?.restored?.atMs ?? this.#clock.now(),
      incarnation: known.incarnation,
      revision: known.revision,
      fenceMs: Math.max(fenceMs, found.identity?.restored?.fenceMs ?? 0),
    };
    const identity: IdentityRecord = { id: known.identity.id, createdMs: known.identity.createdMs, restored };
    await this.#client.txn({
      compare: unchanged(found, keys),
      success: [putOp(keys.ringCurrent, current), putOp(keys.identity, identity)],
    });
    return false;
  }

  /** Mounts and members that an earlier restorer put back (they are no younger than the identity) and that were removed. */
  #broughtBack({ snapshot, identity, identityKey }: Found, wanted: ReadonlyMap<string, unknown>): ReadKey[] {
    if (identity?.restored === undefined || identityKey === undefined) return [];
    return snapshot.keys.filter(
      ({ key, createRevision }) =>
        (key.startsWith(this.#keys.mounts) || key.startsWith(this.#keys.members)) &&
        createRevision <= identityKey.createRevision &&
        !wanted.has(key),
    );
  }

  /** The rules by path that an earlier restorer put back, if they are others than those that are known here. */
  #olderPolicies({ snapshot, identity, identityKey }: Found, view: ClusterView): ReadKey | undefined {
    if (identity?.restored === undefined || identityKey === undefined) return undefined;
    const known = JSON.stringify(writtenPolicies(view.policies));
    return snapshot.keys.find(
      ({ key, createRevision, modRevision, value }) =>
        key === this.#keys.policies &&
        createRevision === modRevision &&
        createRevision <= identityKey.createRevision &&
        value !== known,
    );
  }

  /** The registry came back with an older epoch than was seen before (a backup, a lost disk cache): epochs only grow. */
  async #raiseEpoch(found: Found, view: ClusterView): Promise<false> {
    const current: RingCurrent = { epoch: view.epoch + 1, incarnation: found.current?.incarnation ?? 1 };
    this.#log("warn", "the registry's epoch was behind what was seen before, and is raised", {
      found: found.current?.epoch ?? 0,
      raisedTo: current.epoch,
    });
    await this.#client.txn({
      compare: unchanged(found, this.#keys),
      success: [putOp(this.#keys.ringCurrent, current)],
    });
    return false;
  }
}

interface Found {
  readonly snapshot: Snapshot;
  readonly identityKey: ReadKey | undefined;
  readonly currentKey: ReadKey | undefined;
  readonly identity: IdentityRecord | undefined;
  readonly current: RingCurrent | undefined;
}

/** Identity and ring/current are as they were found. */
function unchanged({ identityKey, currentKey }: Found, keys: RegistryKeys): ICompare[] {
  return [
    isUnchanged(keys.identity, identityKey?.modRevision ?? 0),
    isUnchanged(keys.ringCurrent, currentKey?.modRevision ?? 0),
  ];
}

/** Whether the participant knows more of the lost data than the registry holds. */
function isBehind(identity: IdentityRecord, current: RingCurrent | undefined, known: Knowledge): boolean {
  if (identity.id !== known.identity.id) {
    // The older identity stays, so that any two participants agree which one that is.
    return (
      identity.createdMs > known.identity.createdMs ||
      (identity.createdMs === known.identity.createdMs && identity.id > known.identity.id)
    );
  }
  return (
    identity.restored !== undefined &&
    identity.restored.incarnation === known.incarnation &&
    identity.restored.revision < known.revision &&
    (current?.incarnation ?? 0) !== known.incarnation
  );
}
