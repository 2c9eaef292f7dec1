/** Bounds on what this worker does for a job: bytes a second from stores, and transfers at once. Both can be changed while in use. */
import type { Clock } from "@ringlight/core";

/** How long an unused rate is saved up, milliseconds: what may come at once after a pause. */
const BURST_MS = 100;
/** Longest sleep before the rate is looked at again, milliseconds. */
const LOOK_MS = 100;

/**
 * A token bucket that may be overdrawn by one taker: whoever finds any token takes all that it needs, and the next one waits
 * until the debt is paid. So a piece larger than the bucket passes, and the rate holds over any longer time.
 */
export class RateLimiter {
  readonly #clock: Clock;
  /** Tokens a millisecond; undefined for no bound. */
  #perMs: number | undefined;
  #tokens = 0;
  #atMs: number;
  /** The last taker in line. */
  #line: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** Bytes a second from now on: undefined for no bound, 0 for nothing at all. */
  setRate(bytesPerSecond: number | undefined): void {
    this.#refill();
    this.#perMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
  }

  /** Waits for its turn and takes the bytes. @throws the signal's reason */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#perMs === undefined) return Promise.resolve();
    const turn = this.#line.then(() => this.#takeInTurn(bytes, signal));
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  async #takeInTurn(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      this.#refill();
      const perMs = this.#perMs;
      if (perMs === undefined) return;
      if (this.#tokens > 0) {
        this.#tokens -= bytes;
        return;
      }
      const waitMs = perMs === 0 ? LOOK_MS : 1 - this.#tokens / perMs;
      await this.#clock.sleep(Math.min(LOOK_MS, Math.max(1, waitMs)), signal);
    }
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const perMs = this.#perMs ?? 0;
    this.#tokens = Math.min(perMs * BURST_MS, this.#tokens + (nowMs - this.#atMs) * perMs);
    this.#atMs = nowMs;
  }
}

/** So many at once, first come, first served. */
export class Turnstile {
  #limit: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#admit();
  }

  /** Runs the work when there is room. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#limit) this.#inside++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#inside--;
      this.#admit();
    }
  }

  #admit(): void {
    while (this.#inside < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#inside++;
      next();
    }
  }
}

/** The limits of one job on this worker, shared by its tasks. */
export interface JobLimits {
  readonly rate: RateLimiter;
  /** Largest piece to ask a store for at once under the rate, bytes. */
  pieceBytes: number;
  readonly transfers: Turnstile;
}

/** Settings of a job's limits. */
export interface LimitSettings {
  /** 0 for no bound, negative for nothing at all. */
  readonly bytesPerSecond: number;
  /** 0 leaves it as it is. */
  readonly concurrency: number;
}

const DEFAULT_CONCURRENCY = 16;
const MAX_CONCURRENCY = 256;
/** Longest piece, bytes: as long as one GET of the page reader. */
const MAX_PIECE_BYTES = 8 * 1024 * 1024;
/** Under a rate a piece takes about this long, milliseconds, so that a rate that is cut is kept soon. */
const PIECE_MS = 250;

/** The limits of all jobs that have tasks on this worker. */
export class LimitTable {
  readonly #clock: Clock;
  readonly #jobs = new Map<string, { readonly limits: JobLimits; tasks: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The job's limits, set as a task that begins says; to be let go of when the task ends. */
  enter(jobId: string, settings: LimitSettings): JobLimits {
    let entry = this.#jobs.get(jobId);
    if (entry === undefined) {
      const limits = {
        rate: new RateLimiter(this.#clock),
        pieceBytes: MAX_PIECE_BYTES,
        transfers: new Turnstile(DEFAULT_CONCURRENCY),
      };
      entry = { limits, tasks: 0 };
      this.#jobs.set(jobId, entry);
    }
    entry.tasks++;
    apply(entry.limits, settings);
    return entry.limits;
  }

  leave(jobId: string): void {
    const entry = this.#jobs.get(jobId);
    if (entry !== undefined && --entry.tasks === 0) this.#jobs.delete(jobId);
  }

  /** Changes the limits of a job's tasks. False when it has none here. */
  set(jobId: string, settings: LimitSettings): boolean {
    const entry = this.#jobs.get(jobId);
    if (entry !== undefined) apply(entry.limits, settings);
    return entry !== undefined;
  }
}

function apply(limits: JobLimits, { bytesPerSecond, concurrency }: LimitSettings): void {
  limits.rate.setRate(bytesPerSecond === 0 ? undefined : Math.max(0, bytesPerSecond));
  limits.pieceBytes =
    bytesPerSecond <= 0 ? MAX_PIECE_BYTES : Math.min(MAX_PIECE_BYTES, Math.ceil((bytesPerSecond * PIECE_MS) / 1000));
  if (concurrency > 0) limits.transfers.limit = Math.min(MAX_CONCURRENCY, concurrency);
}
