/** What all workers hold and how it is used, added up. */
import {
  type CurvePoint,
  clusterCurve,
  clusterHitRatio,
  type SizeChange,
  sizeAdvice,
  sizeChanges,
} from "@ringlight/core";
import type { ContentsReport, HotObject, PageBand, PathContents, ReuseReport, TierContents } from "@ringlight/proto";
import type { Answered } from "./client.ts";

/** What the cluster's hit rate would be with more or less room. */
export interface MissRatioCurve extends Answered {
  /** Begin of the time that the answers cover: the latest of the workers'. */
  readonly sinceMs: number;
  /** Requests for pages in that time. */
  readonly requests: number;
  /** The hit rate that the curve has for the size of now. */
  readonly hitRatio: number;
  readonly points: readonly CurvePoint[];
  readonly changes: readonly SizeChange[];
  /** What follows for the slowest tier, in words; absent while too little was read. */
  readonly advice?: string;
  readonly tiers: readonly { readonly name: string; readonly limitBytes: number; readonly usedBytes: number }[];
  /** Bytes of different pages used within a time. */
  readonly workingSets: readonly { readonly windowMs: number; readonly bytes: number }[];
  /** The least share of pages that a worker sampled. */
  readonly sampleRate: number;
}

/** Adds the workers' counts of reuse up. */
export function missRatioCurve(reports: readonly ReuseReport[], answered: Answered): MissRatioCurve {
  const advice = sizeAdvice(reports);
  const tiers = new Map<string, { limitBytes: number; usedBytes: number }>();
  const workingSets = new Map<number, number>();
  for (const report of reports) {
    for (const { name, limitBytes, usedBytes } of report.tiers) {
      const tier = tiers.get(name) ?? { limitBytes: 0, usedBytes: 0 };
      tiers.set(name, { limitBytes: tier.limitBytes + limitBytes, usedBytes: tier.usedBytes + usedBytes });
    }
    for (const { windowMs, bytes } of report.workingSets) {
      workingSets.set(windowMs, (workingSets.get(windowMs) ?? 0) + bytes);
    }
  }
  return {
    answered: answered.answered,
    workers: answered.workers,
    sinceMs: Math.max(0, ...reports.map(({ sinceUnixMs }) => sinceUnixMs)),
    requests: reports.reduce((sum, { requests }) => sum + requests, 0),
    hitRatio: clusterHitRatio(reports, 1),
    points: clusterCurve(reports),
    changes: sizeChanges(reports),
    ...(advice !== undefined && { advice }),
    tiers: [...tiers].map(([name, tier]) => ({ name, ...tier })),
    workingSets: [...workingSets].map(([windowMs, bytes]) => ({ windowMs, bytes })),
    sampleRate: Math.min(1, ...reports.map((report) => report.sampleRate)),
  };
}

/** What the cluster holds. */
export interface Contents extends Answered {
  readonly atMs: number;
  readonly tiers: readonly TierContents[];
  /** The largest first. */
  readonly paths: readonly PathContents[];
  /** Below the prefix and not listed. */
  readonly otherBytes: number;
  /** Of pages whose path is not known any more. */
  readonly unnamedBytes: number;
  /** The most asked for first. */
  readonly hot: readonly HotObject[];
  readonly hotWindowMs: number;
}

/** Adds up what the workers hold. */
export function mergedContents(reports: readonly ContentsReport[], answered: Answered): Contents {
  const tiers = new Map<string, TierContents>();
  const paths = new Map<string, PathContents>();
  const hot = new Map<string, HotObject>();
  for (const report of reports) {
    for (const tier of report.tiers) {
      const sum = tiers.get(tier.name);
      tiers.set(tier.name, sum === undefined ? tier : addedTier(sum, tier));
    }
    for (const path of report.paths) {
      const sum = paths.get(path.path);
      paths.set(path.path, {
        path: path.path,
        bytes: path.bytes + (sum?.bytes ?? 0),
        pages: path.pages + (sum?.pages ?? 0),
        objects: path.objects + (sum?.objects ?? 0),
      });
    }
    for (const { path, requests, bytes } of report.hot) {
      const sum = hot.get(path);
      hot.set(path, { path, requests: requests + (sum?.requests ?? 0), bytes: bytes + (sum?.bytes ?? 0) });
    }
  }
  const total = (value: (report: ContentsReport) => number) => reports.reduce((sum, report) => sum + value(report), 0);
  return {
    answered: answered.answered,
    workers: answered.workers,
    atMs: Math.max(0, ...reports.map(({ atUnixMs }) => atUnixMs)),
    tiers: [...tiers.values()],
    paths: [...paths.values()].sort((a, b) => b.bytes - a.bytes),
    otherBytes: total(({ other }) => other?.bytes ?? 0),
    unnamedBytes: total(({ unnamedBytes }) => unnamedBytes),
    hot: [...hot.values()].sort((a, b) => b.requests - a.requests),
    hotWindowMs: Math.max(0, ...reports.map(({ hotWindowMs }) => hotWindowMs)),
  };
}

function addedTier(a: TierContents, b: TierContents): TierContents {
  return {
    name: a.name,
    pages: a.pages + b.pages,
    bytes: a.bytes + b.bytes,
    ages: addedBands(a.ages, b.ages),
    uses: addedBands(a.uses, b.uses),
  };
}

/** Workers of one version have the same bands; a band that only one has is kept as it is. */
function addedBands(a: readonly PageBand[], b: readonly PageBand[]): PageBand[] {
  const bands = new Map(a.map((band) => [band.from, band]));
  for (const band of b) {
    const sum = bands.get(band.from);
    bands.set(band.from, { ...band, pages: band.pages + (sum?.pages ?? 0), bytes: band.bytes + (sum?.bytes ?? 0) });
  }
  return [...bands.values()].sort((x, y) => x.from - y.from);
}
