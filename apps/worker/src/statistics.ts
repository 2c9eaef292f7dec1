/** The worker's counters: one set of numbers, read by the stats stream, by /metrics and by tests alike. */
import type { TierStats, UfsObservation } from "@ringlight/core";
import type { RuleStats, WorkerStats } from "@ringlight/proto";
import {
  acceptsOpenMetrics,
  type CounterSeries,
  type HistogramSeries,
  METRICS,
  MetricRegistry,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  type ProcessMetrics,
  renderPrometheus,
} from "@ringlight/telemetry";

/** A finished request at one of the doors. */
export interface ApiCall {
  /** "s3.GetObject", "grpc.Read", "peer.Read", ... */
  readonly api: string;
  /** "2xx", "3xx", "4xx", "5xx" or "aborted". */
  readonly status: string;
  readonly bytesOut: number;
  /** Time to the first byte of the answer, milliseconds. */
  readonly firstByteMs: number;
  /** The trace, where it is kept: the exemplar of its bucket. */
  readonly traceId?: string | undefined;
}

/** What is looked at when somebody asks. */
export interface Gauges {
  readonly epoch: () => number;
  readonly tiers: () => readonly TierStats[];
  readonly process: ProcessMetrics;
  readonly openConnections: () => number;
  readonly fetchesInFlight: () => number;
  readonly relaysInFlight: () => number;
  /** What each rule by path comes to. */
  readonly rules: () => RuleStats[];
  /** How page bytes leave, for people. */
  readonly dataPath: string;
}

/** Where hits of one mount on one tier are counted. */
export interface HitCounters {
  readonly requests: CounterSeries;
  readonly bytes: CounterSeries;
}

/** Where successful answers of one API are counted. */
interface AnsweredSeries {
  readonly latency: HistogramSeries;
  readonly bytes: CounterSeries;
}

/** Counts what the worker does. */
export class WorkerStatistics {
  readonly #workerId: string;
  readonly #startedMs: number;
  readonly #gauges: Gauges;
  /** Everything that is counted here. */
  readonly registry = new MetricRegistry();
  readonly #pages = this.registry.counter(METRICS.cacheRequests);
  readonly #pageBytes = this.registry.counter(METRICS.cacheIo);
  readonly #apis = this.registry.histogram(METRICS.requestDuration);
  readonly #apiBytes = this.registry.counter(METRICS.requestIo);
  readonly #ufs = this.registry.histogram(METRICS.ufsRequestDuration);
  readonly #ufsBytes = this.registry.counter(METRICS.ufsIo);
  readonly #relayed = this.registry.counter(METRICS.relayIo).with({});
  readonly #fallbacks = this.registry.counter(METRICS.fallbacks).with({});
  readonly #taskUnits = this.registry.counter(METRICS.taskUnits);
  readonly #taskIo = this.registry.counter(METRICS.taskIo);

  #hitGets: AnsweredSeries | undefined;
  #hitHeads: AnsweredSeries | undefined;

  constructor(workerId: string, startedMs: number, gauges: Gauges) {
    this.#workerId = workerId;
    this.#startedMs = startedMs;
    this.#gauges = gauges;
    const ofTiers = (value: (tier: TierStats) => number) => () =>
      gauges.tiers().map((tier) => ({ labels: { tier: tier.name }, value: value(tier) }));
    this.registry.gauge(
      METRICS.cacheUsage,
      ofTiers((tier) => tier.usedBytes),
    );
    this.registry.gauge(
      METRICS.cacheLimit,
      ofTiers((tier) => tier.limitBytes),
    );
    this.registry.gauge(
      METRICS.cachePages,
      ofTiers((tier) => tier.pages),
    );
    this.registry.gauge(METRICS.cacheEvictions, () =>
      gauges.tiers().flatMap((tier) => [
        { labels: { tier: tier.name, reason: "space" }, value: tier.evictedPages },
        { labels: { tier: tier.name, reason: "ttl" }, value: tier.ttlPages },
        { labels: { tier: tier.name, reason: "quota" }, value: tier.quotaPages },
        { labels: { tier: tier.name, reason: "corrupt" }, value: tier.corruptPages },
      ]),
    );
    this.registry.gauge(METRICS.ringEpoch, gauges.epoch);
    this.registry.gauge(METRICS.queueLength, () => [
      { labels: { queue: "fetches" }, value: gauges.fetchesInFlight() },
      { labels: { queue: "relays" }, value: gauges.relaysInFlight() },
      { labels: { queue: "connections" }, value: gauges.openConnections() },
    ]);
    gauges.process.register(this.registry);
  }

  /**
   * Page requests on this worker as owner or in an owner's place, one if nothing else is said; `bytes` is what the readers
   * got of the page.
   */
  page(mount: string, outcome: string, tier: string, missReason: string, bytes: number, count = 1): void {
    const labels = { tier, outcome, miss_reason: missReason, mount };
    this.#pages.with(labels).add(count);
    this.#pageBytes.with(labels).add(bytes);
  }

  api({ api, status, bytesOut, firstByteMs, traceId }: ApiCall): void {
    this.#apis.with({ api, status }).observe(firstByteMs / 1000, traceId);
    this.#apiBytes.with({ api, status }).add(bytesOut);
  }

  /** The counters of hits of a mount on a tier, for the hit path to count in. */
  hitCounters(mount: string, tier: string): HitCounters {
    const labels = { tier, outcome: "hit", miss_reason: "", mount };
    return { requests: this.#pages.with(labels), bytes: this.#pageBytes.with(labels) };
  }

  /** A read that the hit path answered. */
  s3Hit(isHead: boolean, aborted: boolean, bytesOut: number, firstByteMs: number, traceId?: string): void {
    const api = isHead ? "s3.HeadObject" : "s3.GetObject";
    if (aborted) {
      this.api({ api, status: "aborted", bytesOut, firstByteMs, traceId });
      return;
    }
    let series = isHead ? this.#hitHeads : this.#hitGets;
    if (series === undefined) {
      series = this.#answered(api);
      if (isHead) this.#hitHeads = series;
      else this.#hitGets = series;
    }
    series.latency.observe(firstByteMs / 1000, traceId);
    series.bytes.add(bytesOut);
  }

  /** One HTTP request to the UFS of a mount (or one file operation). */
  ufs(mount: string, { op, status, bytes, durationMs }: UfsObservation, traceId?: string): void {
    this.#ufs.with({ mount, op, status }).observe(durationMs / 1000, traceId);
    this.#ufsBytes.with({ mount, op, status }).add(bytes);
  }

  /** One unit of a job's task: an object, or a segment of a large one. */
  task(op: string, outcome: string, readBytes: number): void {
    this.#taskUnits.with({ op, outcome }).add(1);
    this.#taskIo.with({ op }).add(readBytes);
  }

  #answered(api: string): AnsweredSeries {
    const labels = { api, status: "2xx" };
    return { latency: this.#apis.with(labels), bytes: this.#apiBytes.with(labels) };
  }

  relayed(bytes: number): void {
    this.#relayed.add(bytes);
  }

  fallback(): void {
    this.#fallbacks.add(1);
  }

  /** Everything as Prometheus reads it. @param accept the request's Accept header */
  prometheus(accept: string): { readonly contentType: string; readonly body: string } {
    const openMetrics = acceptsOpenMetrics(accept);
    return {
      contentType: openMetrics ? OPENMETRICS_CONTENT_TYPE : PROMETHEUS_CONTENT_TYPE,
      body: renderPrometheus(this.registry, { openMetrics }),
    };
  }

  /** Everything as the stats stream sends it. */
  snapshot(nowMs: number): WorkerStats {
    const gauges = this.#gauges;
    const { cpuSeconds, rssBytes, heapUsedBytes, eventLoopDelayP99Ms } = gauges.process();
    return {
      workerId: this.#workerId,
      timeUnixMs: Math.round(nowMs),
      startedUnixMs: this.#startedMs,
      epoch: gauges.epoch(),
      pages: [...this.#pages.series()].map(({ labels, value }) => ({
        tier: labels.tier,
        outcome: labels.outcome,
        missReason: labels.miss_reason,
        mount: labels.mount,
        count: value,
        bytes: this.#pageBytes.with(labels).value,
      })),
      apis: [...this.#apis.series()].map((series) => ({
        ...series.labels,
        bytesOut: this.#apiBytes.with(series.labels).value,
        ...latency(series),
      })),
      ufs: [...this.#ufs.series()].map((series) => ({
        ...series.labels,
        bytes: this.#ufsBytes.with(series.labels).value,
        ...latency(series),
      })),
      tiers: gauges.tiers().map((tier) => ({
        name: tier.name,
        directories: [...tier.directories],
        limitBytes: tier.limitBytes,
        usedBytes: tier.usedBytes,
        pages: tier.pages,
        evictedPages: tier.evictedPages,
        evictedBytes: tier.evictedBytes,
        corruptPages: tier.corruptPages,
        storedPages: tier.storedPages,
        storedBytes: tier.storedBytes,
        demotedPages: tier.demotedPages,
        refusedDemotions: tier.refusedDemotions,
        promotedPages: tier.promotedPages,
        ttlPages: tier.ttlPages,
        quotaPages: tier.quotaPages,
        pinnedBytes: tier.pinnedBytes,
        unpinnedBytes: tier.unpinnedBytes,
        error: tier.error ?? "",
      })),
      process: {
        cpuSeconds,
        rssBytes,
        heapUsedBytes,
        eventLoopDelayP99Ms,
        openConnections: gauges.openConnections(),
      },
      relayedBytes: this.#relayed.value,
      fallbacks: this.#fallbacks.value,
      fetchesInFlight: gauges.fetchesInFlight(),
      dataPath: gauges.dataPath,
      rules: gauges.rules(),
    };
  }
}

/** Status class of an HTTP status. */
export function statusClass(status: number, aborted = false): string {
  return aborted ? "aborted" : `${Math.floor(status / 100)}xx`;
}

function latency({ counts, sum }: HistogramSeries<string>): {
  count: number;
  latencyCounts: number[];
  latencySumS: number;
} {
  return { count: counts.reduce((total, count) => total + count, 0), latencyCounts: [...counts], latencySumS: sum };
}
