/** The tasks that read nothing from stores but metadata: look what is cached, drop it, check it, compare it with a listing. */
import { formatPath, isRinglightError, type ObjectMeta, pageLength } from "@ringlight/core";
import type { TaskUnit } from "@ringlight/proto";
import { objectToProto } from "@ringlight/rpc";
import { pageVersion } from "./object-reader.ts";
import { pagesOfColumns } from "./task-columns.ts";
import {
  missingRuns,
  outcomeOf,
  presentBytes,
  type TaskSettings,
  type TaskSources,
  type UnitOutcome,
  type UnitPages,
  unitPages,
} from "./task-unit.ts";

/** Says what of a unit is cached: "cached" for all of it, else "missing". */
export async function checkUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  const all = await unitPages(sources, unit);
  const pages = settings.columns.length === 0 ? all : (await pagesOfColumns(sources, all, settings)).pages;
  const wantedBytes = pages.only === undefined ? 0 : pages.bytes;
  const present = presentBytes(sources, pages);
  if (present === pages.bytes) {
    return outcomeOf("cached", { presentBytes: present, cachedBeforeBytes: present, wantedBytes });
  }
  const index = missingRuns(sources, pages, sources.pageBytes)[0]?.first ?? pages.last;
  return outcomeOf("missing", {
    presentBytes: present,
    cachedBeforeBytes: present,
    wantedBytes,
    code: "RL_NOT_CACHED",
    message: `${pages.bytes - present} of ${pages.bytes} bytes are not cached (${sources.store.missReason(pages.version, index)})`,
  });
}

/** Drops the pages of the version that was listed, and of the one that this worker believes in. */
export async function freeUnit(sources: TaskSources, unit: TaskUnit): Promise<UnitOutcome> {
  const pages = await unitPages(sources, unit);
  const freed = drop(sources, pages);
  const known = sources.objects.peekMetadata(pages.record, pages.key)?.meta;
  const other =
    known === undefined || known.version === unit.version ? 0 : drop(sources, versionOf(sources, pages, known));
  return outcomeOf("freed", { cachedBeforeBytes: freed + other });
}

function drop(sources: TaskSources, pages: UnitPages): number {
  const bytes = presentBytes(sources, pages);
  sources.store.invalidate(pages.version);
  return bytes;
}

/** The pages of another version of the same object. */
function versionOf({ pageBytes }: TaskSources, pages: UnitPages, meta: ObjectMeta): UnitPages {
  return {
    ...pages,
    version: pageVersion(pages.record, pages.key, meta.version),
    meta,
    first: 0,
    last: Math.ceil(meta.sizeBytes / pageBytes) - 1,
    bytes: meta.sizeBytes,
  };
}

/** Checks the cached pages of a unit against their checksums, at the job's rate. Pages that fail are dropped by the page store. */
export async function scrubUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  const { store, pageBytes } = sources;
  const pages = await unitPages(sources, unit);
  const before = presentBytes(sources, pages);
  let bad = 0;
  for (let index = pages.first; index <= pages.last; index++) {
    if (store.peek(pages.version, index) === undefined) continue;
    const bytes = pageLength(pages.meta.sizeBytes, pageBytes, index);
    await settings.limits.rate.take(bytes, settings.signal);
    settings.signal.throwIfAborted();
    const page = await store.open(pages.version, index, { verify: true });
    if (page !== undefined) page.release();
    else if (store.missReason(pages.version, index) === "corrupt") bad++;
  }
  const present = presentBytes(sources, pages);
  const fields = { presentBytes: present, cachedBeforeBytes: before };
  if (bad === 0) return outcomeOf("clean", { ...fields, verified: before > 0 });
  return outcomeOf("failed", {
    ...fields,
    code: "RL_CORRUPT",
    message: `${bad} page${bad === 1 ? "" : "s"} failed the checksum and were dropped; the next read fetches them anew`,
  });
}

/**
 * Compares what this worker believes of an object with what was listed a moment ago. Where it differs the worker asks the
 * store, which drops the pages of the old version. An object that it knows nothing of is no business of its.
 */
export async function syncUnit(sources: TaskSources, unit: TaskUnit): Promise<UnitOutcome> {
  const { objects } = sources;
  const pages = await unitPages(sources, unit);
  const known = objects.peekMetadata(pages.record, pages.key);
  if (known === undefined || known.meta?.version === unit.version) return outcomeOf("clean");
  try {
    const meta = await objects.refresh(pages.mount, pages.key);
    const path = formatPath({ mount: pages.mount, key: pages.key });
    return outcomeOf(meta.version === known.meta?.version ? "clean" : "changed", { object: objectToProto(path, meta) });
  } catch (error) {
    if (isRinglightError(error, "RL_NOT_FOUND")) return outcomeOf("changed");
    throw error;
  }
}
