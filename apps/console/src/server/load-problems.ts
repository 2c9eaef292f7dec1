/**
 * Detectors that look at numbers over time: rates of the last minute against those before, and states that must last a while
 * before they are called a problem. One for the console; `sample` is told of every tick.
 */
import { formatBytes, formatDuration, MISS_REASONS, type MissReason } from "@ringlight/core";
import type { WorkerStats } from "@ringlight/proto";
import type { ConfigDifference } from "../state/config-diff.ts";
import type { Problem, ProblemKind } from "../wire.ts";
import { problem } from "./problem-catalogue.ts";

/** One worker at one moment. */
export interface WorkerSample {
  readonly id: string;
  readonly stats: WorkerStats;
  /** When its message came, by the console's clock. */
  readonly atMs: number;
  readonly version: string | undefined;
}

/** A job as the detectors need it. */
export interface JobSample {
  readonly id: string;
  readonly state: string;
  /** Objects that are done, whatever became of them. */
  readonly doneObjects: number;
  readonly failedObjects: number;
  /** When it ended; 0 before. */
  readonly endedMs: number;
  readonly reason: string;
}

/** What the detectors look at each second. */
export interface LoadSample {
  readonly workers: readonly WorkerSample[];
  readonly epoch: number;
  readonly jobs: readonly JobSample[];
  readonly telemetry: { readonly refused: number; readonly failure: string | undefined };
  /** Settings in which processes of one kind differ though they should not. */
  readonly differences: readonly ConfigDifference[];
}

const WINDOW_MS = 60_000;
const BASELINE_MS = 600_000;
const STEP_MS = 10_000;
const HOUR_MS = 3_600_000;

/** Counters that only grow, by name; kept as the sums of all workers. */
type Totals = Record<string, number>;

interface Point {
  readonly atMs: number;
  readonly totals: Totals;
}

/** How long a state must hold before it is a problem, and how long it is remembered after. */
const HOLD_MS: Partial<Record<ProblemKind, number>> = {
  event_loop_busy: 15_000,
  worker_hot: 30_000,
  reads_fall_back: 15_000,
  ring_behind: 15_000,
  clock_skew: 5_000,
  versions_differ: 600_000,
  config_differs: 600_000,
};

const workerPage = (id: string) => `/workers/${encodeURIComponent(id)}`;
const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export class LoadProblems {
  /** A point each ten seconds, the newest at the end. */
  readonly #points: Point[] = [];
  /** The worker's counters at its last message: what a new process or a fallen counter adds begins from zero. */
  readonly #last = new Map<string, { readonly startedMs: number; readonly totals: Totals }>();
  readonly #totals: Totals = {};
  readonly #perWorker = new Map<string, { pages: number; atMs: number; rate: number }>();
  /** Since when a state holds, by kind and subject. */
  readonly #since = new Map<string, number>();
  readonly #jobs = new Map<string, { done: number; sinceMs: number }>();
  #refused: number | undefined;
  #refusedMs = 0;
  #found: readonly Problem[] = [];

  /** The problems at the last sample. */
  get found(): readonly Problem[] {
    return this.#found;
  }

  /** Looks at the cluster as it is now. */
  sample(input: LoadSample, nowMs: number): readonly Problem[] {
    for (const worker of input.workers) this.#add(worker);
    const newest = this.#points.at(-1);
    if (newest === undefined || nowMs - newest.atMs >= STEP_MS) {
      this.#points.push({ atMs: nowMs, totals: { ...this.#totals } });
      while (this.#points[0] !== undefined && nowMs - this.#points[0].atMs > BASELINE_MS + WINDOW_MS)
        this.#points.shift();
    }
    this.#found = [
      ...this.#storeProblems(nowMs),
      ...this.#readProblems(nowMs),
      ...this.#cacheProblems(input, nowMs),
      ...this.#workerProblems(input, nowMs),
      ...this.#jobProblems(input.jobs, nowMs),
      ...this.#telemetryProblems(input, nowMs),
      ...this.#configProblems(input.differences, nowMs),
    ];
    return this.#found;
  }

  /** What a counter grew by in a window that ends `agoMs` ago; undefined while that is not known. */
  #growth(nowMs: number, agoMs: number, spanMs: number): ((name: string) => number) | undefined {
    const at = (ms: number) => this.#points.findLast((point) => point.atMs <= ms);
    const end = agoMs === 0 ? { atMs: nowMs, totals: this.#totals } : at(nowMs - agoMs);
    const start = at(nowMs - agoMs - spanMs) ?? (agoMs === 0 ? undefined : this.#points[0]);
    if (start === undefined || end === undefined || end.atMs - start.atMs < spanMs / 2) return undefined;
    return (name) => (end.totals[name] ?? 0) - (start.totals[name] ?? 0);
  }

  #names(prefix: string): string[] {
    return Object.keys(this.#totals)
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  #add({ id, stats, atMs }: WorkerSample): void {
    const totals = totalsOf(stats);
    const before = this.#last.get(id);
    const same = before?.startedMs === stats.startedUnixMs;
    this.#last.set(id, { startedMs: stats.startedUnixMs, totals });
    if (before === undefined) return;
    for (const [name, value] of Object.entries(totals)) {
      const base = same ? (before.totals[name] ?? 0) : 0;
      this.#totals[name] = (this.#totals[name] ?? 0) + Math.max(0, value - base);
    }
    const pages = totals.pages ?? 0;
    const known = this.#perWorker.get(id);
    if (known === undefined || !same) this.#perWorker.set(id, { pages, atMs, rate: 0 });
    else if (atMs - known.atMs >= 2_000) {
      this.#perWorker.set(id, { pages, atMs, rate: ((pages - known.pages) * 1000) / (atMs - known.atMs) });
    }
  }

  #storeProblems(nowMs: number): Problem[] {
    const grew = this.#growth(nowMs, 0, WINDOW_MS);
    if (grew === undefined) return [];
    return this.#names("ufs.calls.").flatMap((mount): Problem[] => {
      const calls = grew(`ufs.calls.${mount}`);
      const errors = grew(`ufs.errors.${mount}`);
      const meanS = calls > 0 ? grew(`ufs.seconds.${mount}`) / calls : 0;
      const found: Problem[] = [];
      const href = `/traces?mount=${encodeURIComponent(mount)}&from=now-15m&to=now`;
      if (calls >= 20 && errors / calls > 0.02) {
        const title = `The store behind /${mount} fails`;
        const cause = `${errors} of ${calls} requests to it failed in the last minute (${percent(errors / calls)}).`;
        found.push(problem("store_errors", { subject: mount, title, cause, href: `${href}&error=true` }));
      }
      if (calls >= 5 && meanS > 1) {
        const title = `The store behind /${mount} is slow`;
        const cause = `Its ${calls} requests of the last minute took ${formatDuration(meanS * 1000)} on average.`;
        found.push(problem("store_slow", { subject: mount, title, cause, href: `${href}&min=1s` }));
      }
      return found;
    });
  }

  #readProblems(nowMs: number): Problem[] {
    const grew = this.#growth(nowMs, 0, WINDOW_MS);
    if (grew === undefined) return [];
    const [requests, failed] = [grew("requests"), grew("requests.5xx")];
    if (requests < 20 || failed / requests <= 0.01) return [];
    const cause = `${failed} of ${requests} requests of the last minute were answered with 5xx (${percent(failed / requests)}).`;
    const href = "/traces?error=true&from=now-15m&to=now";
    return [problem("reads_failing", { subject: "reads", title: "Reads fail", cause, href })];
  }

  #cacheProblems({ workers }: LoadSample, nowMs: number): Problem[] {
    const found: Problem[] = [];
    const now = this.#growth(nowMs, 0, WINDOW_MS);
    const before = this.#growth(nowMs, WINDOW_MS, BASELINE_MS);
    if (now !== undefined && before !== undefined && now("pages") >= 500 && before("pages") >= 500) {
      const [rate, was] = [now("hits") / now("pages"), before("hits") / before("pages")];
      if (was - rate >= 0.2) {
        const share = (grew: (name: string) => number, reason: string) => grew(`miss.${reason}`) / grew("pages");
        const [reason] = this.#names("miss.").sort(
          (a, b) => share(now, b) - share(before, b) - (share(now, a) - share(before, a)),
        );
        const info =
          reason !== undefined && Object.hasOwn(MISS_REASONS, reason) ? MISS_REASONS[reason as MissReason] : undefined;
        const cause = `It is ${percent(rate)}, and was ${percent(was)} in the ten minutes before. Of the misses, those with the reason ${reason} grew most${info ? `: ${info.sentence}` : "."}`;
        const remedy = info?.remedy;
        const title = `The hit rate fell to ${percent(rate)}`;
        found.push(
          problem("hit_rate_fell", { subject: "cache", title, cause, href: "/cache", ...(remedy && { remedy }) }),
        );
      }
    }
    if (now !== undefined && now("pages") >= 100 && now("miss.evicted") / now("pages") > 0.05) {
      for (const tier of this.#names("evicted.")) {
        const pages = workers.reduce(
          (sum, { stats }) => sum + (stats.tiers.find(({ name }) => name === tier)?.pages ?? 0),
          0,
        );
        const evicted = now(`evicted.${tier}`);
        if (pages === 0 || evicted < pages / 5) continue;
        const title = `Tier ${tier} is too small for what is read`;
        const cause = `It evicted ${evicted} pages in the last minute and holds ${pages}; ${percent(now("miss.evicted") / now("pages"))} of all page requests asked for a page that had been evicted.`;
        found.push(problem("tier_too_small", { subject: tier, title, cause, href: "/cache" }));
      }
    }
    const lately = this.#growth(nowMs, 0, BASELINE_MS) ?? now;
    for (const tier of lately === undefined ? [] : this.#names("corrupt.")) {
      const corrupt = lately!(`corrupt.${tier}`);
      if (corrupt === 0) continue;
      const cause = `${corrupt} pages of tier ${tier} failed their checksums, were dropped and read from the store again.`;
      found.push(
        problem("pages_corrupt", { subject: tier, title: `Tier ${tier} held corrupt pages`, cause, href: "/cache" }),
      );
    }
    return found;
  }

  #workerProblems({ workers, epoch }: LoadSample, nowMs: number): Problem[] {
    const found: Problem[] = [];
    const fresh = workers.filter(({ atMs }) => nowMs - atMs < 5_000);
    const rates = fresh.map(({ id }) => this.#perWorker.get(id)?.rate ?? 0);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length);
    fresh.forEach(({ id, stats, atMs }, place) => {
      const href = workerPage(id);
      const say = (kind: ProblemKind, holds: boolean, title: string, cause: string) => {
        const sinceMs = this.#holds(kind, id, holds, nowMs);
        if (sinceMs !== undefined) found.push(problem(kind, { subject: id, title, cause, href, sinceMs }));
      };
      const delayMs = stats.process?.eventLoopDelayP99Ms ?? 0;
      say(
        "event_loop_busy",
        delayMs > 250,
        `Worker ${id} is saturated`,
        `Its event loop is late by ${formatDuration(delayMs)} (99th percentile): its one core has no time left.`,
      );
      const last = stats.tiers.at(-1);
      const unpinnedBytes = last?.unpinnedBytes ?? 0;
      say(
        "pins_exceed_share",
        unpinnedBytes > 0,
        `Pins exceed their share on worker ${id}`,
        `Its tier ${last?.name} keeps ${formatBytes(last?.pinnedBytes ?? 0)} for pins, and holds ${formatBytes(unpinnedBytes)} more that rules pin: those are evicted like pages of a high priority.`,
      );
      const rate = rates[place]!;
      const hot = fresh.length >= 3 && rate > mean * 2 && rate >= 50;
      say(
        "worker_hot",
        hot,
        `Worker ${id} has more to do than the others`,
        `It has ${rate.toFixed(0)} page requests a second; the average is ${mean.toFixed(0)}.`,
      );
      const skewMs = stats.timeUnixMs - atMs;
      say(
        "clock_skew",
        Math.abs(skewMs) > 2_000,
        `The clock of ${id} is off by ${formatDuration(Math.abs(skewMs))}`,
        `Its time is ${skewMs > 0 ? "ahead of" : "behind"} the console's.`,
      );
      say(
        "ring_behind",
        stats.epoch > 0 && stats.epoch < epoch,
        `Worker ${id} routes by an old ring`,
        `It is at epoch ${stats.epoch}, the registry at ${epoch}.`,
      );
    });
    const grew = this.#growth(nowMs, 0, STEP_MS);
    const fallbacks = grew === undefined ? 0 : grew("fallbacks") / (STEP_MS / 1000);
    const fallSince = this.#holds("reads_fall_back", "reads", fallbacks > 0.5, nowMs);
    if (fallSince !== undefined) {
      const cause = `${fallbacks.toFixed(1)} reads a second met a source that failed; they were answered by another worker or the store.`;
      const title = "Reads fall back to other sources";
      const href = "/traces?attr=ringlight.fell_back%3Dtrue&from=now-15m&to=now";
      found.push(problem("reads_fall_back", { subject: "reads", title, cause, href, sinceMs: fallSince }));
    }
    const versions = new Set(fresh.flatMap(({ version }) => (version === undefined ? [] : [version])));
    const mixed = this.#holds("versions_differ", "workers", versions.size > 1, nowMs);
    if (mixed !== undefined) {
      const cause = `Versions ${[...versions].sort().join(", ")} run side by side.`;
      const title = "Workers run different versions";
      found.push(problem("versions_differ", { subject: "workers", title, cause, href: "/workers", sinceMs: mixed }));
    }
    return found;
  }

  #jobProblems(jobs: readonly JobSample[], nowMs: number): Problem[] {
    const found: Problem[] = [];
    for (const { id, state, doneObjects, failedObjects, endedMs, reason } of jobs) {
      const href = `/jobs/${encodeURIComponent(id)}`;
      const command = (word: string) => `ringlight job ${word} ${id}`;
      const lately = endedMs > nowMs - HOUR_MS;
      if (state === "failed" && lately) {
        const cause = reason || "It says no reason.";
        found.push(
          problem("job_failed", {
            subject: id,
            title: `Job ${id} failed`,
            cause,
            href,
            command: command("status"),
            sinceMs: endedMs,
          }),
        );
      } else if (state === "partial" && lately) {
        const cause = `${failedObjects} objects failed.`;
        const title = `Job ${id} could not do all of its work`;
        found.push(
          problem("job_partial", { subject: id, title, cause, href, command: command("retry"), sinceMs: endedMs }),
        );
      }
      const known = this.#jobs.get(id);
      if (state !== "running") this.#jobs.delete(id);
      else if (known === undefined || known.done !== doneObjects)
        this.#jobs.set(id, { done: doneObjects, sinceMs: nowMs });
      else if (nowMs - known.sinceMs > 120_000) {
        const cause = `It has moved no object for ${formatDuration(nowMs - known.sinceMs)}.`;
        const title = `Job ${id} makes no progress`;
        found.push(
          problem("job_stalled", {
            subject: id,
            title,
            cause,
            href,
            command: command("status"),
            sinceMs: known.sinceMs,
          }),
        );
      }
    }
    return found;
  }

  #telemetryProblems({ telemetry: { refused, failure } }: LoadSample, nowMs: number): Problem[] {
    if (this.#refused !== undefined && refused > this.#refused) this.#refusedMs = nowMs;
    this.#refused = refused;
    const found: Problem[] = [];
    if (failure !== undefined) {
      const title = "Traces, logs and metrics are not stored";
      found.push(problem("telemetry_store_failing", { subject: "console", title, cause: `${failure}.` }));
    }
    if (this.#refusedMs > nowMs - WINDOW_MS && this.#refusedMs > 0) {
      const cause = "More came than could be stored at once; senders were told to try again (429).";
      found.push(problem("telemetry_refused", { subject: "console", title: "The console refuses telemetry", cause }));
    }
    return found;
  }

  #configProblems(differences: readonly ConfigDifference[], nowMs: number): Problem[] {
    const found: Problem[] = [];
    for (const process of ["worker", "scheduler"]) {
      const some = differences.filter((one) => one.process === process);
      const sinceMs = this.#holds("config_differs", process, some.length > 0, nowMs);
      if (sinceMs === undefined) continue;
      const named = some.slice(0, 3).map(({ key, values }) => `${key} is ${values.map(havingText).join(", ")}`);
      const cause = `${named.join("; ")}${some.length > 3 ? `; and ${some.length - 3} other settings` : ""}.`;
      const title = `The ${process}s' settings differ`;
      const href = `/config?only=differs${process === "worker" ? "&process=worker" : ""}`;
      found.push(problem("config_differs", { subject: `${process}s`, title, cause, href, sinceMs }));
    }
    return found;
  }

  /** Since when a state holds, once it has held long enough. */
  #holds(kind: ProblemKind, subject: string, holds: boolean, nowMs: number): number | undefined {
    const key = `${kind} ${subject}`;
    if (!holds) {
      this.#since.delete(key);
      return undefined;
    }
    const since = this.#since.get(key) ?? nowMs;
    this.#since.set(key, since);
    return nowMs - since >= (HOLD_MS[kind] ?? 0) ? since : undefined;
  }
}

/** A value and who has it: the odd ones out by name. */
function havingText({ value, ids }: ConfigDifference["values"][number]): string {
  return `${value === "" ? "not set" : value} on ${ids.length > 2 ? `${ids.length} of them` : ids.join(" and ")}`;
}

function totalsOf(stats: WorkerStats): Totals {
  const totals: Totals = { pages: 0, hits: 0, requests: 0, fallbacks: stats.fallbacks };
  const add = (name: string, amount: number) => {
    totals[name] = (totals[name] ?? 0) + amount;
  };
  for (const { outcome, missReason, count } of stats.pages) {
    add("pages", count);
    if (outcome === "hit") add("hits", count);
    if (outcome === "miss") add(`miss.${missReason || "cold"}`, count);
  }
  for (const { api, status, count } of stats.apis) {
    if (api === "grpc.WatchStats") continue;
    add("requests", count);
    if (status === "5xx") add("requests.5xx", count);
  }
  for (const { mount, status, count, latencySumS } of stats.ufs) {
    add(`ufs.calls.${mount}`, count);
    add(`ufs.seconds.${mount}`, latencySumS);
    if (status !== "ok" && status !== "RL_NOT_FOUND") add(`ufs.errors.${mount}`, count);
  }
  for (const { name, evictedPages, corruptPages } of stats.tiers) {
    add(`evicted.${name}`, evictedPages);
    add(`corrupt.${name}`, corruptPages);
  }
  return totals;
}
