/**
 * Pages on their way from the UFS: one GET fills a run of adjacent pages, and any number of readers follow the filling.
 * The run is the sink of the GET: the bytes are put into the pages' own memory by whoever reads the socket.
 */
import {
  type ByteSink,
  type MissReason,
  pageLength,
  RinglightError,
  Stop,
  type StopSignal,
  toRinglightError,
} from "@ringlight/core";
import { BLOCK_BYTES, BlockChecksums } from "@ringlight/store";
import type { PageBuffer, PageBuffers } from "./page-buffers.ts";

const NO_SPACE = new Uint8Array(0);

/** One page that is being filled, or that is full and was not taken by the store. */
export class PageFetch {
  readonly index: number;
  readonly lengthBytes: number;
  /** Why the page was fetched. */
  readonly reason: MissReason;
  readonly run: FetchRun;
  /** Made when the first bytes are to come, so that a run that waits for its budget holds no memory. */
  #buffer: PageBuffer | undefined;
  /** Of a page of more than one block: the first ones have left the processor's cache by the time that the page is stored. */
  readonly #checksums: BlockChecksums | undefined;
  #filled = 0;
  #error: RinglightError | undefined;
  #waiters: (() => void)[] = [];

  constructor(run: FetchRun, index: number, lengthBytes: number, reason: MissReason) {
    this.run = run;
    this.index = index;
    this.reason = reason;
    this.lengthBytes = lengthBytes;
    if (lengthBytes > BLOCK_BYTES) this.#checksums = new BlockChecksums(lengthBytes);
  }

  /**
   * The page's memory, of which the bytes up to `filled` are there. Undefined when it was let go of: the store has the
   * page, or nobody wanted it.
   */
  get buffer(): PageBuffer | undefined {
    return this.#buffer;
  }

  /** Memory for the bytes that come next. */
  get space(): Buffer {
    this.#buffer ??= this.run.buffers.take(this.lengthBytes);
    const { bytes } = this.#buffer;
    return this.#filled === 0 ? bytes : bytes.subarray(this.#filled);
  }

  get filled(): number {
    return this.#filled;
  }

  /** The checksums of its blocks, where they were made while it came. */
  get checksums(): Uint32Array | undefined {
    return this.#checksums?.whole;
  }

  get complete(): boolean {
    return this.#filled === this.lengthBytes;
  }

  /** Why there will be no more bytes. */
  get error(): RinglightError | undefined {
    return this.#error;
  }

  /** Calls the waiter once, when bytes came or none will come any more. */
  listen(waiter: () => void): void {
    this.#waiters.push(waiter);
  }

  advance(length: number): void {
    this.#filled += length;
    if (this.#buffer !== undefined) this.#checksums?.advance(this.#buffer.bytes, this.#filled);
    this.#wake();
  }

  fail(error: RinglightError): void {
    if (this.complete || this.#error !== undefined) return;
    this.#error = error;
    this.#wake();
  }

  /** Lets go of the bytes. */
  drop(): void {
    // Whoever was filling a page that has broken off may not have stopped yet: its memory is not used again.
    if (this.complete) this.#buffer?.release();
    this.#buffer = undefined;
  }

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** Who is told what becomes of a run. */
export interface RunOwner {
  /** A page has all its bytes. */
  complete(page: PageFetch): void;
  /** A page will never have all its bytes. */
  failed(page: PageFetch): void;
  /** The last reader has left; the run may be at work still. */
  left(run: FetchRun): void;
}

/**
 * One UFS GET for pages `first` to `last`. It does not wait for its readers, since its memory is granted already, and it
 * ends when the bytes have arrived, the UFS fails, or the last reader has left.
 */
export class FetchRun implements ByteSink {
  readonly pages: readonly PageFetch[];
  readonly first: number;
  /** Index of its last page. */
  readonly last: number;
  /** First and last byte, both included. */
  readonly start: number;
  readonly end: number;
  /** What is still to be done for the run: its GET, and the storing of each of its pages that is complete. */
  #work = 1;
  readonly #done: (() => void)[] = [];
  readonly buffers: PageBuffers;
  readonly #owner: RunOwner;
  readonly #ending: Stop;
  #at = 0;
  #readers = 0;
  /** Some reader got what it came for. */
  #wanted = false;
  #finished = false;

  constructor(
    range: { first: number; last: number; sizeBytes: number; pageBytes: number },
    reasonOf: (index: number) => MissReason,
    buffers: PageBuffers,
    owner: RunOwner,
    ending = new Stop(),
  ) {
    this.buffers = buffers;
    this.#ending = ending;
    const pages: PageFetch[] = [];
    for (let index = range.first; index <= range.last; index++) {
      pages.push(new PageFetch(this, index, pageLength(range.sizeBytes, range.pageBytes, index), reasonOf(index)));
    }
    this.pages = pages;
    this.first = range.first;
    this.last = range.last;
    this.start = range.first * range.pageBytes;
    this.end = Math.min(range.sizeBytes, (range.last + 1) * range.pageBytes) - 1;
    this.#owner = owner;
  }

  get lengthBytes(): number {
    return this.end - this.start + 1;
  }

  /** Aborts when nobody wants the run any more. */
  get signal(): StopSignal {
    return this.#ending;
  }

  /** Readers that depend on the run now. */
  get readers(): number {
    return this.#readers;
  }

  space(): Uint8Array {
    return this.pages[this.#at]?.space ?? NO_SPACE;
  }

  advance(length: number): void {
    const page = this.pages[this.#at];
    if (page === undefined) return;
    page.advance(length);
    if (!page.complete) return;
    this.#at++;
    this.#owner.complete(page);
  }

  /** One more thing to be done. */
  begin(): void {
    this.#work++;
  }

  /** One thing is done; true for the last one. */
  done(): boolean {
    if (--this.#work > 0) return false;
    for (const resolve of this.#done.splice(0)) resolve();
    return true;
  }

  /** Resolves when all pages are stored, refused or given up. */
  whenDone(): Promise<void> {
    if (this.#work === 0) return Promise.resolve();
    return new Promise((resolve) => this.#done.push(resolve));
  }

  /** Bytes that have come. */
  get filledBytes(): number {
    return this.pages.reduce((sum, { filled }) => sum + filled, 0);
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
    if (this.#readers > 0) return;
    if (!this.#wanted && !this.#finished) {
      this.#ending.abort(new RinglightError("RL_CANCELLED", "every reader of the fetch has left"));
    }
    this.#owner.left(this);
  }

  /** The UFS is done, well or with an error: pages that lack bytes now never get them. Idempotent. */
  finish(error?: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    const lacking = this.pages.slice(this.#at);
    if (lacking.length === 0) return;
    const { aborted, reason } = this.#ending;
    const short = new RinglightError("RL_UFS_ERROR", "the store sent fewer bytes than were asked for");
    const cause = toRinglightError(aborted ? reason : (error ?? short), "RL_UFS_ERROR");
    for (const page of lacking) {
      page.fail(cause);
      this.#owner.failed(page);
    }
  }
}
