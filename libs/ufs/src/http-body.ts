/**
 * An answer's body, pulled piece by piece. It reads ahead at most READ_AHEAD_BYTES; silence counts only while somebody
 * waits, so a slow reader is never taken for a stalled store.
 */
import type { BodyEnd, BodyReceiver, Http1Response } from "./http1-connection.ts";

const READ_AHEAD_BYTES = 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
/** What is left of a block is not worth a read when it is shorter. */
const MIN_SPACE_BYTES = 8 * 1024;

/** Pulls one answer. */
export class HttpBody implements BodyReceiver {
  readonly #response: Http1Response;
  readonly #stallTimeoutMs: number;
  #block: Buffer | undefined;
  #at = 0;
  #pieces: Buffer[] = [];
  #next = 0;
  #waitingBytes = 0;
  #paused = false;
  #end: BodyEnd | "stalled" | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: Http1Response, stallTimeoutMs: number) {
    this.#response = response;
    this.#stallTimeoutMs = stallTimeoutMs;
    response.receive(this);
  }

  space(): Uint8Array {
    if (this.#block === undefined || this.#block.length - this.#at < MIN_SPACE_BYTES) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#at = 0;
    }
    return this.#block.subarray(this.#at);
  }

  advance(length: number): void {
    if (this.#block === undefined) return;
    this.#pieces.push(this.#block.subarray(this.#at, this.#at + length));
    this.#at += length;
    this.#waitingBytes += length;
    if (this.#waitingBytes >= READ_AHEAD_BYTES) {
      this.#paused = true;
      this.#response.pause();
    }
    this.#wake?.();
  }

  ended(how: BodyEnd): void {
    this.#end ??= how;
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  /** The next piece, already here or awaited; "end" after the last one. @throws what was wrong with the body */
  async next(): Promise<Buffer | "end" | "closed" | "stalled"> {
    for (;;) {
      const piece = this.#pieces[this.#next];
      if (piece !== undefined) return this.#take(piece);
      if (this.#end instanceof Error) throw this.#end;
      if (this.#end !== undefined) return this.#end;
      await this.#wait();
    }
  }

  /** Gives the connection up, at once. */
  destroy(): void {
    this.#pieces = [];
    this.#next = 0;
    this.#response.destroy();
  }

  /** After the last expected byte: lets the connection go back to the pool, or gives it up if the end does not come. */
  release(): void {
    if (this.#end !== undefined) return;
    clearTimeout(this.#timer);
    this.#resume();
    this.#timer = setTimeout(() => this.destroy(), this.#stallTimeoutMs);
  }

  #take(piece: Buffer): Buffer {
    this.#next++;
    if (this.#next === this.#pieces.length) {
      this.#pieces = [];
      this.#next = 0;
    }
    this.#waitingBytes -= piece.length;
    if (this.#waitingBytes < READ_AHEAD_BYTES / 2) this.#resume();
    return piece;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#response.resume();
  }

  /** One timer serves the whole body: a timer a piece would cost more than the piece. */
  #wait(): Promise<void> {
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        if (this.#wake === undefined) return;
        this.#end ??= "stalled";
        this.#response.destroy();
        this.#wake?.();
      }, this.#stallTimeoutMs);
    } else this.#timer.refresh();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
