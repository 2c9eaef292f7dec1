/**
 * The election among schedulers: etcd's recipe. Each candidate keeps a key beneath leader/, and the one whose key is the
 * oldest leads. `lead` runs only while the own lease is surely held by the own clock, less a margin: a leader whose registry
 * is frozen steps down before its lease can run out, so that there are never two. A leader that stepped down withdraws its
 * key and stands again, last in the line, when `lead` has returned.
 */
import type { Campaign, Clock } from "@ringlight/core";
import type { ClusterMirror } from "./cluster-mirror.ts";
import type { EtcdClient } from "./etcd-client.ts";
import type { RegistryKeys } from "./keys.ts";
import type { LeasedRecord, LeaseSession } from "./lease-session.ts";
import type { CandidateRecord } from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import { keysRead, prefixEnd } from "./transaction-parts.ts";

export interface LeadershipOptions {
  readonly id: string;
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  readonly mirror: ClusterMirror;
  readonly session: LeaseSession;
  readonly clock: Clock;
  readonly log: RegistryLog;
  readonly ttlMs: number;
  /** Monotonic time before which a leader of lost data may still believe in its lease. */
  readonly fenceUntilMs: () => number;
}

const RETRY_MS = 250;
/** Pause before a leader whose `lead` failed stands again, so that another one may try. */
const AFTER_FAILURE_MS = 1_000;

export class Leadership implements Campaign {
  readonly #options: LeadershipOptions;
  readonly #closing = new AbortController();
  readonly #record: LeasedRecord;
  readonly #running: Promise<void>;
  #leadingLease: string | undefined;
  /** Own key when it last led, and until when its lease was to last at least. */
  #lastLed = { key: "", untilMs: 0 };
  /** We led the lost data and nobody else can have: no fence is needed. */
  #exempt = false;
  /** Revision at which the registry said that we lead. */
  #electedRevision = 0;
  #seenInMirror = false;
  #wake = Promise.withResolvers<void>();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    const candidate: CandidateRecord = { id: options.id, ttlMs: options.ttlMs };
    this.#record = {
      key: (leaseId) => options.keys.candidate(leaseId),
      value: () => candidate,
      notBeforeMs: () => (this.#exempt ? 0 : options.fenceUntilMs()),
    };
    this.#running = this.#run();
  }

  get leading(): boolean {
    return this.#leadingLease !== undefined && this.#surelyHeld(this.#leadingLease);
  }

  /** To be called when the lease or the mirror changed. */
  look(): void {
    this.#wake.resolve();
  }

  /** To be called when the registry's data was lost, before anything is registered again, with the key that led it. */
  dataLost(leaderKey: string | undefined): void {
    this.#exempt = leaderKey === this.#lastLed.key && this.#options.clock.monotonicMs() < this.#lastLed.untilMs;
    this.look();
  }

  /** Key in the registry, while there should be one: for noticing that somebody took it away. */
  get record(): LeasedRecord {
    return this.#record;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("closing"));
    this.look();
    await this.#running;
    this.#options.session.remove(this.#record);
  }

  async #run(): Promise<void> {
    const { session, log } = this.#options;
    while (!this.#closing.signal.aborted) {
      session.add(this.#record);
      try {
        const leaseId = await this.#elected();
        if (leaseId === undefined) break;
        await this.#lead(leaseId);
      } catch (error) {
        log("error", "the election failed and is tried again", { id: this.#options.id, reason: String(error) });
        await this.#options.clock.sleep(RETRY_MS, this.#closing.signal).catch(() => undefined);
      }
      session.remove(this.#record);
    }
  }

  /** Waits to be elected; the lease on which we are, or undefined when closing. */
  async #elected(): Promise<string | undefined> {
    const { session, client, keys } = this.#options;
    while (!this.#closing.signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      const leaseId = session.leaseId;
      if (leaseId !== undefined && session.has(this.#record) && this.#surelyHeld(leaseId)) {
        // The mirror may lag; the registry itself decides.
        const answer = await client
          .txn({
            success: [
              {
                request_range: {
                  key: Buffer.from(keys.leader),
                  range_end: Buffer.from(prefixEnd(keys.leader)),
                  sort_target: "Create",
                  sort_order: "Ascend",
                  limit: 1,
                },
              },
            ],
          })
          .catch(() => undefined);
        const first = keysRead(answer?.responses[0])[0];
        if (first?.key === keys.candidate(leaseId) && session.has(this.#record)) {
          this.#electedRevision = Number(answer?.header.revision);
          return leaseId;
        }
        if (first !== undefined && first.key !== keys.candidate(leaseId)) {
          await this.#wake.promise;
          continue;
        }
      }
      await this.#wakeOr(RETRY_MS);
    }
    return undefined;
  }

  async #lead(leaseId: string): Promise<void> {
    const { id, lead, log, clock } = this.#options;
    const controller = new AbortController();
    if (!this.#surelyHeld(leaseId)) return;
    this.#leadingLease = leaseId;
    this.#exempt = false;
    this.#seenInMirror = false;
    log("info", "leading", { id });
    let failed = false;
    const work = Promise.resolve()
      .then(() => (controller.signal.aborted ? undefined : lead(controller.signal)))
      .catch((error: unknown) => {
        if (controller.signal.aborted) return;
        failed = true;
        log("error", "the leader's work failed", { id, reason: String(error) });
        this.look();
      });
    let reason: string | undefined;
    while (reason === undefined) {
      this.#wake = Promise.withResolvers<void>();
      reason = failed ? "its work failed" : this.#reasonToStop(leaseId);
      if (reason === undefined) await this.#wakeOr(this.#surelyHeldMs());
    }
    this.#leadingLease = undefined;
    controller.abort(new Error(`not leading any more: ${reason}`));
    log("info", "not leading any more", { id, reason });
    await work;
    if (failed) await clock.sleep(AFTER_FAILURE_MS, this.#closing.signal).catch(() => undefined);
  }

  #reasonToStop(leaseId: string): string | undefined {
    const { session, mirror, keys } = this.#options;
    const own = keys.candidate(leaseId);
    // A lease that is gone has no end; what it had before counts.
    if (session.validUntilMs > 0) this.#lastLed = { key: own, untilMs: session.validUntilMs };
    if (this.#closing.signal.aborted) return "closing";
    if (!this.#surelyHeld(leaseId)) return "the lease could not be renewed in time";
    if (!session.has(this.#record)) return "the lease was lost";
    // The mirror may lag behind the election: it counts from the moment when it shows our key, or something later.
    const shown = mirror.leader()?.key;
    this.#seenInMirror ||= shown === own;
    if (shown !== own && (this.#seenInMirror || mirror.ringRevision > this.#electedRevision)) {
      return shown === undefined ? "its key was taken away" : "another one leads";
    }
    return undefined;
  }

  /** Held with so much time left that `lead` can stop before the server takes the lease away. */
  #surelyHeld(leaseId: string): boolean {
    return this.#options.session.leaseId === leaseId && this.#surelyHeldMs() > 0;
  }

  #surelyHeldMs(): number {
    const marginMs = Math.min(1_000, this.#options.ttlMs / 5);
    return this.#options.session.validUntilMs - marginMs - this.#options.clock.monotonicMs();
  }

  async #wakeOr(ms: number): Promise<void> {
    const waiting = new AbortController();
    const slept = this.#options.clock.sleep(Math.max(1, ms), waiting.signal).catch(() => undefined);
    await Promise.race([slept, this.#wake.promise]);
    waiting.abort();
    await slept;
  }
}
