/**
 * Reads objects on this worker, as their owner or in an owner's place: metadata, conditions, range, pages.
 * Knows nothing of other workers. Long, because the ways to begin a read (known, learned, held) share one account of what is pinned.
 */
import {
  type ByteRange,
  type Clock,
  formatPath,
  isRinglightError,
  type MissReason,
  type MountRecord,
  type ObjectMeta,
  type PageStore,
  type ReadStatus,
  RinglightError,
  type StopSignal,
  segmentOf,
  stopOf,
  type VersionId,
} from "@ringlight/core";
import { type ReadPlan, resolvePlan } from "@ringlight/s3";
import { versionId } from "@ringlight/store";
import { startSpan } from "@ringlight/telemetry";
import { type Access, AccessLog } from "./access-log.ts";
import { isMadeBucket } from "./bucket-maker.ts";
import type { KnownObjects } from "./known-objects.ts";
import { MetadataCache } from "./metadata-cache.ts";
import type { MountTable, OpenMount } from "./mount-table.ts";
import type { PageReader } from "./page-reader.ts";
import type { Learned } from "./page-runs.ts";
import { PartReader } from "./part-reader.ts";
import { type CachedSource, type FillSource, filledFrom, handedOver } from "./peer-fill.ts";
import { noteRead, pathAttributes } from "./trace.ts";
import { VersionHolds } from "./version-holds.ts";

/** Times that a read starts over because the object changed before the first byte was sent. */
const MAX_RESTARTS = 8;
/** Runs of cached bytes that are told in one answer. */
const MAX_COVERAGE = 128;

/** The answer to a read. */
export type ObjectRead =
  | {
      readonly outcome: "ok";
      readonly meta: ObjectMeta;
      /** The range that was asked for, resolved; absent for an empty object. */
      readonly range?: ByteRange;
      /** The part of it that the body holds; absent when the body is empty. */
      readonly served?: ByteRange;
      /** True when a range was asked for. */
      readonly partial: boolean;
      readonly body: AsyncIterable<Uint8Array>;
      /** The body, where all of it is here: nothing can break off any more. */
      readonly whole?: Uint8Array;
    }
  | { readonly outcome: "not-modified" | "precondition-failed" | "bad-range"; readonly meta: ObjectMeta };

/** What goes with a read. */
export interface ReadContext {
  readonly signal: StopSignal;
  readonly status: ReadStatus;
  readonly traceId: string;
  /** W3C trace context of whoever asks. */
  readonly traceparent: string;
  /** Takes the place of `cold` as the reason of a miss. */
  readonly coldReason?: MissReason;
  /** The worker to fill missing pages from, for a segment that is hot there; its id. */
  readonly fillFrom?: string;
  /** The worker that held the segment before the ring changed: it is asked for missing pages that it has, before the UFS is. */
  readonly handOverFrom?: string;
}

/** Options of the object reader. */
export interface ObjectReaderOptions {
  readonly workerId: string;
  readonly mounts: MountTable;
  readonly store: PageStore;
  readonly pages: PageReader;
  /** Reads blocks of pages of which little is wanted; absent where pages are too short for that. */
  readonly blocks?: PageReader;
  readonly clock: Clock;
  readonly segmentBytes: number;
  readonly negativeTtlMs: number;
  /** See MetadataCacheOptions. */
  readonly resumedMs?: () => number;
  /** Remembers longer than the metadata is kept which objects were learned, for their pages may be here. */
  readonly knownObjects?: Pick<KnownObjects, "has" | "add">;
  /** Opens bytes at another worker; undefined when it is not known any more. */
  readonly fillSource?: (
    workerId: string,
    place: { readonly mount: string; readonly key: string },
    traceparent: string,
  ) => FillSource | undefined;
  /** Opens bytes that another worker has cached; undefined when it is not known any more. */
  readonly cachedSource?: (
    workerId: string,
    place: { readonly mount: string; readonly key: string },
    traceparent: string,
  ) => CachedSource | undefined;
  /** Counts the accesses by path. */
  readonly onAccess?: (path: string, access: Access) => void;
  /** Told of an object that turned out to have another version, or to be gone. */
  readonly onReplaced?: (mount: string, key: string) => void;
}

/** What a mount's pages and metadata are filed under: a mount that is pointed elsewhere never meets its old pages. */
function mountIdentity(record: MountRecord): string {
  let identity = identities.get(record);
  if (identity === undefined) {
    identity = identityOf(record);
    identities.set(record, identity);
  }
  return identity;
}

/** Asked for several times an object, and the same for as long as the record. */
const identities = new WeakMap<MountRecord, string>();

function identityOf(record: MountRecord): string {
  const { name, uri, options } = record;
  // A bucket that a client removed and made again under the same name is another one.
  const made = isMadeBucket(record) ? [record.createdMs] : [];
  return [name, uri, options.endpoint ?? "", ...made].join(" ");
}

/** Under which the metadata of an object of a mount is remembered. */
export function metadataId(record: MountRecord, key: string): string {
  return `${mountIdentity(record)}/${key}`;
}

/** The page store's id of an object version of a mount. */
export function pageVersion(record: MountRecord, key: string, version: string): VersionId {
  return versionId(mountIdentity(record), key, version);
}

/** Serves reads from this worker's own pages and metadata. */
export class ObjectReader {
  readonly #options: ObjectReaderOptions;
  readonly #metadata: MetadataCache;
  readonly #parts: PartReader;
  readonly #holds: VersionHolds;
  readonly accesses: AccessLog;

  constructor(options: ObjectReaderOptions) {
    this.#options = options;
    this.#parts = new PartReader(options.pages, options.blocks);
    this.accesses = new AccessLog(options.onAccess);
    this.#holds = new VersionHolds((version) => options.store.invalidate(version));
    this.#metadata = new MetadataCache({
      clock: options.clock,
      negativeTtlMs: options.negativeTtlMs,
      onLearned: (id) => options.knownObjects?.add(id),
      ...(options.resumedMs && { resumedMs: options.resumedMs }),
      onReplaced: (mountId, key, before, after, why) => {
        this.#holds.replaced(versionId(mountId, key, before.version));
        if (after !== undefined) this.#parts.noteSuccessor(versionId(mountId, key, after.version), why);
        options.onReplaced?.(mountId.slice(0, mountId.indexOf(" ")), key);
      },
    });
  }

  /** The version is being read past this reader: its pages stay until the returned function is called, whatever replaces it. */
  hold(version: VersionId): () => void {
    return this.#holds.hold(version);
  }

  /** Metadata of the current version. @throws RL_NOT_FOUND, RL_NO_SUCH_MOUNT, the UFS's errors */
  async head(mount: string, key: string): Promise<ObjectMeta> {
    return this.#head(await this.#options.mounts.get(mount), key);
  }

  /** Metadata of the version that the UFS has now, asked for whatever is remembered. @throws as head */
  async refresh(mount: string, key: string): Promise<ObjectMeta> {
    const open = await this.#options.mounts.get(mount);
    this.#metadata.expire(mountIdentity(open.record), key);
    return this.#head(open, key);
  }

  /** Forgets what is remembered of an object that was written: the next reader asks the UFS. Nothing for a mount that is not known. */
  forget(mount: string, key: string): void {
    const record = this.#options.mounts.peek(mount);
    if (record !== undefined) this.#metadata.forget(mountIdentity(record), key);
  }

  /** Nothing is known of the object, and one GET can bring its metadata and all of its pages. */
  canLearnWhole({ record, ufs }: OpenMount, key: string, sizeBytes: number): boolean {
    if (ufs.readCurrent === undefined || sizeBytes === 0) return false;
    if (this.#metadata.peek(mountIdentity(record), key) !== undefined) return false;
    return this.#options.pages.firstRun(ufs, 0, sizeBytes - 1).end >= sizeBytes - 1;
  }

  /**
   * Learns an object for a job, together with its pages; see canLearnWhole(). The pages are in the store, or refused, when
   * this returns, unless somebody else was asking for the metadata already. The caller has reserved the bytes.
   * @param id of the listed version
   * @throws the UFS's errors
   */
  async learnWhole(
    open: OpenMount,
    key: string,
    { version: listed, sizeBytes }: Pick<ObjectMeta, "version" | "sizeBytes">,
    id: VersionId,
    job: { readonly traceparent: string; readonly onFetched: (bytes: number) => void },
    signal: AbortSignal,
  ): Promise<ObjectMeta> {
    const { pages } = this.#options;
    const { record, ufs } = open;
    const identity = mountIdentity(record);
    const asked = pages.firstRun(ufs, 0, sizeBytes - 1);
    const source = { mount: record.name, key, ufs, background: true, ...job };
    const versionOf = (meta: ObjectMeta) => (meta.version === listed ? id : versionId(identity, key, meta.version));
    let learned: Learned | undefined;
    // Others may wait for the answer, so that it is not given up with the job; but pages that come after its end are let go of.
    const learn = async () => {
      const answer = await pages.learn(source, asked, versionOf, undefined);
      if (signal.aborted) answer.release();
      else learned = answer;
      return answer.meta;
    };
    const learnAll = async () => {
      const meta = await this.#head(open, key, learn);
      await learned?.run.whenDone();
      return meta;
    };
    try {
      signal.throwIfAborted();
      return await untilAborted(learnAll(), signal);
    } finally {
      learned?.release();
    }
  }

  /** Pages of the object are here although this worker never learned its metadata: the next reader asks by a HEAD, not by a GET. */
  noteHeld(record: MountRecord, key: string): void {
    this.#options.knownObjects?.add(metadataId(record, key));
  }

  /** Metadata that the freshness rule lets be used without asking anybody. @param id see metadataId */
  peekFresh(id: string, freshness: MountRecord["freshness"]): ObjectMeta | undefined {
    return this.#metadata.peekFresh(id, freshness);
  }

  /** What this worker remembers of the object's metadata. */
  peekMetadata(record: MountRecord, key: string): ReturnType<MetadataCache["peek"]> {
    return this.#metadata.peek(mountIdentity(record), key);
  }

  /**
   * Resolves a read against the current version and begins it. The first bytes are there when this returns, so that
   * errors of the UFS come as errors and not as broken bodies, and a change of the object up to then is not noticed.
   *
   * @param withinFirstSegment leave out what lies behind the first segment, which has owners of its own
   */
  async open(
    mount: string,
    key: string,
    plan: ReadPlan,
    context: ReadContext,
    withinFirstSegment: boolean,
  ): Promise<ObjectRead> {
    const open = await this.#options.mounts.get(mount);
    for (let restart = 0; ; restart++) {
      const learning = restart === 0 ? this.#learning(open, key, plan, context) : undefined;
      try {
        const meta = await this.#head(open, key, learning?.learn);
        const resolved = resolvePlan(plan, meta);
        if (resolved.outcome !== "ok") return { outcome: resolved.outcome, meta };
        const { range, partial } = resolved;
        const served = range && withinFirstSegment ? clip(range, this.#options.segmentBytes) : range;
        if (range === undefined || served === undefined) {
          return { outcome: "ok", meta, ...(range && { range }), partial, body: nothing() };
        }
        const begun = await this.#begin(open, key, meta, served, context, learning?.learned);
        return { outcome: "ok", meta, range, served, partial, ...begun };
      } catch (error) {
        if (!isRinglightError(error, "RL_VERSION_CHANGED") || restart >= MAX_RESTARTS) throw error;
      } finally {
        learning?.learned?.release();
      }
    }
  }

  /**
   * How to learn of an object by the GET of its first bytes instead of a HEAD before it. Undefined where that would not do:
   * the answer may have no body (conditions), or the place of its bytes depends on the size (the last bytes), or they are
   * here already.
   */
  #learning(
    { record, ufs }: OpenMount,
    key: string,
    { conditions, range }: ReadPlan,
    context: ReadContext,
  ): { learn: () => Promise<ObjectMeta>; learned: Learned | undefined } | undefined {
    const { pages, segmentBytes } = this.#options;
    if (
      ufs.readCurrent === undefined ||
      context.fillFrom !== undefined ||
      context.handOverFrom !== undefined ||
      range?.kind === "suffix" ||
      Object.keys(conditions).length > 0
    )
      return undefined;
    const start = range?.start ?? 0;
    // What lies behind the first segment has owners of its own.
    if (start >= segmentBytes) return undefined;
    const identity = mountIdentity(record);
    const remembered = this.#metadata.peek(identity, key);
    const known = remembered?.meta;
    // It was known once, and forgotten: its bytes may be here, which only its version tells.
    if (known === undefined && this.#options.knownObjects?.has(`${identity}/${key}`)) return undefined;
    const asked = pages.firstRun(ufs, start, Math.min(range?.end ?? segmentBytes - 1, segmentBytes - 1));
    const idOf = (meta: ObjectMeta) => versionId(identity, key, meta.version);
    if (known !== undefined && this.#parts.has(idOf(known), start)) return undefined;
    const source = { mount: record.name, key, ufs, traceparent: context.traceparent };
    const versionOf = (meta: ObjectMeta) => {
      const version = idOf(meta);
      if (known !== undefined && known.version !== meta.version) {
        this.#parts.noteSuccessor(version, remembered?.written ? "invalidated" : "expired");
      }
      return version;
    };
    const learning = {
      learned: undefined as Learned | undefined,
      learn: async () => {
        try {
          const learned = await pages.learn(source, asked, versionOf, context.coldReason);
          learning.learned = learned;
          return learned.meta;
        } catch (error) {
          // The object is empty, or ends before the range: only a HEAD says what it is.
          if (isRinglightError(error, "RL_BAD_RANGE")) return ufs.head(key);
          throw error;
        }
      },
    };
    return learning;
  }

  /** Reads a range of exactly the given version, whatever the current one is. @throws RL_VERSION_CHANGED */
  async openPinned(
    mount: string,
    key: string,
    pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
    range: ByteRange,
    context: ReadContext,
  ): Promise<AsyncIterable<Uint8Array>> {
    return (await this.#begin(await this.#options.mounts.get(mount), key, pinned, range, context)).body;
  }

  /**
   * What is cached here of a range of one version, for another worker: the bytes from the start of the range up to the first
   * page that is missing, each page checked against its checksums, or only where there are any. Asks no UFS.
   */
  async openCached(
    mount: string,
    key: string,
    pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
    range: ByteRange,
    want: "pages" | "coverage",
  ): Promise<{ served?: ByteRange; nextCached?: number; coverage?: ByteRange[]; body?: AsyncIterable<Uint8Array> }> {
    const { mounts, store, pages } = this.#options;
    const { record } = await mounts.get(mount);
    const version = pageVersion(record, key, pinned.version);
    const { pageBytes } = pages;
    const end = Math.min(range.end, pinned.sizeBytes - 1);
    const coverage: ByteRange[] = [];
    for (let index = pages.indexOf(range.start); index * pageBytes <= end; index++) {
      if (store.peek(version, index) === undefined) continue;
      const start = Math.max(range.start, index * pageBytes);
      const run = coverage.at(-1);
      const to = Math.min(end, (index + 1) * pageBytes - 1);
      if (run?.end === start - 1) coverage[coverage.length - 1] = { start: run.start, end: to };
      else if (coverage.length === (want === "pages" ? 2 : MAX_COVERAGE)) break;
      else coverage.push({ start, end: to });
    }
    if (want === "coverage") return { coverage };
    const [first, second] = coverage;
    if (first?.start !== range.start) return first === undefined ? {} : { nextCached: first.start };
    const body = cachedBytes(store, version, pageBytes, first);
    return { served: first, ...(second && { nextCached: second.start }), body };
  }

  #head(open: OpenMount, key: string, learn?: () => Promise<ObjectMeta>): Promise<ObjectMeta> {
    return this.#metadata.get(mountIdentity(open.record), key, open.record.freshness, open.ufs, learn);
  }

  /** Starts reading pages and waits for the first bytes. */
  async #begin(
    { record, ufs }: OpenMount,
    key: string,
    meta: Pick<ObjectMeta, "version" | "sizeBytes">,
    range: ByteRange,
    context: ReadContext,
    learned?: Learned,
  ): Promise<{ readonly body: AsyncIterable<Uint8Array>; readonly whole?: Uint8Array }> {
    const { clock, pages, workerId } = this.#options;
    const begun = learned?.run;
    const version = learned?.version ?? pageVersion(record, key, meta.version);
    const startedMs = clock.monotonicMs();
    const { status, signal, coldReason } = context;
    const atMs = clock.now();
    const trace = startSpan({ name: "ringlight.pages", caller: { traceparent: context.traceparent } });
    const first = Math.floor(range.start / this.#options.pages.pageBytes);
    trace.set({ "ringlight.owner": workerId, "ringlight.page.index": first });
    const release = this.#holds.hold(version);
    const ended = (error?: unknown) => {
      release();
      noteRead(status, trace);
      trace.end({ error, describe: () => pathAttributes(record.name, key) });
    };
    const { fillFrom, handOverFrom } = context;
    const place = { mount: record.name, key };
    const source = fillFrom && this.#options.fillSource?.(fillFrom, place, trace.context.traceparent);
    const before = handOverFrom && this.#options.cachedSource?.(handOverFrom, place, trace.context.traceparent);
    let from = ufs;
    if (source) from = filledFrom(ufs, meta.sizeBytes, source);
    else if (before) from = handedOver(ufs, meta.sizeBytes, before);
    // Another worker has pages, and what it has is brought over whole.
    const reader = from === ufs ? this.#parts : pages;
    const request = {
      mount: record.name,
      key,
      version,
      meta,
      ufs: from,
      range,
      status,
      signal,
      traceparent: trace.context.traceparent,
      ...(coldReason && { coldReason }),
      ...(begun && { begun }),
      ...(record.options.verify === "always" && { verify: true }),
    };
    const remember = (error?: unknown) => {
      ended(error);
      const [source] = status.bytesBySource.keys();
      this.accesses.add(formatPath({ mount: record.name, key }), {
        atMs,
        offset: range.start,
        length: range.end - range.start + 1,
        outcome: status.misses > 0 ? "miss" : status.joined > 0 ? "joined" : "hit",
        tier: source ?? "",
        missReason: status.missReason ?? "",
        durationMs: clock.monotonicMs() - startedMs,
        traceId: context.traceId,
      });
    };
    const served = () => {
      if (!status.servedBy.includes(workerId)) status.servedBy.push(workerId);
    };
    try {
      const small = begun && from === ufs ? await pages.readSmall(request, begun) : undefined;
      if (small !== undefined) {
        served();
        remember();
        return { body: only(small), whole: small };
      }
      const chunks = reader.read(request);
      const first = await trace.run(() => chunks.next());
      served();
      return { body: continued(first, chunks, remember, (error) => this.#onReadError(error, record, key)) };
    } catch (error) {
      ended(error);
      this.#onReadError(error, record, key);
      throw error;
    }
  }

  #onReadError(error: unknown, record: MountRecord, key: string): void {
    if (isRinglightError(error, "RL_VERSION_CHANGED") || isRinglightError(error, "RL_NOT_FOUND")) {
      this.#metadata.expire(mountIdentity(record), key);
    }
  }
}

/**
 * Puts the first chunk, which was waited for, before the rest. An object and not a generator, because a generator that
 * was never begun runs no `finally` when it is left, and the rest must be let go of in any case.
 */
function continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncGenerator<Uint8Array>,
  finished: (error?: unknown) => void,
  failed: (error: unknown) => void,
): AsyncIterableIterator<Uint8Array> {
  let pending: IteratorResult<Uint8Array> | undefined = first;
  let open = true;
  const close = (error?: unknown) => {
    if (open) finished(error);
    open = false;
  };
  return {
    async next() {
      const result = pending;
      pending = undefined;
      try {
        const next = result ?? (await rest.next());
        if (next.done === true) close();
        return next;
      } catch (error) {
        failed(error);
        close(error);
        throw error;
      }
    },
    async return() {
      await rest.return(undefined);
      close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Bytes of pages that are cached. @throws RL_NOT_CACHED at a page that has gone meanwhile */
async function* cachedBytes(
  store: PageStore,
  version: VersionId,
  pageBytes: number,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at <= end; ) {
    const index = Math.floor(at / pageBytes);
    const page = await store.open(version, index, { verify: true });
    if (page === undefined) throw new RinglightError("RL_NOT_CACHED", `page ${index} is not cached any more`);
    const length = Math.min(end + 1, (index + 1) * pageBytes) - at;
    let bytes: Buffer;
    try {
      bytes = page.read(at - index * pageBytes, length);
    } finally {
      page.release();
    }
    at += length;
    yield bytes;
  }
}

/** The promise's outcome, or the signal's reason where that aborts first. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stop = stopOf(signal);
  return new Promise((resolve, reject) => {
    const abort = () => reject(stop.reason);
    stop.addEventListener("abort", abort);
    const settled = () => stop.removeEventListener("abort", abort);
    work.then(resolve, reject).then(settled, settled);
  });
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** One piece. */
function only(piece: Uint8Array): AsyncIterableIterator<Uint8Array> {
  let pending: Uint8Array | undefined = piece;
  return {
    next() {
      const value = pending;
      pending = undefined;
      return Promise.resolve(value === undefined ? { done: true, value: undefined } : { done: false, value });
    },
    return() {
      pending = undefined;
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The part of a range that lies in the first segment, or undefined when it begins behind it. */
function clip(range: ByteRange, segmentBytes: number): ByteRange | undefined {
  if (segmentOf(range.start, segmentBytes) > 0) return undefined;
  return { start: range.start, end: Math.min(range.end, segmentBytes - 1) };
}
