/**
 * Loads one unit: the metadata where this worker is the object's home, and the pages that are not cached, by the same page
 * reader that serves readers, so that no page is fetched twice. The outcome is what the page store holds afterwards, not
 * what was offered to it.
 */
import {
  formatPath,
  isRinglightError,
  newReadStatus,
  type ObjectMeta,
  pageLength,
  RinglightError,
  releasePooled,
  toRinglightError,
} from "@ringlight/core";
import type { TaskUnit } from "@ringlight/proto";
import { objectToProto } from "@ringlight/rpc";
import type { PageReadRequest } from "./page-reader.ts";
import { pagesOfColumns } from "./task-columns.ts";
import {
  missingRuns,
  outcomeOf,
  type PageRunRange,
  presentBytes,
  retried,
  type TaskSettings,
  type TaskSources,
  type UnitOutcome,
  type UnitPages,
  unitPages,
} from "./task-unit.ts";
import { verifyUnit } from "./task-verify.ts";

/** Transfers at once for one unit: as many streams as one store connection each needs to fill a link. */
const UNIT_TRANSFERS = 4;
/** Objects up to this are learned by one GET where nothing is known of them, bytes. */
const LEARNED_BYTES = 1024 * 1024;

/** Loads a unit. Failures of the store are outcomes; only an abort is thrown. */
export async function loadUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  let readBytes = 0;
  const counted: TaskSettings = {
    ...settings,
    onRead: (bytes) => {
      readBytes += bytes;
      settings.onRead(bytes);
    },
  };
  let pages: UnitPages | undefined;
  let before: number | undefined;
  let failure: RinglightError | undefined;
  try {
    const outcome = await retried(sources.clock, settings.signal, async () => {
      pages ??= await unitPages(sources, unit);
      if (counted.columns.length > 0 && pages.only === undefined) {
        const whole = pages;
        try {
          const found = await pagesOfColumns(sources, whole, counted);
          ({ pages } = found);
          before ??= found.before;
        } catch (error) {
          if (!isRinglightError(error, "RL_VERSION_CHANGED") && !isRinglightError(error, "RL_NOT_FOUND")) throw error;
          return changedOutcome(sources, whole, error);
        }
      }
      before ??= presentBytes(sources, pages);
      const outcome = await attemptLoad(sources, pages, unit, counted, before);
      return pages.only === undefined ? outcome : { ...outcome, wantedBytes: pages.bytes };
    });
    return { ...outcome, readBytes };
  } catch (error) {
    if (settings.signal.aborted) throw error;
    failure = toRinglightError(error);
  }
  const present = pages === undefined ? 0 : presentBytes(sources, pages);
  return outcomeOf("failed", {
    presentBytes: present,
    cachedBeforeBytes: Math.min(before ?? 0, present),
    readBytes,
    code: failure?.code ?? "RL_INTERNAL",
    message: failure?.message ?? "",
  });
}

async function attemptLoad(
  sources: TaskSources,
  pages: UnitPages,
  unit: TaskUnit,
  settings: TaskSettings,
  before: number,
): Promise<UnitOutcome> {
  const bytes = settings.metadataOnly ? 0 : pages.bytes;
  if (settings.skipCached && !settings.metadataOnly && before === bytes) {
    return outcomeOf("cached", { presentBytes: before, cachedBeforeBytes: before });
  }
  let learned: ObjectMeta | undefined;
  if (unit.segment === 0 && before === 0 && pages.bytes === pages.meta.sizeBytes && !settings.metadataOnly) {
    learned = await learnWhole(sources, pages, settings);
    if (learned !== undefined && learned.version !== pages.meta.version) return changedTo(pages, learned);
  }
  // The metadata and the pages of the version that was listed come at the same time; the pages are conditional on it.
  const asked = unit.segment === 0 && learned === undefined;
  const home = asked ? currentMeta(sources, pages) : Promise.resolve(learned);
  home.catch(() => undefined);
  const knownBefore =
    settings.metadataOnly && asked && sources.objects.peekMetadata(pages.record, pages.key)?.meta !== undefined;
  if (!settings.metadataOnly) {
    try {
      await fetchMissing(sources, pages, settings);
    } catch (error) {
      const changed = isRinglightError(error, "RL_VERSION_CHANGED") || isRinglightError(error, "RL_NOT_FOUND");
      if (!changed) throw error;
      return changedOutcome(sources, pages, error);
    }
  }
  const meta = await home;
  if (meta !== undefined && meta.version !== pages.meta.version) return changedTo(pages, meta);
  if (settings.metadataOnly) return outcomeOf(knownBefore ? "cached" : "loaded");

  let present = presentBytes(sources, pages);
  let verified = false;
  if (settings.verify && present === bytes) {
    verified = await verifyUnit(sources, pages, meta, settings, () => fetchMissing(sources, pages, settings));
    present = presentBytes(sources, pages);
  }
  const fields = { presentBytes: present, cachedBeforeBytes: Math.min(before, present), verified };
  if (present < bytes) return refused(sources, pages, fields);
  return outcomeOf(before === bytes ? "cached" : "loaded", fields);
}

/** A small object of which nothing is known: one GET brings its metadata and its pages. Undefined where that will not do. */
async function learnWhole(
  { objects, pages: reader }: TaskSources,
  { key, record, ufs, version, meta }: UnitPages,
  { limits, signal, traceparent, onRead }: TaskSettings,
): Promise<ObjectMeta | undefined> {
  const { sizeBytes } = meta;
  if (sizeBytes > Math.min(limits.pieceBytes, LEARNED_BYTES)) return undefined;
  if (!objects.canLearnWhole({ record, ufs }, key, sizeBytes)) return undefined;
  await limits.rate.take(sizeBytes, signal);
  return limits.transfers.run(async () => {
    signal.throwIfAborted();
    const giveBack = await reader.reserve(sizeBytes);
    try {
      return await objects.learnWhole({ record, ufs }, key, meta, version, { traceparent, onFetched: onRead }, signal);
    } finally {
      giveBack();
    }
  });
}

/** The current metadata; asked for anew where what is remembered is of another version than was listed. */
async function currentMeta({ objects }: TaskSources, pages: UnitPages): Promise<ObjectMeta> {
  const meta = await objects.head(pages.mount, pages.key);
  return meta.version === pages.meta.version ? meta : objects.refresh(pages.mount, pages.key);
}

/** The object is not what was listed: says what it is now. @throws RL_NOT_FOUND, or the passing error if it is the same after all */
async function changedOutcome({ objects }: TaskSources, pages: UnitPages, cause: unknown): Promise<UnitOutcome> {
  const meta = await objects.refresh(pages.mount, pages.key);
  if (meta.version === pages.meta.version) throw cause;
  return changedTo(pages, meta);
}

function changedTo({ mount, key }: UnitPages, meta: ObjectMeta): UnitOutcome {
  return outcomeOf("changed", {
    code: "RL_VERSION_CHANGED",
    message: "the object changed in the store after it was listed",
    object: objectToProto(formatPath({ mount, key }), meta),
  });
}

function refused(
  { store }: TaskSources,
  pages: UnitPages,
  fields: Pick<UnitOutcome, "presentBytes" | "cachedBeforeBytes" | "verified">,
): UnitOutcome {
  let index = pages.first;
  while (index < pages.last && store.peek(pages.version, index) !== undefined) index++;
  const reason = store.missReason(pages.version, index);
  const why = reason === "evicted" ? "evicted again at once: the tiers are too small" : "no tier took them";
  const missing = pages.bytes - fields.presentBytes;
  return outcomeOf("refused", {
    ...fields,
    code: "RL_NOT_CACHED",
    message: `${missing} of ${pages.bytes} bytes are not cached (${reason}): ${why}`,
  });
}

/** Fetches what is missing, a few pieces at once, within the job's limits. */
async function fetchMissing(sources: TaskSources, pages: UnitPages, settings: TaskSettings): Promise<void> {
  const runs = missingRuns(sources, pages, settings.limits.pieceBytes);
  if (runs.length === 0) return;
  let next = 0;
  // The first piece that fails ends the others: the unit will be tried again as a whole.
  const ending = new AbortController();
  const signal = AbortSignal.any([settings.signal, ending.signal]);
  const lane = async () => {
    for (let run = runs[next++]; run !== undefined; run = runs[next++]) {
      signal.throwIfAborted();
      await fetchRun(sources, pages, run, { ...settings, signal });
    }
  };
  const lanes = Array.from({ length: Math.min(UNIT_TRANSFERS, runs.length) }, () =>
    lane().catch((error: unknown) => {
      ending.abort(error);
      throw error;
    }),
  );
  const settled = await Promise.allSettled(lanes);
  settings.signal.throwIfAborted();
  if (ending.signal.aborted) throw ending.signal.reason;
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Fetches one run of pages by the page reader, within the job's limits, and waits until the store has decided on them. */
export async function fetchRun(
  { pages: reader, pageBytes }: TaskSources,
  pages: UnitPages,
  run: PageRunRange,
  { limits, signal, traceparent, onRead }: TaskSettings,
): Promise<void> {
  const { meta, version, mount, key, ufs } = pages;
  const start = run.first * pageBytes;
  const end = (run.last - run.first) * pageBytes + start + pageLength(meta.sizeBytes, pageBytes, run.last) - 1;
  const bytes = end - start + 1;
  await limits.rate.take(bytes, signal);
  await limits.transfers.run(async () => {
    signal.throwIfAborted();
    const giveBack = await reader.reserve(bytes);
    const range = { start, end };
    try {
      let arrived = 0;
      const request: PageReadRequest = {
        ...{ mount, key, version, meta, ufs, range, signal, traceparent },
        status: newReadStatus(),
        background: true,
        onFetched: onRead,
      };
      for await (const piece of reader.read(request)) {
        arrived += piece.length;
        releasePooled(piece);
      }
      if (arrived !== bytes) throw new RinglightError("RL_INTERNAL", `${arrived} of ${bytes} bytes arrived`);
      await reader.settled(version, run.first, run.last);
    } finally {
      giveBack();
    }
  });
}
