/** Benchmark runs as the console's pages get them: what the harness writes into its result directories. */

/** Figures of a round, or of the median of the rounds. Times in milliseconds. */
export interface BenchFigures {
  readonly round: number;
  readonly startedMs: number;
  readonly seconds: number;
  readonly requests: number;
  readonly errors: number;
  readonly firstError: string;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
  readonly training?: { readonly utilization: number; readonly passMark: number; readonly passes: boolean };
  readonly parts: Readonly<Record<string, { readonly count: number; readonly p50Ms: number; readonly p99Ms: number }>>;
  readonly server?: {
    readonly hitRate?: number;
    readonly storeBytes: number;
    readonly amplification: number;
  };
  readonly saturation: { readonly saturated: boolean; readonly reasons: readonly string[] };
}

/** A run in the list. */
export interface BenchRun {
  readonly id: string;
  readonly workload: string;
  readonly title: string;
  readonly kind: string;
  readonly target: string;
  readonly startedMs: number;
  readonly state: "running" | "done" | "failed";
  readonly failure?: string;
  readonly warmUp?: BenchFigures;
  readonly rounds: readonly BenchFigures[];
  readonly median?: BenchFigures;
  /** Runs whose rounds were taken in turn have the same. */
  readonly interleaved: string;
}

/** All runs, newest first. */
export interface BenchRuns {
  readonly directory: string;
  readonly runs: readonly BenchRun[];
}

/** One second of a run. */
export interface BenchWindow {
  readonly round: number;
  readonly atMs: number;
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** A request that is told about by itself. */
export interface BenchSpan {
  readonly round: number;
  readonly atMs: number;
  readonly op: string;
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  readonly latencyMs: number;
  readonly outcome: string;
  readonly error: string;
  readonly traceId: string;
  /** Whether the trace can be opened: it is stored here, or a trace backend is asked. */
  readonly isStored: boolean;
}

/** The servers' counters at a moment. */
export interface BenchMetrics {
  readonly atMs: number;
  readonly pages: Readonly<Record<string, number>>;
  readonly storeBytes: number;
  readonly cpuSeconds: number;
  readonly epoch: number;
}

/** One run with what it recorded. */
export interface BenchDetail {
  readonly run: BenchRun;
  readonly directory: string;
  readonly manifest: {
    readonly seed: number;
    readonly planDigest: string;
    readonly command: readonly string[];
    readonly machine: Readonly<Record<string, string | number>>;
    readonly git: { readonly revision: string; readonly dirty: boolean };
  };
  readonly windows: readonly BenchWindow[];
  readonly spans: readonly BenchSpan[];
  readonly metrics: readonly BenchMetrics[];
}

/** A comparison as `bench compare --json` prints it. */
export interface BenchComparison {
  readonly a: string;
  readonly b: string;
  readonly paired: boolean;
  readonly sentence: string;
  readonly warnings: readonly string[];
  readonly comparisons: readonly {
    readonly metric: string;
    readonly a: number;
    readonly b: number;
    /** The ends are null where one round gives no interval. */
    readonly ratio: { readonly estimate: number; readonly low: number | null; readonly high: number | null };
    readonly effect: number;
    readonly verdict: string;
  }[];
}
