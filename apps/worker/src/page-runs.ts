/**
 * The runs of pages that a worker is fetching: made, driven, paid for out of one budget of bytes, and put into the store
 * page by page, off the way of the readers.
 *
 * A page is announced from the moment its run is made until the store has it, so that nobody fetches it a second time.
 * While readers of its run may come to it, its bytes stay in memory: always where the store refused it, and where the store
 * has it as long as the budget is not short, since a reader that follows the store closely need not read back what is in
 * memory still. The budget pays for exactly this: a run's bytes are taken before its GET and given back page by page.
 *
 * A little long, because what is announced, kept, paid for and waiting to be stored changes together and is best read in one place.
 */
import {
  abortSignalOf,
  type ByteRange,
  type ByteSink,
  type Clock,
  endTurn,
  isRinglightError,
  type MissReason,
  type ObjectMeta,
  type PageStore,
  type PutOptions,
  RinglightError,
  Stop,
  TransientMap,
  type Ufs,
  type VersionId,
} from "@ringlight/core";
import { startSpan } from "@ringlight/telemetry";
import { FetchBudget } from "./fetch-budget.ts";
import { type PageBuffer, PageBuffers } from "./page-buffers.ts";
import { FetchRun, type PageFetch } from "./page-fetch.ts";
import { RecentSet } from "./recent-set.ts";
import { RunLength } from "./run-length.ts";
import { pump, Timing } from "./run-sink.ts";

/** Pages are put into the store until so many bytes are on their way; the event loop then gets its turn. */
const STORED_A_TURN_BYTES = 256 * 1024;

/** What a run is fetched for. */
export interface RunSource {
  readonly mount: string;
  readonly key: string;
  readonly ufs: Ufs;
  /** W3C trace context of the read: the fetch is its child. */
  readonly traceparent: string;
  /** A job and not a reader: it has reserved the bytes itself, and has a span for each of its tasks and not for each GET. */
  readonly background?: boolean | undefined;
  /** Told of the bytes that came from the UFS, when all of them are stored or given up. */
  readonly onFetched?: ((bytes: number) => void) | undefined;
}

/** A run's place. */
export interface RunPlace extends RunSource {
  readonly version: VersionId;
  readonly meta: Pick<ObjectMeta, "version" | "sizeBytes">;
  /** Takes the place of `cold` where the caller knows better (owner_down, rebalanced). */
  readonly coldReason?: MissReason | undefined;
}

/** What is learned of an object together with its first bytes. */
export interface Learned {
  readonly meta: ObjectMeta;
  readonly version: VersionId;
  /** Lets go of the run: to be called when the reader has joined it, or will not. */
  readonly release: () => void;
  readonly run: FetchRun;
}

/** Options of the runs. */
export interface PageRunsOptions {
  readonly store: Pick<PageStore, "peek" | "put" | "missReason">;
  readonly pageBytes: number;
  /** Length of the pages that spans tell of, where those here are blocks of them. */
  readonly toldPageBytes?: number;
  /** Bound on the bytes of pages that are being fetched or kept for their readers. */
  readonly budgetBytes: number;
  readonly clock: Clock;
  /** Told of every page that the store took. */
  readonly onStored?: (version: VersionId, mount: string, key: string) => void;
  /** How the pages of an object are offered to the store. */
  readonly putOptionsOf?: (mount: string, key: string) => PutOptions | undefined;
}

/** Owns every fetch in flight. */
export class PageRuns {
  readonly #options: PageRunsOptions;
  readonly #budget: FetchBudget;
  readonly #fetches = new TransientMap<PageFetch>();
  /** Pages that the store has decided on and whose bytes are kept for the readers of their run; true for those it has. */
  readonly #kept = new Map<PageFetch, { readonly place: RunPlace; readonly stored: boolean }>();
  readonly #buffers = new PageBuffers();
  /** Complete pages that wait for their turn to be put into the store; they are paid for like those that are coming. */
  readonly #unstored: { readonly place: RunPlace; readonly page: PageFetch; readonly buffer: PageBuffer }[] = [];
  /** Pages whose fetch broke off. */
  readonly #partial = new RecentSet(4096);
  /** Versions that replaced another one that was known here: of objects that changed in the store, and of objects that were written. */
  readonly #successors = new RecentSet(4096);
  readonly #written = new RecentSet(4096);
  /** Versions of which the store refused a page. */
  readonly #refused = new RecentSet(1024);
  readonly #lengths = new WeakMap<Ufs, RunLength>();
  #runs = 0;

  constructor(options: PageRunsOptions) {
    this.#options = options;
    this.#budget = new FetchBudget(options.budgetBytes);
  }

  /** Runs that are being fetched, or whose pages are on their way into the store. */
  get inFlight(): number {
    return this.#runs;
  }

  /** Bytes of pages that are being fetched or kept. */
  get bytesInFlight(): number {
    return this.#budget.usedBytes;
  }

  /** The page's fetch, while it is under way or kept. */
  find(version: VersionId, index: number): PageFetch | undefined {
    return this.#fetches.get(`${version}.${index}`);
  }

  /** True if the page is in the store, or on its way from the UFS. */
  isHereOrComing(version: VersionId, index: number): boolean {
    return this.find(version, index) !== undefined || this.#options.store.peek(version, index) !== undefined;
  }

  /** Remembers why the version took the place of another one that was known here. */
  noteSuccessor(version: VersionId, reason: "expired" | "invalidated"): void {
    if (reason === "expired") this.#successors.add(version);
    else this.#written.add(version);
  }

  /** True once the store refused a page of the version: what is read ahead of need would be read for nothing. */
  isRefused(version: VersionId): boolean {
    return this.#refused.has(version);
  }

  /** Why a read of the page would miss now. */
  missReason(version: VersionId, index: number, coldReason: MissReason = "cold"): MissReason {
    // Mostly nothing broke off and nothing changed, and names are not even made to be looked up.
    if (this.#partial.size > 0 && this.#partial.has(`${version}.${index}`)) return "partial";
    const known = this.#options.store.missReason(version, index);
    if (known !== "cold") return known;
    if (this.#written.size > 0 && this.#written.has(version)) return "invalidated";
    return this.#successors.size > 0 && this.#successors.has(version) ? "expired" : coldReason;
  }

  /** Pages that one GET to the UFS should fetch now. */
  pagesPerRun(ufs: Ufs): number {
    // Where the budget is half used up, many read at once, and shorter runs let all of them go on.
    const { budgetBytes, pageBytes } = this.#options;
    const share = Math.floor((budgetBytes - this.#budget.usedBytes) / 4);
    return Math.max(1, Math.floor(Math.min(this.#lengthOf(ufs).bytes, share) / pageBytes));
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
    for (let index = first; index <= last; index++) await this.find(version, index)?.run.whenDone();
  }

  /** Begins to fetch the run of missing pages that starts with `index` and goes no further than `last`; waits for its budget. */
  start(place: RunPlace, index: number, last: number): FetchRun {
    this.#shed();
    const run = this.#newRun(place, index, this.#endOfRun(place, index, last));
    run.join();
    void this.#drive(place, run, place.background ? undefined : this.#budget.take(run.lengthBytes));
    return run;
  }

  /** The same, if the budget has room for it now. */
  tryStart(place: RunPlace, index: number, last: number): FetchRun | undefined {
    this.#shed();
    const end = this.#endOfRun(place, index, last);
    const { pageBytes } = this.#options;
    const bytes = Math.min(place.meta.sizeBytes, (end + 1) * pageBytes) - index * pageBytes;
    if (!this.#budget.tryTake(bytes)) return undefined;
    const run = this.#newRun(place, index, end);
    run.join();
    void this.#drive(place, run, undefined);
    return run;
  }

  /**
   * Learns what an object is and begins to fetch the range of it, in one request. Whoever is told of the metadata finds the
   * pages announced.
   * @param range begins and ends with a page
   * @param versionOf told of the metadata before anybody else
   * @throws as Ufs.readCurrent
   */
  learn(
    source: RunSource,
    range: ByteRange,
    versionOf: (meta: ObjectMeta) => VersionId,
    coldReason: MissReason | undefined,
  ): Promise<Learned> {
    const { ufs, key } = source;
    const { pageBytes } = this.#options;
    return new Promise((resolve, reject) => {
      const span = this.#span(source);
      let begun: FetchRun | undefined;
      let timing: Timing | undefined;
      const ending = new Stop();
      const begin = (meta: ObjectMeta, held: ByteRange): ByteSink | Promise<ByteSink> => {
        const latencyMs = span.elapsedMs();
        const version = versionOf(meta);
        const { mount, traceparent, background, onFetched } = source;
        const place: RunPlace = { mount, key, ufs, traceparent, background, onFetched, version, meta, coldReason };
        const run = this.#newRun(place, held.start / pageBytes, Math.floor(held.end / pageBytes), ending);
        begun = run;
        run.join();
        this.#runs++;
        resolve({ meta, version, run, release: () => run.leave(false) });
        const sink = () => {
          timing = new Timing(run, latencyMs);
          run.signal.throwIfAborted();
          return timing;
        };
        // A job has reserved them before it asked.
        if (source.background || this.#budget.tryTake(run.lengthBytes)) return sink();
        return this.#budget.take(run.lengthBytes).then(sink);
      };
      const ended = (error: unknown) => {
        span.end(begun, error);
        if (begun === undefined) reject(error);
        else this.#over(source, begun, timing, error);
      };
      span
        .run(() => ufs.readCurrent?.(key, range, begin, { signal: ending }) ?? Promise.reject(noReadCurrent()))
        .then(
          () => ended(undefined),
          (error: unknown) => ended(error ?? new RinglightError("RL_INTERNAL", "a read failed without saying why")),
        );
    });
  }

  #endOfRun({ version, ufs }: RunPlace, index: number, last: number): number {
    const most = index + this.pagesPerRun(ufs) - 1;
    let end = index;
    while (end < last && end < most && !this.isHereOrComing(version, end + 1)) end++;
    return end;
  }

  /** Makes a run and announces its pages. */
  #newRun(place: RunPlace, first: number, last: number, ending?: Stop): FetchRun {
    const { version, meta, coldReason } = place;
    const range = { first, last, sizeBytes: meta.sizeBytes, pageBytes: this.#options.pageBytes };
    const owner = {
      complete: (page: PageFetch) => this.#complete(place, page),
      failed: (page: PageFetch) => {
        if (page.filled > 0) this.#partial.add(`${version}.${page.index}`);
        this.#drop(place, page);
      },
      left: (left: FetchRun) => {
        for (const page of left.pages) if (this.#kept.delete(page)) this.#drop(place, page);
      },
    };
    const reasonOf = (index: number) => this.missReason(version, index, coldReason);
    const run = new FetchRun(range, reasonOf, this.#buffers, owner, ending);
    for (const page of run.pages) {
      const id = `${version}.${page.index}`;
      if (!this.#fetches.has(id)) this.#fetches.set(id, page);
    }
    return run;
  }

  /** Runs the fetch once its bytes are granted. Never rejects. */
  async #drive(place: RunPlace, run: FetchRun, granted: Promise<void> | undefined): Promise<void> {
    this.#runs++;
    const span = this.#span(place);
    let timing: Timing | undefined;
    let failure: unknown;
    try {
      if (granted !== undefined) await granted;
      run.signal.throwIfAborted();
      timing = new Timing(run);
      const { ufs, key, meta } = place;
      const range = { start: run.start, end: run.end };
      const sink = timing;
      await span.run(() =>
        ufs.readInto
          ? ufs.readInto(key, meta.version, range, sink, { signal: run.signal, sizeBytes: meta.sizeBytes })
          : pump(ufs, key, meta.version, range, sink, abortSignalOf(run.signal)),
      );
    } catch (error) {
      failure = error;
    }
    span.end(run, failure);
    this.#over(place, run, timing, failure);
  }

  #over(source: RunSource, run: FetchRun, timing: Timing | undefined, failure: unknown): void {
    if (failure === undefined) timing?.tell(this.#lengthOf(source.ufs));
    run.finish(failure);
    this.#done(source, run);
  }

  #done(source: RunSource, run: FetchRun): void {
    if (!run.done()) return;
    this.#runs--;
    source.onFetched?.(run.filledBytes);
  }

  #complete(place: RunPlace, page: PageFetch): void {
    const { version } = place;
    const { buffer, index, run } = page;
    if (this.#partial.size > 0) this.#partial.delete(`${version}.${index}`);
    if (buffer === undefined) return;
    run.begin();
    buffer.hold();
    // After the readers: checksum and write take longer than the page took to come, and they have been woken only now.
    this.#unstored.push({ place, page, buffer });
    if (this.#unstored.length === 1) setImmediate(this.#storeNext);
  }

  /**
   * One page, or some small ones, in a turn of the event loop, so that a run that came at once does not hold up everybody; more
   * where pages come faster than that, or what waits would use up the budget.
   */
  readonly #storeNext = (): void => {
    endTurn();
    let bytes = 0;
    let count = 0;
    const least = Math.ceil(this.#unstored.length / 4);
    while (count < this.#unstored.length && (bytes < STORED_A_TURN_BYTES || count < least)) {
      const next = this.#unstored[count++];
      if (next === undefined) break;
      bytes += next.page.lengthBytes;
      void this.#store(next.place, next.page, next.buffer);
    }
    this.#unstored.splice(0, count);
    if (this.#unstored.length > 0) setImmediate(this.#storeNext);
  };

  async #store(place: RunPlace, page: PageFetch, buffer: PageBuffer): Promise<void> {
    const { version, mount } = place;
    const { index, run } = page;
    let stored = false;
    try {
      const { checksums } = page;
      const rules = this.#options.putOptionsOf?.(mount, place.key);
      const how = checksums === undefined ? rules : { ...rules, checksums };
      ({ stored } = await this.#options.store.put(version, index, buffer.bytes, how));
    } catch {
      // A store that fails has not taken the page; it says why in its own state.
    }
    buffer.release();
    if (stored) this.#options.onStored?.(version, mount, place.key);
    else this.#refused.add(version);
    // The readers of the run may not have come to the page yet: they shall not have to fetch it again.
    if (run.readers > 0 && (!stored || !this.isShort)) this.#kept.set(page, { place, stored });
    else this.#drop(place, page);
    this.#done(place, run);
  }

  /** The page that a byte lies in, as spans tell it. */
  #toldPage(offset: number): number {
    return Math.floor(offset / (this.#options.toldPageBytes ?? this.#options.pageBytes));
  }

  /** Half of the budget is in use; while it is not, nobody waits for bytes. */
  get isShort(): boolean {
    return this.#budget.usedBytes * 2 > this.#options.budgetBytes;
  }

  /** Lets go of the pages that the store has, too, when bytes are short. */
  #shed(): void {
    if (!this.isShort) return;
    for (const [page, { place, stored }] of this.#kept) {
      if (!stored) continue;
      this.#kept.delete(page);
      this.#drop(place, page);
    }
  }

  #drop({ version, background }: RunPlace, page: PageFetch): void {
    const id = `${version}.${page.index}`;
    if (this.#fetches.get(id) === page) this.#fetches.delete(id);
    page.drop();
    if (!background) this.#budget.give(page.lengthBytes);
  }

  #lengthOf(ufs: Ufs): RunLength {
    let length = this.#lengths.get(ufs);
    if (length === undefined) {
      length = new RunLength();
      this.#lengths.set(ufs, length);
    }
    return length;
  }

  /** The span of a GET: a part of the read that needs it. Jobs have one for each of their tasks instead. */
  #span({ mount, traceparent, background }: RunSource): {
    elapsedMs: () => number;
    run: <T>(work: () => T) => T;
    end: (run: FetchRun | undefined, error: unknown) => void;
  } {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const elapsedMs = () => clock.monotonicMs() - startedMs;
    if (background) return { elapsedMs, run: (work) => work(), end: () => undefined };
    const span = startSpan({ name: "ringlight.ufs.get", kind: "client", caller: { traceparent } });
    return {
      elapsedMs,
      run: (work) => span.run(work),
      end: (run, error) => {
        span.missed();
        span.set({
          "ringlight.mount": mount,
          "ringlight.ufs.op": "get",
          ...(run && {
            "ringlight.bytes": run.lengthBytes,
            "ringlight.page.index": this.#toldPage(run.start),
            "ringlight.page.count": this.#toldPage(run.end) - this.#toldPage(run.start) + 1,
            "ringlight.miss.reason": run.pages[0]?.reason,
          }),
        });
        // A fetch that all its readers left has not failed.
        span.end({ error: isAbandoned(error) ? undefined : error });
      },
    };
  }
}

function noReadCurrent(): RinglightError {
  return new RinglightError("RL_INTERNAL", "the store does not learn of objects by reading them");
}

/** True for the end of a fetch that all its readers had left. */
export function isAbandoned(error: unknown): boolean {
  return isRinglightError(error, "RL_CANCELLED");
}
