/** Statistics of workers that do not exist. */
import { WorkerStats } from "@ringlight/proto";

/** Counters that a test sets; everything else is zero. */
export interface FakeCounters {
  readonly hits?: number;
  readonly misses?: number;
  readonly gets?: number;
  readonly requests?: number;
}

/** A worker's message with the given counters. */
export function fakeStats(workerId: string, startedUnixMs: number, counters: FakeCounters): WorkerStats {
  const { hits = 0, misses = 0, gets = 0, requests = 0 } = counters;
  return WorkerStats.create({
    workerId,
    startedUnixMs,
    timeUnixMs: Date.now(),
    epoch: 1,
    pages: [
      { tier: "mem", outcome: "hit", missReason: "", mount: "demo", count: hits, bytes: hits * 1000 },
      { tier: "ufs", outcome: "miss", missReason: "cold", mount: "demo", count: misses, bytes: misses * 1000 },
    ],
    apis: [
      {
        api: "s3.GetObject",
        status: "2xx",
        count: requests,
        bytesOut: requests,
        latencyCounts: [requests],
        latencySumS: 0,
      },
      { api: "grpc.WatchStats", status: "2xx", count: 99, bytesOut: 9, latencyCounts: [99], latencySumS: 0 },
    ],
    ufs: [
      {
        mount: "demo",
        op: "get",
        status: "ok",
        count: gets,
        bytes: gets * 1000,
        latencyCounts: [gets],
        latencySumS: 0,
      },
      { mount: "demo", op: "head", status: "RL_NOT_FOUND", count: 2, bytes: 0, latencyCounts: [], latencySumS: 0 },
    ],
    tiers: [
      {
        name: "mem",
        directories: ["/mem"],
        limitBytes: 1000,
        usedBytes: 400,
        pages: 4,
        evictedPages: 0,
        evictedBytes: 0,
        corruptPages: 0,
        storedPages: 0,
        storedBytes: 0,
        demotedPages: 0,
        refusedDemotions: 0,
        promotedPages: 0,
        error: "",
      },
    ],
    process: { cpuSeconds: 1, rssBytes: 5000, heapUsedBytes: 1000, eventLoopDelayP99Ms: 1, openConnections: 3 },
  });
}
