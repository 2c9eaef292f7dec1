/** What the units of a task have in common: where a unit's pages are, and what of them is cached. */
import {
  type Clock,
  isRinglightError,
  type MountRecord,
  type PageStore,
  pageLength,
  parsePath,
  type Ufs,
  type VersionId,
} from "@ringlight/core";
import type { ObjectCoverage, TaskUnit, UnitResult } from "@ringlight/proto";
import type { CopyJournal } from "./copy-journal.ts";
import type { MountTable } from "./mount-table.ts";
import { type ObjectReader, pageVersion } from "./object-reader.ts";
import type { PageReader } from "./page-reader.ts";
import type { CachedSource } from "./peer-fill.ts";
import type { JobLimits } from "./task-limits.ts";
import type { Writer } from "./writer.ts";

/** Times that a unit is tried, and the pause before the second; each further pause is four times as long. */
const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 250;

/** Errors after which the same unit may succeed a moment later. */
const PASSING = [
  "RL_UFS_UNAVAILABLE",
  "RL_UFS_TIMEOUT",
  "RL_UFS_ERROR",
  "RL_OVERLOADED",
  "RL_VERSION_CHANGED",
  // Another worker went on with the same copy, and ended it.
  "RL_NO_SUCH_UPLOAD",
] as const;

/** What tasks need of the worker. */
export interface TaskSources {
  readonly mounts: MountTable;
  readonly objects: ObjectReader;
  readonly pages: PageReader;
  readonly store: PageStore;
  readonly pageBytes: number;
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly writer: Writer;
  /** Copies in parts that were interrupted. */
  readonly copies: CopyJournal;
  /** The cached pages of an object at another worker; undefined when that is not known any more. */
  readonly cachedAt: (workerId: string, mount: string, key: string, traceparent: string) => CachedSource | undefined;
  /** What another worker has cached of each of some objects; undefined when it is not known any more. @throws why it does not answer */
  readonly coverageAt: (
    workerId: string,
    objects: readonly { readonly path: string; readonly version: string; readonly sizeBytes: number }[],
    signal: AbortSignal,
  ) => Promise<readonly ObjectCoverage[] | undefined>;
}

/** How a task does its units. */
export interface TaskSettings {
  readonly op: string;
  readonly verify: boolean;
  readonly skipCached: boolean;
  readonly metadataOnly: boolean;
  /** Only these columns of Parquet files; none for whole objects. */
  readonly columns: readonly string[];
  /** Replace objects of the target that are others. */
  readonly overwrite: boolean;
  readonly limits: JobLimits;
  readonly signal: AbortSignal;
  /** W3C trace context of the task. */
  readonly traceparent: string;
  /** Told of bytes read from a store. */
  readonly onRead: (bytes: number) => void;
}

/** A unit's place: its object version, and the pages of it that are meant. */
export interface UnitPages {
  readonly mount: string;
  readonly key: string;
  readonly record: MountRecord;
  readonly ufs: Ufs;
  readonly version: VersionId;
  /** Version token of the UFS, and size of the whole object. */
  readonly meta: { readonly version: string; readonly sizeBytes: number };
  /** First and last page; none when `last` is less than `first`. */
  readonly first: number;
  readonly last: number;
  /** Of these pages only some are meant. */
  readonly only?: ReadonlySet<number>;
  readonly bytes: number;
}

/** What became of a unit, without its number. */
export type UnitOutcome = Omit<UnitResult, "unit">;

/** An outcome with nothing to say but what is given. */
export function outcomeOf(outcome: string, fields: Partial<UnitOutcome> = {}): UnitOutcome {
  return {
    outcome,
    presentBytes: 0,
    cachedBeforeBytes: 0,
    readBytes: 0,
    verified: false,
    code: "",
    message: "",
    object: undefined,
    wantedBytes: 0,
    ...fields,
  };
}

/** Finds a unit's pages. @throws RL_NO_SUCH_MOUNT, RL_BAD_REQUEST, or why the store cannot be opened */
export async function unitPages(sources: TaskSources, unit: TaskUnit): Promise<UnitPages> {
  const { mount, key } = parsePath(unit.path);
  const { record, ufs } = await sources.mounts.get(mount);
  const { pageBytes, segmentBytes } = sources;
  const start = unit.whole ? 0 : unit.segment * segmentBytes;
  const end = unit.whole ? unit.sizeBytes : Math.min(unit.sizeBytes, start + segmentBytes);
  return {
    mount,
    key,
    record,
    ufs,
    version: pageVersion(record, key, unit.version),
    meta: { version: unit.version, sizeBytes: unit.sizeBytes },
    first: Math.floor(start / pageBytes),
    last: Math.ceil(end / pageBytes) - 1,
    bytes: Math.max(0, end - start),
  };
}

/** Bytes of the unit that the store holds now. */
export function presentBytes({ store, pageBytes }: TaskSources, pages: UnitPages): number {
  let bytes = 0;
  for (let index = pages.first; index <= pages.last; index++) {
    if (pages.only?.has(index) === false) continue;
    if (store.peek(pages.version, index) !== undefined) bytes += pageLength(pages.meta.sizeBytes, pageBytes, index);
  }
  return bytes;
}

/** Numbers of the unit's pages that the store holds now. */
export function presentPages({ store }: TaskSources, pages: UnitPages): Set<number> {
  const held = new Set<number>();
  for (let index = pages.first; index <= pages.last; index++) {
    if (store.peek(pages.version, index) !== undefined) held.add(index);
  }
  return held;
}

/** Adjacent pages, the first and the last of them. */
export interface PageRunRange {
  readonly first: number;
  readonly last: number;
}

/** Runs of the unit's pages that the store does not hold, each of at most so many bytes but at least one page. */
export function missingRuns(sources: TaskSources, pages: UnitPages, mostBytes: number): PageRunRange[] {
  return meantRuns(
    pages,
    sources.pageBytes,
    mostBytes,
    (index) => sources.store.peek(pages.version, index) === undefined,
  );
}

/** Runs of those of the unit's pages that are meant, and wanted. */
export function meantRuns(
  pages: UnitPages,
  pageBytes: number,
  mostBytes: number,
  isWanted: (index: number) => boolean = () => true,
): PageRunRange[] {
  const most = Math.max(1, Math.floor(mostBytes / pageBytes));
  const runs: { first: number; last: number }[] = [];
  for (let index = pages.first; index <= pages.last; index++) {
    if (pages.only?.has(index) === false || !isWanted(index)) continue;
    const run = runs.at(-1);
    if (run !== undefined && run.last === index - 1 && index - run.first < most) run.last = index;
    else runs.push({ first: index, last: index });
  }
  return runs;
}

/** True for errors after which the same may succeed a moment later. */
export function mayPass(error: unknown): boolean {
  return PASSING.some((code) => isRinglightError(error, code));
}

/** Does the work, and again after errors that may have passed. @throws its last error, or the signal's reason */
export async function retried<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !mayPass(error) || attempt === ATTEMPTS) throw error;
      await clock.sleep(FIRST_PAUSE_MS * 4 ** (attempt - 1), signal);
    }
  }
}
