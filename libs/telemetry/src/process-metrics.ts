/** What the process costs: processor, memory, and how late its event loop runs. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { METRICS } from "./metric-names.ts";
import type { MetricRegistry } from "./metrics.ts";

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

const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;

/** Starts measuring this process. Does not keep it alive. */
export function processMetrics(): ProcessMetrics {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let windowStartMs = performance.now();
  let lastWindowP99Ms = 0;
  // Several readers look at their own pace: two windows that turn over by time, whoever looks.
  const delayP99Ms = (): number => {
    // The histogram holds the time between two ticks of its timer; the delay is what goes beyond the timer's own period.
    const now = delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
    const p99 = Math.max(now, lastWindowP99Ms);
    const ageMs = performance.now() - windowStartMs;
    if (ageMs >= WINDOW_MS) {
      lastWindowP99Ms = ageMs < 2 * WINDOW_MS ? now : 0;
      windowStartMs += ageMs;
      delay.reset();
    }
    return p99;
  };
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const read = (): ProcessReading => {
    const { rss, heapUsed } = process.memoryUsage();
    return { cpuSeconds: cpuSeconds(), rssBytes: rss, heapUsedBytes: heapUsed, eventLoopDelayP99Ms: delayP99Ms() };
  };
  return Object.assign(read, {
    register: (registry: MetricRegistry) => {
      registry.gauge(METRICS.cpuTime, cpuSeconds);
      registry.gauge(METRICS.memoryUsage, () => process.memoryUsage.rss());
      registry.gauge(METRICS.heapUsage, () => process.memoryUsage().heapUsed);
      registry.gauge(METRICS.eventLoopDelayP99, () => delayP99Ms() / 1000);
    },
    close: () => {
      delay.disable();
    },
  });
}
