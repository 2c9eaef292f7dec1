/** What this worker holds, for people: by tier, age and use, by path, and what is asked for the most. */
import { formatPath, parsePath, RinglightError } from "@ringlight/core";
import type { ContentsReport, GetContentsRequest, PageBand, PathContents, ReuseReport } from "@ringlight/proto";
import type { LocalPageStore, RollingReuse, PageBand as StoredBand } from "@ringlight/store";
import type { HotObjects } from "./hot-objects.ts";
import type { PageNames } from "./page-names.ts";

const MAX_DEPTH = 4;
/** Paths in an answer; the largest. */
const MAX_PATHS = 256;
/** Paths summed up apart at once; what comes later counts as other. */
const MAX_SUMS = 50_000;
const HOT = 20;
/** Working sets are told over these times, milliseconds. */
const WINDOWS_MS = [5 * 60_000, 3_600_000, 6 * 3_600_000];

/** What is asked. */
export interface ContentsSources {
  readonly workerId: string;
  readonly store: LocalPageStore;
  readonly names: PageNames;
  readonly hot: HotObjects;
  readonly reuse: RollingReuse;
  readonly now: () => number;
}

interface Sum {
  bytes: number;
  pages: number;
  objects: number;
}

/** Looks through the index and the names. @throws RL_BAD_REQUEST */
export async function contents(sources: ContentsSources, request: GetContentsRequest): Promise<ContentsReport> {
  const depth = request.depth === 0 ? 1 : request.depth;
  if (depth > MAX_DEPTH) throw new RinglightError("RL_BAD_REQUEST", `a depth of ${depth}; at most ${MAX_DEPTH}`);
  const prefix = folderOf(request.prefix);
  const atMs = sources.now();
  const inventory = await sources.store.inventory(atMs);
  const sums = new Map<string, Sum>();
  const other: Sum = { bytes: 0, pages: 0, objects: 0 };
  await sources.names.read((version, path) => {
    const held = inventory.take(version);
    if (held === undefined || !path.startsWith(prefix)) return;
    const name = cut(path, prefix.length, depth);
    let sum = sums.get(name);
    if (sum === undefined) {
      sum = sums.size < MAX_SUMS ? { bytes: 0, pages: 0, objects: 0 } : other;
      if (sum !== other) sums.set(name, sum);
    }
    add(sum, { ...held, objects: 1 });
  });
  const sorted = [...sums].sort(([, a], [, b]) => b.bytes - a.bytes);
  for (const [, sum] of sorted.slice(MAX_PATHS)) add(other, sum);
  const { windowMs, objects } = sources.hot.top(HOT);
  return {
    workerId: sources.workerId,
    atUnixMs: Math.round(atMs),
    tiers: inventory.tiers().map(({ name, pages, bytes, ages, uses }) => ({
      name,
      pages,
      bytes,
      ages: ages.map(bandToProto),
      uses: uses.map(bandToProto),
    })),
    paths: sorted.slice(0, MAX_PATHS).map(([path, sum]): PathContents => ({ path, ...sum })),
    other: { path: "", ...other },
    unnamedPages: inventory.left.pages,
    unnamedBytes: inventory.left.bytes,
    hot: [...objects],
    hotWindowMs: Math.round(windowMs),
  };
}

/** How far apart the uses of this worker's pages lie. */
export function reuseReport({ workerId, store, reuse, now }: ContentsSources): ReuseReport {
  const { requests, counts } = reuse.histogram();
  const { rate, pages } = reuse.sample;
  const nowMs = now();
  return {
    workerId,
    sinceUnixMs: Math.round(reuse.sinceMs),
    requests,
    counts: [...counts],
    sampleRate: rate,
    sampledPages: pages,
    tiers: store.stats().map(({ name, limitBytes, usedBytes }) => ({ name, limitBytes, usedBytes })),
    workingSets: WINDOWS_MS.map((windowMs) => ({
      windowMs,
      bytes: Math.round(reuse.workingSetBytes(nowMs - windowMs)),
    })),
  };
}

/** The prefix as a folder with its slash. @throws RL_BAD_REQUEST */
function folderOf(prefix: string): string {
  if (prefix === "" || prefix === "/") return "/";
  const path = formatPath(parsePath(prefix));
  return path.endsWith("/") ? path : `${path}/`;
}

/** The path with so many elements behind the prefix; a folder if it had more. */
function cut(path: string, from: number, depth: number): string {
  let end = from - 1;
  for (let element = 0; element < depth; element++) {
    end = path.indexOf("/", end + 1);
    if (end < 0) return path;
  }
  return path.slice(0, end + 1);
}

function add(to: Sum, { bytes, pages, objects }: Sum): void {
  to.bytes += bytes;
  to.pages += pages;
  to.objects += objects;
}

function bandToProto({ from, to, pages, bytes }: StoredBand): PageBand {
  return { from, to: Number.isFinite(to) ? to : 0, pages, bytes };
}
