/**
 * Memory of pages that are being fetched, used again. Allocating a page anew for each fetch costs a collection of the whole
 * heap every 64 MiB, since V8 counts what lies outside of its heap: half of a cold read's time was that.
 *
 * A buffer returns when its page was let go of and all pieces of it that were handed out have been released; a piece that
 * nobody releases keeps its buffer from the pool for good, and the garbage collector takes it. So no buffer is written to
 * while somebody can read it.
 */
import { markPooled } from "@ringlight/core";

/** Buffers that are kept while nobody uses them. */
const MAX_FREE = 48;

/** The pool of one page size. */
export class PageBuffers {
  readonly #pageBytes: number;
  readonly #free: Buffer[] = [];

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes;
  }

  /** Memory for a page. A short page gets memory of its own, which is not used again. */
  take(lengthBytes: number): PageBuffer {
    if (lengthBytes !== this.#pageBytes) return new PageBuffer(Buffer.allocUnsafeSlow(lengthBytes), undefined);
    return new PageBuffer(this.#free.pop() ?? Buffer.allocUnsafeSlow(lengthBytes), this);
  }

  /** Takes a buffer back that nobody can see any more. */
  giveBack(bytes: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(bytes);
  }
}

/** One page's memory, with the count of those who may still read it. */
export class PageBuffer {
  readonly bytes: Buffer;
  readonly #pool: PageBuffers | undefined;
  #holders = 1;
  readonly #release = (): void => this.release();

  constructor(bytes: Buffer, pool: PageBuffers | undefined) {
    this.bytes = bytes;
    this.#pool = pool;
  }

  /** One more holder, who calls release() in the end. */
  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#pool?.giveBack(this.bytes);
  }

  /** A piece to hand out. */
  piece(start: number, end: number): Buffer {
    const piece = this.bytes.subarray(start, end);
    if (this.#pool === undefined) return piece;
    this.#holders++;
    return markPooled(piece, this.#release);
  }
}
