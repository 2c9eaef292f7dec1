/** Bounds and policy of a trace store. */
export interface StoreOptions {
  /** Where its file lies. One store a directory. */
  readonly directory: string;
  /** Bytes of traces in the ring of recent ones, and of those that are kept for a reason. */
  readonly recentBytes: number;
  readonly keptBytes: number;
  readonly logBytes: number;
  readonly metricBytes: number;
  /** Age at which recent and kept traces, and logs, are removed even when there is room. */
  readonly recentMs: number;
  readonly keptMs: number;
  readonly logMs: number;
  /** A span of at least so many milliseconds keeps its trace. */
  readonly slowMs: number;
  /** Metrics of Ringlight's own processes that are recorded from their statistics, and left out when OTLP brings them as well. */
  readonly ownMetrics: readonly string[];
}

/** Miss reasons that need no explanation: the first read of anything misses. */
export const ORDINARY_MISSES: ReadonlySet<string> = new Set(["cold"]);
