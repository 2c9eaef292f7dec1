/** The mounts of the registry's view, each with its open UFS. */
import {
  type ClusterView,
  type MountRecord,
  type Registry,
  RinglightError,
  type Ufs,
  type UfsObservation,
} from "@ringlight/core";
import { currentSpan } from "@ringlight/telemetry";
import { openUfs } from "@ringlight/ufs";

/** A mount with the store behind it. */
export interface OpenMount {
  readonly record: MountRecord;
  readonly ufs: Ufs;
}

interface Entry {
  /** The record that was seen last; views that change elsewhere keep it, so it is compared first. */
  record: MountRecord;
  readonly fingerprint: string;
  readonly opened: Promise<OpenMount>;
}

/** Options of the mount table. */
export interface MountTableOptions {
  readonly registry: Registry;
  readonly ufsTimeoutMs: number;
  /** Told of every request to a UFS. */
  readonly observe: (mount: string, observation: UfsObservation) => void;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Opens a mount's UFS on first use, and closes it when the mount is gone or has changed. */
export class MountTable {
  readonly #options: MountTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #unsubscribe: () => void;

  constructor(options: MountTableOptions) {
    this.#options = options;
    this.#unsubscribe = options.registry.onChange((view) => this.#forget(view));
  }

  /** All mounts, in order of their names. @throws RL_REGISTRY_UNAVAILABLE while the mounts were never heard of */
  list(): MountRecord[] {
    return [...this.#view().mounts.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The record of a mount. @throws RL_NO_SUCH_MOUNT, RL_REGISTRY_UNAVAILABLE while the mounts were never heard of */
  record(name: string): MountRecord {
    const record = this.#view().mounts.get(name);
    if (record === undefined) throw new RinglightError("RL_NO_SUCH_MOUNT", `no mount is named "${name}"`);
    return record;
  }

  /** The record of a mount, if there is one and the registry was heard of. */
  peek(name: string): MountRecord | undefined {
    return this.#options.registry.view().mounts.get(name);
  }

  /** Resolves when this worker knows that a mount is there, or is gone; or after `timeoutMs`. */
  known(name: string, isThere: boolean, timeoutMs: number): Promise<void> {
    const { registry } = this.#options;
    if (registry.view().mounts.has(name) === isThere) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        stop();
        clearTimeout(timer);
        resolve();
      };
      const stop = registry.onChange((view) => {
        if (view.mounts.has(name) === isThere) done();
      });
      const timer = setTimeout(done, timeoutMs);
    });
  }

  /** The mount and its UFS. @throws RL_NO_SUCH_MOUNT, or why the UFS cannot be opened */
  get(name: string): Promise<OpenMount> {
    const record = this.record(name);
    const known = this.#entries.get(name);
    if (known?.record === record) return known.opened;
    const fingerprint = JSON.stringify(record);
    if (known?.fingerprint === fingerprint) {
      known.record = record;
      return known.opened;
    }
    if (known !== undefined) this.#close(name, known);
    const opened = openUfs(record, {
      timeoutMs: this.#options.ufsTimeoutMs,
      observe: (observation) => this.#options.observe(name, observation),
      ...(record.options["trace-context"] === "true" && { traceHeaders: () => currentSpan()?.headers() ?? {} }),
    }).then((ufs) => ({ record, ufs }));
    const entry: Entry = { record, fingerprint, opened };
    this.#entries.set(name, entry);
    opened.catch(() => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    });
    return opened;
  }

  /** A worker that starts while the registry is away must not say "no such bucket" of a bucket that it only has not heard of. */
  #view(): ClusterView {
    const view = this.#options.registry.view();
    if (view.asOfMs === 0) {
      throw new RinglightError(
        "RL_REGISTRY_UNAVAILABLE",
        "this worker has not heard from the registry since it was made",
      );
    }
    return view;
  }

  #forget(view: ClusterView): void {
    for (const [name, entry] of this.#entries) {
      const record = view.mounts.get(name);
      if (record === undefined || JSON.stringify(record) !== entry.fingerprint) this.#close(name, entry);
    }
  }

  #close(name: string, entry: Entry): void {
    this.#entries.delete(name);
    entry.opened
      .then(({ ufs }) => ufs.close())
      .catch((error: unknown) =>
        this.#options.log("closing a mount's store failed", { mount: name, error: String(error) }),
      );
  }

  /** Closes every UFS. Idempotent. */
  async close(): Promise<void> {
    this.#unsubscribe();
    const open = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.allSettled(open.map(async (entry) => (await entry.opened).ufs.close()));
  }
}
