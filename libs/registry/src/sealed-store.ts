/**
 * Sealed records: small JSON values that only holders of the cluster token can read, such as access keys. Each is encrypted
 * with AES-256-GCM under a key derived from the token (HKDF-SHA-256, RFC 5869), bound to its place in the registry, so that
 * a record can neither be read, nor changed, nor moved under another name by who can read the registry. They lie outside of
 * the view: no view file and no listing carries them.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { type Clock, RinglightError, systemClock, toRinglightError } from "@ringlight/core";
import { EtcdClient } from "./etcd-client.ts";
import { checkName, type RegistryKeys, registryKeys } from "./keys.ts";
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

/** How to reach the registry, and what seals the records. */
export interface SealedStoreOptions {
  /** "host:port" or "http://host:port" each. */
  readonly endpoints: readonly string[];
  readonly cluster: string;
  /** The cluster token. */
  readonly token: string;
  /** Directory of the records below the cluster's prefix: "keys". */
  readonly collection: string;
  /** Deadline of every call. Default 2000. */
  readonly deadlineMs?: number;
  readonly log?: RegistryLog;
  readonly clock?: Clock;
}

/** A record, opened. */
export interface SealedRecord {
  readonly id: string;
  readonly value: unknown;
  /** Of its last change. */
  readonly revision: number;
}

/** What to do with a record that may be there. */
export type PutMode = "create" | { readonly revision: number };

const DEFAULT_DEADLINE_MS = 2_000;
const FOLLOW_EVERY_MS = 2_000;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const INFO = "ringlight sealed records 1";

/** Sealed records of one collection. */
export class SealedStore {
  readonly #client: EtcdClient;
  readonly #keys: RegistryKeys;
  readonly #prefix: string;
  readonly #key: Buffer;
  readonly #log: RegistryLog;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #followers = new Set<Promise<void>>();

  /** Connects when first asked. @throws RL_BAD_CONFIG without endpoints, RL_BAD_REQUEST for names that cannot be part of a key */
  constructor(options: SealedStoreOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? (() => undefined);
    this.#keys = registryKeys(options.cluster);
    this.#prefix = `${this.#keys.prefix}${checkName("collection", options.collection)}/`;
    this.#key = Buffer.from(hkdfSync("sha256", options.token, options.cluster, INFO, 32));
    this.#client = new EtcdClient({
      endpoints: options.endpoints,
      deadlineMs: options.deadlineMs ?? DEFAULT_DEADLINE_MS,
      clock: this.#clock,
    });
  }

  /** All records that this token opens, by id; others are left out, and logged. @throws RL_REGISTRY_UNAVAILABLE */
  async list(): Promise<SealedRecord[]> {
    const answer = await this.#txn({ success: [getRangeOp(this.#prefix, prefixEnd(this.#prefix))] });
    const records: SealedRecord[] = [];
    for (const read of keysRead(answer.responses[0])) {
      const record = this.#open(read);
      if (record) records.push(record);
    }
    return records;
  }

  /** One record; undefined when there is none, or this token does not open it. @throws RL_REGISTRY_UNAVAILABLE */
  async get(id: string): Promise<SealedRecord | undefined> {
    const answer = await this.#txn({ success: [getOp(this.#path(id))] });
    const [read] = keysRead(answer.responses[0]);
    return read && this.#open(read);
  }

  /** Writes a record: a new one, or in place of the one of a revision. @throws RL_CONFLICT, RL_REGISTRY_UNAVAILABLE */
  async put(id: string, value: unknown, mode: PutMode): Promise<void> {
    const path = this.#path(id);
    const sealed = this.#seal(path, value);
    const answer = await this.#txn({
      compare: [isPresent(this.#keys.identity), mode === "create" ? isAbsent(path) : isUnchanged(path, mode.revision)],
      success: [putOp(path, sealed)],
      failure: [getOp(path), getOp(this.#keys.identity)],
    });
    if (answer.succeeded) return;
    // An attempt of ours may have succeeded and its answer been lost.
    if (keysRead(answer.responses[0])[0]?.value === JSON.stringify(sealed)) return;
    if (keysRead(answer.responses[1]).length === 0) {
      throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "the registry's data is being restored; try again");
    }
    throw new RinglightError(
      "RL_CONFLICT",
      mode === "create"
        ? `there is a record "${id}" already`
        : `the record "${id}" was changed by somebody else, or is gone`,
    );
  }

  /** Removes a record. False when there was none. @throws RL_REGISTRY_UNAVAILABLE */
  async remove(id: string): Promise<boolean> {
    const path = this.#path(id);
    const answer = await this.#txn({ compare: [isPresent(path)], success: [deleteOp(path)] });
    return answer.succeeded === true;
  }

  /**
   * Tells the listener all records now, and again whenever they changed: within two seconds. While the registry is away the
   * last ones stand. The promise resolves after the first attempt, whatever became of it.
   */
  async follow(listener: (records: readonly SealedRecord[]) => void): Promise<void> {
    let seen: string | undefined;
    const look = async () => {
      try {
        const records = await this.list();
        const state = records.map(({ id, revision }) => `${id}@${revision}`).join(" ");
        if (state === seen || this.#closing.signal.aborted) return;
        listener(records);
        seen = state;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#log("debug", "the sealed records could not be read", { reason: String(error) });
      }
    };
    await look();
    const follower = (async () => {
      while (!this.#closing.signal.aborted) {
        await this.#clock.sleep(FOLLOW_EVERY_MS, this.#closing.signal).catch(() => undefined);
        if (!this.#closing.signal.aborted) await look();
      }
    })();
    this.#followers.add(follower);
  }

  /** Ends followers and the connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#client.close();
    await Promise.all(this.#followers);
  }

  #path(id: string): string {
    return `${this.#prefix}${checkName("record id", id)}`;
  }

  #seal(path: string, value: unknown): { readonly sealed: string } {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(path));
    const bytes = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
    return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), bytes]).toString("base64") };
  }

  #open({ key: path, value, modRevision }: ReadKey): SealedRecord | undefined {
    try {
      const { sealed } = JSON.parse(value) as { sealed: string };
      const bytes = Buffer.from(sealed, "base64");
      const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(path)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return { id: path.slice(this.#prefix.length), value: JSON.parse(text.toString("utf8")), revision: modRevision };
    } catch {
      this.#log("warn", "a sealed record does not open: it was made under another cluster token, or changed", {
        key: path,
      });
      return undefined;
    }
  }

  async #txn(request: Parameters<EtcdClient["txn"]>[0]): ReturnType<EtcdClient["txn"]> {
    try {
      return await this.#client.txn(request);
    } catch (error) {
      throw toRinglightError(error, "RL_REGISTRY_UNAVAILABLE");
    }
  }
}
