/** A request that the door parsed itself, in the shape in which the general handler takes requests. */
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { PieceTaker, S3Request } from "../exchange.ts";
import { MAX_PIECE_BYTES } from "./body-buffers.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * A request; the connection pushes the pieces of its body. One that ends early is destroyed without an error, for "close"
 * tells it.
 */
export class DoorRequest extends Readable implements S3Request {
  readonly method: string;
  readonly url: string;
  readonly headers: S3Request["headers"];
  readonly rawHeaders: string[];
  readonly socket: Socket;
  complete: boolean;
  /** Pieces lie in memory of body-buffers.ts. */
  pooled = false;
  readonly #more: () => void;
  /** Takes pieces past the stream. */
  #taker: PieceTaker | undefined;

  /** @param more asked when the body's next piece is wanted */
  constructor(socket: Socket, head: RequestHead, more: () => void) {
    super({ highWaterMark: MAX_PIECE_BYTES });
    this.socket = socket;
    this.method = head.method;
    this.url = head.url;
    this.headers = head.headers;
    this.rawHeaders = head.rawHeaders;
    this.complete = head.bodyBytes === 0;
    this.#more = more;
  }

  /** The body's pieces go to the taker and not into the stream. @returns false where the stream has some already */
  takePieces(taker: PieceTaker): boolean {
    if (this.complete || this.destroyed || this.readableLength > 0) return false;
    this.#taker = taker;
    return true;
  }

  /** A piece of the body came. @returns false when there shall be no more for now */
  came(piece: Buffer): boolean {
    if (this.#taker === undefined) return this.push(piece);
    this.#taker.piece(piece);
    return true;
  }

  override _read(): void {
    if (this.complete) this.push(null);
    else this.#more();
  }

  /** The body's last byte was pushed. */
  bodyEnded(): void {
    this.complete = true;
    if (this.#taker === undefined) this.push(null);
    else this.#taker.ended();
  }
}
