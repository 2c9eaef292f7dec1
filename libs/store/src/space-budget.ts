/** The bytes of one directory: who has them, who waits for them, and when to evict. */

interface Waiter {
  readonly bytes: number;
  readonly resolve: (granted: boolean) => void;
}

/** Most callers that may wait for room at once; more are refused. */
const MAX_WAITERS = 1024;
const HEADROOM_SHARE = 1 / 32;
const LEAST_HEADROOM_BYTES = 4 * 1024 * 1024;
const MOST_HEADROOM_BYTES = 1024 * 1024 * 1024;
const MOST_HEADROOM_SHARE = 1 / 8;

/**
 * Accounts bytes against a limit that holds at every moment: bytes are reserved before a file is begun, temporary files
 * included, and given back only when the file is unlinked and nobody holds it open. Between two watermarks below the limit
 * eviction runs ahead in batches, so that a writer finds room without waiting for an unlink.
 */
export class SpaceBudget {
  readonly limitBytes: number;
  /** Eviction begins above this many bytes, and goes down to `lowBytes`. */
  readonly highBytes: number;
  readonly lowBytes: number;
  /** Bytes that files have or are promised. */
  usedBytes = 0;
  /** Of these, bytes of pages that are on their way out. */
  leavingBytes = 0;
  /** Reservations whose page is not written yet; the writer counts each down when it ends. */
  reservations = 0;
  readonly #waiters: Waiter[] = [];
  #waitingBytes = 0;

  constructor(limitBytes: number) {
    const headroom = Math.min(
      Math.max(limitBytes * HEADROOM_SHARE, LEAST_HEADROOM_BYTES),
      limitBytes * MOST_HEADROOM_SHARE,
      MOST_HEADROOM_BYTES,
    );
    this.limitBytes = limitBytes;
    this.highBytes = Math.floor(limitBytes - headroom / 2);
    this.lowBytes = Math.floor(limitBytes - headroom);
  }

  get hasWaiters(): boolean {
    return this.#waiters.length > 0;
  }

  /** Takes bytes if they are free now and nobody waits for them. */
  tryReserve(bytes: number): boolean {
    if (this.#waiters.length > 0 || this.usedBytes + bytes > this.limitBytes) return false;
    this.usedBytes += bytes;
    this.reservations++;
    return true;
  }

  /** Takes bytes when they are free; false when they cannot become free, or too many wait. */
  reserve(bytes: number): Promise<boolean> {
    if (this.#waiters.length >= MAX_WAITERS) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiters.push({ bytes, resolve });
    this.#waitingBytes += bytes;
    this.#serve();
    return promise;
  }

  /** Gives bytes back. */
  free(bytes: number): void {
    this.usedBytes -= bytes;
    this.#serve();
  }

  /** Refuses everybody who waits. */
  refuseWaiters(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(false);
    this.#waitingBytes = 0;
  }

  /** Bytes that eviction should choose now, beyond those already leaving; 0 below the watermark. */
  get excessBytes(): number {
    const staying = this.usedBytes - this.leavingBytes;
    const wanted = staying + this.#waitingBytes;
    if (wanted <= this.highBytes && !(this.hasWaiters && wanted > this.lowBytes)) return 0;
    return Math.max(0, Math.min(staying, wanted - this.lowBytes));
  }

  #serve(): void {
    for (let first = this.#waiters[0]; first; first = this.#waiters[0]) {
      if (this.usedBytes + first.bytes > this.limitBytes) return;
      this.usedBytes += first.bytes;
      this.reservations++;
      this.#waitingBytes -= first.bytes;
      this.#waiters.shift();
      first.resolve(true);
    }
  }
}
