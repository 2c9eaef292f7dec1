/**
 * Bytes whose memory is used again. A producer may mark the pieces that it hands out; a consumer that knows when it is done
 * with a piece says so, and one that does not know leaves the memory to the garbage collector. Nothing breaks where nobody
 * says anything: the memory is then not used again.
 */

const RELEASE = Symbol("ringlight.release");

interface Marked {
  [RELEASE]?: (() => void) | undefined;
}

/** Marks a piece: `release` is called once when its consumer is done with it. */
export function markPooled<T extends Uint8Array>(piece: T, release: () => void): T {
  (piece as Marked)[RELEASE] = release;
  return piece;
}

/**
 * Says that a piece will not be looked at again by anybody, neither by its holder nor by a socket that it was given to.
 * Idempotent; does nothing for pieces that are not marked.
 */
export function releasePooled(piece: Uint8Array): void {
  const release = (piece as Marked)[RELEASE];
  if (release === undefined) return;
  (piece as Marked)[RELEASE] = undefined;
  release();
}
