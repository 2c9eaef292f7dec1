/**
 * Takes over what another worker has cached of a unit, after the ring has made this worker its owner. Nothing is read from a
 * store: what nobody holds stays cold. The pages go through the page reader, so that readers who come meanwhile join in.
 */
import { type ByteRange, isRinglightError, pageLength, type RinglightError, toRinglightError } from "@ringlight/core";
import type { TaskUnit } from "@ringlight/proto";
import { PeerFailure } from "./peer-client.ts";
import { type CachedSource, cachedOnly } from "./peer-fill.ts";
import { fetchRun } from "./task-load.ts";
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

/** How long another worker may take to say what it has of a whole task, milliseconds. */
export const COVERAGE_MS = 2_000;

/**
 * The units, each only with those sources that have pages of it: one question to each for the whole task, since most units of a
 * hand-over have nothing to come, and a question for each of them costs what a small object does. A source that does not
 * answer is asked again for each unit.
 */
export async function withHolders(
  { coverageAt, pageBytes, segmentBytes }: Pick<TaskSources, "coverageAt" | "pageBytes" | "segmentBytes">,
  units: readonly TaskUnit[],
  signal: AbortSignal,
): Promise<TaskUnit[]> {
  const bySource = new Map<string, number[]>();
  for (const [index, { sources }] of units.entries()) {
    for (const id of sources) {
      const asked = bySource.get(id);
      if (asked === undefined) bySource.set(id, [index]);
      else asked.push(index);
    }
  }
  const without = new Map<number, Set<string>>();
  const ask = async ([id, indices]: readonly [string, readonly number[]]) => {
    const objects = indices.map((index) => units[index]).filter((unit) => unit !== undefined);
    const answers = await coverageAt(id, objects, signal).catch(() => undefined);
    if (answers?.length !== objects.length) return;
    for (const [at, index] of indices.entries()) {
      const unit = units[index];
      if (unit === undefined) continue;
      const first = unit.whole ? 0 : Math.floor((unit.segment * segmentBytes) / pageBytes);
      const last = unit.whole
        ? Number.POSITIVE_INFINITY
        : Math.ceil(((unit.segment + 1) * segmentBytes) / pageBytes) - 1;
      if (answers[at]?.cached.some((run) => run.first <= last && run.last >= first)) continue;
      without.set(index, (without.get(index) ?? new Set()).add(id));
    }
  };
  await Promise.all([...bySource].map(ask));
  return units.map((unit, index) => {
    const none = without.get(index);
    return none === undefined ? unit : { ...unit, sources: unit.sources.filter((id) => !none.has(id)) };
  });
}

/** Pulls one unit: "loaded" where pages came, "cached" where there was nothing to come, "refused" where no tier took them. */
export async function pullUnit(sources: TaskSources, unit: TaskUnit, settings: TaskSettings): Promise<UnitOutcome> {
  const pages = await unitPages(sources, unit);
  const before = presentBytes(sources, pages);
  let readBytes = 0;
  const counted: TaskSettings = {
    ...settings,
    onRead: (bytes) => {
      readBytes += bytes;
      settings.onRead(bytes);
    },
  };
  let failure: RinglightError | undefined;
  for (const id of unit.sources) {
    if (missingRuns(sources, pages, Number.POSITIVE_INFINITY).length === 0) break;
    const source = sources.cachedAt(id, pages.mount, pages.key, settings.traceparent);
    if (source === undefined) continue;
    try {
      await pullFrom(sources, pages, source, counted);
    } catch (error) {
      settings.signal.throwIfAborted();
      // A page that left the other's cache in the meantime is as cold as one that never was there.
      if (isRinglightError(error, "RL_NOT_CACHED")) continue;
      failure = toRinglightError(error, error instanceof PeerFailure ? "RL_NO_WORKERS" : "RL_INTERNAL");
    }
  }
  const present = presentBytes(sources, pages);
  if (present > 0 && unit.segment === 0) sources.objects.noteHeld(pages.record, pages.key);
  const fields = { presentBytes: present, cachedBeforeBytes: Math.min(before, present), readBytes };
  if (failure !== undefined) return outcomeOf("failed", { ...fields, code: failure.code, message: failure.message });
  if (present - before < readBytes) {
    const message = `${readBytes - (present - before)} bytes came and are not cached: no tier took them`;
    return outcomeOf("refused", { ...fields, code: "RL_NOT_CACHED", message });
  }
  return outcomeOf(present > before ? "loaded" : "cached", fields);
}

async function pullFrom(
  sources: TaskSources,
  pages: UnitPages,
  source: CachedSource,
  settings: TaskSettings,
): Promise<void> {
  const { pageBytes } = sources;
  const { signal, limits } = settings;
  const end = pages.last * pageBytes + pageLength(pages.meta.sizeBytes, pageBytes, pages.last) - 1;
  const from = { ...pages, ufs: cachedOnly(pages.ufs, pages.meta.sizeBytes, source) };
  for (let start = pages.first * pageBytes; start <= end; ) {
    const coverage = await source.coverage(pages.meta, { start, end }, signal);
    for (const held of coverage) {
      for (const run of missingRuns(sources, { ...pages, ...pagesOf(held, pageBytes) }, limits.pieceBytes)) {
        signal.throwIfAborted();
        await fetchRun(sources, from, run, settings);
      }
    }
    const last = coverage.at(-1);
    if (last === undefined) return;
    start = last.end + 1;
  }
}

function pagesOf({ start, end }: ByteRange, pageBytes: number): { readonly first: number; readonly last: number } {
  return { first: Math.floor(start / pageBytes), last: Math.floor(end / pageBytes) };
}
