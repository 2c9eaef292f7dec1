/** One hit's answer: which pages its bytes lie in, one after the other, and what is counted and told when they are sent. */
import {
  type ByteRange,
  type MountRecord,
  newReadStatus,
  type ObjectMeta,
  type PageRef,
  type VersionId,
} from "@ringlight/core";
import type { Ring } from "@ringlight/ring";
import type { HitAnswer, Target } from "@ringlight/s3";
import { pageHash } from "@ringlight/store";
import {
  isTracing,
  keptTraceContext,
  newTraceContext,
  recordSpan,
  slowMs,
  type TraceContext,
} from "@ringlight/telemetry";
import type { HeadTemplate } from "./hit-head.ts";
import type { HitPathOptions } from "./hit-path.ts";
import type { SiblingObject } from "./lease-siblings.ts";
import { BLOCK_BYTES } from "./part-reader.ts";
import type { HitCounters } from "./statistics.ts";
import { pathAttributes } from "./trace.ts";

/** What is known of one target. Everything behind `target` is derived, and holds while `record` and `meta` are the current ones. */
export interface KnownObject {
  readonly target: Target;
  /** The target under which it is to be remembered, until it is. */
  keepAs: string | undefined;
  record: MountRecord | undefined;
  metadataId: string;
  path: string;
  meta: ObjectMeta | undefined;
  version: VersionId;
  /** Under which its pages are counted for the miss-ratio curve. */
  versionWord: number;
  ring: Ring | undefined;
  owned: boolean;
  /** The object of a sibling; undefined where this worker owns it. */
  sibling: SiblingObject | undefined;
  /** By tier, of answers with the whole object and with a part of it. */
  heads: Map<string, HeadTemplate>;
  partHeads: Map<string, HeadTemplate>;
  counters: Map<string, HitCounters>;
}

/** Where an answer gets its pages, and whom it tells. */
export interface HitPages {
  readonly options: Pick<
    HitPathOptions,
    "capture" | "objects" | "pageBytes" | "reuse" | "router" | "statistics" | "workerId"
  >;
  /** The page that holds a byte, if it is here and was verified before. */
  openPage(
    version: VersionId,
    offset: number,
    range: ByteRange,
    sibling: SiblingObject | undefined,
  ): PageRef | undefined;
  /** The block that holds a byte, if it is here and was verified before, and not with its page. */
  openBlock(version: VersionId, offset: number, range: ByteRange): PageRef | undefined;
  countersOf(known: KnownObject, tier: string): HitCounters;
}

/** One answer: its pages, one after the other. */
export class Hit implements HitAnswer {
  readonly headLength: number;
  fd = -1;
  position = 0;
  lengthBytes = 0;
  readonly #path: HitPages;
  readonly #known: KnownObject;
  readonly #meta: ObjectMeta | undefined;
  readonly #version: VersionId;
  /** Whose pages these are, if they are a sibling's, which counts them. */
  readonly #sibling: SiblingObject | undefined;
  readonly #isHead: boolean;
  readonly #range: ByteRange | undefined;
  /** The trace where one was begun, else the id that the client was told. */
  readonly #trace: TraceContext | string;
  /** By the monotonic clock, and by the wall clock. */
  readonly #startedMs: number;
  readonly #atMs: number;
  readonly #client: string;
  readonly #firstByteMs: number;
  readonly #firstTier: string;
  #page: PageRef | undefined;
  /** Pages that are open already, and how many of them were taken. */
  readonly #held: readonly PageRef[];
  #taken = 0;
  /** Lets the version's pages go. */
  readonly #release: (() => void) | undefined;
  /** First byte of the range behind the current page. */
  #at: number;
  #finished = false;
  /** Where the pages that were here ended, and the general path went on, which tells of what it reads itself. */
  #restFrom: number | undefined;

  constructor(
    path: HitPages,
    known: KnownObject,
    headLength: number,
    isHead: boolean,
    range: ByteRange | undefined,
    page: PageRef | undefined,
    held: readonly PageRef[],
    unitBytes: number,
    trace: TraceContext | string,
    startedMs: number,
    atMs: number,
    client: string,
  ) {
    this.#client = client;
    this.#path = path;
    this.#known = known;
    this.#meta = known.meta;
    this.#version = known.version;
    this.#sibling = known.sibling;
    this.headLength = headLength;
    this.#isHead = isHead;
    this.#range = range;
    this.#trace = trace;
    this.#startedMs = startedMs;
    this.#atMs = atMs;
    this.#firstTier = page?.tier ?? "";
    this.#at = range?.start ?? 0;
    this.#held = held;
    if (page !== undefined && range !== undefined) {
      this.#take(page, range, unitBytes);
      if (this.#at <= range.end && known.sibling === undefined) {
        this.#release = path.options.objects.hold(known.version);
      }
    }
    this.#firstByteMs = performance.now() - startedMs;
  }

  get #traceId(): string {
    return typeof this.#trace === "string" ? this.#trace : this.#trace.traceId;
  }

  /** A hit that was slow, or whose trace is sampled, becomes a span. @returns the trace's id then */
  #span(sentBytes: number, aborted: boolean): string | undefined {
    const isSampled = typeof this.#trace !== "string" && this.#trace.sampled;
    if (!isTracing() || !(isSampled || this.#firstByteMs >= slowMs())) return undefined;
    const context = typeof this.#trace === "string" ? { ...keptTraceContext(), traceId: this.#trace } : this.#trace;
    const { bucket, key } = this.#known.target;
    const api = this.#isHead ? "HeadObject" : "GetObject";
    recordSpan({
      context,
      name: `s3.${api}`,
      kind: "server",
      startMs: this.#atMs,
      endMs: this.#atMs + performance.now() - this.#startedMs,
      attributes: {
        "http.request.method": this.#isHead ? "HEAD" : "GET",
        "http.response.status_code": this.#range === undefined || this.#isWhole ? 200 : 206,
        "aws.s3.bucket": bucket,
        "aws.s3.key": key,
        "ringlight.api": api,
        ...pathAttributes(bucket, key),
        "ringlight.bytes": sentBytes,
        "ringlight.outcome": "hit",
        "ringlight.tier": this.#firstTier,
        "ringlight.owner": this.#sibling?.ownerId ?? this.#path.options.workerId,
        ...(this.#range && { "ringlight.page.index": Math.floor(this.#range.start / this.#path.options.pageBytes) }),
        ...(aborted && { "ringlight.aborted": true }),
      },
    });
    return context.traceId;
  }

  get #isWhole(): boolean {
    const range = this.#range;
    return range !== undefined && range.start === 0 && range.end + 1 === this.#meta?.sizeBytes;
  }

  /** @param unitBytes length of a page, or of a block */
  #take(page: PageRef, range: ByteRange, unitBytes: number): void {
    const offset = this.#at % unitBytes;
    const length = Math.min(range.end + 1 - this.#at, unitBytes - offset);
    this.#page = page;
    this.fd = page.fd;
    this.position = page.position + offset;
    this.lengthBytes = length;
    this.#at += length;
    if (this.#sibling !== undefined) {
      this.#sibling.noteUse(page, length);
      return;
    }
    const index = Math.floor((this.#at - length) / unitBytes);
    // A block is told apart from the page of the same number.
    const name = unitBytes === this.#path.options.pageBytes ? index : ~index;
    this.#path.options.reuse.request(pageHash(this.#known.versionWord, name), page.lengthBytes);
    const counters = this.#path.countersOf(this.#known, page.tier);
    counters.requests.add(1);
    counters.bytes.add(length);
  }

  next(): boolean {
    this.#page?.release();
    this.#page = undefined;
    const range = this.#range;
    if (this.#isHead || range === undefined || this.#at > range.end) return false;
    const page = this.#held[this.#taken++] ?? this.#path.openPage(this.#version, this.#at, range, this.#sibling);
    if (page !== undefined) {
      this.#take(page, range, this.#path.options.pageBytes);
      return true;
    }
    const block = this.#sibling === undefined ? this.#path.openBlock(this.#version, this.#at, range) : undefined;
    if (block === undefined) return false;
    this.#take(block, range, BLOCK_BYTES);
    return true;
  }

  rest(signal: () => AbortSignal): AsyncIterable<Uint8Array> | undefined {
    const range = this.#range;
    const meta = this.#meta;
    if (this.#isHead || range === undefined || meta === undefined || this.#at > range.end) return undefined;
    const { bucket, key } = this.#known.target;
    const { traceparent } = typeof this.#trace === "string" ? newTraceContext() : this.#trace;
    this.#restFrom = this.#at;
    const context = { signal: signal(), status: newReadStatus(), traceId: this.#traceId, traceparent };
    return this.#path.options.router.openPinned(bucket, key, meta, { start: this.#at, end: range.end }, context);
  }

  damaged(): void {
    try {
      // The store reads what cannot be read, and drops the page.
      if (this.#page !== undefined) this.#page.read(0, this.#page.lengthBytes);
    } catch {
      // That is how it says so.
    }
  }

  done(sentBytes: number, aborted: boolean): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#page?.release();
    this.#page = undefined;
    for (const page of this.#held.slice(this.#taken)) page.release();
    this.#release?.();
    const { statistics, objects } = this.#path.options;
    statistics.s3Hit(this.#isHead, aborted, sentBytes, this.#firstByteMs, this.#span(sentBytes, aborted));
    const range = this.#range;
    const durationMs = performance.now() - this.#startedMs;
    if (this.#path.options.capture.running) this.#record(range, aborted);
    if (this.#isHead || range === undefined) return;
    const end = this.#restFrom ?? range.end + 1;
    if (end === range.start) return;
    const access = {
      atMs: this.#atMs,
      offset: range.start,
      length: end - range.start,
      outcome: "hit",
      tier: this.#firstTier,
      missReason: "",
      durationMs,
      traceId: this.#traceId,
    };
    objects.accesses.add(this.#known.path, access, this.#sibling === undefined);
  }

  #record(range: ByteRange | undefined, aborted: boolean): void {
    this.#path.options.capture.note({
      atMs: this.#atMs,
      op: this.#isHead ? "head" : "get",
      path: this.#known.path,
      client: this.#client,
      offset: this.#isHead ? 0 : (range?.start ?? 0),
      length: this.#isHead || range === undefined ? 0 : range.end - range.start + 1,
      sizeBytes: this.#meta?.sizeBytes ?? 0,
      outcome: aborted ? "error" : "hit",
    });
  }
}
