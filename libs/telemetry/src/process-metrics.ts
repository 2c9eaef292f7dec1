/** What the process costs: processor, memory, and how late its event loop runs. */
import {
  type EventLoopUtilization,
  constants as Gc,
  monitorEventLoopDelay,
  PerformanceObserver,
  performance,
} from "node:perf_hooks";
import { METRICS } from "./metric-names.ts";
import type { Histogram, MetricRegistry } from "./metrics.ts";

/** The process at one moment. */
export interface ProcessReading {
  /** User and system, since the start. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  /** Over the last 10 to 20 s. */
  readonly eventLoopDelayP99Ms: number;
}

/** Measures this process: call it for a reading. */
export interface ProcessMetrics {
  (): ProcessReading;
  /** Adds process.cpu.time and the others to a registry. */
  register(registry: MetricRegistry): void;
  /** Stops measuring. Idempotent. */
  close(): void;
}

/** Kinds of garbage collections, by OpenTelemetry's names. */
const GC_KINDS: ReadonlyMap<unknown, string> = new Map([
  [Gc.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [Gc.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [Gc.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [Gc.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);
const GC_BOUNDS_S = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;

/** Starts measuring this process. Does not keep it alive. */
export function processMetrics(): ProcessMetrics {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let windowStartMs = performance.now();
  let lastWindowP99Ms = 0;
  let lastWindowMaxMs = 0;
  // Several readers look at their own pace: two windows that turn over by time, whoever looks.
  const delayMs = (): { p99: number; max: number } => {
    // The histogram holds the time between two ticks of its timer; the delay is what goes beyond the timer's own period.
    const beyond = (ns: number) => (delay.count === 0 ? 0 : Math.max(0, ns / 1e6 - RESOLUTION_MS));
    const now = beyond(delay.percentile(99));
    const nowMax = beyond(delay.max);
    const worst = { p99: Math.max(now, lastWindowP99Ms), max: Math.max(nowMax, lastWindowMaxMs) };
    const ageMs = performance.now() - windowStartMs;
    if (ageMs >= WINDOW_MS) {
      const isNew = ageMs < 2 * WINDOW_MS;
      lastWindowP99Ms = isNew ? now : 0;
      lastWindowMaxMs = isNew ? nowMax : 0;
      windowStartMs += ageMs;
      delay.reset();
    }
    return worst;
  };
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const read = (): ProcessReading => {
    const { rss, heapUsed } = process.memoryUsage();
    return { cpuSeconds: cpuSeconds(), rssBytes: rss, heapUsedBytes: heapUsed, eventLoopDelayP99Ms: delayMs().p99 };
  };
  let gc: PerformanceObserver | undefined;
  return Object.assign(read, {
    register: (registry: MetricRegistry) => {
      registry.gauge(METRICS.cpuTime, cpuSeconds);
      registry.gauge(METRICS.memoryUsage, () => process.memoryUsage.rss());
      registry.gauge(METRICS.heapUsage, () => process.memoryUsage().heapUsed);
      registry.gauge(METRICS.eventLoopDelayP99, () => delayMs().p99 / 1000);
      registry.gauge(METRICS.eventLoopDelayMax, () => delayMs().max / 1000);
      registry.gauge(METRICS.eventLoopUtilization, utilization());
      gc = observeGc(registry.histogram(METRICS.gcDuration, GC_BOUNDS_S));
    },
    close: () => {
      delay.disable();
      gc?.disconnect();
    },
  });
}

/** Counts the garbage collections of this process. */
function observeGc(histogram: Histogram<"type">): PerformanceObserver {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail } = entry as unknown as { readonly detail?: { readonly kind?: number } };
      histogram.with({ type: GC_KINDS.get(detail?.kind) ?? "other" }).observe(entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return observer;
}

/** How busy the event loop was since the last look. */
function utilization(): () => number {
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization: share } = performance.eventLoopUtilization(now, last);
    last = now;
    return share;
  };
}
