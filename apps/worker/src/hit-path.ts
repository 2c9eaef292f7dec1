/**
 * The shortcut in front of the general S3 handler, for reads that need nothing but what this worker holds: it owns the
 * bytes, knows the current version, and the pages are in its store. Such a read is answered without a promise: its head is
 * written from a template of the object's version, and its bytes are sent straight from the page files.
 *
 * It decides nothing by itself. Access, conditions, ranges, headers and counters are those of the general path, by the same
 * functions; where any of them has more to say than "send these bytes", the general path is taken before a byte was sent.
 */
import {
  type ByteRange,
  formatPath,
  newReadStatus,
  type ObjectMeta,
  type PageRef,
  type PageStore,
  RecentMap,
  segmentKey,
  segmentOf,
  type VersionId,
} from "@ringlight/core";
import {
  checksumResponseHeaders,
  conditionsFromHeaders,
  connectionLines,
  dateLine,
  type HitAnswer,
  type HitSource,
  NO_CONDITIONS,
  parseRange,
  type ReadAccess,
  type RequestHead,
  resolvePlan,
} from "@ringlight/s3";
import { type RollingReuse, versionWord } from "@ringlight/store";
import { keptTraceContext, newTraceContext, samplesRoot, type TraceContext } from "@ringlight/telemetry";
import type { Capture } from "./capture.ts";
import { Hit, type HitPages, type KnownObject } from "./hit-answer.ts";
import { type HeadTemplate, headTemplate, newIds, writeHead } from "./hit-head.ts";
import { verifiesAlways } from "./lease-objects.ts";
import type { SiblingObject, SiblingView } from "./lease-siblings.ts";
import type { MountTable } from "./mount-table.ts";
import { metadataId, type ObjectReader, pageVersion } from "./object-reader.ts";
import { SECURED_BYTES } from "./page-reader.ts";
import { BLOCK_BYTES, blockIndex, hasBlocks } from "./part-reader.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import type { Router } from "./router.ts";
import type { HitCounters, WorkerStatistics } from "./statistics.ts";

/** Lines of the checksums that the store keeps, for answers with all bytes; with some of them they would mislead. */
function checksumLines(meta: ObjectMeta, lengthBytes: number): string {
  if (meta.checksums === undefined || lengthBytes !== meta.sizeBytes) return "";
  const lines = Object.entries(checksumResponseHeaders(meta.checksums)).map(([name, value]) => `${name}: ${value}\r\n`);
  return lines.join("");
}

/** Targets remembered, with what was last found behind them; about 1 KiB each. */
const MAX_OBJECTS = 16_384;
/** A read that ends so far in a block may be of somebody who reads on. */
const NEAR_END_BYTES = (BLOCK_BYTES * 3) / 4;
/** Pages of a sibling that one answer holds open beside its first. */
const MAX_HELD = 16;
const NO_PAGES: readonly PageRef[] = [];
/** Longer targets are not remembered. */
const MAX_URL_LENGTH = 2_048;

/** Options of the hit path. */
export interface HitPathOptions {
  readonly workerId: string;
  readonly access: ReadAccess;
  readonly mounts: MountTable;
  readonly objects: ObjectReader;
  readonly router: Router;
  readonly ring: RingKeeper;
  readonly store: PageStore;
  /** What other workers of this host own. */
  readonly siblings: SiblingView;
  readonly statistics: WorkerStatistics;
  readonly reuse: RollingReuse;
  readonly pageBytes: number;
  readonly segmentBytes: number;
  readonly keepAliveTimeoutMs: number;
  readonly capture: Capture;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Makes the hit path. */
export function createHitPath(options: HitPathOptions): HitSource {
  const path = new HitPath(options);
  return (head, into, client) => path.answer(head, into, client);
}

/** See the head of the file. */
class HitPath implements HitPages {
  readonly options: HitPathOptions;
  readonly #known = new RecentMap<KnownObject>(MAX_OBJECTS);
  readonly #connectionLines: string;
  readonly #hasBlocks: boolean;
  #date = "";
  #ending = "";
  #host = "";
  #hostIsPathStyle = false;

  constructor(options: HitPathOptions) {
    this.options = options;
    this.#connectionLines = connectionLines(true, options.keepAliveTimeoutMs);
    this.#hasBlocks = hasBlocks(options.pageBytes);
  }

  /** Answers, or leaves the request to the general path. Never throws. */
  answer(head: RequestHead, into: Buffer, client: string): HitAnswer | undefined {
    try {
      return this.#answer(head, into, client);
    } catch {
      // Whatever it is, the general path meets it too, and has the words for it.
      return undefined;
    }
  }

  #answer(head: RequestHead, into: Buffer, client: string): HitAnswer | undefined {
    const startedMs = performance.now();
    const atMs = this.options.now();
    const known = this.#find(head);
    if (known === undefined || !this.#refresh(known)) return undefined;
    const { meta, record } = known;
    if (meta === undefined || record === undefined) return undefined;
    const { headers } = head;
    if (headers["x-amz-server-side-encryption-customer-algorithm"] !== undefined) return undefined;
    const conditions = hasConditions(headers) ? conditionsFromHeaders(headers) : NO_CONDITIONS;
    const requested = headers.range === undefined ? undefined : parseRange(headers.range);
    const resolved = resolvePlan(requested === undefined ? { conditions } : { conditions, range: requested }, meta);
    if (resolved.outcome !== "ok") return undefined;
    const { range, partial } = resolved;
    const trace = traceOfHit(headers);
    const isHead = head.method === "HEAD";
    // What is checked on every read is waited for.
    if (!isHead && verifiesAlways(record)) return undefined;
    if (!isHead && (range === undefined || !this.#owns(known, range) || this.#nearsGap(known, meta, range))) {
      return undefined;
    }
    if (!this.options.access.allows(head, known.target)) return undefined;
    this.#keep(known);
    let page: PageRef | undefined;
    let unitBytes = this.options.pageBytes;
    if (!isHead && range !== undefined) {
      page = this.openPage(known.version, range.start, range, known.sibling);
      if (page === undefined && known.sibling === undefined) {
        page = this.openBlock(known.version, range.start, range);
        unitBytes = BLOCK_BYTES;
      }
      if (page === undefined) return undefined;
    }
    const rest = page === undefined || range === undefined ? NO_PAGES : this.#secure(known, range, unitBytes);
    if (rest === undefined) {
      page?.release();
      return undefined;
    }
    const ids = newIds();
    const template = this.#template(known, meta, isHead ? "HEAD" : (page?.tier ?? ""), partial);
    const length = range === undefined ? 0 : range.end - range.start + 1;
    const rangeLine =
      partial && range !== undefined ? `Content-Range: bytes ${range.start}-${range.end}/${meta.sizeBytes}\r\n` : "";
    const sums = headers["x-amz-checksum-mode"] === "ENABLED" ? checksumLines(meta, length) : "";
    const traceId = trace?.traceId ?? ids.traceId;
    // As in the general path: the first half of a trace that begins here.
    const requestId =
      trace === undefined || headers.traceparent !== undefined ? ids.requestId : traceId.slice(0, 16).toUpperCase();
    const lines = `Content-Length: ${length}\r\n${rangeLine}${sums}${this.#lastLines(atMs)}`;
    const { bytes } = template;
    if (bytes.length + lines.length > into.length) {
      page?.release();
      for (const held of rest) held.release();
      return undefined;
    }
    writeHead(into, template, traceId, requestId);
    into.write(lines, bytes.length, "latin1");
    return new Hit(
      this,
      known,
      bytes.length + lines.length,
      isHead,
      range,
      page,
      rest,
      unitBytes,
      trace ?? traceId,
      startedMs,
      atMs,
      client,
    );
  }

  /**
   * Sees to it that an answer that has begun can be finished when its object is replaced meanwhile: of a short range all is here,
   * and what a sibling's lease names is held, for that may end at any time. Own pages stay while the answer holds their version.
   * @returns what is held behind the first page; undefined for the general path
   */
  #secure(known: KnownObject, range: ByteRange, unitBytes: number): readonly PageRef[] | undefined {
    const { pageBytes, store } = this.options;
    let at = (Math.floor(range.start / unitBytes) + 1) * unitBytes;
    if (at > range.end) return NO_PAGES;
    const { sibling, version } = known;
    if (sibling !== undefined) return holdSibling(sibling, at / pageBytes, Math.floor(range.end / pageBytes));
    if (range.end - range.start >= SECURED_BYTES) return NO_PAGES;
    while (at <= range.end) {
      const index = Math.floor(at / pageBytes);
      if (store.peek(version, index) !== undefined) at = (index + 1) * pageBytes;
      else if (this.#hasBlocks && store.peek(version, blockIndex(at)) !== undefined)
        at += BLOCK_BYTES - (at % BLOCK_BYTES);
      else return undefined;
    }
    return NO_PAGES;
  }

  /** The object behind a target; undefined for what is no plain read. */
  #find(head: RequestHead): KnownObject | undefined {
    const host = head.headers.host ?? "";
    if (host !== this.#host) {
      this.#hostIsPathStyle = this.options.access.isPathStyle(host);
      this.#host = host;
    }
    const keep = this.#hostIsPathStyle && head.url.length <= MAX_URL_LENGTH;
    const known = keep ? this.#known.get(head.url) : undefined;
    if (known !== undefined) return known;
    // A copy: the url is a slice of the whole head, which it would keep in memory.
    const url = Buffer.from(head.url, "latin1").toString("latin1");
    const target = this.options.access.plainTarget(url, host);
    if (target === undefined) return undefined;
    return {
      target,
      keepAs: keep ? url : undefined,
      record: undefined,
      metadataId: "",
      path: "",
      meta: undefined,
      version: "",
      versionWord: 0,
      ring: undefined,
      owned: false,
      sibling: undefined,
      heads: new Map(),
      partHeads: new Map(),
      counters: new Map(),
    };
  }

  /** Remembers an object that was read by somebody who may. */
  #keep(known: KnownObject): void {
    if (known.keepAs === undefined) return;
    this.#known.set(known.keepAs, known);
    known.keepAs = undefined;
  }

  /** Brings what is derived up to date; false when there is no fresh metadata. */
  #refresh(known: KnownObject): boolean {
    const { mounts, objects, ring, siblings, workerId } = this.options;
    const { bucket, key } = known.target;
    const record = mounts.peek(bucket);
    if (record === undefined) return false;
    if (record !== known.record) {
      known.record = record;
      known.metadataId = metadataId(record, key);
      known.path = formatPath({ mount: bucket, key });
      known.meta = undefined;
      known.ring = undefined;
    }
    if (ring.ring !== known.ring) {
      known.ring = ring.ring;
      known.owned = ring.ring.owners(segmentKey(bucket, key, 0), record.replicas).includes(workerId);
    }
    known.sibling = known.owned ? undefined : siblings.peek(bucket, key);
    const meta = known.owned ? objects.peekFresh(known.metadataId, record.freshness) : known.sibling?.meta;
    if (meta === undefined) return false;
    if (meta !== known.meta) {
      known.meta = meta;
      known.version = pageVersion(record, key, meta.version);
      known.versionWord = versionWord(known.version);
      known.heads.clear();
      known.partHeads.clear();
    }
    return true;
  }

  /** Whether the general path, too, would read all segments of the range here. */
  #owns(known: KnownObject, range: ByteRange): boolean {
    const { segmentBytes, workerId } = this.options;
    const { record, ring, target } = known;
    if (record === undefined || ring === undefined) return false;
    if (known.sibling !== undefined) return true;
    const last = segmentOf(range.end, segmentBytes);
    for (let segment = Math.max(1, segmentOf(range.start, segmentBytes)); segment <= last; segment++) {
      if (!ring.owners(segmentKey(target.bucket, target.key, segment), record.replicas).includes(workerId))
        return false;
    }
    return true;
  }

  /** Close before a page that is not here the general path is taken, for it reads ahead of sequential readers. */
  #nearsGap(known: KnownObject, meta: ObjectMeta, range: ByteRange): boolean {
    const { pageBytes, store } = this.options;
    const next = Math.floor(range.end / pageBytes) + 1;
    if (next * pageBytes >= meta.sizeBytes) return false;
    const { sibling } = known;
    if (sibling !== undefined) return !sibling.has(next);
    const isNear =
      store.peek(known.version, next) === undefined ||
      ((next + 1) * pageBytes < meta.sizeBytes && store.peek(known.version, next + 1) === undefined);
    if (!isNear || !this.#hasBlocks || store.peek(known.version, next - 1) !== undefined) return isNear;
    // By blocks: whoever comes to the end of one may be reading on.
    const isNearEnd = range.end % BLOCK_BYTES >= NEAR_END_BYTES;
    return isNearEnd && store.peek(known.version, blockIndex(range.end + BLOCK_BYTES)) === undefined;
  }

  /** The block that holds a byte, if it is here and was verified before, and not with its page. */
  openBlock(version: VersionId, offset: number, range: ByteRange): PageRef | undefined {
    if (!this.#hasBlocks) return undefined;
    const within = offset % BLOCK_BYTES;
    const length = Math.min(range.end + 1 - offset, BLOCK_BYTES - within);
    return this.#open(version, blockIndex(offset), within, length);
  }

  /** The page that holds a byte, if it is here and was verified before. */
  openPage(
    version: VersionId,
    offset: number,
    range: ByteRange,
    sibling: SiblingObject | undefined,
  ): PageRef | undefined {
    const { pageBytes } = this.options;
    const index = Math.floor(offset / pageBytes);
    const from = offset - index * pageBytes;
    const length = Math.min(range.end + 1, (index + 1) * pageBytes) - offset;
    return sibling === undefined ? this.#open(version, index, from, length) : sibling.open(index);
  }

  #open(version: VersionId, index: number, offset: number, length: number): PageRef | undefined {
    const opened = this.options.store.open(version, index, { range: { offset, length } });
    if (!(opened instanceof Promise)) return opened;
    opened.then(
      (page) => page?.release(),
      () => undefined,
    );
    return undefined;
  }

  /** What all heads end with, made once a second. */
  #lastLines(atMs: number): string {
    const date = dateLine(atMs);
    if (date !== this.#date) {
      this.#date = date;
      this.#ending = `${date}${this.#connectionLines}\r\n`;
    }
    return this.#ending;
  }

  #template(known: KnownObject, meta: ObjectMeta, tier: string, partial: boolean): HeadTemplate {
    const heads = partial ? known.partHeads : known.heads;
    let template = heads.get(tier);
    if (template === undefined) {
      const status = newReadStatus();
      if (tier !== "HEAD") {
        status.hits = 1;
        status.bytesBySource.set(tier, 1);
        status.servedBy.push(known.sibling?.ownerId ?? this.options.workerId);
      }
      template = headTemplate(partial ? 206 : 200, meta, status, this.options.workerId);
      heads.set(tier, template);
    }
    return template;
  }

  countersOf(known: KnownObject, tier: string): HitCounters {
    let counters = known.counters.get(tier);
    if (counters === undefined) {
      counters = this.options.statistics.hitCounters(known.target.bucket, tier);
      known.counters.set(tier, counters);
    }
    return counters;
  }
}

/** Opens a sibling's pages; none of too many, and undefined where one of them is not here. */
function holdSibling(sibling: SiblingObject, first: number, last: number): readonly PageRef[] | undefined {
  if (last - first >= MAX_HELD) return NO_PAGES;
  for (let index = first; index <= last; index++) if (!sibling.has(index)) return undefined;
  const held: PageRef[] = [];
  for (let index = first; index <= last; index++) {
    const page = sibling.open(index);
    if (page === undefined) {
      for (const opened of held) opened.release();
      return undefined;
    }
    held.push(page);
  }
  return held;
}

function hasConditions(headers: RequestHead["headers"]): boolean {
  return (
    headers["if-match"] !== undefined ||
    headers["if-none-match"] !== undefined ||
    headers["if-modified-since"] !== undefined ||
    headers["if-unmodified-since"] !== undefined ||
    headers["if-range"] !== undefined
  );
}

/** The trace of a request that a caller or the sampler is interested in; undefined for the others, which begin none. */
function traceOfHit(headers: RequestHead["headers"]): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (traceparent === undefined) return samplesRoot() ? keptTraceContext() : undefined;
  const trace = newTraceContext(oneOf(traceparent));
  return tracestate === undefined ? trace : { ...trace, tracestate: oneOf(tracestate) };
}

function oneOf(header: string | readonly string[]): string | undefined {
  return typeof header === "string" ? header : header[0];
}
