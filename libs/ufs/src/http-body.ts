/**
 * A response's body, pulled piece by piece without copying. It reads ahead at most READ_AHEAD_BYTES; silence counts only
 * while somebody waits, so a slow reader is never taken for a stalled store.
 */
import type { IncomingMessage } from "node:http";

const READ_AHEAD_BYTES = 1024 * 1024;

/** What ends a body before its time. */
export type BodyEnd = "stalled" | "closed";

/** Pulls one response. */
export class HttpBody {
  readonly #message: IncomingMessage;
  readonly #stallTimeoutMs: number;
  #pieces: Buffer[] = [];
  #next = 0;
  #waitingBytes = 0;
  #ended = false;
  #broken: BodyEnd | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(message: IncomingMessage, stallTimeoutMs: number) {
    this.#message = message;
    this.#stallTimeoutMs = stallTimeoutMs;
    message.on("data", (piece: Buffer) => {
      this.#pieces.push(piece);
      this.#waitingBytes += piece.length;
      if (this.#waitingBytes >= READ_AHEAD_BYTES) message.pause();
      this.#wake?.();
    });
    message.once("end", () => {
      this.#ended = message.complete;
      this.#wake?.();
    });
    message.on("error", () => undefined);
    message.once("close", () => {
      if (!this.#ended) this.#broken ??= "closed";
      clearTimeout(this.#timer);
      this.#wake?.();
    });
  }

  /** The next piece, already here or awaited; "end" after the last one. */
  async next(): Promise<Buffer | "end" | BodyEnd> {
    for (;;) {
      const piece = this.#pieces[this.#next];
      if (piece !== undefined) return this.#take(piece);
      if (this.#ended) return "end";
      if (this.#broken !== undefined) return this.#broken;
      await this.#wait();
    }
  }

  /** Gives the connection up, at once. */
  destroy(): void {
    this.#pieces = [];
    this.#message.destroy();
  }

  /** After the last expected byte: lets the connection go back to the pool, or gives it up if the end does not come. */
  release(): void {
    if (this.#ended || this.#broken !== undefined) return;
    clearTimeout(this.#timer);
    this.#message.resume();
    this.#timer = setTimeout(() => this.destroy(), this.#stallTimeoutMs);
  }

  #take(piece: Buffer): Buffer {
    this.#next++;
    if (this.#next === this.#pieces.length) {
      this.#pieces = [];
      this.#next = 0;
    }
    this.#waitingBytes -= piece.length;
    if (this.#waitingBytes < READ_AHEAD_BYTES / 2 && this.#message.isPaused()) this.#message.resume();
    return piece;
  }

  /** One timer serves the whole body: a timer a piece would cost more than the piece. */
  #wait(): Promise<void> {
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        if (this.#wake === undefined) return;
        this.#broken = "stalled";
        this.#message.destroy();
        this.#wake();
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
