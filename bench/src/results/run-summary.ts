/** What a run came to: the shapes of summary.json and manifest.json, which the reports, the comparison and the console read. */

/** Version of the result directory's format; docs/benchmarking.md describes it. */
export const RESULT_FORMAT = 1;

/** Figures of a round. Times in milliseconds. */
export interface RoundFigures {
  readonly round: number;
  /** Since the Unix epoch, milliseconds. */
  readonly startedMs: number;
  readonly seconds: number;
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly firstError: string;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly meanMs: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  /** Offered rate of an open loop, requests a second. */
  readonly rate?: number;
  readonly training?: TrainingFigures;
  /** Medians of parts by name: queries, saves, loads. */
  readonly parts: Readonly<Record<string, PartFigures>>;
  readonly server?: ServerFigures;
  /** Processor time of the servers, where it is known. */
  readonly serverCpuSeconds?: number;
  /** Cost of requests at the store and of its bytes, US dollars; see docs/benchmarking.md for the prices. */
  readonly storeCostUsd?: number;
  readonly saturation: Saturation;
}

/** Accelerator utilisation and what it is made of. */
export interface TrainingFigures {
  /** Mean of the epochs and accelerators, 0 to 1. */
  readonly utilization: number;
  readonly byEpoch: readonly number[];
  readonly samplesPerSecond: number;
  readonly passMark: number;
  readonly passes: boolean;
  readonly accelerator: string;
  readonly accelerators: number;
}

/** A part's times. */
export interface PartFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What the servers counted in a round, all workers together. */
export interface ServerFigures {
  /** Page requests by "hit <tier>", "miss <reason>", "joined", "bypass". */
  readonly pages: Readonly<Record<string, number>>;
  readonly pageBytes: Readonly<Record<string, number>>;
  /** Share of page requests that were hits, by tier; undefined without page requests. */
  readonly hitRate?: number;
  readonly hitRateByTier: Readonly<Record<string, number>>;
  readonly storeBytes: number;
  readonly storeRequests: number;
  /** Bytes from the store for each byte that readers got. */
  readonly amplification: number;
  readonly cpuSeconds: number;
}

/** Whether the generator was the limit, and how that is known. */
export interface Saturation {
  readonly saturated: boolean;
  readonly reasons: readonly string[];
  /** Busiest generator's event loop, 0 to 1. */
  readonly utilization: number;
  readonly cpuSeconds: number;
  readonly latenessP99Ms: number;
}

/** summary.json. */
export interface RunSummary {
  readonly format: number;
  readonly id: string;
  readonly workload: string;
  readonly title: string;
  readonly kind: string;
  readonly target: string;
  readonly startedMs: number;
  /** "running" until the end, then "done", or "failed" with a reason. */
  readonly state: "running" | "done" | "failed";
  readonly failure?: string;
  /** The round before those that are measured: a first access, cold where nothing was cached. */
  readonly warmUp?: RoundFigures;
  readonly rounds: readonly RoundFigures[];
  /** Medians of the measured rounds. */
  readonly median?: RoundFigures;
  readonly operations: Readonly<Record<string, OperationSummary>>;
  /** Searched with --find-max. */
  readonly highestRate?: { readonly rate: number; readonly goalP99Ms: number };
}

/** All measured rounds of an operation. */
export interface OperationSummary {
  readonly requests: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly firstByteP50Ms: number;
}

/** manifest.json: everything that is needed to run it again. */
export interface Manifest {
  readonly format: number;
  readonly id: string;
  readonly command: readonly string[];
  /** The description, or what is replayed. */
  readonly workload: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** SHA-256 of the requests; "" for traces. */
  readonly planDigest: string;
  /** Runs whose rounds were taken in turn have the same. */
  readonly interleaved: string;
  readonly target: { readonly label: string; readonly url: string };
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly git: { readonly revision: string; readonly dirty: boolean };
  readonly startedMs: number;
}
