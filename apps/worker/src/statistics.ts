/** The worker's counters: one set of numbers, read by the stats stream, by /metrics and by tests alike. */
import { LATENCY_BOUNDS_S, latencyBucket, type TierStats, type UfsObservation } from "@ringlight/core";
import type { ProcessStats, WorkerStats } from "@ringlight/proto";

interface Flow {
  count: number;
  bytes: number;
}

interface Timed extends Flow {
  readonly latencyCounts: number[];
  latencySumS: number;
}

/** A finished request at one of the doors. */
export interface ApiCall {
  /** "s3.GetObject", "grpc.Read", "peer.Read", ... */
  readonly api: string;
  /** "2xx", "3xx", "4xx", "5xx" or "aborted". */
  readonly status: string;
  readonly bytesOut: number;
  /** Time to the first byte of the answer, milliseconds. */
  readonly firstByteMs: number;
}

/** What is measured at the moment of a snapshot. */
export interface Gauges {
  readonly epoch: number;
  readonly tiers: readonly TierStats[];
  readonly process: ProcessStats;
  readonly fetchesInFlight: number;
}

/** Counts what the worker does. Keys are joined with a character that no label contains. */
export class WorkerStatistics {
  readonly #workerId: string;
  readonly #startedMs: number;
  readonly #pages = new Map<string, Flow>();
  readonly #apis = new Map<string, Timed>();
  readonly #ufs = new Map<string, Timed>();
  #relayedBytes = 0;
  #fallbacks = 0;

  constructor(workerId: string, startedMs: number) {
    this.#workerId = workerId;
    this.#startedMs = startedMs;
  }

  /** A page request on this worker as owner or in an owner's place; `bytes` is what the reader got of the page. */
  page(mount: string, outcome: string, tier: string, reason: string, bytes: number): void {
    const id = `${tier}\n${outcome}\n${reason}\n${mount}`;
    let flow = this.#pages.get(id);
    if (flow === undefined) {
      flow = { count: 0, bytes: 0 };
      this.#pages.set(id, flow);
    }
    flow.count++;
    flow.bytes += bytes;
  }

  api(call: ApiCall): void {
    add(this.#apis, `${call.api}\n${call.status}`, call.bytesOut, call.firstByteMs / 1000);
  }

  /** One HTTP request to the UFS of a mount (or one file operation). */
  ufs(mount: string, seen: UfsObservation): void {
    add(this.#ufs, `${mount}\n${seen.op}\n${seen.status}`, seen.bytes, seen.durationMs / 1000);
  }

  relayed(bytes: number): void {
    this.#relayedBytes += bytes;
  }

  fallback(): void {
    this.#fallbacks++;
  }

  /** Everything, as the stats stream sends it. */
  snapshot(nowMs: number, gauges: Gauges): WorkerStats {
    return {
      workerId: this.#workerId,
      timeUnixMs: Math.round(nowMs),
      startedUnixMs: this.#startedMs,
      epoch: gauges.epoch,
      pages: [...this.#pages].map(([id, flow]) => {
        const [tier = "", outcome = "", missReason = "", mount = ""] = id.split("\n");
        return { tier, outcome, missReason, mount, ...flow };
      }),
      apis: [...this.#apis].map(([id, { bytes, latencyCounts, ...rest }]) => {
        const [api = "", status = ""] = id.split("\n");
        return { api, status, bytesOut: bytes, latencyCounts: [...latencyCounts], ...rest };
      }),
      ufs: [...this.#ufs].map(([id, { latencyCounts, ...rest }]) => {
        const [mount = "", op = "", status = ""] = id.split("\n");
        return { mount, op, status, latencyCounts: [...latencyCounts], ...rest };
      }),
      tiers: gauges.tiers.map((tier) => ({ ...tier, directories: [...tier.directories], error: tier.error ?? "" })),
      process: gauges.process,
      relayedBytes: this.#relayedBytes,
      fallbacks: this.#fallbacks,
      fetchesInFlight: gauges.fetchesInFlight,
    };
  }
}

/** Status class of an HTTP status. */
export function statusClass(status: number, aborted = false): string {
  return aborted ? "aborted" : `${Math.floor(status / 100)}xx`;
}

function add(into: Map<string, Timed>, id: string, bytes: number, seconds: number): void {
  let timed = into.get(id);
  if (timed === undefined) {
    timed = {
      count: 0,
      bytes: 0,
      latencyCounts: new Array<number>(LATENCY_BOUNDS_S.length + 1).fill(0),
      latencySumS: 0,
    };
    into.set(id, timed);
  }
  const bucket = latencyBucket(seconds);
  timed.count++;
  timed.bytes += bytes;
  timed.latencyCounts[bucket] = (timed.latencyCounts[bucket] ?? 0) + 1;
  timed.latencySumS += seconds;
}
