/** What the servers say of themselves: /metrics of workers before, during and after a round, as differences. */
import type { ServerFigures } from "./run-summary.ts";

/** Counters of all workers at a moment. */
export interface ServerCounters {
  readonly atMs: number;
  readonly pages: Readonly<Record<string, number>>;
  readonly pageBytes: Readonly<Record<string, number>>;
  readonly storeBytes: number;
  readonly storeRequests: number;
  readonly answeredBytes: number;
  readonly cpuSeconds: number;
  readonly epoch: number;
}

const SCRAPE_MS = 5_000;
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** One value of Prometheus text. */
export interface MetricValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Parses Prometheus or OpenMetrics text; comments and what cannot be read are left out. */
export function parseMetrics(text: string): MetricValue[] {
  const values: MetricValue[] = [];
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (match === null) continue;
    const labels: Record<string, string> = {};
    for (const label of (match[2] ?? "").matchAll(LABEL)) labels[label[1]!] = label[2]!;
    values.push({ name: match[1]!, labels, value: Number(match[3]) });
  }
  return values;
}

/** Scrapes all workers. @throws Error where one does not answer */
export async function scrapeServers(urls: readonly string[]): Promise<ServerCounters> {
  const texts = await Promise.all(
    urls.map(async (url) => {
      const response = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_MS) });
      if (!response.ok) throw new Error(`${url} answers ${response.status}`);
      return await response.text();
    }),
  );
  return countersOf(texts.map(parseMetrics), Date.now());
}

/** Counters of workers' values. */
export function countersOf(workers: readonly (readonly MetricValue[])[], atMs: number): ServerCounters {
  const pages: Record<string, number> = {};
  const pageBytes: Record<string, number> = {};
  let [storeBytes, storeRequests, answeredBytes, cpuSeconds, epoch] = [0, 0, 0, 0, 0];
  for (const { name, labels, value } of workers.flat()) {
    const plain = name.replace(/_total$/, "");
    if (plain === "ringlight_cache_requests") add(pages, pageKind(labels), value);
    else if (plain === "ringlight_cache_io_bytes") add(pageBytes, pageKind(labels), value);
    else if (plain === "ringlight_ufs_io_bytes") storeBytes += value;
    else if (plain === "ringlight_ufs_request_duration_seconds_count") storeRequests += value;
    else if (plain === "ringlight_request_io_bytes" && !labels.api?.startsWith("peer.")) answeredBytes += value;
    else if (plain === "process_cpu_time_seconds") cpuSeconds += value;
    else if (plain === "ringlight_ring_epoch") epoch = Math.max(epoch, value);
  }
  return { atMs, pages, pageBytes, storeBytes, storeRequests, answeredBytes, cpuSeconds, epoch };
}

function pageKind({ outcome = "", tier = "", miss_reason = "" }: Readonly<Record<string, string>>): string {
  if (outcome === "hit") return `hit ${tier}`;
  return outcome === "miss" ? `miss ${miss_reason}` : outcome;
}

function add(into: Record<string, number>, key: string, value: number): void {
  into[key] = (into[key] ?? 0) + value;
}

/** What happened between two scrapes. */
export function serverFigures(before: ServerCounters, after: ServerCounters): ServerFigures {
  const pages = difference(before.pages, after.pages);
  const pageBytes = difference(before.pageBytes, after.pageBytes);
  const total = Object.values(pages).reduce((sum, count) => sum + count, 0);
  const hits = Object.entries(pages).filter(([kind]) => kind.startsWith("hit "));
  const storeBytes = after.storeBytes - before.storeBytes;
  const read = Object.values(pageBytes).reduce((sum, bytes) => sum + bytes, 0);
  return {
    pages,
    pageBytes,
    ...(total > 0 && { hitRate: hits.reduce((sum, [, count]) => sum + count, 0) / total }),
    hitRateByTier: Object.fromEntries(hits.map(([kind, count]) => [kind.slice(4), total > 0 ? count / total : 0])),
    storeBytes,
    storeRequests: after.storeRequests - before.storeRequests,
    amplification: read > 0 ? storeBytes / read : 0,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
  };
}

function difference(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([key, value]) => [key, value - (before[key] ?? 0)] as const)
      .filter(([, value]) => value > 0),
  );
}
