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

/**
 * Rings before the current one whose owners are asked for pages before the UFS is, and for how long after they ended,
 * milliseconds. By then the scheduler's hand-over has moved what they held, or it is colder than what is read now.
 */
const HAND_OVER_RINGS = 4;
const HAND_OVER_MS = 10 * 60_000;
/** A ring that stood shorter than this owned nothing worth asking for, milliseconds: the first workers of a cluster join one by one. */
const STOOD_MS = 5_000;

/** The ring that routes. Built anew for each epoch; reading it is a field read. */
export class RingKeeper {
  #ring: Ring;
  #settled: Ring | undefined;
  #since: number;
  /** Rings that ended a short time ago, the newest first. */
  #before: { readonly ring: Ring; readonly endedMs: number }[] = [];
  /** Live workers of the view before, and those that left since, by the time when they did. */
  #workers: ReadonlyMap<string, WorkerRecord>;
  readonly #left = new Map<string, { readonly record: WorkerRecord; readonly sinceMs: number }>();
  /** When the youngest member of the ring joined, Unix milliseconds. */
  #memberSinceMs: number;
  readonly #unsubscribe: () => void;
  readonly #clock: Clock;
  readonly #registry: Registry;

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
    const view = registry.view();
    this.#ring = buildRing(view.members, { epoch: view.epoch });
    this.#workers = view.workers;
    this.#memberSinceMs = sinceMs(view);
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

  /**
   * The living worker that held a key before `id` came to own it: the first owner under the newest of the rings that ended a short time
   * ago, where `id` was none of its owners. Undefined where there is none.
   */
  handOverFrom(id: string, key: string, replicas: number): string | undefined {
    if (this.#before.length === 0) return undefined;
    const oldest = this.#clock.monotonicMs() - HAND_OVER_MS;
    this.#before = this.#before.filter(({ endedMs }) => endedMs >= oldest);
    for (const { ring } of this.#before) {
      const owners = ring.owners(key, replicas);
      // It owns the key since then, or longer.
      if (owners.includes(id)) return undefined;
      const holder = owners.find((owner) => this.worker(owner) !== undefined);
      if (holder !== undefined) return holder;
    }
    return undefined;
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
    const { members } = this.#ring;
    // Whoever joins sees the ring before it for a moment only: its members know since when they are in it.
    const youngestMs = this.#memberSinceMs;
    const stood = now - this.#since >= STOOD_MS || (youngestMs > 0 && this.#clock.now() - youngestMs >= STOOD_MS);
    if (members.length > 0 && stood) {
      this.#before = [{ ring: this.#ring, endedMs: now }, ...this.#before].slice(0, HAND_OVER_RINGS);
    }
    this.#memberSinceMs = sinceMs(view);
    this.#ring = buildRing(view.members, { epoch: view.epoch, previous: this.#ring });
    this.#since = now;
  }

  close(): void {
    this.#unsubscribe();
  }
}

function sinceMs({ members }: ClusterView): number {
  return members.reduce((latest, { joinedMs }) => Math.max(latest, joinedMs), 0);
}
