/**
 * Keeps the mirror true: reads the registry at one revision, settles losses of its data before they can show, then follows
 * the watch from there. After a break it makes sure that it is still the same data and resumes by revision; after a
 * compaction, a cancellation or anything odd it reads everything again. While the registry is away the mirror stays as it is.
 */
import type { Clock } from "@ringlight/core";
import type { ClusterMirror, MirrorChange } from "./cluster-mirror.ts";
import type { EtcdClient } from "./etcd-client.ts";
import type { RegistryKeys } from "./keys.ts";
import { parseIdentity, parseRingCurrent, tryParseRecord } from "./records.ts";
import type { RegistryLog } from "./registry-log.ts";
import type { Knowledge, Restoration, Snapshot } from "./restoration.ts";
import { getOp, getRangeOp, keysRead } from "./transaction-parts.ts";
import { follow } from "./watch-follower.ts";

export interface ClusterSyncOptions {
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  readonly mirror: ClusterMirror;
  readonly restoration: Restoration;
  readonly clock: Clock;
  readonly log: RegistryLog;
  readonly deadlineMs: number;
  readonly leaseTtlMs: number;
  /** From the view file, if there is one. */
  readonly known: Knowledge | undefined;
  /** The view changed. */
  readonly onViewChange: () => void;
  /** Every time the mirror was replaced or changed, in the view or beneath it. */
  readonly onMirrorChange: () => void;
  /**
   * The registry's data is not what it was: leases and what hangs on them are gone. Told with the candidate's key that led
   * in the lost data, as far as this participant knew.
   */
  readonly onDataLoss: (leaderKey: string | undefined) => void;
}

const RETRY_MS = 150;
/** How long after the registry's return its participants have to register again before they leave the view. */
const KEEP_AFTER_RETURN_MS = 2_500;

export class ClusterSync {
  readonly #options: ClusterSyncOptions;
  readonly #closing = new AbortController();
  readonly #firstRead = Promise.withResolvers<void>();
  #known: Knowledge | undefined;
  #nextRevisions: number[] = [];
  #fenceUntilMs = 0;
  #keepTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ClusterSyncOptions) {
    this.#options = options;
    this.#known = options.known;
    if (options.known !== undefined) options.mirror.startKeeping();
  }

  /** What is known of the data's identity; undefined before the first read. */
  get known(): Knowledge | undefined {
    return this.#known;
  }

  /** Resolves when the registry was read once. */
  get firstRead(): Promise<void> {
    return this.#firstRead.promise;
  }

  /** Monotonic time before which a leader of lost data may still believe in its lease. */
  get fenceUntilMs(): number {
    return this.#fenceUntilMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("closing"));
    await this.#running;
    clearTimeout(this.#keepTimer);
  }

  async #run(): Promise<void> {
    const { log } = this.#options;
    let reread = true;
    let broken = 0;
    while (!this.#closing.signal.aborted) {
      try {
        if (reread || !(await this.#canResume())) await this.#read();
        reread = false;
        const end = await this.#follow();
        reread = end.kind === "reread";
        if (this.#closing.signal.aborted) return;
        log("debug", "the watch of the registry ended", { ...end });
        if (end.kind === "silent") this.#disconnected(end.reason);
        if (end.kind !== "reread") {
          this.#options.client.nextEndpoint();
          // Once may be chance; a server that takes calls but no watch must not be asked without pause.
          if (++broken > 1) await this.#pause();
        } else broken = 0;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#disconnected(error);
        await this.#pause();
      }
    }
  }

  /** After a break: true when the registry still holds the data that the mirror copies. */
  async #canResume(): Promise<boolean> {
    const { client, keys, mirror } = this.#options;
    const answer = await client.txn({ success: [getOp(keys.identity), getOp(keys.ringCurrent)] });
    if (Number(answer.header.revision) < mirror.revision || this.#known === undefined) return false;
    const [identity] = keysRead(answer.responses[0]);
    const [current] = keysRead(answer.responses[1]);
    const same =
      tryParseRecord(identity?.value, parseIdentity)?.id === this.#known.identity.id &&
      tryParseRecord(current?.value, parseRingCurrent)?.incarnation === this.#known.incarnation;
    if (same) this.#connected(mirror.confirm(this.#options.clock.now()));
    return same;
  }

  async #read(): Promise<void> {
    const { client, keys, mirror, restoration, clock } = this.#options;
    for (;;) {
      this.#closing.signal.throwIfAborted();
      const answer = await client.txn({ success: keys.viewRanges.map(({ start, end }) => getRangeOp(start, end)) });
      const snapshot: Snapshot = {
        keys: answer.responses.flatMap(keysRead),
        revision: Number(answer.header.revision),
      };
      if (!(await restoration.settle(snapshot, this.#known, mirror.view, this.#fenceMs()))) {
        if (this.#known !== undefined) mirror.startKeeping();
        continue;
      }
      const fenceMs = this.#fenceMs();
      const leaderKey = mirror.leader()?.key;
      const changed = mirror.replace(snapshot.keys, snapshot.revision, clock.now());
      const lost = this.#learn(fenceMs);
      this.#nextRevisions = keys.viewRanges.map(() => snapshot.revision + 1);
      this.#connected(changed);
      if (lost) this.#options.onDataLoss(leaderKey);
      this.#options.onMirrorChange();
      this.#firstRead.resolve();
      return;
    }
  }

  #follow() {
    const { client, keys, mirror, clock, deadlineMs } = this.#options;
    return follow({
      client,
      keys,
      clock,
      deadlineMs,
      nextRevisions: this.#nextRevisions,
      signal: this.#closing.signal,
      onAlive: () => {
        if (mirror.confirm(clock.now())) this.#options.onViewChange();
      },
      onChanges: (changes, revision) => {
        const odd = this.#oddity(changes);
        if (odd !== undefined) return odd;
        const changed = mirror.apply(changes, revision, clock.now());
        this.#learn(0);
        this.#options.onMirrorChange();
        if (changed) this.#options.onViewChange();
        return undefined;
      },
    });
  }

  /** Changes that nobody makes while all is well: they are settled before anything of them can show. */
  #oddity(changes: readonly MirrorChange[]): string | undefined {
    const { keys, mirror } = this.#options;
    for (const { key, now } of changes) {
      if (key === keys.identity) return "the identity changed";
      if (key !== keys.ringCurrent) continue;
      if (now === undefined) return "ring/current was deleted";
      const current = tryParseRecord(now.value, parseRingCurrent);
      if (current?.incarnation !== this.#known?.incarnation) return "the data was restored";
      if (current === undefined || current.epoch < mirror.view.epoch) return "the epoch went back";
    }
    return undefined;
  }

  /** Takes what the mirror holds as known. Returns whether the data is another one than before. */
  #learn(fenceMs: number): boolean {
    const { mirror, clock } = this.#options;
    const { identity, ringCurrent } = mirror;
    if (identity === undefined || ringCurrent === undefined) return false;
    const before = this.#known;
    this.#known = { identity, incarnation: ringCurrent.incarnation, revision: mirror.revision };
    const now = clock.monotonicMs();
    if (before === undefined) {
      const { restored } = identity;
      if (restored !== undefined) {
        const leftMs = Math.min(restored.fenceMs, restored.atMs + restored.fenceMs - clock.now());
        this.#fenceUntilMs = now + Math.max(0, leftMs);
      }
      return false;
    }
    const lost = before.identity.id !== identity.id || before.incarnation !== ringCurrent.incarnation;
    if (lost) this.#fenceUntilMs = now + fenceMs;
    return lost;
  }

  /** How long the leader that the mirror shows, or one like us, may go on after its lease was lost. */
  #fenceMs(): number {
    let fenceMs = this.#options.leaseTtlMs;
    for (const { record } of this.#options.mirror.candidates.entries.values())
      fenceMs = Math.max(fenceMs, record.ttlMs);
    return fenceMs;
  }

  #connected(changed: boolean): void {
    const { mirror, log } = this.#options;
    clearTimeout(this.#keepTimer);
    this.#keepTimer = setTimeout(() => {
      if (mirror.stopKeeping()) this.#options.onViewChange();
    }, KEEP_AFTER_RETURN_MS);
    if (!changed) return;
    log("debug", "the registry's view was read", { revision: mirror.revision, epoch: mirror.view.epoch });
    this.#options.onViewChange();
  }

  #disconnected(error: unknown): void {
    const { mirror, log } = this.#options;
    clearTimeout(this.#keepTimer);
    mirror.startKeeping();
    if (!mirror.disconnect()) return;
    log("warn", "the registry does not answer; going on with the last view", { reason: String(error) });
    this.#options.onViewChange();
  }

  #pause(): Promise<void> {
    return this.#options.clock.sleep(RETRY_MS, this.#closing.signal).catch(() => undefined);
  }
}
