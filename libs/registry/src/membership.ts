/**
 * Changes of the member set. Each is one transaction that also rewrites ring/current, on condition that ring/current is as
 * it was read: so epochs are handed out one by one, and members and epoch always change at the same revision. The epoch only
 * grows, also beyond a loss of data: a new one is greater than what is stored and than what this participant ever saw.
 */
import { type Clock, type MemberRecord, RinglightError } from "@ringlight/core";
import type { ICompare } from "etcd3";
import type { EtcdClient } from "./etcd-client.ts";
import type { RegistryKeys } from "./keys.ts";
import { parseMember, parseRingCurrent, type RingCurrent, tryParseRecord } from "./records.ts";
import { deleteOp, getOp, isPresent, isUnchanged, keysRead, putOp } from "./transaction-parts.ts";

export interface MembershipOptions {
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** The greatest epoch that this participant saw. */
  readonly knownEpoch: () => number;
}

export class Membership {
  readonly #options: MembershipOptions;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Makes the worker a member with this weight. No new epoch if it is one already. @throws RL_REGISTRY_UNAVAILABLE, RL_CONFLICT */
  ensure(id: string, weight: number): Promise<void> {
    return this.#change(id, (member) =>
      member?.weight === weight ? undefined : { id, weight, joinedMs: member?.joinedMs ?? this.#options.clock.now() },
    );
  }

  /** Takes the member out. No new epoch if it is none. @throws RL_REGISTRY_UNAVAILABLE, RL_CONFLICT */
  remove(id: string): Promise<void> {
    return this.#change(id, (member) => (member === undefined ? undefined : null));
  }

  /** `decide` returns the new record, null to delete it, undefined to leave everything as it is. */
  async #change(
    id: string,
    decide: (member: MemberRecord | undefined) => MemberRecord | null | undefined,
  ): Promise<void> {
    const { client, keys, clock, deadlineMs, knownEpoch } = this.#options;
    const endMs = clock.monotonicMs() + deadlineMs;
    const read = [getOp(keys.ringCurrent), getOp(keys.member(id))];
    let found = (await client.txn({ success: read })).responses;
    for (let attempt = 1; ; attempt++) {
      const [currentKey] = keysRead(found[0]);
      const [memberKey] = keysRead(found[1]);
      const current = tryParseRecord(currentKey?.value, parseRingCurrent);
      const next = decide(tryParseRecord(memberKey?.value, parseMember));
      if (next === undefined) return;
      const remainingMs = endMs - clock.monotonicMs();
      if (remainingMs <= 0) throw this.#outOfTime(id, attempt - 1);
      const compare: ICompare[] = [
        isPresent(keys.identity),
        isUnchanged(keys.ringCurrent, currentKey?.modRevision ?? 0),
        isUnchanged(keys.member(id), memberKey?.modRevision ?? 0),
      ];
      const ring: RingCurrent = {
        epoch: Math.max(current?.epoch ?? 0, knownEpoch()) + 1,
        incarnation: current?.incarnation ?? 0,
      };
      const change = next === null ? deleteOp(keys.member(id)) : putOp(keys.member(id), next);
      // Without ring/current the data is being restored: only read, and see.
      const success = current === undefined ? read : [putOp(keys.ringCurrent, ring), change];
      const answer = await client.txn({ compare, success, failure: read }, remainingMs);
      if (answer.succeeded && current !== undefined) return;
      // A success that was reported as a failure shows in the next round: there is nothing left to change.
      found = answer.responses;
      await clock.sleep(Math.random() * Math.min(10 * attempt, 100));
    }
  }

  #outOfTime(id: string, attempts: number): RinglightError {
    return new RinglightError(
      "RL_CONFLICT",
      `the membership of "${id}" could not be changed in ${attempts} attempts: others kept changing the ring, or its data is being restored; try again`,
    );
  }
}
