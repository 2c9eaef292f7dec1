/**
 * Runs one job while this scheduler leads: pass after pass until what it says is true.
 *
 * A load that was disturbed (a worker came or went, the ring changed) is gone through again, for what was loaded then may be
 * with a worker that is gone or owns it no more. A load during which workers evicted pages is followed by an audit, which
 * looks what of it is still there. Only then is a state written that says what is cached. Long, because each end of a job leaves by the same door.
 */
import { type Clock, isRinglightError, RinglightError, toRinglightError } from "@ringlight/core";
import type { Amount, JobRecord, JobState } from "@ringlight/registry";
import type { Ring } from "@ringlight/ring";
import { keptTraceContext, parseTraceparent, recordSpan } from "@ringlight/telemetry";
import type { FailureList } from "./job-failures.ts";
import { Pass } from "./job-pass.ts";
import type { Placement } from "./job-placement.ts";
import { JobRate } from "./job-rate.ts";
import { NO_COUNTERS, type TallyMode } from "./job-tally.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** Least time between two writes of a running job's record, milliseconds. */
const SAVE_MS = 1_000;
/** How often rates are observed, milliseconds. */
const OBSERVE_MS = 500;
/** A ring that changes during every one of so many passes ends a load as partial. */
const MAX_PASSES = 6;
const NO_PLACE = { source: 0, after: "", doneBeyond: "", position: 0 };

/** How fast loads are, a second. */
export interface LoadPace {
  readonly bytes: number;
  readonly objects: number;
}

/** Options of a run. */
export interface JobRunOptions {
  readonly schedulerId: string;
  readonly record: JobRecord;
  readonly calls: WorkerCalls;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly failures: FailureList;
  readonly manifest: () => AsyncIterable<string>;
  /** The rings of epochs that are past. @throws RL_NOT_FOUND, RL_REGISTRY_UNAVAILABLE */
  readonly ringsOf: (epochs: readonly number[]) => Promise<Ring[]>;
  /** How fast loads like this one were lately; undefined where there was none. */
  readonly pace: () => LoadPace | undefined;
  /** Reads what the predecessor has listed as failed; tried until it succeeds. */
  readonly prepare: () => Promise<void>;
  /** Writes the record. @throws RL_CONFLICT when another scheduler has it now, RL_REGISTRY_UNAVAILABLE */
  readonly save: (record: JobRecord) => Promise<void>;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Why a run is ended from outside. */
export type Interruption = "paused" | "stopped" | "lost";

/** One job's run. */
export class JobRun {
  readonly #options: JobRunOptions;
  readonly #ending = new AbortController();
  readonly #rate = new JobRate();
  #record: JobRecord;
  #pass: Pass | undefined;
  #disturbed = false;
  #prepared = false;
  #sinceMs: number;
  #readBytes = 0;
  #interruption: Interruption | undefined;
  #running: Promise<void> | undefined;

  constructor(options: JobRunOptions) {
    this.#options = options;
    this.#record = options.record;
    this.#sinceMs = options.clock.monotonicMs();
  }

  /** The record as of this moment, ahead of what is written by at most a second. */
  get record(): JobRecord {
    return this.#current();
  }

  get rate(): JobRate {
    return this.#rate;
  }

  /** Objects that were found and are not done yet: to be added to what the record counts. */
  get inHand(): Amount {
    return this.#pass?.inHand ?? { objects: 0, bytes: 0 };
  }

  /** Why it does not go on just now; "" when it does. */
  get waitsFor(): string {
    return this.#pass?.waitsForWorkers ? "no worker is alive" : "";
  }

  /** Another scheduler has the job, or this one leads no more. */
  get lost(): boolean {
    return this.#interruption === "lost";
  }

  /** Begins. The promise resolves when the run is over, with its last record written if that was possible; it never rejects. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Ends the run from outside. */
  async interrupt(why: Interruption): Promise<void> {
    this.#interruption ??= why;
    this.#ending.abort(new RinglightError("RL_CANCELLED", `the job is ${why}`));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { placement, clock, log } = this.#options;
    const { signal } = this.#ending;
    const startMs = clock.now();
    const previous = this.#record.traceparent;
    const context = keptTraceContext();
    this.#record = { ...this.#record, traceparent: context.traceparent };
    const stopFollowing = placement.onChange(() => {
      this.#disturbed = true;
    });
    const observing = this.#observe();
    let failure: unknown;
    try {
      await this.#surely(signal, this.#options.prepare);
      this.#prepared = true;
      await this.#passes(signal);
    } catch (error) {
      failure = error;
    }
    stopFollowing();
    this.#ending.abort(new RinglightError("RL_CANCELLED", "the run is over"));
    await observing;
    this.#record = this.#current();
    this.#pass = undefined;
    if (this.#interruption !== undefined) {
      const state: JobState = this.#interruption === "paused" ? "paused" : "stopped";
      if (this.#interruption !== "lost") this.#end(state, "", "");
    } else if (failure !== undefined) {
      const { code, message } = toRinglightError(failure);
      log("a job failed", { job: this.#record.id, code, error: message });
      this.#end("failed", code, message);
    }
    if (this.#interruption !== "lost") await this.#saveAtLast();
    recordSpan({
      context,
      name: `ringlight.job ${this.#record.spec.kind}`,
      startMs,
      endMs: clock.now(),
      attributes: {
        "ringlight.job.id": this.#record.id,
        "ringlight.job.state": this.#interruption === "lost" ? "lost" : this.#record.state,
        "ringlight.job.objects": this.#record.counters.listed.objects,
        "ringlight.job.failed": this.#record.counters.failed.objects,
        "ringlight.bytes": this.#record.readBytes,
      },
      ...(failure !== undefined && this.#interruption === undefined && { error: failure }),
      ...(parseTraceparent(previous) !== undefined && { links: [previous] }),
    });
  }

  async #passes(signal: AbortSignal): Promise<void> {
    const { placement, calls, failures } = this.#options;
    if (this.#record.pass === 0) this.#begin(1, "load");
    const segmentBytes = await calls.segmentBytes(signal);
    for (;;) {
      const { spec } = this.#record;
      const watched = spec.kind === "load" && !spec.dryRun && !spec.metadataOnly;
      if (this.#record.placement === "") {
        this.#disturbed = false;
        const evictedBefore = watched ? await this.#evictions(signal) : {};
        this.#record = { ...this.#record, placement: placement.stamp, evictedBefore };
      } else this.#disturbed ||= this.#record.placement !== placement.stamp;
      if (spec.dryRun) await this.#measureCache(signal);
      await this.#surely(signal, () => this.#save());
      await this.#onePass(segmentBytes, signal);
      this.#record = this.#current();
      this.#pass = undefined;
      const { pass, phase } = this.#record;
      if (pass === 1) this.#record = { ...this.#record, cachedAtFirst: this.#record.counters.cached };
      if (!watched) break;
      const disturbed = this.#disturbed || this.#record.placement !== placement.stamp;
      if (!disturbed && (phase === "audit" || !(await this.#hasEvicted(signal)))) break;
      if (pass >= MAX_PASSES) {
        this.#end(
          "partial",
          "RL_NOT_CACHED",
          `workers came or went during each of ${pass} passes: what is cached is not sure`,
        );
        return;
      }
      this.#begin(pass + 1, disturbed ? "repair" : "audit");
      failures.begin(pass + 1);
      await this.#surely(signal, () => this.#save());
      await failures.forget(pass).catch(() => undefined);
    }
    this.#conclude();
  }

  async #onePass(segmentBytes: number, signal: AbortSignal): Promise<void> {
    const { calls, placement, clock, failures, manifest } = this.#options;
    const { id, spec, checkpoint, counters, traceparent } = this.#record;
    this.#rate.reset();
    this.#pass = new Pass({
      jobId: id,
      spec,
      op: opOf(this.#record),
      previous: await this.#options.ringsOf(spec.fromEpochs),
      mode: modeOf(this.#record),
      calls,
      placement,
      clock,
      segmentBytes,
      checkpoint,
      counters,
      manifest,
      traceparent,
      onFailed: (failed) => failures.add(failed),
      onRead: (bytes) => {
        this.#readBytes += bytes;
      },
      onMoved: () => {
        this.#disturbed = true;
      },
    });
    const saving = new AbortController();
    const saved = this.#saveEverySecond(AbortSignal.any([signal, saving.signal]));
    try {
      await this.#pass.run(signal);
    } finally {
      saving.abort();
      await saved;
    }
  }

  #begin(pass: number, phase: string): void {
    this.#record = {
      ...this.#record,
      pass,
      phase,
      counters: NO_COUNTERS,
      checkpoint: NO_PLACE,
      listingEnded: false,
      placement: "",
      failedListed: 0,
      failedTruncated: false,
    };
  }

  /** Says how the job ended, from what the last pass has counted. */
  #conclude(): void {
    if (this.#record.spec.dryRun) this.#record = { ...this.#record, estimatedMs: this.#estimate() };
    const { listed, loaded, cached, refused, failed } = this.#record.counters;
    const { spec, phase } = this.#record;
    const short = refused.objects + failed.objects;
    const [first] = this.#options.failures.entries;
    if (listed.objects === 0 && spec.kind === "rebalance")
      this.#end("complete", "", "nothing that is cached has moved");
    else if (listed.objects === 0) this.#end("failed", "RL_NOT_FOUND", "there is no object to handle");
    else if (short === 0) this.#end("complete", "", "");
    else if (loaded.objects + cached.objects === 0 && loaded.bytes + cached.bytes === 0) {
      this.#end(
        "failed",
        first?.code ?? "RL_INTERNAL",
        `nothing could be done; first: ${first?.path}: ${first?.message}`,
      );
    } else {
      const what =
        phase === "audit" && failed.objects === 0
          ? `${refused.objects} objects are not wholly cached any more: they were evicted while the job ran`
          : `${short} of ${listed.objects} objects could not be done; first: ${first?.path}: ${first?.message}`;
      this.#end(spec.failOnPartial ? "failed" : "partial", first?.code ?? "RL_NOT_CACHED", what);
    }
  }

  /** For a dry run: how long what is missing would take, by the bound of the job and by how fast others were; -1 where neither is known. */
  #estimate(): number {
    const { spec, counters } = this.#record;
    const { objects, bytes } = counters.loaded;
    if (objects === 0) return 0;
    const pace = this.#options.pace();
    const rates = [spec.bytesPerSecond, pace?.bytes ?? 0].filter((rate) => rate > 0);
    if (rates.length === 0) return -1;
    const byBytes = bytes / Math.min(...rates);
    const byObjects = pace === undefined || pace.objects === 0 ? 0 : objects / pace.objects;
    return Math.round(Math.max(byBytes, byObjects) * 1000);
  }

  #end(state: JobState, reasonCode: string, reason: string): void {
    const final = state !== "paused";
    this.#record = {
      ...this.#record,
      state,
      reasonCode,
      reason,
      finishedMs: final ? this.#options.clock.now() : 0,
    };
  }

  /** The record with what the pass has counted up to now. */
  #current(): JobRecord {
    const { clock, failures } = this.#options;
    const nowMs = clock.monotonicMs();
    // What comes after its end, such as writing it down, is not the job's time: who asks meanwhile and later gets one answer.
    const spentMs = this.#record.state === "running" ? nowMs - this.#sinceMs : 0;
    const readBytes = this.#record.readBytes + this.#readBytes;
    this.#sinceMs = nowMs;
    this.#readBytes = 0;
    this.#record = {
      ...this.#record,
      runningMs: this.#record.runningMs + spentMs,
      readBytes,
      ...(this.#prepared && { failedListed: failures.listed, failedTruncated: failures.truncated }),
      ...this.#pass?.state(),
    };
    if (this.#disturbed && this.#record.placement !== "") this.#record = { ...this.#record, placement: "disturbed" };
    return this.#record;
  }

  async #saveEverySecond(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(SAVE_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#save();
      } catch (error) {
        if (this.lost) return;
        log("a job's progress could not be written; trying again", { job: this.#record.id, error: String(error) });
      }
    }
  }

  /** Writes record and failed list of one moment: the list first, so that every entry that the record counts is there. */
  async #save(): Promise<void> {
    const record = this.#current();
    try {
      await this.#options.failures.save();
      await this.#options.save(record);
    } catch (error) {
      if (isRinglightError(error, "RL_CONFLICT")) {
        this.#interruption ??= "lost";
        this.#ending.abort(error);
      }
      throw error;
    }
  }

  /** Repeats what needs the registry until it is done. @throws the signal's reason */
  async #surely(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      try {
        await work();
        return;
      } catch (error) {
        signal.throwIfAborted();
        log("the registry does not take a job's state; trying again", { job: this.#record.id, error: String(error) });
        await clock.sleep(SAVE_MS, signal);
      }
    }
  }

  /** The last write of a run is repeated until it is done, or this scheduler leads no more. */
  async #saveAtLast(): Promise<void> {
    const { clock, log } = this.#options;
    for (;;) {
      try {
        await this.#options.failures.save();
        await this.#options.save(this.#record);
        return;
      } catch (error) {
        if (isRinglightError(error, "RL_CONFLICT")) this.#interruption = "lost";
        if (this.lost) return;
        log("a job's end could not be written; trying again", { job: this.#record.id, error: String(error) });
        await clock.sleep(SAVE_MS);
      }
    }
  }

  /** To be called when this scheduler leads no more, after the run was over already. */
  abandon(): void {
    this.#interruption = "lost";
  }

  async #observe(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const { counters, readBytes } = this.#current();
      const { loaded, cached, refused, failed } = counters;
      this.#rate.observe({
        atMs: clock.monotonicMs(),
        objects: loaded.objects + cached.objects + refused.objects + failed.objects,
        bytes: loaded.bytes + cached.bytes + refused.bytes + failed.bytes,
        readBytes,
      });
      await clock.sleep(OBSERVE_MS, signal).catch(() => undefined);
    }
  }

  /** How many pages each worker has lost since it started. A task without units says it. */
  async #evictions(signal: AbortSignal): Promise<Record<string, number>> {
    const { placement, calls } = this.#options;
    const { id, traceparent } = this.#record;
    const evicted: Record<string, number> = {};
    const limits = { jobId: id, bytesPerSecond: 0, concurrency: 0 };
    const options = { op: "check", verify: false, skipCached: false, metadataOnly: false };
    const template = { ...options, columns: [], overwrite: false };
    await Promise.all(
      placement.alive().map(async (worker) => {
        try {
          const request = { ...template, taskId: `${id}.look`, limits: { ...limits, jobId: `${id}.look` }, units: [] };
          for await (const event of calls.task(worker, request, signal, traceparent)) {
            evicted[worker.id] = event.evictedPages;
          }
        } catch (error) {
          signal.throwIfAborted();
          this.#options.log("a worker did not say what it evicted", { worker: worker.id, error: String(error) });
        }
      }),
    );
    return evicted;
  }

  async #measureCache(signal: AbortSignal): Promise<void> {
    const { placement, calls } = this.#options;
    const tiers = await Promise.all(placement.alive().map((worker) => calls.tiers(worker, signal)));
    const cacheLimitBytes = tiers.reduce((sum, { limitBytes }) => sum + limitBytes, 0);
    const usedBytes = tiers.reduce((sum, tier) => sum + tier.usedBytes, 0);
    this.#record = { ...this.#record, cacheLimitBytes, cacheFreeBytes: Math.max(0, cacheLimitBytes - usedBytes) };
  }

  async #hasEvicted(signal: AbortSignal): Promise<boolean> {
    const now = await this.#evictions(signal);
    const { evictedBefore } = this.#record;
    return this.#options.placement.alive().some(({ id }) => now[id] === undefined || now[id] !== evictedBefore[id]);
  }
}

function opOf({ spec, phase }: JobRecord): string {
  if (phase === "audit" || spec.dryRun) return "check";
  return spec.kind === "rebalance" ? "pull" : spec.kind;
}

function modeOf({ spec, phase }: JobRecord): TallyMode {
  if (spec.kind === "free") return "free";
  if (spec.kind === "rebalance") return "pull";
  if (spec.kind === "sync" || spec.kind === "scrub") return "look";
  if (spec.dryRun) return "dry";
  return phase === "audit" ? "audit" : "load";
}
