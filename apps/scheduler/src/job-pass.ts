/**
 * One pass over the objects of a job: lists them, sends their units to the owners, counts what comes back. What it has in
 * hand is bounded, so that a job of any size needs the same memory, and work begins with the first page of the listing.
 * Long, because listing, lanes and counters end together, whatever ends them.
 */
import { type Clock, parsePath, RinglightError, segmentKey } from "@ringlight/core";
import type { UnitResult } from "@ringlight/proto";
import type { Amount, JobCheckpoint, JobCounters, JobSpec } from "@ringlight/registry";
import type { Ring } from "@ringlight/ring";
import { Lane, type LaneUnit } from "./job-lane.ts";
import type { Placement } from "./job-placement.ts";
import { RateShares } from "./job-shares.ts";
import { jobObjects, type SourceItem } from "./job-source.ts";
import { type DoneUnit, Tally, type TallyMode } from "./job-tally.ts";
import { targetPath } from "./job-target.ts";
import { namesOf, shortName, Window } from "./job-window.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** Most objects in hand. */
const WINDOW_OBJECTS = 4096;
/** Times that a unit goes to another worker because its own was lost. */
const MAX_MOVES = 8;
/** Times that an object which changes in the store is begun anew. */
const MAX_RESTARTS = 3;
/** How long a worker that was lost is passed over if others can do its work, milliseconds. */
const SUSPECT_MS = 2_000;
/** How often units without a worker are tried again, and rates divided anew, milliseconds. */
const TICK_MS = 500;

/** A failed or refused object. */
export interface FailedObject {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  readonly workerId: string;
  readonly atMs: number;
}

/** Options of a pass. */
export interface PassOptions {
  readonly jobId: string;
  readonly spec: JobSpec;
  readonly op: string;
  readonly mode: TallyMode;
  readonly calls: WorkerCalls;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly segmentBytes: number;
  /** For "pull": the rings whose owners hold what is handed over, the newest first. */
  readonly previous: readonly Ring[];
  readonly checkpoint: JobCheckpoint;
  readonly counters: JobCounters;
  readonly manifest: () => AsyncIterable<string>;
  readonly traceparent: string;
  readonly onFailed: (failed: FailedObject) => void;
  readonly onRead: (bytes: number) => void;
  /** Units went to others than the owners, because those did not answer. */
  readonly onMoved: () => void;
}

interface PassObject {
  path: string;
  /** Which of the job's sources it is of. */
  readonly source: number;
  version: string;
  sizeBytes: number;
  /** Bytes of all copies. */
  listedBytes: number;
  restarts: number;
  left: number;
  units: DoneUnit[];
  readonly finish: () => void;
}

interface PassUnit extends LaneUnit {
  readonly object: PassObject;
  /** Which of the owners. */
  readonly rank: number;
  /** The one worker that is meant, whoever owns what. */
  readonly worker?: string;
  moves: number;
}

/** One pass. Run once. */
export class Pass {
  readonly #options: PassOptions;
  readonly #window: Window;
  readonly #tally: Tally;
  readonly #lanes = new Map<string, Lane<PassUnit>>();
  readonly #suspects = new Map<string, number>();
  /** Units for which no worker lives now. */
  #homeless: PassUnit[] = [];
  readonly #shares: RateShares;
  readonly #ending = new AbortController();
  #signal: AbortSignal = this.#ending.signal;
  #listingEnded = false;
  /** Objects that were found and are not done. */
  #inHand = { objects: 0, bytes: 0 };
  #changed = Promise.withResolvers<void>();
  #pumping = false;

  constructor(options: PassOptions) {
    this.#options = options;
    this.#window = new Window(options.checkpoint, options.checkpoint.position);
    this.#tally = new Tally(options.counters, options.mode);
    this.#shares = new RateShares({
      ...options,
      workers: () => this.#lanes.keys(),
      isBusy: (id) => this.#lanes.get(id)?.busy ?? false,
      signal: () => this.#signal,
    });
  }

  /** What a record needs to go on from here: all parts are of the same moment, and count what is done. */
  state(): { readonly checkpoint: JobCheckpoint; readonly counters: JobCounters; readonly listingEnded: boolean } {
    const { source, after } = this.#window.mark;
    const checkpoint = { source, after, doneBeyond: this.#window.doneBeyond(), position: this.#window.position };
    return { checkpoint, counters: this.#tally.counters, listingEnded: this.#listingEnded };
  }

  /** Objects that were found and are not done yet. */
  get inHand(): Amount {
    return this.#inHand;
  }

  /** True while units wait for any worker to live. */
  get waitsForWorkers(): boolean {
    return this.#homeless.length > 0;
  }

  /** Runs to the end. @throws the signal's reason, or why the listing broke off */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = AbortSignal.any([signal, this.#ending.signal]);
    const ticking = this.#tick();
    const wake = () => this.#notify();
    this.#signal.addEventListener("abort", wake, { once: true });
    try {
      this.#shares.begin();
      await this.#list();
      while (this.#window.size > 0) {
        this.#signal.throwIfAborted();
        await this.#change();
      }
      this.#signal.throwIfAborted();
    } finally {
      this.#signal.removeEventListener("abort", wake);
      this.#ending.abort(new RinglightError("RL_CANCELLED", "the pass is over"));
      await Promise.all([...this.#lanes.values()].map((lane) => lane.ended()));
      await ticking;
      await this.#shares.end();
      this.#suspects.clear();
    }
  }

  async #list(): Promise<void> {
    const { spec, calls, placement, checkpoint, manifest } = this.#options;
    const done = namesOf(checkpoint.doneBeyond);
    const source = { spec, calls, placement, manifest, signal: this.#signal };
    for await (const items of jobObjects(source, checkpoint)) {
      for (const item of items) {
        const finish = this.#window.enter(item.place, item.path);
        if (done.size > 0 && done.delete(shortName(item.path))) {
          finish();
          continue;
        }
        this.#enter(item, finish);
        while (this.#window.size >= WINDOW_OBJECTS) {
          this.#signal.throwIfAborted();
          await this.#change();
        }
      }
    }
    this.#listingEnded = true;
  }

  #enter(item: SourceItem, finish: () => void): void {
    if (item.object === undefined) {
      this.#tally.missing();
      const { code, message } = item.failure ?? { code: "RL_NOT_FOUND", message: "" };
      this.#fail(item.path, { code, message, workerId: "" });
      finish();
      return;
    }
    const object: PassObject = {
      path: item.path,
      source: item.place.source,
      ...item.object,
      listedBytes: 0,
      restarts: 0,
      left: 0,
      units: [],
      finish: () => {
        finish();
        this.#notify();
      },
    };
    this.#hand(1, 0);
    this.#plan(object);
  }

  /** Cuts an object into units and sends each to its owner. */
  #plan(object: PassObject): void {
    const { segmentBytes, spec, op } = this.#options;
    const { path, version, sizeBytes } = object;
    const isCopy = op === "copy" || op === "move";
    const whole = op === "free" || op === "sync" || isCopy;
    const segments = whole || spec.metadataOnly ? 1 : Math.max(1, Math.ceil(sizeBytes / segmentBytes));
    // Pages to free may lie with others than the owners: with who stood in for one, or owned them before.
    const everybody = op === "free" ? this.#options.placement.alive().map(({ id }) => id) : undefined;
    const copies = isCopy ? 1 : everybody === undefined ? this.#copies(path) : Math.max(1, everybody.length);
    if (op === "pull") {
      this.#planHandOver(object, segments);
      return;
    }
    const units: PassUnit[] = [];
    for (let segment = 0; segment < segments; segment++) {
      const length = whole ? sizeBytes : Math.min(segmentBytes, sizeBytes - segment * segmentBytes);
      const bytes = spec.metadataOnly || op === "sync" ? 0 : Math.max(0, length);
      for (let rank = 0; rank < copies; rank++) {
        const worker = everybody?.[rank];
        const target = isCopy ? targetPath(spec, path, object.source) : "";
        const unit = { path, version, sizeBytes, segment, whole, sources: [], target };
        units.push({ unit, bytes, object, rank, ...(worker !== undefined && { worker }), moves: 0 });
      }
    }
    const listedBytes = whole ? sizeBytes : units.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#hand(0, listedBytes - object.listedBytes);
    object.listedBytes = listedBytes;
    object.left = units.length;
    object.units = [];
    for (const unit of units) this.#send(unit);
  }

  /** One unit for each segment and owner that may get pages from those who owned them before; an object without any is left out. */
  #planHandOver(object: PassObject, segments: number): void {
    const { placement, previous } = this.#options;
    const { path, version, sizeBytes } = object;
    const { mount, key } = parsePath(path);
    const copies = this.#copies(path);
    const units: PassUnit[] = [];
    for (let segment = 0; segment < segments; segment++) {
      const place = segmentKey(mount, key, segment);
      const holders = [...new Set(previous.flatMap((ring) => ring.owners(place, copies)))];
      const alive = holders.filter((id) => placement.worker(id) !== undefined);
      for (const worker of placement.owners(mount, key, segment, copies)) {
        const sources = alive.filter((id) => id !== worker);
        // Whoever owned it under each of the rings has what there is.
        const isNew = previous.some((ring) => !ring.owners(place, copies).includes(worker));
        if (!isNew || sources.length === 0) continue;
        const unit = { path, version, sizeBytes, segment, whole: false, sources, target: "" };
        units.push({ unit, bytes: 0, object, rank: 0, worker, moves: 0 });
      }
    }
    object.left = units.length;
    object.units = [];
    for (const unit of units) this.#send(unit);
    if (units.length > 0) return;
    this.#hand(-1, 0);
    object.finish();
  }

  #hand(objects: number, bytes: number): void {
    this.#inHand = { objects: this.#inHand.objects + objects, bytes: this.#inHand.bytes + bytes };
  }

  /** On how many workers a unit is to be done. */
  #copies(path: string): number {
    const { spec, placement } = this.#options;
    const { mount } = parsePath(path);
    const wanted = spec.replicas > 0 ? spec.replicas : (placement.view.mounts.get(mount)?.replicas ?? 1);
    return Math.max(1, wanted);
  }

  #send(unit: PassUnit): void {
    const { placement } = this.#options;
    const { mount, key } = parsePath(unit.unit.path);
    const owners =
      unit.worker === undefined
        ? placement.owners(mount, key, unit.unit.segment, unit.rank + 1, (id) => this.#isSuspect(id))
        : [unit.worker];
    const workerId = unit.worker ?? owners[unit.rank];
    if (workerId === undefined) {
      // Fewer workers live than there are to be copies: what can be is on the others already.
      if (owners.length > 0) this.#result(unit, unplaced(owners.length), "");
      else this.#homeless.push(unit);
      return;
    }
    const lane = this.#lane(workerId);
    lane.push(unit);
    // Within one turn of the event loop more units come for the same worker: let them go out together.
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const lane of this.#lanes.values()) lane.pump();
    });
  }

  #lane(workerId: string): Lane<PassUnit> {
    const known = this.#lanes.get(workerId);
    if (known !== undefined) return known;
    const { jobId, spec, op, calls, placement, traceparent, clock } = this.#options;
    const { verify, skipCached, metadataOnly, concurrency, columns, overwrite } = spec;
    const lane = new Lane<PassUnit>({
      workerId,
      jobId,
      calls,
      placement,
      template: { op, verify, skipCached, metadataOnly, columns: [...columns], overwrite },
      concurrency,
      rate: () => this.#shares.of(workerId),
      traceparent,
      signal: this.#signal,
      now: () => clock.now(),
      onResult: (unit, result, id) => this.#result(unit, result, id),
      onLost: (units, id) => this.#lost(units, id),
      onRefused: (units, id, error) => {
        for (const unit of units) this.#result(unit, failedResult(error.code, error.message), id);
      },
      onRead: (id, bytes) => {
        this.#shares.note(id, bytes);
        if (bytes > 0) this.#options.onRead(bytes);
      },
      onBusy: () => this.#shares.divideSoon(false),
    });
    this.#lanes.set(workerId, lane);
    return lane;
  }

  #result(unit: PassUnit, result: Omit<UnitResult, "unit">, workerId: string): void {
    const { object } = unit;
    // Of a Parquet file only the worker that has read its footer knows how much of it is meant.
    const bytes = result.wantedBytes > 0 ? result.wantedBytes : unit.bytes;
    object.listedBytes += bytes - unit.bytes;
    this.#hand(0, bytes - unit.bytes);
    object.units.push({ unit: unit.unit, bytes, workerId, result });
    if (--object.left > 0) return;
    const { mode } = this.#options;
    const changed = object.units.find((done) => done.result.outcome === "changed")?.result.object;
    if (
      changed !== undefined &&
      (mode === "load" || mode === "audit" || mode === "dry") &&
      object.restarts < MAX_RESTARTS
    ) {
      if (object.restarts++ === 0) this.#tally.changed();
      object.version = changed.version;
      object.sizeBytes = changed.sizeBytes;
      this.#plan(object);
      return;
    }
    this.#hand(-1, -object.listedBytes);
    const short = this.#tally.done(object.units, object.listedBytes);
    if (short !== undefined) this.#fail(object.path, short);
    object.finish();
  }

  #fail(path: string, short: { readonly code: string; readonly message: string; readonly workerId: string }): void {
    this.#options.onFailed({ path, ...short, atMs: this.#options.clock.now() });
    if (!this.#options.spec.failOnPartial) return;
    this.#ending.abort(new RinglightError("RL_NOT_CACHED", `${path}: ${short.code}: ${short.message}`));
  }

  #lost(units: readonly PassUnit[], workerId: string): void {
    this.#suspects.set(workerId, this.#options.clock.monotonicMs() + SUSPECT_MS);
    if (this.#signal.aborted) return;
    this.#options.onMoved();
    for (const unit of units) {
      if (unit.worker !== undefined) {
        this.#result(unit, failedResult("RL_NO_WORKERS", `worker ${workerId} did not answer`), workerId);
      } else if (unit.moves++ < MAX_MOVES) this.#send(unit);
      else {
        const message = `${MAX_MOVES} workers were lost, or ended the task, before the object was done`;
        this.#result(unit, failedResult("RL_NO_WORKERS", message), workerId);
      }
    }
  }

  #isSuspect(id: string): boolean {
    return (this.#suspects.get(id) ?? 0) > this.#options.clock.monotonicMs();
  }

  /** Tries units without a worker again, and has the rate divided anew. */
  async #tick(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#signal.aborted) {
      await clock.sleep(TICK_MS, this.#signal).catch(() => undefined);
      if (this.#signal.aborted) return;
      const homeless = this.#homeless;
      this.#homeless = [];
      for (const unit of homeless) this.#send(unit);
      this.#shares.divideSoon(true);
    }
  }

  #notify(): void {
    this.#changed.resolve();
  }

  async #change(): Promise<void> {
    this.#changed = Promise.withResolvers<void>();
    if (this.#signal.aborted) return;
    await this.#changed.promise;
  }
}

const NOTHING: Omit<UnitResult, "unit"> = {
  outcome: "failed",
  presentBytes: 0,
  cachedBeforeBytes: 0,
  readBytes: 0,
  verified: false,
  code: "",
  message: "",
  object: undefined,
  wantedBytes: 0,
};

function failedResult(code: string, message: string): Omit<UnitResult, "unit"> {
  return { ...NOTHING, code, message };
}

function unplaced(alive: number): Omit<UnitResult, "unit"> {
  return {
    ...NOTHING,
    outcome: "refused",
    code: "RL_NO_WORKERS",
    message: `only ${alive} workers live: no place for another copy`,
  };
}
