/** Pages on their way from the UFS: one GET fills a run of adjacent pages, and any number of readers follow the filling. */
import { type MissReason, pageLength, RinglightError, toRinglightError } from "@ringlight/core";

/** What a run fetches. */
export interface FetchSource {
  /** Opens the UFS stream of exactly these bytes, both ends included. */
  open(start: number, end: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Takes a complete page; resolves when the store has decided on it. */
  store(index: number, data: Buffer): Promise<void>;
}

/** One page that is being filled. Readers wait with `until`. */
export class PageFetch {
  readonly index: number;
  readonly lengthBytes: number;
  /** Why the page was fetched. */
  readonly reason: MissReason;
  readonly run: FetchRun;
  /** Made when the first bytes arrive, so that a run that waits for its budget holds no memory. */
  #buffer: Buffer | undefined;
  #filled = 0;
  #error: RinglightError | undefined;
  #waiters: (() => void)[] = [];

  constructor(run: FetchRun, index: number, lengthBytes: number, reason: MissReason) {
    this.run = run;
    this.index = index;
    this.reason = reason;
    this.lengthBytes = lengthBytes;
  }

  /** The page's bytes; those up to `filled` are there. */
  get buffer(): Buffer {
    this.#buffer ??= Buffer.allocUnsafeSlow(this.lengthBytes);
    return this.#buffer;
  }

  get filled(): number {
    return this.#filled;
  }

  get complete(): boolean {
    return this.#filled === this.lengthBytes;
  }

  /** Resolves when at least `bytes` of the page are there. @throws the UFS's error when the filling broke off before */
  async until(bytes: number): Promise<void> {
    while (this.#filled < bytes) {
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Copies as much as fits; returns how much that was. */
  fill(chunk: Uint8Array): number {
    const take = Math.min(chunk.length, this.lengthBytes - this.#filled);
    this.buffer.set(take === chunk.length ? chunk : chunk.subarray(0, take), this.#filled);
    this.#filled += take;
    this.#wake();
    return take;
  }

  fail(error: RinglightError): void {
    if (this.complete || this.#error !== undefined) return;
    this.#error = error;
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/**
 * One UFS GET for pages `first` to `last`. Runs on its own once started: it does not wait for its readers, since its
 * buffers are there already, and it ends when the bytes have arrived, the UFS fails, or the last reader has left.
 */
export class FetchRun {
  readonly pages: readonly PageFetch[];
  /** Index of its last page. */
  readonly last: number;
  readonly #controller = new AbortController();
  readonly #start: number;
  readonly #end: number;
  #readers = 0;
  /** Some reader got what it came for. */
  #wanted = false;
  #finished = false;

  constructor(
    range: { first: number; last: number; sizeBytes: number; pageBytes: number },
    reasonOf: (index: number) => MissReason,
  ) {
    const pages: PageFetch[] = [];
    for (let index = range.first; index <= range.last; index++) {
      pages.push(new PageFetch(this, index, pageLength(range.sizeBytes, range.pageBytes, index), reasonOf(index)));
    }
    this.pages = pages;
    this.last = range.last;
    this.#start = range.first * range.pageBytes;
    this.#end = Math.min(range.sizeBytes, (range.last + 1) * range.pageBytes) - 1;
  }

  get lengthBytes(): number {
    return this.#end - this.#start + 1;
  }

  /** A reader (or the read-ahead itself) depends on the run until it calls leave(). */
  join(): void {
    this.#readers++;
  }

  /**
   * A reader that has what it came for (a few bytes of a page, perhaps) leaves the run to be finished, for the page is worth
   * keeping. When all readers were given up before that, the last one to leave stops it.
   */
  leave(satisfied: boolean): void {
    this.#readers--;
    this.#wanted ||= satisfied;
    if (this.#readers <= 0 && !this.#wanted && !this.#finished) {
      this.#controller.abort(new RinglightError("RL_CANCELLED", "every reader of the fetch has left"));
    }
  }

  /** Fetches; `settled` is called for each page when it is stored or has failed. Never rejects. */
  async fetch(source: FetchSource, settled: (page: PageFetch, stored: boolean) => void): Promise<void> {
    const stores: Promise<void>[] = [];
    let at = 0;
    try {
      const stream = await source.open(this.#start, this.#end, this.#controller.signal);
      for await (const piece of stream) {
        let chunk = piece;
        while (chunk.length > 0) {
          const page = this.pages[at];
          if (page === undefined)
            throw new RinglightError("RL_UFS_ERROR", "the store sent more bytes than were asked for");
          chunk = chunk.subarray(page.fill(chunk));
          if (page.complete) {
            at++;
            stores.push(source.store(page.index, page.buffer).then(() => settled(page, true)));
          }
        }
        if (this.#controller.signal.aborted) throw this.#controller.signal.reason;
      }
      if (at < this.pages.length)
        throw new RinglightError("RL_UFS_ERROR", "the store sent fewer bytes than were asked for");
    } catch (error) {
      const { aborted, reason } = this.#controller.signal;
      const cause = toRinglightError(aborted ? reason : error, "RL_UFS_ERROR");
      for (const page of this.pages.slice(at)) {
        page.fail(cause);
        settled(page, false);
      }
    } finally {
      this.#finished = true;
    }
    await Promise.all(stores);
  }
}
