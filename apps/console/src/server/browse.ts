/** Browse: a page of a folder with what is cached of each file, and everything about one file. */
import { runBytes, uniteRuns } from "@ringlight/client";
import { parsePath, RinglightError } from "@ringlight/core";
import type { ListResponse } from "@ringlight/proto";
import { callUnary } from "@ringlight/rpc";
import type { BrowseEntry, BrowsePage, FileDetail } from "../wire.ts";
import { askAll, askAny } from "./any-worker.ts";
import type { ClusterObserver } from "./cluster-observer.ts";

/** Rows of one page. */
const PAGE_ROWS = 100;
const ACCESSES = 30;
const LIST_DEADLINE_MS = 15_000;
const ASK_DEADLINE_MS = 5_000;

/** How long a listing is shown again before the store is asked anew; what is cached of it is asked for every time. */
const LISTING_MS = 30_000;
const LISTINGS = 64;

interface Listing {
  readonly response: ListResponse;
  readonly atMs: number;
}

/** The last listings of an observer, the oldest first. A page that renews itself must not put a load on the store. */
const listings = new WeakMap<ClusterObserver, Map<string, Listing>>();

async function list(
  observer: ClusterObserver,
  folder: string,
  after: string,
  fresh: boolean,
  signal: AbortSignal,
): Promise<Listing> {
  const known = listings.get(observer) ?? new Map<string, Listing>();
  listings.set(observer, known);
  const key = `${folder}\n${after}`;
  const kept = known.get(key);
  if (kept && !fresh && Date.now() - kept.atMs < LISTING_MS) return kept;
  const response = await askAny(observer, (client) =>
    callUnary(
      client,
      "list",
      { path: folder, delimiter: "/", startAfter: after, maxKeys: PAGE_ROWS },
      { deadlineMs: LIST_DEADLINE_MS, signal },
    ),
  );
  const listing = { response, atMs: Date.now() };
  known.delete(key);
  known.set(key, listing);
  for (const oldest of known.keys()) {
    if (known.size <= LISTINGS) break;
    known.delete(oldest);
  }
  return listing;
}

const nameOf = (path: string) => path.replace(/\/$/, "").split("/").pop() ?? path;

/** Lists a folder: "/" is the mounts. `fresh` asks the store even if it was asked a moment ago. @throws RL_NO_SUCH_MOUNT, RL_NO_WORKERS, and what the store says */
export async function browse(
  observer: ClusterObserver,
  path: string,
  after: string,
  fresh: boolean,
  signal: AbortSignal,
): Promise<BrowsePage> {
  if (path === "/") {
    const entries = observer
      .snapshot()
      .mounts.map(({ record }): BrowseEntry => ({ kind: "folder", name: record.name, path: `/${record.name}/` }));
    return { path, entries, truncated: false, next: "", answered: 0, asked: 0, listedMs: Date.now() };
  }
  const folder = path.endsWith("/") ? path : `${path}/`;
  parsePath(folder);
  const { response: listing, atMs } = await list(observer, folder, after, fresh, signal);
  const objects = listing.objects.filter((object) => object.path !== folder);
  // Asked for a folder without files too: how many answer is part of what the page says.
  const coverage = await askAll(observer, (client) =>
    callUnary(
      client,
      "coverage",
      { objects: objects.map(({ path: name, version, sizeBytes }) => ({ path: name, version, sizeBytes })) },
      { deadlineMs: ASK_DEADLINE_MS, signal },
    ),
  );
  const pageBytes = coverage.answers[0]?.value.pageBytes ?? 0;
  const files = objects.map((object, index): BrowseEntry => {
    const runs = uniteRuns(coverage.answers.map(({ value }) => value.objects[index]?.cached ?? []));
    return {
      kind: "file",
      name: nameOf(object.path),
      path: object.path,
      sizeBytes: object.sizeBytes,
      modifiedMs: object.modifiedUnixMs,
      cachedBytes: runBytes(runs, object.sizeBytes, pageBytes),
    };
  });
  const folders = listing.commonPrefixes.map(
    (prefix): BrowseEntry => ({
      kind: "folder",
      name: nameOf(prefix),
      path: prefix,
    }),
  );
  return {
    path: folder,
    entries: [...folders, ...files],
    truncated: listing.truncated,
    next: listing.nextStartAfter,
    answered: coverage.answers.length,
    asked: coverage.asked,
    listedMs: atMs,
  };
}

/** Everything about one file, from all workers. @throws RL_NOT_FOUND, RL_NO_SUCH_MOUNT, RL_NO_WORKERS */
export async function fileDetail(observer: ClusterObserver, path: string, signal: AbortSignal): Promise<FileDetail> {
  parsePath(path);
  const { answers, asked } = await askAll(observer, (client) =>
    callUnary(client, "explain", { path }, { deadlineMs: ASK_DEADLINE_MS, signal }),
  );
  const home = answers.find(({ value }) => value.segments[0]?.owners[0] === value.workerId)?.value;
  const best = home?.object ? home : answers.find(({ value }) => value.object)?.value;
  if (!best?.object) throw new RinglightError("RL_NOT_FOUND", `the store behind the mount has no object ${path}`);
  const { object } = best;
  const runs = uniteRuns(answers.map(({ value }) => value.cached));
  const cachedBytes = runBytes(runs, object.sizeBytes, best.pageBytes);
  return {
    path,
    ufsUri: best.ufsUri,
    sizeBytes: object.sizeBytes,
    version: object.version,
    etag: object.etag,
    modifiedMs: object.modifiedUnixMs,
    contentType: object.contentType,
    userMetadata: object.userMetadata,
    epoch: best.epoch,
    segments: best.segments,
    pageBytes: best.pageBytes,
    pageCount: best.pageCount,
    cachedBytes,
    cached: answers
      .filter(({ value }) => value.cached.length > 0)
      .map(({ id, value }) => ({ workerId: id, runs: value.cached, bytes: value.cachedBytes })),
    accesses: answers
      .flatMap(({ id, value }) =>
        value.accesses.map(({ atUnixMs, ...access }) => ({ ...access, workerId: id, atMs: atUnixMs })),
      )
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, ACCESSES),
    // Another worker that answered in the owner's place knows only why it would miss itself.
    nextMissReason: cachedBytes >= object.sizeBytes ? "" : home === undefined ? "owner_down" : best.missReason,
    evictedBy: home === undefined ? "" : best.evictedBy,
    rules: best.policy?.effects ?? [],
    metadataAgeMs: best.metadataAgeMs,
    answered: answers.length,
    asked,
  };
}
