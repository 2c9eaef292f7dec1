/**
 * One lease for everything that a participant keeps alive in the registry, and the records on it. The session renews every
 * third of the TTL; when the lease is gone it takes a new one and puts every record again, for as long as it is open. Whether
 * the lease is held is judged by the participant's own clock, counted from when the last successful renewal was *sent*, so
 * that it never believes in a lease longer than the server does.
 */
import { type Clock, RinglightError } from "@ringlight/core";
import type { ICompare } from "etcd3";
import { type EtcdClient, isLeaseGone } from "./etcd-client.ts";
import type { RegistryLog } from "./registry-log.ts";
import { deleteOp, isOnLease, putOp } from "./transaction-parts.ts";

/** A record that is to be on the lease. */
export interface LeasedRecord {
  /** Its key on a given lease (decimal id). */
  readonly key: (leaseId: string) => string;
  readonly value: () => unknown;
  /** Done before each put: what must be true in the registry first. May throw: it is tried again. */
  readonly prepare?: () => Promise<void>;
  /** Monotonic time before which it must not be put. */
  readonly notBeforeMs?: () => number;
}

interface Held {
  readonly record: LeasedRecord;
  /** Lease that it was last put on. */
  leaseId: string | undefined;
  /** Revision of the registry when it was last put. */
  revision: number;
  failure: unknown;
}

export interface LeaseSessionOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: RegistryLog;
  readonly ttlMs: number;
  readonly deadlineMs: number;
  /** What must hold in the registry for a record to be put: that its data is the data that this participant knows. */
  readonly guard: () => ICompare;
  /** Told when the guard does not hold. */
  readonly onGuardFailed: () => void;
}

const RETRY_MS = 150;
const RENEW_MARGIN_MS = 50;

export class LeaseSession {
  readonly #options: LeaseSessionOptions;
  readonly #records = new Map<LeasedRecord, Held>();
  /** Keys to take away, by the lease that they are on. */
  readonly #leaving = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #lease: { readonly id: string; readonly ttlMs: number } | undefined;
  #validUntilMs = 0;
  #renewAtMs = 0;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(options: LeaseSessionOptions) {
    this.#options = options;
  }

  /** True while the lease is known to be held. */
  get held(): boolean {
    return this.#lease !== undefined && this.#options.clock.monotonicMs() < this.#validUntilMs;
  }

  /** The lease's id, while it is known to be held. */
  get leaseId(): string | undefined {
    return this.held ? this.#lease?.id : undefined;
  }

  /** Monotonic time until which the lease is surely held, without another renewal. */
  get validUntilMs(): number {
    return this.#lease === undefined ? 0 : this.#validUntilMs;
  }

  /** True when the record is on the lease that is held. */
  has(record: LeasedRecord): boolean {
    return this.held && this.#records.get(record)?.leaseId === this.#lease?.id;
  }

  /** Revision of the registry when the record was put; infinite when it is not there yet. */
  revisionOf(record: LeasedRecord): number {
    return this.has(record) ? this.#records.get(record)!.revision : Number.POSITIVE_INFINITY;
  }

  /** Why the record could not be put when it was last tried. */
  failureOf(record: LeasedRecord): unknown {
    return this.#records.get(record)?.failure;
  }

  /** Calls the listener when a record was put, or the lease was renewed or lost. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the record in the registry from now on. */
  add(record: LeasedRecord): void {
    this.#records.set(record, { record, leaseId: undefined, revision: 0, failure: undefined });
    this.#running ??= this.#run();
    this.nudge();
  }

  /** Stops keeping the record and takes its key away; the lease's end does it if the registry cannot be reached. */
  remove(record: LeasedRecord): void {
    const held = this.#records.get(record);
    if (held === undefined) return;
    this.#records.delete(record);
    if (held.leaseId === undefined) return;
    this.#leaving.set(record.key(held.leaseId), held.leaseId);
    this.nudge();
  }

  /** True while removed records' keys may still be in the registry. */
  get isTakingAway(): boolean {
    return this.#leaving.size > 0;
  }

  /** Puts all records again, because the registry may not have them any more. */
  repeat(): void {
    for (const held of this.#records.values()) held.leaseId = undefined;
    this.#renewAtMs = 0;
    this.nudge();
  }

  /** Puts one record again. */
  repeatOne(record: LeasedRecord): void {
    const held = this.#records.get(record);
    if (held === undefined) return;
    held.leaseId = undefined;
    this.nudge();
  }

  /** Makes the session look at once whether there is something to do. */
  nudge(): void {
    this.#wake.resolve();
  }

  /** Ends the lease, which takes all records away. Idempotent; never throws. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(new Error("closing"));
    this.nudge();
    await this.#running;
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    await this.#options.client.revokeLease(lease.id, this.#options.deadlineMs).catch((error: unknown) => {
      this.#options.log("debug", "the lease could not be ended and will run out", { reason: String(error) });
    });
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      let waitMs: number;
      try {
        waitMs = await this.#step();
      } catch (error) {
        this.#failed(error);
        waitMs = RETRY_MS;
      }
      if (waitMs <= 0) continue;
      const waiting = new AbortController();
      const slept = this.#options.clock.sleep(waitMs, waiting.signal).catch(() => undefined);
      await Promise.race([slept, this.#wake.promise]);
      waiting.abort();
      await slept;
    }
  }

  /** Does what is due, and returns how long nothing will be. */
  async #step(): Promise<number> {
    const { clock } = this.#options;
    if (this.#records.size === 0 && this.#leaving.size === 0 && this.#lease === undefined) return 60_000;
    if (this.#lease === undefined) await this.#grant();
    else if (clock.monotonicMs() >= this.#renewAtMs) await this.#renew();
    if (this.#lease === undefined) return 0;
    await this.#takeAway();
    let waitMs = Number.POSITIVE_INFINITY;
    for (const held of [...this.#records.values()]) {
      if (held.leaseId === this.#lease?.id || this.#closing.signal.aborted) continue;
      const earlyMs = (held.record.notBeforeMs?.() ?? 0) - clock.monotonicMs();
      if (earlyMs > 0) waitMs = Math.min(waitMs, earlyMs);
      else if (!(await this.#put(held))) waitMs = Math.min(waitMs, RETRY_MS);
      if (this.#lease === undefined) return 0;
    }
    return Math.max(1, Math.min(waitMs, this.#renewAtMs - clock.monotonicMs()));
  }

  async #grant(): Promise<void> {
    const { client, clock, ttlMs } = this.#options;
    const sentMs = clock.monotonicMs();
    const granted = await client.grantLease(Math.ceil(ttlMs / 1000));
    this.#lease = { id: granted.id, ttlMs: granted.ttlS * 1000 };
    this.#renewed(sentMs, granted.ttlS);
  }

  async #renew(): Promise<void> {
    const { client, clock, deadlineMs, log } = this.#options;
    const lease = this.#lease!;
    const sentMs = clock.monotonicMs();
    // Two attempts must fit between the moment when it is due and the end of the lease.
    const ttlS = await client.keepLeaseAlive(lease.id, Math.min(deadlineMs, lease.ttlMs / 3));
    if (ttlS > 0) {
      this.#renewed(sentMs, ttlS);
      return;
    }
    log("warn", "the lease was lost; registering again", { records: this.#records.size });
    this.#dropLease();
  }

  #renewed(sentMs: number, ttlS: number): void {
    const wasHeld = this.held;
    this.#validUntilMs = sentMs + ttlS * 1000;
    this.#renewAtMs = sentMs + (ttlS * 1000) / 3 - RENEW_MARGIN_MS;
    if (!wasHeld) this.#tell();
  }

  #dropLease(): void {
    this.#lease = undefined;
    this.#validUntilMs = 0;
    this.#leaving.clear();
    for (const held of this.#records.values()) held.leaseId = undefined;
    this.#tell();
  }

  async #put(held: Held): Promise<boolean> {
    const { client, log } = this.#options;
    try {
      await held.record.prepare?.();
      const lease = this.#lease;
      if (lease === undefined || !this.#records.has(held.record)) return true;
      const key = held.record.key(lease.id);
      const answer = await client.txn({
        compare: [this.#options.guard()],
        success: [putOp(key, held.record.value(), lease.id)],
      });
      if (!answer.succeeded) {
        this.#options.onGuardFailed();
        throw new RinglightError("RL_REGISTRY_UNAVAILABLE", "the registry's data is being restored; try again");
      }
      // Removed while it was put: it has to go again.
      if (!this.#records.has(held.record)) {
        this.#leaving.set(key, lease.id);
        return false;
      }
      held.leaseId = lease.id;
      held.revision = Number(answer.header.revision);
      held.failure = undefined;
      this.#tell();
      return true;
    } catch (error) {
      if (isLeaseGone(error)) {
        this.#dropLease();
        return false;
      }
      if (String(error) !== String(held.failure)) {
        log("debug", "a record could not be registered yet", { reason: String(error) });
      }
      held.failure = error;
      this.#tell();
      return false;
    }
  }

  async #takeAway(): Promise<void> {
    for (const [key, leaseId] of [...this.#leaving]) {
      // Only if it is still ours: somebody may have put it on a lease of theirs.
      await this.#options.client.txn({ compare: [isOnLease(key, leaseId)], success: [deleteOp(key)] });
      this.#leaving.delete(key);
      this.#tell();
    }
  }

  #failed(error: unknown): void {
    if (isLeaseGone(error)) {
      this.#dropLease();
      return;
    }
    for (const held of this.#records.values()) if (held.leaseId === undefined) held.failure = error;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The error to throw for a record that could not be registered in time. */
export function notRegistered(failure: unknown, what: string, deadlineMs: number): RinglightError {
  if (failure instanceof RinglightError) return failure;
  return new RinglightError(
    "RL_REGISTRY_UNAVAILABLE",
    `${what} could not be registered within ${deadlineMs} ms (${failure === undefined ? "no answer" : String(failure)}); check that the registry runs and can be reached`,
    failure === undefined ? {} : { cause: failure },
  );
}
