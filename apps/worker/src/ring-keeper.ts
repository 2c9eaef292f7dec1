/** Keeps the ring of the current epoch, and the one before it, from the registry's view. */
import type { Clock, ClusterView, Registry, WorkerRecord } from "@ringlight/core";
import { buildRing, type Ring } from "@ringlight/ring";

/** A ring that stood this long was in use: segments that have moved since then count as rebalanced, not as cold. */
const SETTLED_MS = 30_000;

/**
 * How long a worker is asked after its lease has ended, milliseconds. A busy machine can keep a worker from renewing its
 * lease while it goes on serving; one that is gone refuses the connection, which costs next to nothing.
 */
const LEASE_GRACE_MS = 10_000;

/** The ring that routes. Built anew for each epoch; reading it is a field read. */
export class RingKeeper {
  #ring: Ring;
  #settled: Ring | undefined;
  #since: number;
  /** Live workers of the view before, and those that left since, by the time when they did. */
  #workers: ReadonlyMap<string, WorkerRecord>;
  readonly #left = new Map<string, { readonly record: WorkerRecord; readonly sinceMs: number }>();
  readonly #unsubscribe: () => void;
  readonly #clock: Clock;
  readonly #registry: Registry;

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
    const view = registry.view();
    this.#ring = buildRing(view.members, { epoch: view.epoch });
    this.#workers = view.workers;
    this.#since = clock.monotonicMs();
    this.#unsubscribe = registry.onChange((next) => this.#update(next));
  }

  get ring(): Ring {
    return this.#ring;
  }

  get view(): ClusterView {
    return this.#registry.view();
  }

  /** True when the key's first owner under the last ring that stood for a while was another worker than `id`. */
  movedTo(id: string, key: string): boolean {
    const before = this.#settled;
    if (before === undefined || before.members.length === 0) return false;
    const owner = before.owners(key, 1)[0];
    return owner !== undefined && owner !== id && this.#ring.owners(key, 1)[0] === id;
  }

  /** A worker that has a lease, or had one a moment ago. */
  worker(id: string): WorkerRecord | undefined {
    const live = this.view.workers.get(id);
    if (live !== undefined) return live;
    const left = this.#left.get(id);
    return left !== undefined && this.#clock.monotonicMs() - left.sinceMs < LEASE_GRACE_MS ? left.record : undefined;
  }

  #update(view: ClusterView): void {
    for (const [id, record] of this.#workers) {
      if (!view.workers.has(id)) this.#left.set(id, { record, sinceMs: this.#clock.monotonicMs() });
    }
    for (const id of view.workers.keys()) this.#left.delete(id);
    this.#workers = view.workers;
    if (view.epoch === this.#ring.epoch) return;
    const now = this.#clock.monotonicMs();
    if (now - this.#since >= SETTLED_MS) this.#settled = this.#ring;
    this.#ring = buildRing(view.members, { epoch: view.epoch, previous: this.#ring });
    this.#since = now;
  }

  close(): void {
    this.#unsubscribe();
  }
}
