/**
 * Reads ranges of one object version out of the page store and, for what is missing, out of the UFS.
 *
 * For each page of the range in order: a page in the store is a hit; a page that somebody is fetching is joined; else a
 * run of adjacent missing pages is fetched with one ranged GET, and the reader follows the bytes as they arrive. While a
 * reader works through a run, the next runs of its range are fetched already: one, and up to four where the reader is
 * faster than the store; behind the range, read-ahead follows a reader that has been sequential so far. Bytes in flight
 * are bounded by a budget that all readers share. Long, because a read's account of what it has joined and counted is one.
 */
import {
  type ByteRange,
  type Clock,
  type MissReason,
  type ObjectMeta,
  type PageRef,
  type PageStore,
  type PutOptions,
  pageCount,
  pageLength,
  type ReadStatus,
  type StopSignal,
  type Ufs,
  type VersionId,
} from "@ringlight/core";
import type { FetchRun, PageFetch } from "./page-fetch.ts";
import { isAbandoned, type Learned, PageRuns, type RunSource } from "./page-runs.ts";
import { PageWaiter } from "./page-waiter.ts";
import { ReadAhead } from "./read-ahead.ts";

/** Times that a reader starts over on a page whose fetch was given up by somebody else. */
const MAX_REJOINS = 8;
/** An object up to this is waited for to its end before its first byte is handed out. */
const SMALL_BYTES = 128 * 1024;
/** Runs ahead of a reader that is faster than the store. */
const MAX_RUNS_AHEAD = 4;
/** Of a range that is no longer, no byte is handed out before all of it is here or coming: as much as the shortest run has. */
export const SECURED_BYTES = 4 * 1024 * 1024;

/** Options of the page reader. */
export interface PageReaderOptions {
  readonly store: Pick<PageStore, "open" | "peek" | "put" | "missReason">;
  readonly pageBytes: number;
  /** See PageRunsOptions. */
  readonly toldPageBytes?: number;
  /** Bound on bytes being fetched at once. */
  readonly budgetBytes: number;
  /** What lies behind a segment has owners of its own, and is not read ahead here. */
  readonly segmentBytes?: number;
  readonly clock: Clock;
  /** Told of every page request: the outcome, the tier (hits), the reason (misses) and the bytes handed out. */
  readonly count: (
    mount: string,
    outcome: "hit" | "miss" | "joined",
    tier: string,
    reason: MissReason | "",
    bytes: number,
  ) => void;
  /** Told of every page request of a reader, with the length of the page. */
  readonly onPageRequest?: (version: VersionId, index: number, lengthBytes: number) => void;
  /** Told of every page that the store took. */
  readonly onStored?: (version: VersionId, mount: string, key: string) => void;
  /** How the pages of an object are offered to the store. */
  readonly putOptionsOf?: (mount: string, key: string) => PutOptions | undefined;
  /** False: nothing is read ahead between reads. */
  readonly readsAhead?: boolean;
}

/** What to read: bytes of one version of one object. */
export interface PageReadRequest {
  readonly mount: string;
  readonly key: string;
  readonly version: VersionId;
  readonly meta: Pick<ObjectMeta, "version" | "sizeBytes">;
  readonly ufs: Ufs;
  readonly range: ByteRange;
  readonly status: ReadStatus;
  readonly signal: StopSignal;
  /** W3C trace context of the read: a fetch that it begins is its child. */
  readonly traceparent: string;
  /** Takes the place of `cold` where the caller knows better (owner_down, rebalanced). */
  readonly coldReason?: MissReason;
  /** A job and not a reader: not counted among page requests, never read ahead for, and its bytes were reserved before. */
  readonly background?: boolean;
  /** Told of the bytes that came from the UFS for each fetch that this read began. */
  readonly onFetched?: (bytes: number) => void;
  /** Check bytes of the store against their checksums every time: `verify=always` of the mount. */
  readonly verify?: boolean;
  /** The run that was begun for this read when its object was learned of. */
  readonly begun?: FetchRun;
}

/** A read under way. */
interface Reading {
  readonly request: PageReadRequest;
  /** Last page of the range. */
  readonly last: number;
  /** Runs that the read depends on now. */
  readonly joined: Set<FetchRun>;
  /** Those of them that it began. */
  readonly own: Set<FetchRun>;
  readonly waiter: PageWaiter;
  /** Runs to have in flight ahead of the page that is read. */
  depth: number;
  /** Pages up to this one are here or were seen to be coming. */
  coveredTo: number;
}

/** Reads pages; owns every fetch in flight. */
export class PageReader {
  readonly #options: PageReaderOptions;
  readonly #runs: PageRuns;
  readonly #readAhead = new ReadAhead();

  constructor(options: PageReaderOptions) {
    this.#options = options;
    this.#runs = new PageRuns(options);
  }

  /** Runs that are being fetched, or whose pages are on their way into the store. */
  get runsInFlight(): number {
    return this.#runs.inFlight;
  }

  /** Bytes being fetched. */
  get bytesInFlight(): number {
    return this.#runs.bytesInFlight;
  }

  /** Remembers that the version took the place of an older one, and why: its first misses have that reason, and are not `cold`. */
  noteSuccessor(version: VersionId, reason: "expired" | "invalidated"): void {
    this.#runs.noteSuccessor(version, reason);
  }

  /** Why a read of the page would miss now. */
  missReason(version: VersionId, index: number, coldReason: MissReason = "cold"): MissReason {
    return this.#runs.missReason(version, index, coldReason);
  }

  /** Half of the budget is in use. */
  get isShort(): boolean {
    return this.#runs.isShort;
  }

  /** Size of a page. */
  get pageBytes(): number {
    return this.#options.pageBytes;
  }

  /** True if the page is in the store. */
  isStored(version: VersionId, index: number): boolean {
    return this.#options.store.peek(version, index) !== undefined;
  }

  /** True if a read of the page would find it in the store, or a fetch of it to join. */
  isHereOrComing(version: VersionId, index: number): boolean {
    return this.#runs.isHereOrComing(version, index);
  }

  /** Index of the page that a byte lies in. */
  indexOf(offset: number): number {
    return Math.floor(offset / this.#options.pageBytes);
  }

  /** The pages that the bytes from `start` to `end` lie in, as far as one GET should fetch them. */
  firstRun(ufs: Ufs, start: number, end: number): ByteRange {
    const { pageBytes } = this.#options;
    const first = Math.floor(start / pageBytes);
    const pages = Math.min(Math.floor(end / pageBytes) - first + 1, this.#runs.pagesPerRun(ufs));
    return { start: first * pageBytes, end: (first + pages) * pageBytes - 1 };
  }

  /** See PageRuns.reserve(). */
  reserve(bytes: number): Promise<() => void> {
    return this.#runs.reserve(bytes);
  }

  /** See PageRuns.settled(). */
  settled(version: VersionId, first: number, last: number): Promise<void> {
    return this.#runs.settled(version, first, last);
  }

  /** See PageRuns.learn(). */
  learn(
    source: RunSource,
    range: ByteRange,
    versionOf: (meta: ObjectMeta) => VersionId,
    coldReason: MissReason | undefined,
  ): Promise<Learned> {
    return this.#runs.learn(source, range, versionOf, coldReason);
  }

  /** Yields exactly the bytes of the range, in pieces of at most a page. @throws the UFS's errors */
  async *read(request: PageReadRequest): AsyncGenerator<Buffer> {
    const { pageBytes } = this.#options;
    const { range, meta, begun } = request;
    const first = Math.floor(range.start / pageBytes);
    const last = Math.floor(range.end / pageBytes);
    const reading: Reading = {
      request,
      last,
      joined: new Set(),
      own: new Set(),
      waiter: new PageWaiter(request.signal),
      depth: 1,
      coveredTo: first,
    };
    if (begun !== undefined) {
      begun.join();
      reading.joined.add(begun);
      reading.own.add(begun);
    }
    let satisfied = false;
    try {
      if (first < last && range.end - range.start < SECURED_BYTES && !request.background)
        await this.#secure(reading, first);
      for (let index = first; index <= last; index++) {
        leaveBehind(reading, index);
        let at = Math.max(0, range.start - index * pageBytes);
        const to = Math.min(range.end + 1 - index * pageBytes, pageLength(meta.sizeBytes, pageBytes, index));
        if (!request.background)
          this.#options.onPageRequest?.(request.version, index, pageLength(meta.sizeBytes, pageBytes, index));
        let counted = false;
        for (let failures = 0; at < to; ) {
          request.signal.throwIfAborted();
          const known = this.#runs.find(request.version, index);
          // What this read has fetched itself and is in memory still is not read back from the store.
          const opened = isAtHand(reading, known) ? undefined : this.#open(request, index, at, to);
          const page = opened instanceof Promise ? await opened : opened;
          if (page !== undefined) {
            const bytes = readPage(page, at, to - at, failures++ >= MAX_REJOINS);
            // The page's file was damaged behind our back. The store has dropped it: the next turn fetches it anew.
            if (bytes === undefined) continue;
            this.#countStored(reading, index, page.tier, bytes.length, counted);
            yield bytes;
            break;
          }
          const fetch = this.#fetchOf(reading, index);
          const mine = reading.own.has(fetch.run);
          if (!counted) this.#countFetched(request, fetch, mine, to - at);
          counted = true;
          try {
            while (at < to) {
              if (fetch.filled <= at) await this.#bytesBehind(reading, fetch, at, index > first);
              const { buffer } = fetch;
              if (buffer === undefined) {
                if (fetch.error !== undefined) throw fetch.error;
                // The store has it by now.
                break;
              }
              this.#startAhead(reading, index);
              const piece = buffer.piece(at, Math.min(fetch.filled, to));
              at += piece.length;
              note(request.status, mine ? "ufs" : "joined", piece.length);
              yield piece;
            }
          } catch (error) {
            // Somebody else's run was given up because its own readers left: this reader carries on with a run of its own.
            if (!isAbandoned(error) || request.signal.aborted || failures++ >= MAX_REJOINS) throw error;
          }
        }
      }
      satisfied = true;
      if (!request.background) this.#followSequential(request, last);
    } finally {
      reading.waiter.close();
      for (const run of reading.joined) run.leave(satisfied);
    }
  }

  /**
   * The bytes of a small object that was learned of for this read: what read() yields, in one piece, behind one wait. Undefined, and
   * nothing is counted, where the run is no small object or lets go of it.
   * @throws the UFS's errors
   */
  async readSmall(request: PageReadRequest, begun: FetchRun): Promise<Buffer | undefined> {
    const { version, meta, range, status, signal } = request;
    const [page] = begun.pages;
    if (meta.sizeBytes > SMALL_BYTES || page?.lengthBytes !== meta.sizeBytes) return undefined;
    const { clock } = this.#options;
    const waiter = new PageWaiter(signal);
    const waitedFrom = clock.monotonicMs();
    begun.join();
    let satisfied = false;
    try {
      while (!page.complete) {
        if (page.error !== undefined) throw page.error;
        await waiter.on(page);
      }
      const { buffer } = page;
      if (buffer === undefined) return undefined;
      const piece = buffer.piece(range.start, range.end + 1);
      this.#options.onPageRequest?.(version, 0, page.lengthBytes);
      this.#countFetched(request, page, true, piece.length);
      note(status, "ufs", piece.length);
      satisfied = true;
      return piece;
    } finally {
      status.ufsMs += clock.monotonicMs() - waitedFrom;
      waiter.close();
      begun.leave(satisfied);
    }
  }

  #open({ version, verify }: PageReadRequest, index: number, offset: number, to: number) {
    const { store } = this.#options;
    if (!verify) return store.open(version, index);
    return store.open(version, index, { verify: true, range: { offset, length: to - offset } });
  }

  /**
   * Begins to fetch what is missing of a short range, and waits until the store has begun to send all of it: an object that is
   * replaced while its body is on its way to a client may be read to its end then. Not where bytes are short: whoever holds
   * some must not wait for others.
   * @throws the UFS's errors, RL_VERSION_CHANGED among them
   */
  async #secure(reading: Reading, first: number): Promise<void> {
    const { request, last, joined, own } = reading;
    if (this.#runs.isShort) return;
    const coming = new Set<FetchRun>();
    for (let index = first; index <= last; index++) {
      const known = this.#runs.find(request.version, index);
      if (known === undefined && this.isStored(request.version, index)) continue;
      const run = known?.run ?? this.#runs.tryStart(request, index, last);
      if (run === undefined) return;
      coming.add(run);
      if (joined.has(run)) continue;
      joined.add(run);
      if (known === undefined) own.add(run);
      else run.join();
    }
    for (const { pages } of coming) {
      try {
        if (pages[0] !== undefined) await this.#bytesBehind(reading, pages[0], 0, false);
      } catch (error) {
        // Somebody else's, and given up: the reader fetches those pages itself when it comes to them.
        if (!isAbandoned(error) || request.signal.aborted) throw error;
      }
    }
  }

  /** The fetch of the page: the one under way, or a new one. Its run is joined. */
  #fetchOf(reading: Reading, index: number): PageFetch {
    const { request, joined, own } = reading;
    const known = this.#runs.find(request.version, index);
    if (known !== undefined) {
      if (!joined.has(known.run)) {
        joined.add(known.run);
        known.run.join();
      }
      return known;
    }
    const run = this.#runs.start(request, index, reading.last);
    joined.add(run);
    own.add(run);
    reading.coveredTo = Math.max(reading.coveredTo, run.last);
    const [page] = run.pages;
    if (page === undefined) throw new Error("a run has at least one page");
    return page;
  }

  /** Waits until there are bytes behind `at`. @throws the fetch's error, or the signal's reason */
  async #bytesBehind(reading: Reading, fetch: PageFetch, at: number, isBehindFirst: boolean): Promise<void> {
    const { clock } = this.#options;
    const { status } = reading.request;
    // The reader has caught up with the store: more requests at once may be faster.
    if (isBehindFirst && at === 0 && reading.depth < MAX_RUNS_AHEAD) reading.depth++;
    const waitedFrom = clock.monotonicMs();
    try {
      while (fetch.filled <= at) {
        if (fetch.error !== undefined) throw fetch.error;
        await reading.waiter.on(fetch);
      }
    } finally {
      status.ufsMs += clock.monotonicMs() - waitedFrom;
    }
  }

  /** Fetches the next missing runs of the range while the reader is still busy with this one, if the budget allows. */
  #startAhead(reading: Reading, index: number): void {
    const { request, last, own, joined } = reading;
    // A job says itself what it wants next, and pays for it out of its own bound first.
    if (request.background) return;
    if (reading.coveredTo < index) reading.coveredTo = index;
    const reach = Math.min(last, index + reading.depth * this.#runs.pagesPerRun(request.ufs));
    while (reading.coveredTo < reach) {
      const next = reading.coveredTo + 1;
      if (
        this.#runs.find(request.version, next) === undefined &&
        this.#options.store.peek(request.version, next) === undefined
      ) {
        const run = this.#runs.tryStart(request, next, last);
        if (run === undefined) return;
        own.add(run);
        joined.add(run);
        reading.coveredTo = run.last;
      } else reading.coveredTo = next;
    }
  }

  /** Counts a page that lies in the store. One that this read itself had fetched is a miss that has come in meanwhile. */
  #countStored(reading: Reading, index: number, tier: string, bytes: number, counted: boolean): void {
    const { request, own } = reading;
    const { status, mount } = request;
    let fetched: PageFetch | undefined;
    for (const run of own) fetched ??= run.pages[index - run.first];
    if (fetched?.complete === true) {
      if (!counted) this.#countFetched(request, fetched, true, bytes);
      note(status, "ufs", bytes);
      return;
    }
    if (!counted) {
      status.hits++;
      if (!request.background) this.#options.count(mount, "hit", tier, "", bytes);
    }
    note(status, tier, bytes);
  }

  #countFetched({ status, mount, background }: PageReadRequest, fetch: PageFetch, mine: boolean, bytes: number): void {
    if (mine) {
      status.misses++;
      status.missReason ??= fetch.reason;
    } else status.joined++;
    if (!background) this.#options.count(mount, mine ? "miss" : "joined", "", mine ? fetch.reason : "", bytes);
  }

  /** After a range was read to its end: read ahead if the reader has been sequential and the store takes what is read. */
  #followSequential(request: PageReadRequest, last: number): void {
    const { store, pageBytes, segmentBytes = Number.POSITIVE_INFINITY, readsAhead = true } = this.#options;
    if (!readsAhead) return;
    const { version, meta, range } = request;
    const segmentPages = segmentBytes / pageBytes;
    const segmentEnd = (Math.floor(last / segmentPages) + 1) * segmentPages - 1;
    // Behind its end there is nothing to read ahead, and most objects are read whole.
    if (range.end === meta.sizeBytes - 1) return;
    const window = this.#readAhead.next(version, range, pageBytes);
    if (window === 0 || this.#runs.isRefused(version)) return;
    const reach = Math.min(pageCount(meta.sizeBytes, pageBytes) - 1, last + window, segmentEnd);
    for (let index = last + 1; index <= reach; index++) {
      if (this.#runs.find(version, index) !== undefined || store.peek(version, index) !== undefined) continue;
      // Nobody waits for it, and nobody's leaving stops it: it has the length of the window at most.
      this.#runs.tryStart(request, index, reach)?.leave(true);
      return;
    }
  }
}

/** The page is of a run that the read has joined, and its bytes are in memory. */
function isAtHand({ joined }: Reading, page: PageFetch | undefined): boolean {
  return page?.buffer !== undefined && joined.has(page.run);
}

/** Copies bytes of a page out and releases it; undefined where that fails and it is not the last attempt. */
function readPage(page: PageRef, offset: number, length: number, isLastAttempt: boolean): Buffer | undefined {
  try {
    return page.read(offset, length);
  } catch (error) {
    if (isLastAttempt) throw error;
    return undefined;
  } finally {
    page.release();
  }
}

/** Lets go of the runs that end before a page: kept to the end of a long range, they would keep all its bytes in memory. */
function leaveBehind({ joined, own }: Reading, index: number): void {
  for (const run of joined) {
    if (run.last >= index) continue;
    joined.delete(run);
    own.delete(run);
    run.leave(true);
  }
}

function note(status: ReadStatus, source: string, bytes: number): void {
  status.bytesBySource.set(source, (status.bytesBySource.get(source) ?? 0) + bytes);
}
