/** Mounts, rules by path, the ring's kept history, and notes of uploads: the records that are written on request. */
import {
  diffPolicies,
  type EpochRecord,
  type MountRecord,
  type PolicyRule,
  RinglightError,
  type UploadsNote,
} from "@ringlight/core";
import type { EtcdClient } from "./etcd-client.ts";
import { checkName, type RegistryKeys } from "./keys.ts";
import { MalformedRecord, parseEpoch, parsePolicies, parseRecord, parseUploads, writtenPolicies } from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import {
  deleteOp,
  getOp,
  getRangeOp,
  isAbsent,
  isPresent,
  isUnchanged,
  keysRead,
  prefixEnd,
  putOp,
  type ReadKey,
} from "./transaction-parts.ts";

/** The rules by path before a change and after it. */
interface PolicyRules {
  readonly before: readonly PolicyRule[];
  readonly after: readonly PolicyRule[];
}

/** Times that a change is tried. */
const CHANGE_ATTEMPTS = 4;
/** Epochs that are kept in history. */
const KEPT_EPOCHS = 1_000;

export class RegistryRecords {
  readonly #client: EtcdClient;
  readonly #keys: RegistryKeys;
  readonly #log: RegistryLog;

  constructor(client: EtcdClient, keys: RegistryKeys, log: RegistryLog) {
    this.#client = client;
    this.#keys = keys;
    this.#log = log;
  }

  /** @throws RL_MOUNT_EXISTS */
  async addMount(mount: MountRecord): Promise<void> {
    const key = this.#keys.mount(mount.name);
    const answer = await this.#client.txn({
      compare: [isPresent(this.#keys.identity), isAbsent(key)],
      success: [putOp(key, mount)],
      failure: [getOp(key)],
    });
    if (answer.succeeded) return;
    const [existing] = keysRead(answer.responses[0]);
    if (existing === undefined) throw this.#beingRestored();
    // An attempt of ours may have succeeded and its answer been lost.
    if (existing.value === JSON.stringify(mount)) return;
    throw new RinglightError(
      "RL_MOUNT_EXISTS",
      `a mount named "${mount.name}" exists; choose another name, or remove it first`,
    );
  }

  /** @throws RL_NO_SUCH_MOUNT */
  async removeMount(name: string): Promise<void> {
    const key = this.#keys.mount(name);
    const read = await this.#client.txn({
      compare: [isPresent(this.#keys.identity)],
      success: [getOp(key)],
    });
    if (!read.succeeded) throw this.#beingRestored();
    const [existing] = keysRead(read.responses[0]);
    if (existing === undefined) {
      throw new RinglightError(
        "RL_NO_SUCH_MOUNT",
        `there is no mount named "${name}"; \`ringlight mount ls\` lists them`,
      );
    }
    const answer = await this.#client.txn({
      compare: [isUnchanged(key, existing.modRevision)],
      success: [deleteOp(key)],
      failure: [getOp(key)],
    });
    // Gone by now is as good: by an attempt of ours whose answer was lost, or by somebody else's removal.
    if (answer.succeeded || keysRead(answer.responses[0]).length === 0) return;
    throw new RinglightError("RL_CONFLICT", `the mount "${name}" was changed at the same moment; try again`);
  }

  /** Replaces the rules by path, once more if somebody else did at the same moment. @throws RL_CONFLICT, RL_INTERNAL */
  async changePolicies(change: (rules: readonly PolicyRule[]) => readonly PolicyRule[]): Promise<PolicyRules> {
    const key = this.#keys.policies;
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt++) {
      const read = await this.#client.txn({ compare: [isPresent(this.#keys.identity)], success: [getOp(key)] });
      if (!read.succeeded) throw this.#beingRestored();
      const [existing] = keysRead(read.responses[0]);
      const before = existing === undefined ? [] : this.#knownPolicies(existing.value);
      const after = change(before);
      if (diffPolicies(before, after).length === 0) return { before, after: before };
      const answer = await this.#client.txn({
        compare: [isUnchanged(key, existing?.modRevision ?? 0)],
        success: [putOp(key, writtenPolicies(after))],
      });
      if (answer.succeeded) return { before, after };
    }
    throw new RinglightError("RL_CONFLICT", "the rules were changed at the same moment again and again; try again");
  }

  /** What cannot be read counts as no rules: workers keep none of it either. */
  #knownPolicies(text: string): readonly PolicyRule[] {
    try {
      return parseRecord(text, parsePolicies).rules;
    } catch (error) {
      if (!(error instanceof MalformedRecord)) throw error;
      this.#log("warn", "ignored a malformed record of the registry", {
        key: this.#keys.policies,
        reason: error.message,
      });
      return [];
    }
  }

  /** Writes an epoch into the history, and drops what is older than the last thousand. */
  async putEpoch(record: EpochRecord): Promise<void> {
    const keys = this.#keys;
    const oldest = record.epoch - KEPT_EPOCHS;
    await this.#client.txn({
      success: [
        putOp(keys.epoch(record.epoch), record),
        ...(oldest > 0
          ? [{ request_delete_range: { key: Buffer.from(keys.epochs), range_end: Buffer.from(keys.epoch(oldest)) } }]
          : []),
      ],
    });
  }

  /** Newest first. */
  async listEpochs(limit: number): Promise<EpochRecord[]> {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RinglightError("RL_BAD_REQUEST", `the limit ${limit} is not a whole number of at least 1`);
    }
    const answer = await this.#client.txn({
      success: [
        {
          request_range: {
            key: Buffer.from(this.#keys.epochs),
            range_end: Buffer.from(prefixEnd(this.#keys.epochs)),
            sort_target: "Key",
            sort_order: "Descend",
            limit,
          },
        },
      ],
    });
    return this.#readable(keysRead(answer.responses[0]), parseEpoch);
  }

  async putUploads(note: UploadsNote): Promise<void> {
    const key = `${this.#keys.copies}${checkName("worker id", note.workerId)}`;
    await this.#client.txn({ success: [note.uploads.length === 0 ? deleteOp(key) : putOp(key, note)] });
  }

  async listUploads(): Promise<UploadsNote[]> {
    const answer = await this.#client.txn({ success: [getRangeOp(this.#keys.copies, prefixEnd(this.#keys.copies))] });
    return this.#readable(keysRead(answer.responses[0]), parseUploads);
  }

  /** Those records that can be read; of the others the log tells. */
  #readable<T>(found: readonly ReadKey[], parse: (fields: Readonly<Record<string, unknown>>) => T): T[] {
    const records: T[] = [];
    for (const { key, value } of found) {
      try {
        records.push(parseRecord(value, parse));
      } catch (error) {
        if (!(error instanceof MalformedRecord)) throw error;
        this.#log("warn", "ignored a malformed record of the registry", { key, reason: error.message });
      }
    }
    return records;
  }

  #beingRestored(): RinglightError {
    return new RinglightError(
      "RL_REGISTRY_UNAVAILABLE",
      "the registry has lost its data, which its participants are restoring; try again in a moment",
    );
  }
}
