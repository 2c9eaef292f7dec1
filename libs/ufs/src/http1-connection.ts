/**
 * One kept-alive connection to a store: a request at a time, its answer parsed as it comes.
 *
 * Bytes are read by `onread` into memory of ours. The head is read into a scratch buffer that all connections share (a
 * read is handed over before the next one begins, whatever the connection); the bytes of a body with a known length are
 * read straight into the space that the receiver gives, which is a page in the making: no copy, no stream, no promise a
 * piece. Chunked bodies and the bytes that came together with the head are copied once.
 */
import type { Socket } from "node:net";
import { type ByteSink, sendAtEndOfTurn, type TurnSender } from "@ringlight/core";
import { ChunkedDecoder } from "./http1-chunked.ts";
import { headEnd, MAX_HEAD_BYTES, MalformedResponse, parseHead, type ResponseHead } from "./http1-head.ts";

const scratch = Buffer.allocUnsafeSlow(64 * 1024);
/** Provisional answers (1xx) that are borne before the real one. */
const MAX_PROVISIONAL = 8;

/** How a body ended: whole, by the connection's end before that, or by what was wrong with it. */
export type BodyEnd = "end" | "closed" | Error;

/** Who takes a body. Both calls come from the event loop, never from within receive() for a body that is still to come. */
export interface BodyReceiver extends ByteSink {
  /** Called once, after the last byte. */
  ended(how: BodyEnd): void;
}

/** What connects a socket to a connection: the reads it is to be made with. */
export interface SocketReads {
  readonly buffer: () => Uint8Array;
  readonly callback: (length: number, buffer: Uint8Array) => boolean;
}

/** The pool's side of a connection. */
export interface ConnectionOwner {
  /** The connection may carry the next request. */
  idle(connection: Http1Connection): void;
  /** The connection is no more. */
  gone(connection: Http1Connection): void;
}

/** The connection ended before a byte of the answer came, after it had carried requests before: another one may do. */
export class StaleConnection extends Error {
  override readonly name = "StaleConnection";
  constructor() {
    super("a kept-alive connection was closed by the store");
  }
}

/** An answer: its head, and its body for the one who receives it. */
export class Http1Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** See ResponseHead. */
  readonly isPlain: boolean;
  readonly #connection: Http1Connection;

  constructor(head: ResponseHead, connection: Http1Connection) {
    this.status = head.status;
    this.headers = head.headers;
    this.isPlain = head.isPlain;
    this.#connection = connection;
  }

  /** Lets the body flow to the receiver, from its first byte. To be called once. */
  receive(receiver: BodyReceiver): void {
    this.#connection.receive(this, receiver);
  }

  /** Stops reading from the socket until resume(). */
  pause(): void {
    this.#connection.pause(this);
  }

  resume(): void {
    this.#connection.resume(this);
  }

  /** Gives the connection up, unless the body has ended. The receiver is told "closed". */
  destroy(): void {
    this.#connection.abandon(this);
  }
}

/** Told of an answer when its head is there, before its body is looked at: who calls receive() here gets the body without a copy. Must not throw. */
export type OnHead = (response: Http1Response) => void;

/** A request on its way, and who is told of its answer. */
export interface Pending {
  /** It is a HEAD. */
  readonly toHead: boolean;
  readonly onHead: OnHead | undefined;
  readonly resolve: (response: Http1Response) => void;
  readonly reject: (error: Error) => void;
}

/** A connection. Made by the pool, which owns it. */
export class Http1Connection implements TurnSender {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  #pending: Pending | undefined;
  /** The head so far, where it came in pieces. */
  #partial: Buffer | undefined;
  #provisional = 0;
  /** The answer whose body is under way. */
  #response: Http1Response | undefined;
  #receiver: BodyReceiver | undefined;
  #keepAlive = false;
  /** Bytes of the body to come; Infinity where its end is the connection's. */
  #remaining = 0;
  #chunks: ChunkedDecoder | undefined;
  /** Bytes of the body that came before its receiver. */
  #held: Buffer[] = [];
  /** How the body ended before its receiver came. */
  #early: BodyEnd | undefined;
  /** The receiver's space that the next bytes are read into. */
  #direct: Uint8Array | undefined;
  #paused = false;
  #closed = false;
  #error: Error | undefined;
  #requests = 0;
  #answered = false;
  /** More of the request's body is to come. */
  #sending = false;
  /** A request without a body, until the end of the turn. */
  #unsent = "";
  keepAliveS: number | undefined;

  constructor(owner: ConnectionOwner, connect: (reads: SocketReads) => Socket) {
    this.#owner = owner;
    this.#socket = connect({
      buffer: () => this.#nextBuffer(),
      callback: (length, buffer) => this.#onRead(length, buffer),
    });
    this.#socket.on("error", (error) => {
      this.#error ??= error;
    });
    this.#socket.once("close", () => this.#onClose());
  }

  /** True until the socket ended. */
  get open(): boolean {
    return !this.#closed && !this.#socket.destroyed;
  }

  /** An idle connection does not keep the process alive. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /**
   * Sends a request; resolves with the answer's head.
   * @param pieces the body or its beginning; goes out together with the head
   * @param more the rest of the body comes by write() and ends with finish()
   */
  send(
    head: string,
    toHead: boolean,
    pieces: readonly Uint8Array[] = [],
    more = false,
    onHead?: OnHead,
  ): Promise<Http1Response> {
    return new Promise((resolve, reject) => {
      this.request(head, { toHead, onHead, resolve, reject }, pieces, more);
    });
  }

  /** Does what send() does; whoever asked is told by its functions, one of them once. */
  request(head: string, asked: Pending, pieces: readonly Uint8Array[] = [], more = false): void {
    this.#pending = asked;
    this.#requests++;
    this.#answered = false;
    this.#provisional = 0;
    this.#sending = more;
    if (pieces.length === 0 && !more) {
      this.#unsent = head;
      sendAtEndOfTurn(this);
      return;
    }
    const socket = this.#socket;
    if (pieces.length > 0) socket.cork();
    socket.write(head, "latin1");
    if (pieces.length === 0) return;
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  /** For the end of the turn. */
  sendNow(): void {
    const head = this.#unsent;
    this.#unsent = "";
    if (this.open) this.#socket.write(head, "latin1");
  }

  /** Sends more of the body; `taken` is called when the system has the bytes, and never when it does not get them. */
  write(pieces: readonly Uint8Array[], taken: () => void): void {
    const socket = this.#socket;
    const last = pieces.length - 1;
    if (last > 0) socket.cork();
    for (let at = 0; at < last; at++) socket.write(pieces[at] ?? "");
    socket.write(pieces[last] ?? "", (error) => error ?? taken());
    if (last > 0) socket.uncork();
  }

  /** Bytes of the body that the system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** The whole body has been given to write(). */
  finish(): void {
    this.#sending = false;
  }

  /** Ends the connection; who waits for an answer is told the error. */
  destroy(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
    this.#onClose();
  }

  /** See Http1Response. */
  receive(response: Http1Response, receiver: BodyReceiver): void {
    if (this.#response !== response) {
      receiver.ended("end");
      return;
    }
    this.#receiver = receiver;
    const held = this.#held;
    this.#held = [];
    const early = this.#early;
    try {
      for (const piece of held) if (this.#response === response) this.#deliver(piece);
    } catch (error) {
      this.#break(error);
    }
    if (this.#response !== response) return;
    if (early !== undefined) this.#end(early);
    else this.resume(response);
  }

  pause(response: Http1Response): void {
    if (this.#response !== response || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(response: Http1Response): void {
    if (this.#response !== response || !this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  abandon(response: Http1Response): void {
    if (this.#response === response) this.destroy(new Error("given up"));
  }

  #nextBuffer(): Uint8Array {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#chunks !== undefined || this.#remaining <= 0) return scratch;
    try {
      const space = receiver.space();
      if (space.length === 0) return scratch;
      this.#direct = space.length > this.#remaining ? space.subarray(0, this.#remaining) : space;
      return this.#direct;
    } catch (error) {
      this.#break(error);
      return scratch;
    }
  }

  #onRead(length: number, buffer: Uint8Array): boolean {
    if (this.#closed) return false;
    try {
      if (buffer === this.#direct && this.#receiver !== undefined) {
        this.#direct = undefined;
        this.#remaining -= length;
        this.#receiver.advance(length);
        if (this.#remaining === 0) this.#end("end");
      } else if (this.#response !== undefined) this.#deliver(scratch.subarray(0, length));
      else if (this.#pending !== undefined) this.#takeHead(scratch.subarray(0, length));
      else throw new MalformedResponse("bytes came that nobody asked for");
    } catch (error) {
      this.#break(error);
    }
    return !this.#paused && !this.#closed;
  }

  #takeHead(piece: Buffer): void {
    this.#answered = true;
    let bytes = piece;
    let searched = 0;
    if (this.#partial !== undefined) {
      searched = this.#partial.length;
      bytes = Buffer.concat([this.#partial, piece]);
      this.#partial = undefined;
    }
    for (;;) {
      const end = headEnd(bytes, searched);
      if (end < 0) {
        if (bytes.length > MAX_HEAD_BYTES)
          throw new MalformedResponse(`its head is longer than ${MAX_HEAD_BYTES} bytes`);
        // What is no HTTP at all is told at once and not after the timeout.
        if (!"HTTP/1.".startsWith(bytes.toString("latin1", 0, Math.min(7, bytes.length))))
          parseHead(bytes.toString("latin1", 0, 60), false);
        this.#partial = Buffer.from(bytes);
        return;
      }
      if (end > MAX_HEAD_BYTES) throw new MalformedResponse(`its head is longer than ${MAX_HEAD_BYTES} bytes`);
      const pending = this.#pending;
      if (pending === undefined) return;
      const head = parseHead(bytes.toString("latin1", 0, end - 4), pending.toHead);
      bytes = bytes.subarray(end);
      if (head.status >= 200) {
        this.#begin(head, pending, bytes);
        return;
      }
      if (head.status === 101 || ++this.#provisional > MAX_PROVISIONAL) {
        throw new MalformedResponse(`status ${head.status} was not asked for`);
      }
      searched = 0;
      if (bytes.length === 0) return;
    }
  }

  #begin(head: ResponseHead, pending: Pending, rest: Buffer): void {
    const { framing } = head;
    this.#pending = undefined;
    this.#keepAlive = head.keepAlive;
    this.keepAliveS = head.keepAliveS;
    this.#chunks = framing === "chunked" ? new ChunkedDecoder() : undefined;
    this.#remaining = framing === "close" ? Number.POSITIVE_INFINITY : framing === "chunked" ? 0 : framing;
    this.#early = undefined;
    this.#receiver = undefined;
    const response = new Http1Response(head, this);
    this.#response = response;
    pending.onHead?.(response);
    pending.resolve(response);
    if (this.#response !== response) return;
    if (framing === 0) {
      if (rest.length > 0) this.#keepAlive = false;
      this.#end("end");
    } else if (rest.length > 0) this.#deliver(rest);
  }

  /** Bytes of the body that lie in the scratch buffer. */
  #deliver(bytes: Buffer): void {
    if (this.#receiver === undefined) {
      // The receiver comes with the promise of the head, before the next read: no more than one read is held.
      this.#held.push(Buffer.from(bytes));
      this.#paused = true;
      this.#socket.pause();
      return;
    }
    if (this.#chunks !== undefined) {
      const taken = this.#chunks.push(bytes, (piece) => this.#put(piece));
      if (!this.#chunks.done) return;
      if (taken < bytes.length) this.#keepAlive = false;
      this.#end("end");
      return;
    }
    const own = bytes.length > this.#remaining ? bytes.subarray(0, this.#remaining) : bytes;
    if (own.length < bytes.length) this.#keepAlive = false;
    this.#remaining -= own.length;
    this.#put(own);
    if (this.#remaining === 0) this.#end("end");
  }

  #put(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.#receiver !== undefined; ) {
      const space = this.#receiver.space();
      if (space.length === 0) throw new MalformedResponse("more bytes came than were asked for");
      const end = Math.min(bytes.length, at + space.length);
      space.set(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      this.#receiver.advance(end - at);
      at = end;
    }
  }

  #end(how: BodyEnd): void {
    if (this.#response === undefined) return;
    const receiver = this.#receiver;
    const isWhole = how === "end";
    if (receiver === undefined && !(isWhole && this.#held.length === 0)) {
      this.#early = how;
      return;
    }
    this.#response = undefined;
    this.#receiver = undefined;
    this.#chunks = undefined;
    this.#direct = undefined;
    // An answer that came before the whole request was out leaves a connection that nobody can use.
    const isSent = !this.#sending && this.#unsent === "" && this.#socket.writableLength === 0;
    if (isWhole && this.#keepAlive && this.open && isSent) {
      if (this.#paused) {
        this.#paused = false;
        this.#socket.resume();
      }
      this.#owner.idle(this);
    } else if (!this.#closed) this.destroy();
    receiver?.ended(how);
  }

  #break(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#error ??= failure;
    this.#socket.destroy();
    this.#end(failure);
    this.#onClose();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    const pending = this.#pending;
    this.#pending = undefined;
    this.#owner.gone(this);
    if (pending !== undefined) {
      const malformed = this.#error instanceof MalformedResponse;
      const isStale = this.#requests > 1 && !this.#answered && !malformed;
      pending.reject(isStale ? new StaleConnection() : (this.#error ?? reset()));
    }
    if (this.#response === undefined) return;
    // Without a length, the end of the connection is the end of the body; with an error it is not.
    const isWhole = this.#remaining === Number.POSITIVE_INFINITY && this.#error === undefined;
    this.#end(isWhole ? "end" : "closed");
  }
}

function reset(): Error {
  return Object.assign(new Error("the connection ended before the answer"), { code: "ECONNRESET" });
}
