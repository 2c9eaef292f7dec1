/**
 * Watches one cluster for all open pages: the registry's view, and the statistics of every live worker. There is one in
 * the process; many tabs share it. It sends a snapshot at once when anything but numbers changes, and a tick each second.
 * Long, because following a worker, losing it and finding it again is one state.
 */
import { type Clock, type ClusterView, type Registry, systemClock } from "@ringlight/core";
import { WorkerServiceClient } from "@ringlight/proto";
import { ClientPool } from "@ringlight/rpc";
import * as column from "../columns.ts";
import { crowdOf } from "../crowd.ts";
import { seriesStepS } from "../series-step.ts";
import type {
  BriefTick,
  ClusterSnapshot,
  Columns,
  Crowd,
  RuleUsage,
  SeriesView,
  Tick,
  WorkerDetail,
  WorkerState,
  WorkerTick,
  WorkerView,
} from "../wire.ts";
import { type JobSample, LoadProblems, type LoadSample } from "./load-problems.ts";
import { MetricFeed, type MetricSink } from "./metric-feed.ts";
import { MountChecker } from "./mount-checker.ts";
import { findProblems } from "./problems.ts";
import { SeriesBuffer } from "./series-buffer.ts";
import { WorkerHistory } from "./worker-history.ts";
import { WorkerWatch } from "./worker-watch.ts";

const TICK_MS = 1000;
/** How long after a worker's next sample the newest second stays open. */
const SETTLE_MS = 500;
/** Workers that tell of themselves each second; of more each tells less often, every three seconds at most. */
const TOLD_EACH_SECOND = 500;
const LONGEST_INTERVAL_MS = 3000;

/** Workers past which pages are told the sums only, and ask for the numbers of each one where they show them. */
const CROWD = 64;
/** Seconds of each worker's own series; in a crowd they share the memory of so many. */
const SERIES_SECONDS = 3600;
const LEAST_SERIES_SECONDS = 300;
/** Snapshots come at once, but not more often than this, nor for more than a twentieth of the time. */
const PUBLISH_MS = 100;
const PUBLISH_SHARE = 20;

/** Columns of a crowd's workers: those of the tables. */
const BRIEF_TOTALS = /^(pages|bytes)\./;
const BRIEF_RATES = /^(pages\.|req\.|cpu$)/;
const BRIEF_GAUGES = new Set<string>([column.RSS]);

/** What the observer tells its subscribers. */
export type ObserverEvent =
  | { readonly type: "cluster"; readonly snapshot: ClusterSnapshot }
  | { readonly type: "tick"; readonly tick: Tick };

/** What an observer needs. */
export interface ObserverOptions {
  readonly registry: Registry;
  readonly endpoints: readonly string[];
  readonly token?: string | undefined;
  readonly clock?: Clock;
  /** Workers past which ticks carry no numbers of single workers. Default 64. */
  readonly crowd?: number;
  /** Where the metrics of the workers are recorded. */
  readonly metrics?: MetricSink | undefined;
  /** Jobs, how the store of telemetry fares, and in what settings processes differ, for the problems that these are. */
  readonly jobs?: (() => readonly JobSample[]) | undefined;
  readonly telemetry?: (() => LoadSample["telemetry"]) | undefined;
  readonly differences?: (() => LoadSample["differences"]) | undefined;
}

interface Tracked {
  state: WorkerState;
  sinceMs: number;
  reason: string | undefined;
  readonly history: WorkerHistory;
  watch: WorkerWatch | undefined;
}

export class ClusterObserver {
  readonly #registry: Registry;
  readonly #endpoints: readonly string[];
  readonly #clock: Clock;
  readonly #sinceMs: number;
  readonly #pool: ClientPool<WorkerServiceClient>;
  readonly #tracked = new Map<string, Tracked>();
  readonly #sum = new SeriesBuffer();
  readonly #listeners = new Set<(event: ObserverEvent) => void>();
  readonly #closing = new AbortController();
  readonly #mounts: MountChecker;
  readonly #feed: MetricFeed | undefined;
  readonly #load = new LoadProblems();
  readonly #jobs: () => readonly JobSample[];
  readonly #telemetry: () => LoadSample["telemetry"];
  readonly #differences: () => LoadSample["differences"];
  readonly #crowd: number;
  #tickMs = 0;
  /** When pages were last told the numbers. */
  #toldMs = 0;
  #numbers: Crowd | undefined;
  #snapshot: ClusterSnapshot;
  #fingerprint = "";
  /** Until when the next snapshot waits, by performance.now(). */
  #publishAfterMs = 0;
  #publishing: NodeJS.Timeout | undefined;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ObserverOptions) {
    this.#registry = options.registry;
    this.#endpoints = options.endpoints;
    this.#clock = options.clock ?? systemClock;
    this.#crowd = options.crowd ?? CROWD;
    this.#sinceMs = this.#clock.now();
    this.#jobs = options.jobs ?? (() => []);
    this.#telemetry = options.telemetry ?? (() => ({ refused: 0, failure: undefined }));
    this.#differences = options.differences ?? (() => []);
    this.#feed = options.metrics && new MetricFeed(options.metrics, this.#sinceMs);
    this.#pool = new ClientPool(WorkerServiceClient, { token: options.token });
    this.#mounts = new MountChecker({
      view: () => options.registry.view(),
      clients: () => this.clients(),
      clock: this.#clock,
      onChecked: () => this.#publish(),
    });
    this.#snapshot = this.#compose(options.registry.view());
    this.#unsubscribe = options.registry.onChange((view) => this.#follow(view));
    this.#follow(options.registry.view());
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** The cluster as of now. */
  snapshot(): ClusterSnapshot {
    return { ...this.#snapshot, atMs: this.#clock.now() };
  }

  /** Numbers of this moment. */
  tick(): Tick {
    const totals: Record<string, number> = {};
    const workers: Record<string, WorkerTick> = {};
    const rules = new Map<string, RuleUsage>();
    const crowd = this.#tracked.size > this.#crowd;
    const load: { loopDelayMs?: number; cores: number; fetches: number } = { cores: 0, fetches: 0 };
    const nowMs = this.#clock.now();
    let known = 0;
    for (const [id, tracked] of this.#tracked) {
      if (!tracked.history.last) continue;
      known++;
      const tick = crowd ? undefined : this.#workerTick(tracked);
      if (tick) workers[id] = tick;
      if (tracked.state === "live") addLoad(load, tracked.history, nowMs);
      for (const { name, pages, bytes } of tracked.history.last?.rules ?? []) {
        const sum = rules.get(name) ?? { pages: 0, bytes: 0 };
        rules.set(name, { pages: sum.pages + pages, bytes: sum.bytes + bytes });
      }
      const own = tick?.totals ?? tracked.history.totals();
      for (const name in own) totals[name] = (totals[name] ?? 0) + own[name]!;
    }
    return { atMs: nowMs, totals, rules: Object.fromEntries(rules), load, known, workers, ...(crowd && { crowd }) };
  }

  /** The numbers of all workers that the tables show; made once for all who ask before the workers have told of themselves again. */
  workerNumbers(): Crowd {
    if (this.#numbers === undefined || this.#numbers.atMs < this.#toldMs) {
      const told = [...this.#tracked].flatMap(([id, tracked]) => {
        const tick = this.#briefTick(tracked);
        return tick ? [[id, tick] as const] : [];
      });
      this.#numbers = crowdOf(this.#clock.now(), told);
    }
    return this.#numbers;
  }

  /** Calls the listener on every event until the returned function is called. */
  subscribe(listener: (event: ObserverEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The steps between two moments, about 300 of them, of one worker or of all; with `afterS` only those that start
   * later. Undefined when there is no such worker.
   */
  series(fromMs: number, toMs: number, workerId?: string, afterS?: number): SeriesView | undefined {
    const buffer = workerId === undefined ? this.#sum : this.#tracked.get(workerId)?.history.series;
    if (!buffer) return undefined;
    const nowMs = this.#clock.now();
    const stepS = seriesStepS(toMs - fromMs);
    const end = Math.floor(Math.min(toMs, nowMs - this.#intervalMs() - SETTLE_MS) / 1000);
    const from = Math.max(Math.floor(fromMs / 1000), afterS === undefined ? 0 : afterS + 1);
    return { stepS, ...buffer.slice(from, end, stepS), atMs: nowMs, sinceMs: this.#sinceMs };
  }

  /** Everything about one member. Undefined when there is none of that id. */
  worker(id: string): WorkerDetail | undefined {
    const worker = this.#snapshot.workers.find((candidate) => candidate.id === id);
    const tracked = this.#tracked.get(id);
    if (!worker || !tracked) return undefined;
    const tick = this.#workerTick(tracked);
    const apis = new Map<
      string,
      { counts: Record<string, number>; bytesOut: number; latencyCounts: number[]; sum: number }
    >();
    for (const row of tracked.history.last?.apis ?? []) {
      // The console's own stream: it lasts as long as the console, which is no latency.
      if (row.api === "grpc.WatchStats") continue;
      const entry = apis.get(row.api) ?? { counts: {}, bytesOut: 0, latencyCounts: [], sum: 0 };
      entry.counts[row.status] = (entry.counts[row.status] ?? 0) + row.count;
      entry.bytesOut += row.bytesOut;
      entry.sum += row.latencySumS;
      row.latencyCounts.forEach((count, bucket) => {
        entry.latencyCounts[bucket] = (entry.latencyCounts[bucket] ?? 0) + count;
      });
      apis.set(row.api, entry);
    }
    return {
      worker,
      ...(tick ? { tick } : {}),
      apis: [...apis].map(([api, { counts, bytesOut, latencyCounts, sum }]) => ({
        api,
        counts,
        bytesOut,
        latencyCounts,
        latencySumS: sum,
      })),
      ufs: tracked.history.last?.ufs ?? [],
      pages: tracked.history.last?.pages ?? [],
      ...(tracked.history.last?.dataPath && { dataPath: tracked.history.last.dataPath }),
    };
  }

  /** Clients of the workers that hold a lease, for calls of the routes. */
  clients(): { id: string; client: WorkerServiceClient }[] {
    return [...this.#registry.view().workers.values()].map(({ id, addresses }) => ({
      id,
      client: this.#pool.get(addresses.grpc),
    }));
  }

  /** Aborts when the observer is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get registry(): Registry {
    return this.#registry;
  }

  /** Asks the workers now whether they reach the stores behind the mounts. */
  async checkMounts(): Promise<void> {
    await this.#mounts.check();
    this.#publishNow();
  }

  /** Stops watching and closes the connections, not the registry. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#publishing);
    this.#unsubscribe();
    this.#closing.abort();
    this.#mounts.close();
    await Promise.all([...this.#tracked.values()].map((tracked) => tracked.watch?.close()));
    this.#pool.close();
    this.#listeners.clear();
  }

  /** Brings the watches in line with a view, and tells. */
  #follow(view: ClusterView): void {
    const nowMs = this.#clock.now();
    const ids = new Set([...view.members.map((member) => member.id), ...view.workers.keys()]);
    for (const id of ids) {
      const record = view.workers.get(id);
      let tracked = this.#tracked.get(id);
      if (!tracked) {
        tracked = {
          state: record ? "connecting" : "down",
          sinceMs: nowMs,
          reason: undefined,
          history: new WorkerHistory(this.#sinceMs, seriesSeconds(ids.size)),
          watch: undefined,
        };
        this.#tracked.set(id, tracked);
      }
      if (record) {
        if (tracked.state === "down") this.#move(tracked, "connecting", undefined);
        if (tracked.watch?.address !== record.addresses.grpc) {
          void tracked.watch?.close();
          tracked.watch = this.#watch(tracked, record.addresses.grpc);
        }
      } else {
        void tracked.watch?.close();
        tracked.watch = undefined;
        if (tracked.state !== "down") this.#move(tracked, "down", undefined);
      }
    }
    for (const [id, tracked] of this.#tracked) {
      if (ids.has(id)) continue;
      void tracked.watch?.close();
      this.#tracked.delete(id);
      this.#feed?.forget(id);
    }
    this.#pool.retain([...view.workers.values()].map((worker) => worker.addresses.grpc));
    this.#mounts.follow();
    this.#publish();
  }

  #watch(tracked: Tracked, address: string): WorkerWatch {
    const watch: WorkerWatch = new WorkerWatch(
      address,
      this.#pool.get(address),
      {
        onStats: (stats) => {
          if (tracked.watch !== watch) return;
          const nowMs = this.#clock.now();
          const increase = tracked.history.take(stats, nowMs);
          this.#feed?.take(stats.workerId, stats, nowMs);
          this.#sum.record(increase.fromMs, increase.toMs, increase.amounts, new Map());
          if (tracked.state !== "live") {
            this.#move(tracked, "live", undefined);
            this.#publish();
          }
        },
        onLost: (reason) => {
          if (tracked.watch !== watch || tracked.state === "unreachable") return;
          this.#move(tracked, "unreachable", reason);
          this.#publish();
        },
      },
      this.#clock,
      () => this.#intervalMs(),
    );
    return watch;
  }

  /** Time between two messages of a worker. */
  #intervalMs(): number {
    const { size } = this.#registry.view().workers;
    return Math.min(LONGEST_INTERVAL_MS, TICK_MS * Math.max(1, Math.ceil(size / TOLD_EACH_SECOND)));
  }

  #move(tracked: Tracked, state: WorkerState, reason: string | undefined): void {
    tracked.state = state;
    tracked.sinceMs = this.#clock.now();
    tracked.reason = reason;
  }

  #workerTick(tracked: Tracked): WorkerTick | undefined {
    const { history } = tracked;
    if (!history.last) return undefined;
    return {
      sampleMs: history.lastMs,
      totals: history.totals(),
      rates: tracked.state === "live" ? history.rates(this.#clock.now()) : {},
      gauges: history.gauges(),
      tiers: history.tiers(),
    };
  }

  #briefTick({ history, state }: Tracked): BriefTick | undefined {
    if (!history.last) return undefined;
    return {
      sampleMs: history.lastMs,
      totals: history.totals((name) => BRIEF_TOTALS.test(name)),
      rates: state === "live" ? history.rates(this.#clock.now(), (name) => BRIEF_RATES.test(name)) : {},
      gauges: history.gauges((name) => BRIEF_GAUGES.has(name)),
      tiers: history.tiers(),
    };
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    const gauges = new Map<string, number>();
    for (const tracked of this.#tracked.values()) {
      if (tracked.state !== "live") continue;
      const values: Columns = tracked.history.gauges();
      for (const name in values) gauges.set(name, (gauges.get(name) ?? 0) + values[name]!);
    }
    this.#sum.gauge(this.#tickMs, nowMs, gauges);
    this.#tickMs = nowMs;
    this.#feed?.tick(nowMs);
    this.#sampleLoad(nowMs);
    this.#mounts.follow();
    this.#publish();
    // Nothing is new before the workers have told of themselves again.
    if (this.#listeners.size === 0 || nowMs - this.#toldMs < this.#intervalMs() - TICK_MS / 2) return;
    this.#toldMs = nowMs;
    this.#send({ type: "tick", tick: this.tick() });
  }

  /** Lets the detectors of load-problems.ts look. */
  #sampleLoad(nowMs: number): void {
    const view = this.#registry.view();
    const workers = [...this.#tracked].flatMap(([id, { state, history }]) =>
      state === "live" && history.last
        ? [{ id, stats: history.last, atMs: history.lastMs, version: view.workers.get(id)?.version }]
        : [],
    );
    const [jobs, telemetry, differences] = [this.#jobs(), this.#telemetry(), this.#differences()];
    this.#load.sample({ workers, epoch: view.epoch, jobs, telemetry, differences }, nowMs);
  }

  /** Sends a snapshot if anything but its time changed: now, or soon where one was just made. */
  #publish(): void {
    if (this.#publishing !== undefined || this.#closing.signal.aborted) return;
    const waitMs = this.#publishAfterMs - performance.now();
    if (waitMs <= 0) {
      this.#publishNow();
      return;
    }
    this.#publishing = setTimeout(() => this.#publishNow(), waitMs);
    this.#publishing.unref();
  }

  #publishNow(): void {
    clearTimeout(this.#publishing);
    this.#publishing = undefined;
    const beginMs = performance.now();
    const snapshot = this.#compose(this.#registry.view());
    // While the registry is away its age grows by itself; the pages count it for themselves.
    const { atMs: _at, registry, problems, ...rest } = snapshot;
    const fingerprint = JSON.stringify([
      rest,
      registry.connected,
      problems.map(({ kind, subject }) => [kind, subject]),
    ]);
    this.#snapshot = snapshot;
    if (fingerprint !== this.#fingerprint) {
      this.#fingerprint = fingerprint;
      this.#send({ type: "cluster", snapshot });
    }
    const endMs = performance.now();
    this.#publishAfterMs = endMs + Math.max(PUBLISH_MS, (endMs - beginMs) * PUBLISH_SHARE);
  }

  #send(event: ObserverEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #compose(view: ClusterView): ClusterSnapshot {
    const nowMs = this.#clock.now();
    const workers = view.members.map((member): WorkerView => {
      const record = view.workers.get(member.id);
      const tracked = this.#tracked.get(member.id);
      return {
        id: member.id,
        state: tracked?.state ?? (record ? "connecting" : "down"),
        sinceMs: tracked?.sinceMs ?? nowMs,
        ...(tracked?.reason === undefined ? {} : { reason: tracked.reason }),
        weight: member.weight,
        joinedMs: member.joinedMs,
        ...(record
          ? {
              addresses: record.addresses,
              version: record.version,
              hostname: record.hostname,
              pid: record.pid,
              startedMs: record.startedMs,
            }
          : {}),
      };
    });
    const mounts = [...view.mounts.values()].map((record) => this.#mounts.describe(record));
    const registry = { connected: view.connected, endpoints: this.#endpoints, asOfMs: view.asOfMs };
    const tiers = new Map([...this.#tracked].map(([id, tracked]) => [id, tracked.history.tiers()]));
    return {
      cluster: view.cluster,
      epoch: view.epoch,
      members: view.members,
      workers,
      mounts,
      policies: view.policies,
      schedulers: [...view.schedulers.values()],
      ...(view.leader === undefined ? {} : { leader: view.leader }),
      registry,
      problems: findProblems({
        registry,
        workers,
        mounts,
        tiers,
        schedulers: view.schedulers.size,
        leader: view.leader,
        watchingSinceMs: this.#sinceMs,
        nowMs,
        load: this.#load.found,
      }),
      atMs: nowMs,
    };
  }
}

/** Adds what one worker is busy with. */
function addLoad(
  load: { loopDelayMs?: number; cores: number; fetches: number },
  history: WorkerHistory,
  nowMs: number,
) {
  const gauges = history.gauges((name) => name === column.LOOP_DELAY_MS || name === column.IN_FLIGHT);
  const delayMs = gauges[column.LOOP_DELAY_MS];
  if (delayMs !== undefined) load.loopDelayMs = Math.max(load.loopDelayMs ?? 0, delayMs);
  load.fetches += gauges[column.IN_FLIGHT] ?? 0;
  load.cores += history.rates(nowMs, (name) => name === column.CPU)[column.CPU] ?? 0;
}

/** Seconds of history that a worker gets where there are so many. */
function seriesSeconds(workers: number): number {
  return Math.max(LEAST_SERIES_SECONDS, Math.min(SERIES_SECONDS, Math.floor((SERIES_SECONDS * CROWD) / workers)));
}
