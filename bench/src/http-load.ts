/** Small ranged GETs by autocannon: it drives requests well where the answers are small (bulk data it is too slow for). */
import autocannon from "autocannon";
import type { LoadResult } from "./closed-loop.ts";

/** What to load with. */
export interface HttpLoadOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly rangeBytes: number;
  /** Size of the object; ranges begin at multiples of rangeBytes in it, in a fixed scattered order. */
  readonly sizeBytes: number;
}

/** Loads one URL with ranged GETs. @throws Error when an answer is not 206 */
export async function httpLoad(url: URL, options: HttpLoadOptions): Promise<LoadResult> {
  const slots = Math.floor(options.sizeBytes / options.rangeBytes);
  const requests = Array.from({ length: 256 }, (_, index) => {
    const start = ((index * 2_654_435_761) % slots) * options.rangeBytes;
    return {
      method: "GET" as const,
      path: url.pathname + url.search,
      headers: { range: `bytes=${start}-${start + options.rangeBytes - 1}` },
    };
  });
  const result = await autocannon({
    url: url.origin,
    connections: options.connections,
    duration: options.seconds,
    requests,
  });
  const good = result.statusCodeStats?.["206"]?.count ?? 0;
  if (result.errors > 0 || result.timeouts > 0 || good !== result.requests.total) {
    throw new Error(
      `${url.pathname}: ${good} of ${result.requests.total} answers were 206, ${result.errors} errors, ${result.timeouts} timeouts`,
    );
  }
  return {
    requests: good,
    bytes: good * options.rangeBytes,
    seconds: result.duration,
    latenciesMs: [result.latency.p50, result.latency.p99],
  };
}
