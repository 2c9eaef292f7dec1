/**
 * Reads ranges of one object version out of the page store and, for what is missing, out of the UFS.
 *
 * For each page of the range in order: a page in the store is a hit; a page that somebody is fetching is joined; else a
 * run of adjacent missing pages is fetched with one ranged GET, and the reader follows the bytes as they arrive. While a
 * reader works through a run, the next run of its range is fetched already; behind the range, read-ahead follows a
 * reader that has been sequential so far. Bytes in flight are bounded by a budget that all readers share.
 */
import {
  type ByteRange,
  type Clock,
  type MissReason,
  type ObjectMeta,
  type PageStore,
  pageCount,
  pageLength,
  type ReadStatus,
  type Ufs,
  type VersionId,
} from "@ringlight/core";
import { newTraceContext, recordSpan } from "@ringlight/telemetry";
import { FetchBudget } from "./fetch-budget.ts";
import { FetchRun, type PageFetch } from "./page-fetch.ts";
import { ReadAhead } from "./read-ahead.ts";
import { RecentSet } from "./recent-set.ts";

/** Longest run of pages that one GET fetches, bytes. */
const MAX_RUN_BYTES = 8 * 1024 * 1024;
/** Times that a reader starts over on a page whose fetch was given up by somebody else. */
const MAX_REJOINS = 8;

/** Options of the page reader. */
export interface PageReaderOptions {
  readonly store: PageStore;
  readonly pageBytes: number;
  /** Bound on bytes being fetched at once. */
  readonly budgetBytes: number;
  readonly clock: Clock;
  /** Told of every page request: the outcome, the tier (hits), the reason (misses) and the bytes handed out. */
  readonly count: (
    mount: string,
    outcome: "hit" | "miss" | "joined",
    tier: string,
    reason: MissReason | "",
    bytes: number,
  ) => void;
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
  readonly signal: AbortSignal;
  /** W3C trace context of the read: a fetch that it begins is its child. */
  readonly traceparent: string;
  /** Takes the place of `cold` where the caller knows better (owner_down, rebalanced). */
  readonly coldReason?: MissReason;
  /** A job and not a reader: not counted among page requests, never read ahead for, and its bytes were reserved before. */
  readonly background?: boolean;
  /** Told of the bytes that came from the UFS for fetches that this read began. */
  readonly onFetched?: (bytes: number) => void;
}

/** Reads pages; owns every fetch in flight. */
export class PageReader {
  readonly #options: PageReaderOptions;
  readonly #budget: FetchBudget;
  readonly #fetches = new Map<string, PageFetch>();
  /** When each run in flight will have stored, or given up, all its pages. */
  readonly #driven = new WeakMap<FetchRun, Promise<void>>();
  readonly #readAhead = new ReadAhead();
  /** Pages whose fetch broke off. */
  readonly #partial = new RecentSet(4096);
  /** Versions that replaced another one that was known here. */
  readonly #successors = new RecentSet(4096);
  #runs = 0;

  constructor(options: PageReaderOptions) {
    this.#options = options;
    this.#budget = new FetchBudget(options.budgetBytes);
  }

  /** GETs to UFSs in flight. */
  get runsInFlight(): number {
    return this.#runs;
  }

  /** Bytes being fetched. */
  get bytesInFlight(): number {
    return this.#budget.usedBytes;
  }

  /** Remembers that the version took the place of an older one: its first misses are `expired`, not `cold`. */
  noteSuccessor(version: VersionId): void {
    this.#successors.add(version);
  }

  /** Why a read of the page would miss now. */
  missReason(version: VersionId, index: number, coldReason: MissReason = "cold"): MissReason {
    if (this.#partial.has(`${version}.${index}`)) return "partial";
    const known = this.#options.store.missReason(version, index);
    if (known !== "cold") return known;
    return this.#successors.has(version) ? "expired" : coldReason;
  }

  /**
   * Waits, behind every reader, for bytes that a job may have in flight; the job gives them back with the returned function.
   * It does so before it announces a page, so that no reader ever joins a fetch that waits.
   */
  async reserve(bytes: number): Promise<() => void> {
    await this.#budget.takeInBackground(bytes);
    return () => this.#budget.give(bytes);
  }

  /** Resolves when none of the pages is on its way into the store any more: then peek() tells which of them were taken. */
  async settled(version: VersionId, first: number, last: number): Promise<void> {
    for (let index = first; index <= last; index++) {
      const run = this.#fetches.get(`${version}.${index}`)?.run;
      if (run !== undefined) await this.#driven.get(run);
    }
  }

  /** Yields exactly the bytes of the range, in pieces of at most a page. @throws the UFS's errors */
  async *read(request: PageReadRequest): AsyncGenerator<Buffer> {
    const { pageBytes } = this.#options;
    const { range, version, meta } = request;
    const last = Math.floor(range.end / pageBytes);
    const joined = new Set<FetchRun>();
    let satisfied = false;
    try {
      for (let index = Math.floor(range.start / pageBytes); index <= last; index++) {
        this.#leaveBehind(joined, index);
        const from = Math.max(0, range.start - index * pageBytes);
        const to = Math.min(range.end + 1 - index * pageBytes, pageLength(meta.sizeBytes, pageBytes, index));
        yield* this.#page(request, index, from, to, last, joined);
      }
      satisfied = true;
      if (!request.background) this.#followSequential(request, version, last);
    } finally {
      for (const run of joined) run.leave(satisfied);
    }
  }

  async *#page(
    request: PageReadRequest,
    index: number,
    from: number,
    to: number,
    last: number,
    joined: Set<FetchRun>,
  ): AsyncGenerator<Buffer> {
    const { store, count } = this.#options;
    const { version, status, mount } = request;
    let at = from;
    for (let attempt = 0; ; attempt++) {
      request.signal.throwIfAborted();
      const opened = store.open(version, index);
      const page = opened instanceof Promise ? await opened : opened;
      if (page !== undefined) {
        let bytes: Buffer;
        try {
          bytes = page.read(at, to - at);
        } catch (error) {
          // The page's file was damaged behind our back. The store has dropped it: the next turn fetches it anew.
          if (attempt < MAX_REJOINS) continue;
          throw error;
        } finally {
          page.release();
        }
        if (attempt === 0) {
          status.hits++;
          if (!request.background) count(mount, "hit", page.tier, "", bytes.length);
        }
        note(status, page.tier, bytes.length);
        yield bytes;
        return;
      }
      let fetch = this.#fetches.get(`${version}.${index}`);
      const mine = fetch === undefined;
      fetch ??= this.#startRun(request, index, last, joined);
      this.#join(fetch.run, joined);
      if (attempt === 0) {
        if (mine) {
          status.misses++;
          status.missReason ??= fetch.reason;
        } else {
          status.joined++;
        }
        if (!request.background) count(mount, mine ? "miss" : "joined", "", mine ? fetch.reason : "", to - from);
      }
      try {
        const waitedFrom = this.#options.clock.monotonicMs();
        await whileListening(fetch.until(at + 1), request.signal);
        status.ufsMs += this.#options.clock.monotonicMs() - waitedFrom;
        this.#startAhead(request, index, last, joined);
        while (at < to) {
          await whileListening(fetch.until(at + 1), request.signal);
          const end = Math.min(fetch.filled, to);
          const bytes = fetch.buffer.subarray(at, end);
          at = end;
          note(status, mine ? "ufs" : "joined", bytes.length);
          yield bytes;
        }
        return;
      } catch (error) {
        // Somebody else's run was given up because its own readers left: this reader carries on with a run of its own.
        if (isAbandoned(error) && !request.signal.aborted && attempt < MAX_REJOINS) continue;
        throw error;
      }
    }
  }

  /** Starts the fetch of a run that begins at `index` and stays within the request's range. */
  #startRun(request: PageReadRequest, index: number, last: number, joined: Set<FetchRun>): PageFetch {
    const run = this.#newRun(request, index, last);
    this.#join(run, joined);
    this.#drive(request, run, request.background ? Promise.resolve() : this.#budget.take(run.lengthBytes));
    const first = run.pages[0];
    if (first === undefined) throw new Error("a run has at least one page");
    return first;
  }

  /** Fetches the next missing run of the range while the reader is still busy with this one, if the budget allows. */
  #startAhead(request: PageReadRequest, index: number, last: number, joined: Set<FetchRun>): void {
    // A job says itself what it wants next, and pays for it out of its own bound first.
    if (request.background) return;
    const { store, pageBytes } = this.#options;
    const reach = Math.min(last, index + Math.max(1, Math.floor(MAX_RUN_BYTES / pageBytes)));
    for (let next = index + 1; next <= reach; next++) {
      if (this.#fetches.has(`${request.version}.${next}`)) continue;
      if (store.peek(request.version, next) !== undefined) continue;
      const run = this.#newRun(request, next, last);
      if (!this.#budget.tryTake(run.lengthBytes)) {
        for (const page of run.pages) this.#fetches.delete(`${request.version}.${page.index}`);
        return;
      }
      this.#join(run, joined);
      this.#drive(request, run, Promise.resolve());
      return;
    }
  }

  /** Makes a run of adjacent pages that are neither stored nor being fetched, and announces them. */
  #newRun(request: PageReadRequest, index: number, last: number): FetchRun {
    const { store, pageBytes } = this.#options;
    const { version, meta } = request;
    const most = Math.max(1, Math.floor(MAX_RUN_BYTES / pageBytes));
    let end = index;
    while (end < last && end - index + 1 < most) {
      if (this.#fetches.has(`${version}.${end + 1}`) || store.peek(version, end + 1) !== undefined) break;
      end++;
    }
    const run = new FetchRun({ first: index, last: end, sizeBytes: meta.sizeBytes, pageBytes }, (page) =>
      this.missReason(version, page, request.coldReason),
    );
    for (const page of run.pages) this.#fetches.set(`${version}.${page.index}`, page);
    return run;
  }

  /** Runs the fetch once its bytes are granted. */
  #drive(request: PageReadRequest, run: FetchRun, granted: Promise<void>): void {
    const { store, clock } = this.#options;
    const { version, key, meta, ufs } = request;
    const startMs = clock.now();
    const startedMs = clock.monotonicMs();
    this.#runs++;
    const driven = granted
      .then(() =>
        run.fetch(
          {
            open: async (start, end, signal) => (await ufs.read(key, meta.version, { start, end }, { signal })).stream,
            store: async (index, data) => {
              await store.put(version, index, data);
            },
          },
          (page, stored) => {
            const id = `${version}.${page.index}`;
            if (this.#fetches.get(id) === page) this.#fetches.delete(id);
            if (stored) this.#partial.delete(id);
            else if (page.filled > 0) this.#partial.add(id);
          },
        ),
      )
      .finally(() => {
        // A job of a million objects has a span for each of its tasks, and not two for each object.
        if (!request.background)
          recordSpan({
            context: newTraceContext(request.traceparent),
            name: "ringlight.ufs.get",
            kind: "client",
            startMs,
            endMs: startMs + (clock.monotonicMs() - startedMs),
            attributes: { "ringlight.mount": request.mount, "ringlight.bytes": run.lengthBytes },
          });
        this.#runs--;
        request.onFetched?.(run.pages.reduce((sum, page) => sum + page.filled, 0));
        if (!request.background) this.#budget.give(run.lengthBytes);
      })
      .catch(() => {
        // fetch() reports failures page by page to its readers and does not reject.
      });
    this.#driven.set(run, driven);
  }

  #join(run: FetchRun, joined: Set<FetchRun>): void {
    if (joined.has(run)) return;
    joined.add(run);
    run.join();
  }

  /** Lets go of the runs that end before a page: kept to the end of a long range, they would keep all its bytes in memory. */
  #leaveBehind(joined: Set<FetchRun>, index: number): void {
    for (const run of joined) {
      if (run.last >= index) continue;
      joined.delete(run);
      run.leave(true);
    }
  }

  /** After a range was read to its end: read ahead if the reader has been sequential. */
  #followSequential(request: PageReadRequest, version: VersionId, last: number): void {
    const { store, pageBytes } = this.#options;
    const pages = pageCount(request.meta.sizeBytes, pageBytes);
    const window = this.#readAhead.next(version, request.range, pageBytes);
    const reach = Math.min(pages - 1, last + window);
    for (let index = last + 1; index <= reach; index++) {
      if (this.#fetches.has(`${version}.${index}`) || store.peek(version, index) !== undefined) continue;
      const run = this.#newRun(request, index, reach);
      if (!this.#budget.tryTake(run.lengthBytes)) {
        for (const page of run.pages) this.#fetches.delete(`${version}.${page.index}`);
        return;
      }
      run.join();
      this.#drive(request, run, Promise.resolve());
      return;
    }
  }
}

function note(status: ReadStatus, source: string, bytes: number): void {
  status.bytesBySource.set(source, (status.bytesBySource.get(source) ?? 0) + bytes);
}

function isAbandoned(error: unknown): boolean {
  return (error as { code?: unknown }).code === "RL_CANCELLED";
}

/** Waits for the promise, or for the reader to leave. */
function whileListening(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
