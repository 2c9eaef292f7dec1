/**
 * Names of the columns of the time series and of the totals, the same on the server and in the pages. A name is a
 * family and, for most, a member after a dot: `pages.hit.mem`, `ufs.get`.
 */

/** Page requests: hits by tier, misses by reason, and the rest. */
export const pagesHit = (tier: string) => `pages.hit.${tier}`;
export const pagesMiss = (reason: string) => `pages.miss.${reason}`;
export const PAGES_JOINED = "pages.joined";
export const PAGES_BYPASS = "pages.bypass";
/** Bytes of page requests by where they came from. */
export const bytesHit = (tier: string) => `bytes.hit.${tier}`;
export const BYTES_MISS = "bytes.miss";
export const BYTES_JOINED = "bytes.joined";
export const BYTES_BYPASS = "bytes.bypass";
/** Requests of readers by API and by class of status; bytes that they were sent. */
export const api = (name: string) => `api.${name}`;
export const requests = (status: string) => `req.${status}`;
export const BYTES_OUT = "bytes.out";
/** Time to first byte of readers' requests, by bucket. */
export const latency = (bucket: number) => `lat.${bucket}`;
/** Calls to the stores by operation, failed ones among them, and bytes read. */
export const ufs = (op: string) => `ufs.${op}`;
export const UFS_ERRORS = "ufs.errors";
export const UFS_BYTES = "ufs.bytes";
/** Page requests and hits by mount. */
export const mountPages = (mount: string) => `mount_pages.${mount}`;
export const mountHits = (mount: string) => `mount_hits.${mount}`;
/** Pages written to a tier, and their bytes. */
export const stored = (tier: string) => `stored.${tier}`;
export const storedBytes = (tier: string) => `stored_bytes.${tier}`;
export const evicted = (tier: string) => `evicted.${tier}`;
export const RELAYED = "relayed";
export const FALLBACKS = "fallbacks";
export const CPU = "cpu";
/** Gauges. */
export const used = (tier: string) => `gauge.used.${tier}`;
export const limit = (tier: string) => `gauge.limit.${tier}`;
export const RSS = "gauge.rss";
export const HEAP = "gauge.heap";
export const LOOP_DELAY_MS = "gauge.loop_delay_ms";
export const CONNECTIONS = "gauge.connections";
export const IN_FLIGHT = "gauge.in_flight";

/** True for a column that holds values, not increases. */
export const isGauge = (column: string) => column.startsWith("gauge.");

/** Sum of all columns of a family ("pages.hit.") in a record. */
export function sumFamily(columns: Readonly<Record<string, number>>, prefix: string): number {
  let sum = 0;
  for (const name in columns) if (name.startsWith(prefix)) sum += columns[name]!;
  return sum;
}

/** Members of a family, as far as the record has any: the tiers of "pages.hit.". */
export function membersOf(columns: Readonly<Record<string, unknown>>, prefix: string): string[] {
  return Object.keys(columns)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
}

/** Hits of all page requests, 0 to 1; undefined when there were no requests. */
export function hitRate(columns: Readonly<Record<string, number>>): number | undefined {
  const all = sumFamily(columns, "pages.");
  return all > 0 ? sumFamily(columns, "pages.hit.") / all : undefined;
}
