/** How right the sampled miss-ratio curve is, against an exact simulation of LRU, and what a page request costs it. */
import { hitRatioAt } from "@ringlight/core";
import { mix32, pageTraces, policyHitRatio, ReuseSampler } from "@ringlight/store/simulation";

/** Cache sizes as shares of a trace's pages. */
const SIZES = [0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9];
/** Working sets whose cost is measured, pages. */
const WORKING_SETS = [1_000, 16_000, 1_000_000];
const REQUESTS = 3_000_000;

/** One trace. */
export interface CurveError {
  readonly trace: string;
  readonly requests: number;
  readonly pages: number;
  readonly sampledPages: number;
  /** The greatest and the mean difference over the sizes, points. */
  readonly maxPoints: number;
  readonly meanPoints: number;
}

/** One working set. */
export interface SamplingCost {
  readonly pages: number;
  readonly rate: number;
  /** Processor time for a request beyond that of making it up, nanoseconds. */
  readonly nsPerRequest: number;
}

/** Measures both. */
export function benchMissRatio(): { readonly errors: CurveError[]; readonly costs: SamplingCost[] } {
  const errors = pageTraces(1).map((trace): CurveError => {
    const sampler = new ReuseSampler(undefined, 0);
    for (const page of trace.requests) sampler.request(hashOf(page), 1, 0);
    const histogram = sampler.histogram();
    const points = SIZES.map((size) => {
      const capacity = Math.round(trace.pages * size);
      return 100 * Math.abs(hitRatioAt(histogram, capacity) - policyHitRatio("lru", capacity, trace));
    });
    return {
      trace: trace.name,
      requests: trace.requests.length,
      pages: trace.pages,
      sampledPages: sampler.pages,
      maxPoints: Math.max(...points),
      meanPoints: points.reduce((sum, point) => sum + point, 0) / points.length,
    };
  });
  const costs = WORKING_SETS.map((pages): SamplingCost => {
    const sampler = new ReuseSampler();
    const sampled = () => cpuNs((hash) => sampler.request(hash, 1 << 20, 0), pages);
    sampled();
    const rounds = Array.from({ length: 5 }, () => sampled() - cpuNs((hash) => void hash, pages));
    return { pages, rate: sampler.rate, nsPerRequest: rounds.sort((a, b) => a - b)[2]! };
  });
  return { errors, costs };
}

/** As text. */
export function missRatioText({ errors, costs }: ReturnType<typeof benchMissRatio>): string {
  return [
    "Sampled curve against an exact simulation of LRU, points of hit rate, at 2 to 90 % of the pages:",
    ...errors.map(
      ({ trace, requests, pages, sampledPages, maxPoints, meanPoints }) =>
        `  ${trace.padEnd(18)} ${requests} requests, ${pages} pages, ${sampledPages} sampled: at most ${maxPoints.toFixed(2)}, mean ${meanPoints.toFixed(2)}`,
    ),
    "Processor time of a page request for it, median of 5:",
    ...costs.map(
      ({ pages, rate, nsPerRequest }) =>
        `  ${String(pages).padStart(9)} pages, ${(100 * rate).toFixed(1)} % sampled: ${nsPerRequest.toFixed(0)} ns`,
    ),
  ].join("\n");
}

function hashOf(page: number): number {
  return mix32(Math.imul(page + 1, 0x9e3779b1));
}

/** Processor time for each of many uniform requests over so many pages, nanoseconds. */
function cpuNs(use: (hash: number) => void, pages: number): number {
  const before = process.cpuUsage();
  let random = 1;
  for (let at = 0; at < REQUESTS; at++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    use(hashOf((random >>> 8) % pages));
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / REQUESTS;
}
