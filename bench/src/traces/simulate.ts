/**
 * Runs a trace through the eviction policies of the page store at several sizes, offline: "how big must the cache be, and with which
 * policy?". Reads become requests of pages, as a worker makes them; a page that is not full weighs what it holds.
 */
import { createEvictionPolicy, type EvictionPolicyName } from "@ringlight/store";
import { mix32 } from "@ringlight/store/simulation";
import type { Trace } from "./trace.ts";

/** A trace as requests of pages. */
export interface PageRequests {
  /** Number of the page of each request. */
  readonly requests: Uint32Array;
  /** Bytes of each page by its number. */
  readonly bytes: Float64Array;
  /** Bytes of all pages: a cache of this size misses each only once. */
  readonly totalBytes: number;
}

/** One policy at one size. */
export interface SimulatedCache {
  readonly policy: EvictionPolicyName;
  readonly sizeBytes: number;
  readonly missRatio: number;
  /** Bytes of missed pages over bytes of all page requests. */
  readonly byteMissRatio: number;
  /** Page requests a second of processor time: other work on the machine does not change it. */
  readonly requestsPerSecond: number;
}

/** Pages that the reads of a trace touch. Objects without a known size count as one page of `pageBytes`. */
export function pageRequests(trace: Trace, pageBytes: number): PageRequests {
  const firstPage = new Float64Array(trace.keys.length).fill(-1);
  const bytes: number[] = [];
  const sizeOf = (key: number) => trace.sizeOf(key) || pageBytes;
  let requests = new Uint32Array(Math.max(1024, trace.rows));
  let count = 0;
  for (let row = 0; row < trace.rows; row++) {
    const { op, offset, length } = trace.request(row);
    if (op !== "get") continue;
    const key = trace.keyId(row);
    const size = sizeOf(key);
    let first = firstPage[key]!;
    if (first < 0) {
      first = bytes.length;
      firstPage[key] = first;
      for (let at = 0; at < size; at += pageBytes) bytes.push(Math.min(pageBytes, size - at));
    }
    const last = Math.floor((Math.min(size, length === 0 ? size : offset + length) - 1) / pageBytes);
    for (let page = Math.floor(offset / pageBytes); page <= last; page++) {
      if (count === requests.length) {
        const more = new Uint32Array(count * 2);
        more.set(requests);
        requests = more;
      }
      requests[count++] = first + page;
    }
  }
  const asked = new Uint8Array(bytes.length);
  for (let at = 0; at < count; at++) asked[requests[at]!] = 1;
  const totalBytes = bytes.reduce((sum, weight, page) => sum + (asked[page] === 1 ? weight : 0), 0);
  return { requests: requests.subarray(0, count), bytes: Float64Array.from(bytes), totalBytes };
}

/** One policy at one size. */
export function simulateCache(policyName: EvictionPolicyName, sizeBytes: number, pages: PageRequests): SimulatedCache {
  const { requests, bytes } = pages;
  const slotOf = new Int32Array(bytes.length).fill(-1);
  const pageOf = new Uint32Array(bytes.length);
  let slots = 0;
  const free: number[] = [];
  const policy = createEvictionPolicy(policyName, {
    hashOf: (slot) => mix32(pageOf[slot]! + 1),
    bytesOf: (slot) => bytes[pageOf[slot]!]!,
  });
  const freezes = policyName === "freeze";
  const victims: number[] = [];
  let used = 0;
  let misses = 0;
  let missedBytes = 0;
  let askedBytes = 0;
  const cpuBefore = process.cpuUsage();
  for (let at = 0; at < requests.length; at++) {
    const page = requests[at]!;
    const weight = bytes[page]!;
    askedBytes += weight;
    const slot = slotOf[page]!;
    if (slot >= 0) {
      policy.onHit(slot);
      continue;
    }
    misses++;
    missedBytes += weight;
    if (weight > sizeBytes || (freezes && used + weight > sizeBytes)) continue;
    while (used + weight > sizeBytes) {
      policy.victims(used + weight - sizeBytes, Number.MAX_SAFE_INTEGER, victims);
      if (victims.length === 0) break;
      for (const victim of victims) {
        used -= bytes[pageOf[victim]!]!;
        slotOf[pageOf[victim]!] = -1;
        free.push(victim);
      }
      victims.length = 0;
    }
    const taken = free.pop() ?? slots++;
    pageOf[taken] = page;
    slotOf[page] = taken;
    used += weight;
    policy.onInsert(taken);
  }
  const cpu = process.cpuUsage(cpuBefore);
  const seconds = (cpu.user + cpu.system) / 1e6;
  return {
    policy: policyName,
    sizeBytes,
    missRatio: requests.length === 0 ? 0 : misses / requests.length,
    byteMissRatio: askedBytes === 0 ? 0 : missedBytes / askedBytes,
    requestsPerSecond: requests.length / seconds,
  };
}

/** Sizes from a hundredth of the trace's bytes to all of them, evenly on a logarithmic scale. */
export function curveSizes(totalBytes: number, count = 8): number[] {
  return Array.from({ length: count }, (_, at) => Math.ceil(totalBytes * 100 ** (at / (count - 1) - 1)));
}

/** The least size, with its policy, whose misses are within one part in a hundred of the requests of the best there is. */
export function recommended(results: readonly SimulatedCache[]): SimulatedCache | undefined {
  const best = Math.min(...results.map(({ missRatio }) => missRatio));
  return results
    .filter(({ missRatio }) => missRatio <= best + 0.01)
    .sort((a, b) => a.sizeBytes - b.sizeBytes || a.missRatio - b.missRatio)[0];
}
