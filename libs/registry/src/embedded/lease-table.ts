/**
 * Leases of the embedded registry: which are held, until when, and which keys hang on them. Time is monotonic. A gap in the
 * server's own ticking (it was stopped, or starved) is added to every lease: clients could not have renewed meanwhile, so a
 * server must not blame them for its own sleep. This only ever makes a lease longer than its holder believes.
 */
import type { Clock } from "@ringlight/core";
import { etcdErrors } from "./etcd-error.ts";

/** A lease. */
export interface LeaseState {
  readonly id: number;
  readonly ttlS: number;
  /** On the monotonic clock. */
  expiresMs: number;
  readonly keys: Set<string>;
}

/** etcd's own bound on a TTL, seconds. */
const MAX_TTL_S = 9_000_000_000;
const MAX_UNNOTICED_GAP_MS = 1_000;

export class LeaseTable {
  readonly #leases = new Map<number, LeaseState>();
  readonly #clock: Clock;
  #lastTickMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastTickMs = clock.monotonicMs();
  }

  get(id: number): LeaseState | undefined {
    return this.#leases.get(id);
  }

  /** @throws lease not found, as etcd words it. */
  require(id: number): LeaseState {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw etcdErrors.leaseNotFound();
    return lease;
  }

  ids(): number[] {
    return [...this.#leases.keys()];
  }

  /** Grants a lease; `id` 0 lets the table choose. @throws lease exists, TTL too large. */
  grant(id: number, ttlS: number): LeaseState {
    if (ttlS > MAX_TTL_S) throw etcdErrors.leaseTtlTooLarge();
    if (id !== 0 && this.#leases.has(id)) throw etcdErrors.leaseExists();
    const chosen = id === 0 ? this.#freeId() : id;
    const granted = Math.max(1, ttlS);
    const lease = {
      id: chosen,
      ttlS: granted,
      expiresMs: this.#clock.monotonicMs() + granted * 1000,
      keys: new Set<string>(),
    };
    this.#leases.set(chosen, lease);
    return lease;
  }

  /** Renews and returns the TTL in seconds; 0 when the lease is not held. */
  keepAlive(id: number): number {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0;
    lease.expiresMs = this.#clock.monotonicMs() + lease.ttlS * 1000;
    return lease.ttlS;
  }

  remainingS(lease: LeaseState): number {
    return Math.max(0, Math.ceil((lease.expiresMs - this.#clock.monotonicMs()) / 1000));
  }

  remove(id: number): void {
    this.#leases.delete(id);
  }

  clear(): void {
    this.#leases.clear();
  }

  /** Moves a key from one lease to another; 0 stands for none. */
  move(key: string, from: number, to: number): void {
    if (from === to) return;
    this.#leases.get(from)?.keys.delete(key);
    this.#leases.get(to)?.keys.add(key);
  }

  /** Leases that have run out. To be called every few hundred milliseconds. */
  tick(): LeaseState[] {
    const now = this.#clock.monotonicMs();
    const gapMs = now - this.#lastTickMs;
    this.#lastTickMs = now;
    if (gapMs > MAX_UNNOTICED_GAP_MS) {
      for (const lease of this.#leases.values()) lease.expiresMs += gapMs;
    }
    const expired: LeaseState[] = [];
    for (const lease of this.#leases.values()) if (lease.expiresMs <= now) expired.push(lease);
    return expired;
  }

  /** A free random id that a double holds exactly, as JavaScript clients need. */
  #freeId(): number {
    for (;;) {
      const id = 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
      if (!this.#leases.has(id)) return id;
    }
  }
}
