/** Answers "where does this path live, what is cached of it here, and what did its last reads meet?" */
import {
  formatPath,
  isRinglightError,
  type ObjectMeta,
  pageCount,
  pageLength,
  parsePath,
  RinglightError,
  type PageRun as StoredRun,
  segmentKey,
  type VersionId,
} from "@ringlight/core";
import type {
  CoverageRequest,
  CoverageResponse,
  ExplainResponse,
  FindReadResponse,
  SegmentPlacement,
} from "@ringlight/proto";
import { mountToProto, objectToProto } from "@ringlight/rpc";
import type { LocalPageStore } from "@ringlight/store";
import type { MountTable } from "./mount-table.ts";
import { type ObjectReader, pageVersion } from "./object-reader.ts";
import type { PageReader } from "./page-reader.ts";
import { BLOCK_BYTES, blockOf } from "./part-reader.ts";
import type { Policies } from "./policies.ts";
import type { RingKeeper } from "./ring-keeper.ts";

/** Segments that are listed; a larger object's further segments are placed the same way. */
const MAX_SEGMENTS = 64;
const OWNERS_SHOWN = 3;

/** What explain needs of the worker. */
export interface ExplainSources {
  readonly workerId: string;
  readonly ring: RingKeeper;
  readonly mounts: MountTable;
  readonly objects: ObjectReader;
  readonly pages: PageReader;
  readonly store: LocalPageStore;
  readonly policies: Policies;
  readonly pageBytes: number;
  readonly segmentBytes: number;
}

/** Explains a path from this worker's point of view. @throws RL_NO_SUCH_MOUNT, RL_BAD_REQUEST, the UFS's errors */
export async function explain(sources: ExplainSources, path: string): Promise<ExplainResponse> {
  const { workerId, ring, mounts, objects, pages, store, pageBytes, segmentBytes } = sources;
  const { mount, key } = parsePath(path);
  const record = mounts.record(mount);
  const known = objects.peekMetadata(record, key);
  let meta: ObjectMeta | undefined;
  try {
    meta = await objects.head(mount, key);
  } catch (error) {
    if (!isRinglightError(error, "RL_NOT_FOUND")) throw error;
  }
  const size = meta?.sizeBytes ?? 0;
  const segments: SegmentPlacement[] = [];
  for (let segment = 0; segment === 0 || (segment * segmentBytes < size && segment < MAX_SEGMENTS); segment++) {
    const place = segmentKey(mount, key, segment);
    segments.push({ segment, arc: ring.ring.arcOf(place), owners: ring.ring.owners(place, OWNERS_SHOWN) });
  }
  const version = meta && pageVersion(record, key, meta.version);
  const cached = cachedOf(store, version, size, pageBytes);
  const count = pageCount(size, pageBytes);
  const missing = firstGap(cached.runs, count);
  const why = version === undefined || missing === undefined ? undefined : store.whyGone(version, missing);
  const policy = sources.policies.policyOf(mount, key);
  const movedHere = ring.movedTo(workerId, segmentKey(mount, key, 0)) ? ("rebalanced" as const) : undefined;
  return {
    workerId,
    path: formatPath({ mount, key }),
    mount: mountToProto(record),
    ufsUri: `${record.uri.replace(/\/$/, "")}/${key}`,
    object: meta && objectToProto(formatPath({ mount, key }), meta),
    epoch: ring.ring.epoch,
    segments,
    pageBytes,
    pageCount: count,
    cached: cached.runs,
    cachedBytes: cached.bytes,
    accesses: objects.accesses
      .of(formatPath({ mount, key }))
      .map(({ atMs, ...access }) => ({ ...access, atUnixMs: Math.round(atMs) })),
    missReason: version === undefined || missing === undefined ? "" : pages.missReason(version, missing, movedHere),
    policy: policy && {
      ttlMs: policy.ttlMs ?? 0,
      pin: policy.pin ?? false,
      priority: policy.priority ?? "",
      rules: [...policy.rules],
      effects: sources.policies.effectsOf(mount, key).map((effect) => ({ decidedBy: "", ...effect })),
    },
    evictedBy: why === "ttl" || why === "quota" ? why : "",
    metadataAgeMs: known === undefined || !Number.isFinite(known.ageMs) ? -1 : Math.round(known.ageMs),
  };
}

/** Ids shorter than this could be anybody's. */
const ID = /^[0-9a-f]{16}(?:[0-9a-f]{16})?$/;

/** The read of a trace id or request id, while it is among the last of its object. @throws RL_BAD_REQUEST */
export function findRead({ workerId, objects }: ExplainSources, id: string): FindReadResponse {
  if (!ID.test(id)) throw new RinglightError("RL_BAD_REQUEST", `"${id}" is no trace id or request id`);
  const found = objects.accesses.find(id);
  if (found === undefined) return { workerId, path: "", access: undefined };
  const { atMs, ...access } = found.access;
  return { workerId, path: found.path, access: { ...access, atUnixMs: Math.round(atMs) } };
}

/** Which pages of the given versions are held here. Mounts that do not exist hold nothing. */
export function coverage(sources: ExplainSources, request: CoverageRequest): CoverageResponse {
  const { workerId, mounts, store, pageBytes } = sources;
  const names = new Map(mounts.list().map((record) => [record.name, record]));
  return {
    workerId,
    pageBytes,
    objects: request.objects.map((object) => {
      const { mount, key } = parsePath(object.path);
      const record = names.get(mount);
      const version = record && pageVersion(record, key, object.version);
      const { runs, bytes } = cachedOf(store, version, object.sizeBytes, pageBytes);
      return { cached: runs, cachedBytes: bytes };
    }),
  };
}

/** The pages of a version that are here, and the bytes of them and of blocks of other pages. */
function cachedOf(
  store: Pick<LocalPageStore, "cachedRuns">,
  version: VersionId | undefined,
  sizeBytes: number,
  pageBytes: number,
): { readonly runs: { first: number; last: number }[]; readonly bytes: number } {
  const runs: { first: number; last: number }[] = [];
  let blockBytes = 0;
  for (const { first, last } of version === undefined ? [] : store.cachedRuns(version)) {
    const from = blockOf(first);
    if (from === undefined) {
      runs.push({ first, last });
      continue;
    }
    for (let block = from; block <= from + last - first; block++) {
      const page = Math.floor((block * BLOCK_BYTES) / pageBytes);
      if (runs.some((run) => run.first <= page && page <= run.last)) continue;
      blockBytes += pageLength(sizeBytes, BLOCK_BYTES, block);
    }
  }
  return { runs, bytes: runBytes(runs, sizeBytes, pageBytes) + blockBytes };
}

function runBytes(runs: readonly StoredRun[], sizeBytes: number, pageBytes: number): number {
  return runs.reduce(
    (sum, { first, last }) => sum + (last - first) * pageBytes + pageLength(sizeBytes, pageBytes, last),
    0,
  );
}

/** Index of the first page that no run holds, or undefined when all are held. */
function firstGap(runs: readonly StoredRun[], count: number): number | undefined {
  let next = 0;
  for (const { first, last } of runs) {
    if (first > next) return next;
    next = last + 1;
  }
  return next < count ? next : undefined;
}
