/** Reading past the workers of this host: when a lease is worth its question, and reads made of leased pages. */
import type { Clock } from "@ringlight/core";
import { loadNative } from "@ringlight/native";
import type { ObjectInfo } from "@ringlight/proto";
import type { ClusterState } from "./cluster-state.ts";
import type { LeasedPage } from "./leased-page.ts";
import { type LeasedObject, LeasedPages } from "./leased-pages.ts";

/** Pages that one stream asks for at once. */
const STREAM_PAGES = 64;
/** Longest piece of a page that a stream yields, bytes. */
const PIECE_BYTES = 1024 * 1024;
/** Pages of which it is remembered that they were read once. */
const MAX_SEEN = 65_536;
/** Short results share memory of this size, so that each costs no allocation of its own. */
const SLAB_BYTES = 64 * 1024;
const MAX_SLAB_READ_BYTES = 8 * 1024;

/** A piece of an object that was read from a page file. */
export interface LeasedBytes {
  readonly object: LeasedObject;
  readonly page: LeasedPage;
  readonly bytes: Buffer;
}

/** Short-circuit reads of one client. */
export class ShortCircuit {
  readonly #leases: LeasedPages;
  readonly #seen = new Set<string>();
  #slab = Buffer.alloc(0);
  #slabAt = 0;

  constructor(state: ClusterState, clock: Clock, openFileLimit?: number) {
    this.#leases = new LeasedPages({
      sourceOf: (path, segment) => state.onThisHost(path, segment),
      segmentBytes: () => state.segmentBytes,
      clock,
      openFileLimit,
      native: loadNative().native,
    });
  }

  /** Page files that are open. */
  get openFiles(): number {
    return this.#leases.openFiles;
  }

  /** The range's bytes, fewer at the object's end; undefined where they are not leased. Without waiting. */
  read(path: string, offset: number, length: number): Buffer | undefined {
    const object = this.#leases.object(path);
    if (object === undefined || offset < 0) return undefined;
    const bytes = Math.min(length, object.meta.sizeBytes - offset);
    if (!(bytes > 0)) return undefined;
    const target = this.#allocate(bytes);
    return this.#leases.readInto(object, offset, target) ? target : undefined;
  }

  /** Like read(), into memory of the caller's; the number of bytes, or -1. */
  readInto(path: string, offset: number, target: Buffer): number {
    const object = this.#leases.object(path);
    if (object === undefined || offset < 0) return -1;
    const bytes = Math.min(target.length, object.meta.sizeBytes - offset);
    if (!(bytes > 0)) return -1;
    const exact = bytes === target.length ? target : target.subarray(0, bytes);
    return this.#leases.readInto(object, offset, exact) ? bytes : -1;
  }

  /**
   * Notes that a range was not leased. The second time, or where the object was leased and its freshness has run out, a lease
   * is asked for behind the reader's back.
   */
  noteMiss(path: string, offset: number, length: number, pageBytes: number): void {
    if (!this.#leases.mayLease(path)) return;
    const first = Math.floor(offset / pageBytes);
    const name = `${first} ${path}`;
    if (!this.#leases.wasLeased(path) && !this.#seen.delete(name)) {
      if (this.#seen.size >= MAX_SEEN) this.#seen.clear();
      this.#seen.add(name);
      return;
    }
    void this.#leases.want(path, first, Math.floor((offset + length - 1) / pageBytes));
  }

  /** The object's bytes from `offset` on, up to `stop` or the first byte that lies in no page file of this host. */
  async *stream(path: string, offset: number, stop: number): AsyncGenerator<LeasedBytes, void> {
    if (!this.#leases.mayLease(path)) return;
    let askedBefore = -1;
    for (let at = offset; at < stop; ) {
      const object = this.#leases.object(path);
      const index = object === undefined ? -1 : Math.floor(at / object.pageBytes);
      if (object !== undefined && at >= object.meta.sizeBytes) return;
      if (object === undefined || !object.pages.has(index)) {
        if (askedBefore === index) return;
        askedBefore = index;
        // The size of pages is not known before the first answer: that of the smallest will do to begin with.
        await this.#leases.want(path, Math.max(index, 0), Math.max(index, 0) + (index < 0 ? 0 : STREAM_PAGES - 1));
        continue;
      }
      const page = this.#leases.hold(object, index);
      if (page === undefined) return;
      try {
        const within = at - index * object.pageBytes;
        const length = Math.min(stop - at, page.lengthBytes - within, PIECE_BYTES);
        const bytes = Buffer.allocUnsafe(length);
        if (!this.#leases.readInto(object, at, bytes)) return;
        at += length;
        yield { object, page, bytes };
      } finally {
        this.#leases.release(page);
      }
    }
  }

  /** Gives the leases back; undefined where there are none to wait for. Idempotent. */
  close(): Promise<void> | undefined {
    const closed = this.#leases.close();
    return this.#leases.hasSessions ? closed : undefined;
  }

  #allocate(bytes: number): Buffer {
    if (bytes > MAX_SLAB_READ_BYTES) return Buffer.allocUnsafe(bytes);
    if (this.#slabAt + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabAt = 0;
    }
    const part = this.#slab.subarray(this.#slabAt, this.#slabAt + bytes);
    this.#slabAt += bytes;
    return part;
  }
}

/** A leased object as the worker's answers describe it. */
export function leasedObjectInfo({ path, meta }: LeasedObject): ObjectInfo {
  const { sizeBytes, version, etag, modifiedMs, contentType = "", userMetadata = {} } = meta;
  return { path, sizeBytes, version, etag, modifiedUnixMs: Math.round(modifiedMs), contentType, userMetadata };
}
