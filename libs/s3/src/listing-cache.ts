/**
 * Pages of listings, kept for as long as the mount's freshness says, so that the pages that everybody asks for (the first of a
 * directory, the one that a sync walks) are read from the store once. Bounded in bytes; the page that was longest unused goes
 * first. A write of ours drops the pages that its key belongs to, and what was being read meanwhile is not kept: a listing
 * that begins after a write was acknowledged shows it.
 */
import { type Clock, compareKeys, type ListPage, type ListRequest, systemClock } from "@ringlight/core";

/** Bounds of a cache. */
export interface ListingCacheOptions {
  readonly clock?: Clock;
  /** What all pages may take, bytes as estimated; default 32 MiB. */
  readonly maxBytes?: number;
}

interface Kept {
  readonly bucket: string;
  readonly request: ListRequest;
  readonly page: ListPage;
  readonly readMs: number;
  readonly sizeBytes: number;
}

const DEFAULT_MAX_BYTES = 32 * 1024 * 1024;
/** What an object of a page takes besides its texts. */
const OBJECT_BYTES = 160;

function sizeOf(page: ListPage): number {
  let sizeBytes = 500;
  for (const { key, etag, version } of page.objects) {
    sizeBytes += OBJECT_BYTES + 2 * (key.length + etag.length + version.length);
  }
  for (const prefix of page.commonPrefixes) sizeBytes += 50 + 2 * prefix.length;
  return sizeBytes;
}

function nameOf(bucket: string, { prefix, delimiter, startAfter, maxKeys }: ListRequest): string {
  return JSON.stringify([bucket, prefix, delimiter, startAfter, maxKeys]);
}

/** True when a key's being there or not could show on the page. */
function concerns(kept: Kept, key: string): boolean {
  const { request, page } = kept;
  if (!key.startsWith(request.prefix)) return false;
  if (page.truncated && compareKeys(key, page.nextStartAfter) > 0 && !key.startsWith(page.nextStartAfter)) return false;
  return true;
}

/** A cache of pages. */
export class ListingCache {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  /** By name, the longest unused first. */
  readonly #pages = new Map<string, Kept>();
  /** Counts writes by bucket: what was read across one is not kept. */
  readonly #writes = new Map<string, number>();
  #bytes = 0;

  constructor(options: ListingCacheOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** What the kept pages take, bytes as estimated. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** The page, not older than `freshMs`; 0 always reads. @throws what `read` throws */
  async list(
    bucket: string,
    request: ListRequest,
    freshMs: number,
    read: (request: ListRequest) => Promise<ListPage>,
  ): Promise<ListPage> {
    if (freshMs <= 0) return read(request);
    const name = nameOf(bucket, request);
    const kept = this.#pages.get(name);
    const nowMs = this.#clock.monotonicMs();
    if (kept !== undefined) {
      this.#pages.delete(name);
      if (nowMs - kept.readMs < freshMs) {
        this.#pages.set(name, kept);
        return kept.page;
      }
      this.#bytes -= kept.sizeBytes;
    }
    const writes = this.#writes.get(bucket) ?? 0;
    const page = await read(request);
    if (writes === (this.#writes.get(bucket) ?? 0)) {
      this.#keep(name, { bucket, request, page, readMs: nowMs, sizeBytes: sizeOf(page) });
    }
    return page;
  }

  /** A key was written or removed: to be told before the write is acknowledged. */
  written(bucket: string, key: string): void {
    this.#writes.set(bucket, (this.#writes.get(bucket) ?? 0) + 1);
    for (const [name, kept] of this.#pages) if (kept.bucket === bucket && concerns(kept, key)) this.#drop(name, kept);
  }

  /** Whatever is known of a bucket's listings is not true any more. */
  forget(bucket: string): void {
    this.written(bucket, "");
    for (const [name, kept] of this.#pages) if (kept.bucket === bucket) this.#drop(name, kept);
  }

  #keep(name: string, kept: Kept): void {
    const before = this.#pages.get(name);
    if (before !== undefined) this.#drop(name, before);
    if (kept.sizeBytes > this.#maxBytes) return;
    this.#pages.set(name, kept);
    this.#bytes += kept.sizeBytes;
    for (const [oldest, page] of this.#pages) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#drop(oldest, page);
    }
  }

  #drop(name: string, kept: Kept): void {
    this.#pages.delete(name);
    this.#bytes -= kept.sizeBytes;
  }
}
