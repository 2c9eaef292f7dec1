/**
 * Starts a job that hands over what is cached, whenever the ring has changed: the new owners pull the pages of their arcs from
 * those who owned them before. Rings that follow each other quickly are one change; a change during a hand-over stops it and
 * begins another one, which looks at the owners of all rings since the last that was handed over.
 */
import type { Clock, EpochRecord, Registry } from "@ringlight/core";
import { isFinal } from "@ringlight/registry";
import { buildRing, diff, type Ring } from "@ringlight/ring";
import type { JobEngine } from "./job-engine.ts";
import type { Placement } from "./job-placement.ts";
import { emptySpec } from "./job-spec.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** How often the ring is looked at, milliseconds. */
const TICK_MS = 500;
/** A ring that has stood so long is handed over to, milliseconds. */
const SETTLED_MS = 2_000;
/** A change so short before this scheduler came to lead may not have been seen by the one before, milliseconds. */
const UNSEEN_MS = 60_000;
const MAX_EPOCHS = 100;
/** Rings that one job looks back at. */
const MAX_FROM = 4;
const PRIORITY = 9;

/** Options of the hand-over. */
export interface HandOverOptions {
  readonly registry: Registry;
  readonly engine: Pick<JobEngine, "leading" | "list" | "submit" | "control">;
  readonly placement: Pick<Placement, "alive">;
  readonly calls: Pick<WorkerCalls, "tiers">;
  readonly clock: Clock;
  /** Bound on what workers send to each other for it; 0 for no hand-over at all. */
  readonly bytesPerSecond: number;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Watches the ring while this scheduler leads. */
export class HandOver {
  readonly #options: HandOverOptions;
  /** Epoch of the last ring that was handed over to; undefined before that is known. */
  #done: number | undefined;
  #seen = { epoch: 0, sinceMs: 0 };

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Leads. Resolves when the signal aborts; never rejects. */
  async lead(signal: AbortSignal): Promise<void> {
    const { clock, log, bytesPerSecond } = this.#options;
    if (bytesPerSecond === 0) return;
    this.#done = undefined;
    while (!signal.aborted) {
      try {
        await this.#look(signal);
      } catch (error) {
        if (!signal.aborted) log("the ring's change cannot be looked at; trying again", { error: String(error) });
      }
      await clock.sleep(TICK_MS, signal).catch(() => undefined);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { registry, engine, clock, bytesPerSecond, log } = this.#options;
    const { connected, epoch, members, mounts } = registry.view();
    if (!connected || !engine.leading || epoch === 0) return;
    const nowMs = clock.monotonicMs();
    this.#done ??= await this.#lastDone(epoch);
    if (epoch === this.#done) return;
    const isNew = epoch !== this.#seen.epoch;
    if (!isNew && nowMs - this.#seen.sinceMs < SETTLED_MS) return;

    const before = this.#done;
    const open = engine.list().filter(({ record }) => record.spec.kind === "rebalance" && !isFinal(record.state));
    const fromEpochs = [...new Set([before, ...open.flatMap(({ record }) => record.spec.fromEpochs)])].slice(
      0,
      MAX_FROM,
    );
    const rings = ringsOf(await registry.listEpochs(MAX_EPOCHS), fromEpochs);
    const ring = buildRing(members, { epoch });
    if (isNew) {
      // What comes into the caches from now on comes to the new owners: where there is nothing now, nothing is to be handed
      // over, and a load into a cluster that has just started does not meet a hand-over of itself.
      if (open.length === 0 && !(await this.#isWorthIt(rings, ring, signal))) this.#done = epoch;
      this.#seen = { epoch, sinceMs: nowMs };
      return;
    }
    if (mounts.size > 0 && (await this.#isWorthIt(rings, ring, signal))) {
      for (const { record } of open) await engine.control(record.id, "stop");
      const known = rings.map((from) => from.epoch);
      const paths = [...mounts.keys()].sort().map((mount) => `/${mount}`);
      const spec = {
        ...emptySpec("rebalance"),
        paths,
        bytesPerSecond,
        priority: PRIORITY,
        fromEpochs: known,
        toEpoch: epoch,
      };
      const { job } = await engine.submit(spec, "");
      log("the ring changed: what is cached is handed over", { job: job.record.id, epoch, from: known.join(",") });
    }
    this.#done = epoch;
  }

  /** True when arcs go from members that live, and have pages, to others. */
  async #isWorthIt(rings: readonly Ring[], ring: Ring, signal: AbortSignal): Promise<boolean> {
    const { placement, calls, registry } = this.#options;
    const alive = new Map(placement.alive().map((worker) => [worker.id, worker]));
    const losing = new Set(rings.flatMap((from) => diff(from, ring).moves.map((move) => move.from ?? "")));
    const hasReplicas = [...registry.view().mounts.values()].some(({ replicas }) => replicas > 1);
    const holders = [...alive.values()].filter(
      ({ id }) =>
        losing.has(id) || (hasReplicas && rings.some((from) => from.members.some((member) => member.id === id))),
    );
    const used = await Promise.all(holders.map((worker) => calls.tiers(worker, signal)));
    return losing.size > 0 && used.some(({ usedBytes }) => usedBytes > 0);
  }

  /** Where the leader before left off: at the ring of its last hand-over, or at the one that stood before a change of just now. */
  async #lastDone(epoch: number): Promise<number> {
    const { engine, registry, clock } = this.#options;
    const last = engine.list().find(({ record }) => record.spec.kind === "rebalance");
    if (last !== undefined && last.record.spec.toEpoch <= epoch) return last.record.spec.toEpoch;
    const epochs = (await registry.listEpochs(2)).filter((record) => record.epoch <= epoch);
    const [newest, second] = epochs;
    if (newest === undefined || newest.epoch !== epoch) return newest?.epoch ?? epoch;
    return second !== undefined && clock.now() - newest.atMs < UNSEEN_MS ? second.epoch : epoch;
  }
}

/** The rings of epochs, out of the history; those that it does not have are left out. */
export function ringsOf(history: readonly EpochRecord[], epochs: readonly number[]): Ring[] {
  return epochs.flatMap((epoch) => {
    const record = history.find((known) => known.epoch === epoch);
    return record === undefined || record.members.length === 0 ? [] : [buildRing(record.members, { epoch })];
  });
}
