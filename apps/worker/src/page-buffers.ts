/**
 * Memory of pages that are being fetched, used again. Allocating a page anew for each fetch costs a collection of the whole
 * heap every 64 MiB, since V8 counts what lies outside of its heap: half of a cold read's time was that.
 *
 * A buffer returns when its page was let go of and all pieces of it that were handed out have been released; a piece that
 * nobody releases keeps its buffer from the pool for good, and the garbage collector takes it. So no buffer is written to
 * while somebody can read it.
 */
import { markPooled } from "@ringlight/core";

/** Bytes that are kept for the next fetches: more than a job has in flight at once, or each of its turns would make memory anew. */
const MAX_FREE_BYTES = 128 * 1024 * 1024;
/** Bytes that are kept when nothing was fetched for a while. */
const RESTING_BYTES = 48 * 1024 * 1024;
const RESTS_AFTER_MS = 10_000;
/** Shorter pages are cut from slabs of this size, which the garbage collector takes when all of them are gone. */
const SLAB_BYTES = 512 * 1024;
const MIN_POOLED_BYTES = 32 * 1024;

/** Memory for pages of every length: in powers of two, so that less than half of it is unused. */
export class PageBuffers {
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;
  #takes = 0;
  #resting: NodeJS.Timeout | undefined;
  #slab = Buffer.alloc(0);
  #slabAt = 0;

  /** Memory for a page of so many bytes. */
  take(lengthBytes: number): PageBuffer {
    if (lengthBytes < MIN_POOLED_BYTES) return new PageBuffer(this.#cut(lengthBytes), lengthBytes, undefined);
    this.#takes++;
    const sizeBytes = 2 ** Math.ceil(Math.log2(lengthBytes));
    const known = this.#free.get(sizeBytes)?.pop();
    if (known !== undefined) this.#freeBytes -= sizeBytes;
    return new PageBuffer(known ?? Buffer.allocUnsafeSlow(sizeBytes), lengthBytes, this);
  }

  /** Takes memory back that nobody can see any more. */
  giveBack(memory: Buffer): void {
    if (this.#freeBytes + memory.length > MAX_FREE_BYTES) return;
    this.#freeBytes += memory.length;
    const free = this.#free.get(memory.length);
    if (free === undefined) this.#free.set(memory.length, [memory]);
    else free.push(memory);
    if (this.#freeBytes > RESTING_BYTES && this.#resting === undefined) this.#rest();
  }

  /** Looks after a while whether what is free may go. */
  #rest(): void {
    const takes = this.#takes;
    this.#resting = setTimeout(() => {
      this.#resting = undefined;
      if (this.#takes !== takes) {
        if (this.#freeBytes > RESTING_BYTES) this.#rest();
        return;
      }
      for (const [sizeBytes, free] of this.#free) {
        while (this.#freeBytes > RESTING_BYTES && free.pop() !== undefined) this.#freeBytes -= sizeBytes;
      }
    }, RESTS_AFTER_MS);
    this.#resting.unref();
  }

  #cut(lengthBytes: number): Buffer {
    if (this.#slabAt + lengthBytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabAt = 0;
    }
    const start = this.#slabAt;
    this.#slabAt += lengthBytes;
    return this.#slab.subarray(start, this.#slabAt);
  }
}

/** One page's memory, with the count of those who may still read it. */
export class PageBuffer {
  /** As long as the page. */
  readonly bytes: Buffer;
  readonly #memory: Buffer;
  readonly #pool: PageBuffers | undefined;
  #holders = 1;
  readonly #release = (): void => this.release();

  constructor(memory: Buffer, lengthBytes: number, pool: PageBuffers | undefined) {
    this.#memory = memory;
    this.bytes = memory.length === lengthBytes ? memory : memory.subarray(0, lengthBytes);
    this.#pool = pool;
  }

  /** One more holder, who calls release() in the end. */
  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#pool?.giveBack(this.#memory);
  }

  /** A piece to hand out. */
  piece(start: number, end: number): Buffer {
    const piece = this.bytes.subarray(start, end);
    if (this.#pool === undefined) return piece;
    this.#holders++;
    return markPooled(piece, this.#release);
  }
}
