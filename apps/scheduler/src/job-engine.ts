/**
 * The jobs of the cluster, kept by the scheduler that leads: takes them on, runs so many at once in the order of their
 * priority, resumes those of its predecessor from their checkpoints, and forgets those that ended long ago. Everything that
 * must survive is in the registry; what is here is a copy of it and the runs.
 */
import { randomBytes } from "node:crypto";
import { type Clock, isRinglightError, parsePath, RinglightError } from "@ringlight/core";
import { isFinal, type JobRecord, type JobSpec, type JobStore, MAX_PIECE_CHARS } from "@ringlight/registry";
import type { Ring } from "@ringlight/ring";
import { nextTime } from "./cron.ts";
import { FailureList, filedFailures, LISTED_FAILURES, removeFailures, savedFailures } from "./job-failures.ts";
import type { FailedObject } from "./job-pass.ts";
import type { Placement } from "./job-placement.ts";
import { JobRun, type LoadPace } from "./job-run.ts";
import { lineOfPath } from "./job-source.ts";
import { specHash } from "./job-spec.ts";
import { NO_COUNTERS } from "./job-tally.ts";
import type { WorkerCalls } from "./worker-calls.ts";

/** How often the queue and the retention are looked at when nothing else makes it, milliseconds. */
const TICK_MS = 1_000;
const RETRY_MS = 500;
/** Jobs that have not ended: more are refused. */
const MAX_ACTIVE = 2_000;
/** Loads that an estimate looks back at. */
const PACE_JOBS = 20;

/** Options of the engine. */
export interface JobEngineOptions {
  readonly schedulerId: string;
  readonly store: JobStore;
  readonly calls: WorkerCalls;
  readonly placement: Placement;
  readonly clock: Clock;
  readonly dataDir: string;
  /** Jobs that run at once. */
  readonly maxRunning: number;
  /** Jobs that have ended: how many are remembered, and for how long, milliseconds. */
  readonly keepJobs: number;
  readonly keepMs: number;
  /** See JobRunOptions. */
  readonly ringsOf: (epochs: readonly number[]) => Promise<Ring[]>;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

interface Job {
  record: JobRecord;
  revision: number;
  run: JobRun | undefined;
  failures: FailureList | undefined;
  /** Writes of the record, one after the other. */
  writing: Promise<unknown>;
}

/** A job as of this moment, with what only its run knows. */
export interface JobView {
  readonly record: JobRecord;
  readonly run: JobRun | undefined;
}

/** The engine. Its calls work while it leads, and throw RL_NO_LEADER otherwise. */
export class JobEngine {
  readonly #options: JobEngineOptions;
  readonly #jobs = new Map<string, Job>();
  /** Submissions one after the other, so that two of the same specification meet. */
  #submitting: Promise<unknown> = Promise.resolve();
  #leading = false;
  /** Told of every job that has come to its end here. */
  onEnded: (record: JobRecord) => void = () => undefined;
  #wake = Promise.withResolvers<void>();

  constructor(options: JobEngineOptions) {
    this.#options = options;
  }

  /** True while it leads and has read the jobs. */
  get leading(): boolean {
    return this.#leading;
  }

  /** Leads. Resolves when the signal aborts and every run has ended; never rejects. */
  async lead(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#takeOver();
        break;
      } catch (error) {
        log("the jobs cannot be read; trying again", { error: String(error) });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
    this.#leading = !signal.aborted;
    const lost = () => this.#look();
    signal.addEventListener("abort", lost, { once: true });
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      this.#startDue();
      await this.#scheduleNext().catch((error: unknown) => log("a scheduled job waits", { error: String(error) }));
      await this.#forgetOld().catch((error: unknown) => log("old jobs cannot be removed", { error: String(error) }));
      const pause = new AbortController();
      const slept = clock.sleep(TICK_MS, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
      await Promise.race([slept, this.#wake.promise]);
      pause.abort();
    }
    signal.removeEventListener("abort", lost);
    this.#leading = false;
    const runs = [...this.#jobs.values()].flatMap(({ run }) => (run === undefined ? [] : [run]));
    for (const run of runs) run.abandon();
    await Promise.all(runs.map((run) => run.interrupt("lost")));
    this.#jobs.clear();
  }

  /** Records a job, or finds the one of the same specification that has not ended. @throws RL_OVERLOADED, RL_REGISTRY_UNAVAILABLE */
  submit(spec: JobSpec, manifest: string, retryOf = ""): Promise<{ readonly job: JobView; readonly created: boolean }> {
    const submitted = this.#submitting.then(() => this.#submit(spec, manifest, retryOf));
    this.#submitting = submitted.catch(() => undefined);
    return submitted;
  }

  /** @throws RL_NO_SUCH_JOB */
  get(id: string): JobView {
    return viewOf(this.#job(id));
  }

  /** Newest first. */
  list(): JobView[] {
    this.#mustLead();
    return [...this.#jobs.values()]
      .sort((a, b) => b.record.submittedMs - a.record.submittedMs || (a.record.id < b.record.id ? 1 : -1))
      .map(viewOf);
  }

  /** @throws RL_NO_SUCH_JOB, RL_CONFLICT for an action that the job's state does not allow */
  async control(id: string, action: string): Promise<JobView> {
    const job = this.#job(id);
    const { state } = job.record;
    const wrong = (why: string) => new RinglightError("RL_CONFLICT", `job ${id} ${why}`);
    switch (action) {
      case "pause":
        if (state === "paused") break;
        if (state === "queued") await this.#write(job, { ...job.record, state: "paused" });
        else if (state === "running") await job.run?.interrupt("paused");
        else throw wrong(`has ended (${state}) and cannot be paused`);
        break;
      case "resume":
        if (state === "running" || state === "queued") break;
        if (state !== "paused")
          throw wrong(`has ended (${state}); \`ringlight job retry\` does again what it could not do`);
        await this.#write(job, { ...job.record, state: "queued" });
        break;
      case "stop":
        if (isFinal(state)) break;
        if (job.run !== undefined) await job.run.interrupt("stopped");
        else await this.#write(job, { ...job.record, state: "stopped", finishedMs: this.#options.clock.now() });
        break;
      default:
        throw new RinglightError("RL_BAD_REQUEST", `"${action}" is not an action; there are pause, resume and stop`);
    }
    this.#look();
    return viewOf(job);
  }

  /** What a job could not do. */
  async failed(id: string): Promise<{ readonly entries: readonly FailedObject[]; readonly truncated: boolean }> {
    const job = this.#job(id);
    const { pass, failedListed, failedTruncated } = job.record;
    const listed = job.failures?.entries ?? (await savedFailures(this.#options.store, id, pass, failedListed));
    if (!(job.failures?.truncated ?? failedTruncated)) return { entries: listed, truncated: false };
    const filed = await filedFailures(this.#options.dataDir, id);
    const whole = job.record.counters.failed.objects + job.record.counters.refused.objects;
    if (filed !== undefined && filed.length >= whole) return { entries: filed, truncated: false };
    return { entries: listed, truncated: true };
  }

  /** A new job for just what an ended one could not do. @throws RL_NO_SUCH_JOB, RL_CONFLICT */
  async retry(id: string): Promise<{ readonly job: JobView; readonly created: boolean }> {
    const job = this.#job(id);
    // Whoever follows the registry sees the end of a job before its own leader has the answer to the write.
    await job.writing;
    const { record } = job;
    if (!isFinal(record.state))
      throw new RinglightError("RL_CONFLICT", `job ${id} has not ended yet (${record.state})`);
    const { entries, truncated } = await this.failed(id);
    if (truncated) {
      const why = `more failed than the ${LISTED_FAILURES} that are listed; submit the job again, which leaves alone what is cached`;
      throw new RinglightError("RL_CONFLICT", `job ${id}: ${why}`);
    }
    if (entries.length === 0) throw new RinglightError("RL_CONFLICT", `job ${id} left nothing undone`);
    const manifest = `${[...new Set(entries.map(({ path }) => lineOfPath(path)))].join("\n")}\n`;
    // Where an object is copied to depends on the path that it was found under.
    const paths = record.spec.target === "" ? [] : record.spec.paths;
    const spec = { ...record.spec, paths, manifestPath: "", manifestHash: `retry of ${id}`, schedule: "" };
    return this.submit(spec, manifest, id);
  }

  async #submit(spec: JobSpec, manifest: string, retryOf: string): Promise<{ job: JobView; created: boolean }> {
    this.#mustLead();
    const { store, clock } = this.#options;
    const hash = specHash(spec);
    // What callers are told to have ended has, though its record may not be written yet.
    const active = [...this.#jobs.values()].filter((job) => !isFinal(viewOf(job).record.state));
    const same = active.find(({ record }) => record.specHash === hash);
    if (same !== undefined) return { job: viewOf(same), created: false };
    if (active.length >= MAX_ACTIVE) {
      throw new RinglightError("RL_OVERLOADED", `${active.length} jobs wait or run; stop some, or wait`);
    }
    const nowMs = clock.now();
    const id = `${spec.kind}-${nowMs.toString(36)}-${randomBytes(3).toString("hex")}`;
    for (let at = 0, index = 0; at < manifest.length; at += MAX_PIECE_CHARS, index++) {
      await store.putPiece(id, "manifest", index, manifest.slice(at, at + MAX_PIECE_CHARS));
    }
    const dueMs = spec.schedule === "" ? 0 : nextTime(spec.schedule, nowMs);
    const record = { ...newRecord(id, spec, hash, nowMs, retryOf), dueMs };
    const revision = await store.create(record);
    const job: Job = { record, revision, run: undefined, failures: undefined, writing: Promise.resolve() };
    this.#jobs.set(id, job);
    this.#look();
    return { job: viewOf(job), created: true };
  }

  /** Reads what the predecessor has left. */
  async #takeOver(): Promise<void> {
    const stored = await this.#options.store.list();
    this.#jobs.clear();
    for (const { record, revision } of stored) {
      this.#jobs.set(record.id, { record, revision, run: undefined, failures: undefined, writing: Promise.resolve() });
    }
    for (const job of this.#jobs.values()) if (job.record.state === "running") this.#start(job, true);
  }

  /** The job after one with a schedule that has ended by itself. One that was stopped ends its schedule. */
  async #scheduleNext(): Promise<void> {
    const newest = new Map<string, JobRecord>();
    for (const { record } of this.#jobs.values()) {
      if (record.spec.schedule === "") continue;
      const known = newest.get(record.specHash);
      if (known === undefined || known.submittedMs < record.submittedMs || !isFinal(record.state)) {
        newest.set(record.specHash, record);
      }
    }
    for (const { id, spec, state } of newest.values()) {
      if (!isFinal(state) || state === "stopped") continue;
      let manifest = "";
      for await (const piece of manifestOf(this.#options.store, id)) manifest += piece;
      await this.submit(spec, manifest);
    }
  }

  /** How fast loads of the same mounts were lately: of each measure the best, a second. */
  #pace(spec: JobSpec): LoadPace | undefined {
    const mounts = new Set(spec.paths.map((path) => parsePath(path).mount));
    const seconds = ({ runningMs }: JobRecord) => runningMs / 1000;
    const records = [...this.#jobs.values()]
      .map(({ record }) => record)
      .filter((record) => record.spec.kind === "load" && record.readBytes > 0 && seconds(record) > 0)
      .filter(({ spec: { paths } }) => mounts.size === 0 || paths.some((path) => mounts.has(parsePath(path).mount)))
      .sort((a, b) => b.submittedMs - a.submittedMs)
      .slice(0, PACE_JOBS);
    if (records.length === 0) return undefined;
    return {
      bytes: Math.max(...records.map((record) => record.readBytes / seconds(record))),
      objects: Math.max(...records.map((record) => record.counters.loaded.objects / seconds(record))),
    };
  }

  #startDue(): void {
    const jobs = [...this.#jobs.values()];
    const nowMs = this.#options.clock.now();
    // A hand-over has a bound of its own, and readers wait for it.
    const isBound = ({ record }: Job) => record.spec.kind !== "rebalance";
    let free = this.#options.maxRunning - jobs.filter((job) => job.run !== undefined && isBound(job)).length;
    const queued = jobs
      .filter(({ record, run }) => record.state === "queued" && run === undefined && record.dueMs <= nowMs)
      .sort((a, b) => b.record.spec.priority - a.record.spec.priority || a.record.submittedMs - b.record.submittedMs);
    for (const job of queued) {
      if (isBound(job) && free-- <= 0) continue;
      this.#start(job, false);
    }
  }

  #start(job: Job, takenOver: boolean): void {
    const { schedulerId, store, calls, placement, clock, dataDir, ringsOf, log } = this.#options;
    const { record } = job;
    const failures = new FailureList(record.id, store, dataDir, log);
    job.failures = failures;
    const run = new JobRun({
      schedulerId,
      record: {
        ...record,
        state: "running",
        startedMs: record.startedMs === 0 ? clock.now() : record.startedMs,
        scheduler: schedulerId,
        takeovers: record.takeovers + (takenOver ? 1 : 0),
        reasonCode: "",
        reason: "",
      },
      calls,
      placement,
      clock,
      failures,
      manifest: () => manifestOf(store, record.id),
      ringsOf,
      pace: () => this.#pace(record.spec),
      prepare: () => {
        const { failed, refused } = record.counters;
        return failures.load(Math.max(1, record.pass), record.failedListed, failed.objects + refused.objects);
      },
      save: (next) => this.#write(job, next),
      log,
    });
    job.run = run;
    job.record = run.record;
    log(takenOver ? "a job is taken over" : "a job starts", { job: record.id, kind: record.spec.kind });
    this.#follow(job, run, record.scheduler).catch((error: unknown) => {
      log("a job's run failed", { job: record.id, error: String(error) });
    });
  }

  async #follow(job: Job, run: JobRun, predecessor: string): Promise<void> {
    const { log, store, clock } = this.#options;
    await run.start();
    job.run = undefined;
    const { id } = job.record;
    log("a job's run is over", { job: id, state: run.lost ? "lost" : run.record.state, reason: run.record.reason });
    if (!run.lost) job.record = run.record;
    if (!run.lost && isFinal(job.record.state)) this.onEnded(job.record);
    while (run.lost && this.#leading) {
      // The predecessor wrote once more after this scheduler had read the jobs: go on from what it wrote.
      try {
        const stored = await store.get(id);
        if (stored === undefined || !this.#leading) break;
        job.record = stored.record;
        job.revision = stored.revision;
        // Written by anybody else, it is in the hands of a successor.
        if (stored.record.state === "running" && stored.record.scheduler === predecessor) this.#start(job, true);
        break;
      } catch (error) {
        log("a job cannot be read; trying again", { job: id, error: String(error) });
        await clock.sleep(RETRY_MS);
      }
    }
    this.#look();
  }

  /**
   * Writes a record. One that is gone was lost with the registry's data, and is written anew; one that another scheduler
   * has written since is its. @throws RL_CONFLICT, RL_REGISTRY_UNAVAILABLE
   */
  #write(job: Job, record: JobRecord): Promise<void> {
    const written = job.writing.then(async () => {
      const { store, schedulerId, log } = this.#options;
      try {
        job.revision = await store.update(record, job.revision);
      } catch (error) {
        if (!isRinglightError(error, "RL_CONFLICT")) throw error;
        const stored = await store.get(record.id);
        if (stored === undefined) job.revision = await store.create(record);
        else if (stored.record.scheduler === schedulerId || stored.record.scheduler === "") {
          // An answer of ours was lost on its way, or the data was restored from an older state.
          job.revision = await store.update(record, stored.revision);
        } else throw error;
        log("a job's record was not what was expected, and is written again", { job: record.id });
      }
      job.record = record;
    });
    job.writing = written.catch(() => undefined);
    return written;
  }

  async #forgetOld(): Promise<void> {
    const { store, clock, keepJobs, keepMs, dataDir } = this.#options;
    const ended = [...this.#jobs.values()]
      .filter(({ record, run }) => isFinal(record.state) && run === undefined)
      .sort((a, b) => b.record.finishedMs - a.record.finishedMs);
    const oldest = clock.now() - keepMs;
    for (const [index, job] of ended.entries()) {
      if (index < keepJobs && job.record.finishedMs >= oldest) continue;
      await store.remove(job.record.id);
      await removeFailures(dataDir, job.record.id);
      this.#jobs.delete(job.record.id);
    }
  }

  #job(id: string): Job {
    this.#mustLead();
    const job = this.#jobs.get(id);
    if (job === undefined) throw new RinglightError("RL_NO_SUCH_JOB", `there is no job "${id}"`);
    return job;
  }

  #mustLead(): void {
    if (!this.#leading)
      throw new RinglightError("RL_NO_LEADER", "this scheduler does not lead, or has not read the jobs yet");
  }

  #look(): void {
    this.#wake.resolve();
  }
}

function viewOf({ record, run }: Job): JobView {
  return { record: run?.record ?? record, run };
}

async function* manifestOf(store: JobStore, id: string): AsyncGenerator<string> {
  for (let index = 0; ; index++) {
    const piece = await store.piece(id, "manifest", index);
    if (piece === undefined) return;
    yield piece;
  }
}

function newRecord(id: string, spec: JobSpec, hash: string, submittedMs: number, retryOf: string): JobRecord {
  return {
    id,
    spec,
    specHash: hash,
    state: "queued",
    submittedMs,
    startedMs: 0,
    finishedMs: 0,
    runningMs: 0,
    reasonCode: "",
    reason: "",
    scheduler: "",
    takeovers: 0,
    pass: 0,
    phase: "",
    counters: NO_COUNTERS,
    cachedAtFirst: { objects: 0, bytes: 0 },
    listingEnded: false,
    checkpoint: { source: 0, after: "", doneBeyond: "", position: 0 },
    readBytes: 0,
    placement: "",
    evictedBefore: {},
    traceparent: "",
    retryOf,
    failedListed: 0,
    failedTruncated: false,
    cacheLimitBytes: 0,
    cacheFreeBytes: 0,
    dueMs: 0,
    estimatedMs: -1,
  };
}
