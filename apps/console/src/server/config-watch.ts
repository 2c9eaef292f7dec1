/**
 * In which settings the processes of the cluster differ, for the problem that this is. Settings hold as long as a process
 * lives, so that each start of a process is asked once; one that did not answer is asked again.
 */
import type { ClusterView } from "@ringlight/core";
import { type ConfigDifference, unexpectedDifferences } from "../state/config-diff.ts";
import type { ProcessConfigView } from "../wire.ts";
import type { ProcessAddress } from "./processes.ts";

const EVERY_MS = 10_000;

/** What a watch needs. */
export interface ConfigWatchOptions {
  readonly view: () => ClusterView;
  /** Settings of processes, in their order. */
  readonly ask: (asked: readonly ProcessAddress[]) => Promise<readonly ProcessConfigView[]>;
}

export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** What each start of a process told. */
  readonly #told = new Map<string, ProcessConfigView>();
  #found: readonly ConfigDifference[] = [];
  #looking: Promise<void> | undefined;

  constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), EVERY_MS);
    this.#timer.unref();
  }

  /** As it was at the last look. */
  get found(): readonly ConfigDifference[] {
    return this.#found;
  }

  /** Looks now, if it does not look already. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Stops looking. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { workers, schedulers } = this.#options.view();
    const live = new Map<string, ProcessAddress>();
    for (const { id, addresses, startedMs } of workers.values()) {
      live.set(`worker ${id} ${startedMs}`, { process: "worker", id, address: addresses.grpc });
    }
    for (const { id, address, startedMs } of schedulers.values()) {
      live.set(`scheduler ${id} ${startedMs}`, { process: "scheduler", id, address });
    }
    for (const start of this.#told.keys()) if (!live.has(start)) this.#told.delete(start);
    const asked = [...live].filter(([start]) => !this.#told.has(start));
    if (asked.length > 0) {
      const told = await this.#options.ask(asked.map(([, address]) => address));
      for (const [place, one] of told.entries()) {
        const start = asked[place]?.[0];
        if (start !== undefined && one.error === undefined) this.#told.set(start, one);
      }
    }
    this.#found = unexpectedDifferences([...this.#told.values()]);
  }
}
