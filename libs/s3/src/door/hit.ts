/** What lies between the door and whoever can answer a read at once. */
import type { RequestHead } from "./request-head.ts";

/**
 * An answer whose head is written and whose bytes lie in files. Owned by one request; the door calls `done` exactly once,
 * whatever happens.
 */
export interface HitAnswer {
  /** Bytes of the head in the buffer that was given. */
  readonly headLength: number;
  /** The bytes to send now; set by `next`. */
  readonly fd: number;
  readonly position: number;
  readonly lengthBytes: number;
  /** Lets go of the bytes that were sent and goes on to the next ones; false when there are none here. */
  next(): boolean;
  /**
   * What is left when `next` said false: undefined at the end of the answer.
   * @param signal makes the signal that ends it; called where something is left and only then, for a signal costs more than a look
   */
  rest(signal: () => AbortSignal): AsyncIterable<Uint8Array> | undefined;
  /** The bytes to send now cannot be read: the page is bad. The connection is cut. */
  damaged(): void;
  /** Everything was sent, or the connection is gone; lets go of everything. @param sentBytes bytes of the body */
  done(sentBytes: number, aborted: boolean): void;
}

/**
 * Answers a request at once, or not: then nothing was sent, and the general handler is asked. Writes the head into `into`.
 * `client` is the address of who asks, "" where it is not known. Must not throw.
 */
export type HitSource = (head: RequestHead, into: Buffer, client: string) => HitAnswer | undefined;

/** Longest head of an answer that is written at once. */
export const MAX_ANSWER_HEAD_BYTES = 16 * 1024;
