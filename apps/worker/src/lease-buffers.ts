/** Buffers of 1 MiB for bytes on their way from page files to gRPC streams, used again when they have been sent. */

/** Size of each buffer, bytes. */
export const BUFFER_BYTES = 1024 * 1024;
/** Buffers kept while nobody uses them. New memory costs a page fault for each 4 KiB, more than reading into it. */
const MAX_IDLE = 32;

/** A pool of buffers. Taking one never waits. */
export class BufferPool {
  readonly #idle: Buffer[] = [];

  /** A buffer with whatever was in it. */
  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** Gives a buffer back that nobody refers to any more. */
  give(buffer: Buffer): void {
    if (this.#idle.length < MAX_IDLE) this.#idle.push(buffer);
  }
}
