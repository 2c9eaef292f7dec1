/**
 * The records of jobs in the registry, and what is kept beside them in pieces (manifests, failed lists). A record is changed
 * only from the revision that the writer last saw: a scheduler that lost the leadership without knowing cannot overwrite what
 * its successor has written since. They lie outside of the view, which everybody follows: they are many and change often.
 */
import { type Clock, RinglightError, systemClock, toRinglightError } from "@ringlight/core";
import { EtcdClient } from "./etcd-client.ts";
import { type JobRecord, parseJob } from "./job-records.ts";
import { checkName, type RegistryKeys, registryKeys } from "./keys.ts";
import { MalformedRecord, parseRecord } from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import {
  deleteOp,
  isAbsent,
  isPresent,
  isUnchanged,
  keysRead,
  prefixEnd,
  putOp,
  type ReadKey,
} from "./transaction-parts.ts";

/** How to reach the registry. */
export interface JobStoreOptions {
  /** "host:port" or "http://host:port" each. */
  readonly endpoints: readonly string[];
  readonly cluster: string;
  /** Deadline of every call. Default 2000. */
  readonly deadlineMs?: number;
  readonly log?: RegistryLog;
  readonly clock?: Clock;
}

/** A job's record with the revision at which it was last written. */
export interface StoredJob {
  readonly record: JobRecord;
  readonly revision: number;
}

/** Every call throws RL_REGISTRY_UNAVAILABLE past its deadline. */
export interface JobStore {
  /** All records. Those that cannot be read are left out, and logged. */
  list(): Promise<StoredJob[]>;
  get(id: string): Promise<StoredJob | undefined>;
  /** Writes a new record and returns its revision. @throws RL_CONFLICT if there is one of that id */
  create(record: JobRecord): Promise<number>;
  /** Writes a record in place of the one of the given revision, and returns the new one. @throws RL_CONFLICT if it changed or is gone */
  update(record: JobRecord, revision: number): Promise<number>;
  /** Removes a record and all pieces beside it. */
  remove(id: string): Promise<void>;
  /** Writes one piece of what is kept beside a job: at most 256 KiB. */
  putPiece(id: string, kind: string, index: number, text: string): Promise<void>;
  /** One piece; undefined if there is none. */
  piece(id: string, kind: string, index: number): Promise<string | undefined>;
  /** Removes all pieces of one kind. */
  removePieces(id: string, kind: string): Promise<void>;
  close(): void;
}

/** Largest piece, characters: four fit into an etcd request with room to spare. */
export const MAX_PIECE_CHARS = 256 * 1024;
const DEFAULT_DEADLINE_MS = 2_000;
const PAGE_RECORDS = 100;
const PIECE_DIGITS = 8;

/** Connects to the registry's job records. @throws RL_BAD_CONFIG without endpoints, RL_BAD_REQUEST for a bad cluster name */
export function connectJobStore(options: JobStoreOptions): JobStore {
  return new EtcdJobStore(options);
}

class EtcdJobStore implements JobStore {
  readonly #client: EtcdClient;
  readonly #keys: RegistryKeys;
  readonly #log: RegistryLog;

  constructor(options: JobStoreOptions) {
    this.#keys = registryKeys(options.cluster);
    this.#log = options.log ?? (() => undefined);
    this.#client = new EtcdClient({
      endpoints: options.endpoints,
      deadlineMs: options.deadlineMs ?? DEFAULT_DEADLINE_MS,
      clock: options.clock ?? systemClock,
    });
  }

  async list(): Promise<StoredJob[]> {
    const jobs: StoredJob[] = [];
    const end = prefixEnd(this.#jobs);
    for (let start = this.#jobs; ; ) {
      const found = await this.#range(start, end, PAGE_RECORDS);
      for (const read of found) {
        const job = this.#parse(read);
        if (job !== undefined) jobs.push(job);
      }
      const last = found.at(-1);
      if (last === undefined || found.length < PAGE_RECORDS) return jobs;
      start = `${last.key}\0`;
    }
  }

  async get(id: string): Promise<StoredJob | undefined> {
    const key = this.#job(id);
    const [read] = await this.#range(key, `${key}\0`, 1);
    return read === undefined ? undefined : this.#parse(read);
  }

  async create(record: JobRecord): Promise<number> {
    const key = this.#job(record.id);
    return this.#write(record, [isPresent(this.#keys.identity), isAbsent(key)]);
  }

  async update(record: JobRecord, revision: number): Promise<number> {
    const key = this.#job(record.id);
    return this.#write(record, [isPresent(this.#keys.identity), isUnchanged(key, revision)]);
  }

  async remove(id: string): Promise<void> {
    const pieces = this.#pieces(id);
    await this.#txn({
      success: [
        deleteOp(this.#job(id)),
        { request_delete_range: { key: Buffer.from(pieces), range_end: Buffer.from(prefixEnd(pieces)) } },
      ],
    });
  }

  async putPiece(id: string, kind: string, index: number, text: string): Promise<void> {
    if (text.length > MAX_PIECE_CHARS) {
      throw new RinglightError("RL_INTERNAL", `a piece of ${text.length} characters is larger than ${MAX_PIECE_CHARS}`);
    }
    await this.#txn({ success: [putOp(this.#piece(id, kind, index), { text })] });
  }

  async piece(id: string, kind: string, index: number): Promise<string | undefined> {
    const key = this.#piece(id, kind, index);
    const [read] = await this.#range(key, `${key}\0`, 1);
    if (read === undefined) return undefined;
    const { text } = JSON.parse(read.value) as { text?: unknown };
    return typeof text === "string" ? text : undefined;
  }

  async removePieces(id: string, kind: string): Promise<void> {
    const prefix = `${this.#pieces(id)}${kind}/`;
    await this.#txn({
      success: [{ request_delete_range: { key: Buffer.from(prefix), range_end: Buffer.from(prefixEnd(prefix)) } }],
    });
  }

  close(): void {
    this.#client.close();
  }

  get #jobs(): string {
    return `${this.#keys.prefix}jobs/`;
  }

  #job(id: string): string {
    return `${this.#jobs}${checkName("job id", id)}`;
  }

  /** Beside and not beneath jobs/, so that listing the records does not read the pieces. */
  #pieces(id: string): string {
    return `${this.#keys.prefix}job-pieces/${checkName("job id", id)}/`;
  }

  #piece(id: string, kind: string, index: number): string {
    return `${this.#pieces(id)}${kind}/${String(index).padStart(PIECE_DIGITS, "0")}`;
  }

  async #range(start: string, end: string, limit: number): Promise<ReadKey[]> {
    const answer = await this.#txn({
      success: [{ request_range: { key: Buffer.from(start), range_end: Buffer.from(end), limit } }],
    });
    return keysRead(answer.responses[0]);
  }

  async #write(record: JobRecord, compare: Parameters<EtcdClient["txn"]>[0]["compare"]): Promise<number> {
    const key = this.#job(record.id);
    const text = JSON.stringify(record);
    const answer = await this.#txn({
      ...(compare && { compare }),
      success: [putOp(key, record)],
      failure: [
        { request_range: { key: Buffer.from(key) } },
        { request_range: { key: Buffer.from(this.#keys.identity) } },
      ],
    });
    if (answer.succeeded) return Number(answer.header.revision);
    const [existing] = keysRead(answer.responses[0]);
    // An attempt of ours may have succeeded and its answer been lost.
    if (existing?.value === text) return existing.modRevision;
    if (keysRead(answer.responses[1]).length === 0) {
      throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "the registry's data is being restored; try again");
    }
    throw new RinglightError("RL_CONFLICT", `job ${record.id} was changed by somebody else, or is gone`);
  }

  #parse({ key, value, modRevision }: ReadKey): StoredJob | undefined {
    try {
      return { record: parseRecord(value, parseJob), revision: modRevision };
    } catch (error) {
      if (!(error instanceof MalformedRecord)) throw error;
      this.#log("warn", "ignored a malformed record of the registry", { key, reason: error.message });
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
