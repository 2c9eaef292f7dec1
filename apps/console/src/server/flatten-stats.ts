/** Turns a worker's statistics into named columns. */
import type { WorkerStats } from "@ringlight/proto";
import * as column from "../columns.ts";

/** A worker's counters since its start and its gauges of this moment, by column. */
export interface FlatStats {
  readonly counters: Map<string, number>;
  readonly gauges: Map<string, number>;
}

/**
 * True for the requests of readers. What the console itself asks, and what keeps the cluster together, is not a load
 * that anybody wants to see in the request rate.
 */
function isReaderApi(api: string): boolean {
  return api.startsWith("s3.") || api.startsWith("rest.") || /^grpc\.(Read|Stat|List)$/.test(api);
}

/** Flattens one message. Unknown outcomes count as bypass, so that the sum of page requests is always whole. */
export function flattenStats(stats: WorkerStats): FlatStats {
  const counters = new Map<string, number>();
  const gauges = new Map<string, number>();
  const add = (name: string, amount: number) => counters.set(name, (counters.get(name) ?? 0) + amount);

  for (const page of stats.pages) {
    add(column.mountPages(page.mount), page.count);
    if (page.outcome === "hit") add(column.mountHits(page.mount), page.count);
    if (page.outcome === "hit") {
      add(column.pagesHit(page.tier || "other"), page.count);
      add(column.bytesHit(page.tier || "other"), page.bytes);
    } else if (page.outcome === "miss") {
      add(column.pagesMiss(page.missReason || "cold"), page.count);
      add(column.BYTES_MISS, page.bytes);
    } else if (page.outcome === "joined") {
      add(column.PAGES_JOINED, page.count);
      add(column.BYTES_JOINED, page.bytes);
    } else {
      add(column.PAGES_BYPASS, page.count);
      add(column.BYTES_BYPASS, page.bytes);
    }
  }
  for (const row of stats.apis) {
    if (!isReaderApi(row.api)) continue;
    add(column.api(row.api), row.count);
    add(column.requests(row.status), row.count);
    add(column.BYTES_OUT, row.bytesOut);
    row.latencyCounts.forEach((count, bucket) => {
      if (count > 0) add(column.latency(bucket), count);
    });
  }
  // Always there, so that a total of zero is written as zero.
  for (const op of ["head", "get", "list"]) add(column.ufs(op), 0);
  for (const row of stats.ufs) {
    add(column.ufs(row.op), row.count);
    add(column.UFS_BYTES, row.bytes);
    // That the store has no such object is an answer, not a failure.
    if (row.status !== "ok" && row.status !== "RL_NOT_FOUND") add(column.UFS_ERRORS, row.count);
  }
  for (const tier of stats.tiers) {
    add(column.evicted(tier.name), tier.evictedPages);
    add(column.stored(tier.name), tier.storedPages);
    add(column.storedBytes(tier.name), tier.storedBytes);
    gauges.set(column.used(tier.name), tier.usedBytes);
    gauges.set(column.limit(tier.name), tier.limitBytes);
  }
  add(column.RELAYED, stats.relayedBytes);
  add(column.FALLBACKS, stats.fallbacks);
  gauges.set(column.IN_FLIGHT, stats.fetchesInFlight);
  if (stats.process) {
    add(column.CPU, stats.process.cpuSeconds);
    gauges.set(column.RSS, stats.process.rssBytes);
    gauges.set(column.HEAP, stats.process.heapUsedBytes);
    gauges.set(column.LOOP_DELAY_MS, stats.process.eventLoopDelayP99Ms);
    gauges.set(column.CONNECTIONS, stats.process.openConnections);
  }
  return { counters, gauges };
}
