/**
 * The last view on disk, so that a participant which starts while the registry is away goes on with it, and so that a loss
 * of the registry's data can be told from a new cluster. Written whole, to a temporary name and renamed.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ClusterView } from "@ringlight/core";
import {
  count,
  fieldsOf,
  list,
  number,
  parseIdentity,
  parseMember,
  parseMount,
  parsePolicies,
  parseRecord,
  parseScheduler,
  parseWorker,
  writtenPolicies,
} from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import type { Knowledge } from "./restoration.ts";

const FORMAT = 1;
const SAVE_DELAY_MS = 200;

/** What a view file holds. */
export interface SavedView {
  readonly view: ClusterView;
  readonly known: Knowledge;
}

export class ViewFile {
  readonly #path: string;
  readonly #log: RegistryLog;
  #pending: SavedView | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, log: RegistryLog) {
    this.#path = path;
    this.#log = log;
  }

  /** The saved view of the cluster; undefined when there is none, or none that can be read. */
  load(cluster: string): SavedView | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#warn("the saved view cannot be read", error);
      return undefined;
    }
    try {
      return parseRecord(text, (fields) => parseSaved(fields, cluster));
    } catch (error) {
      this.#warn("the saved view is not used", error);
      return undefined;
    }
  }

  /** Saves the view soon; of several in a row only the last. */
  save(saved: SavedView): void {
    this.#pending = saved;
    this.#timer ??= setTimeout(() => this.flush(), SAVE_DELAY_MS);
  }

  /** Saves now what waits to be saved. Never throws: without the file only a start without registry suffers. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const saved = this.#pending;
    this.#pending = undefined;
    if (saved === undefined) return;
    const { view, known } = saved;
    const content = {
      format: FORMAT,
      cluster: view.cluster,
      known,
      epoch: view.epoch,
      asOfMs: view.asOfMs,
      members: view.members,
      mounts: [...view.mounts.values()],
      policies: writtenPolicies(view.policies),
      workers: [...view.workers.values()],
      schedulers: [...view.schedulers.values()],
    };
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const temporary = `${this.#path}.${process.pid}.tmp`;
      writeFileSync(temporary, JSON.stringify(content), { mode: 0o600, flush: true });
      renameSync(temporary, this.#path);
    } catch (error) {
      this.#warn("the view cannot be saved", error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#log("warn", message, { path: this.#path, reason: error instanceof Error ? error.message : String(error) });
  }
}

function parseSaved(fields: Readonly<Record<string, unknown>>, cluster: string): SavedView {
  if (fields.format !== FORMAT) throw new Error(`its format is ${String(fields.format)}, not ${FORMAT}`);
  if (fields.cluster !== cluster) throw new Error(`it is of the cluster "${String(fields.cluster)}"`);
  const known = fieldsOf(fields.known, "known");
  const each = <T>(name: string, parse: (fields: Readonly<Record<string, unknown>>) => T): T[] =>
    list(fields, name).map((entry) => parse(fieldsOf(entry, name)));
  return {
    known: {
      identity: parseIdentity(fieldsOf(known.identity, "identity")),
      incarnation: count(known, "incarnation"),
      revision: count(known, "revision"),
    },
    view: {
      cluster,
      epoch: count(fields, "epoch"),
      members: each("members", parseMember),
      workers: new Map(each("workers", parseWorker).map((worker) => [worker.id, worker])),
      mounts: new Map(each("mounts", parseMount).map((mount) => [mount.name, mount])),
      // A file of an earlier release has none.
      policies: fields.policies === undefined ? [] : parsePolicies(fieldsOf(fields.policies, "policies")).rules,
      schedulers: new Map(each("schedulers", parseScheduler).map((scheduler) => [scheduler.id, scheduler])),
      leader: undefined,
      connected: false,
      asOfMs: number(fields, "asOfMs"),
    },
  };
}
