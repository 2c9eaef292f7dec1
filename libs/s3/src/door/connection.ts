/**
 * One connection at the S3 door: reads heads, answers hits at once, hands other plain reads and writes to the general
 * handler, and the whole connection to node:http as soon as it carries anything else. Requests are answered one after the
 * other; while one is, what the client pipelines is kept up to a bound, and then no longer read.
 *
 * Reads go to memory of ours (own-reads.ts): heads to a scratch buffer that all connections share, and bodies of a known
 * length straight into the piece that the handler gets (body-buffers.ts). Where a Node does not allow that, bytes come as
 * "data" events.
 *
 * Long, because heads, hits, bodies and the hand-over take turns at one socket, and each must leave it as the next one needs it.
 */
import type { Socket } from "node:net";
import { releasePooled } from "@ringlight/core";
import { bodyBuffer, MAX_PIECE_BYTES } from "./body-buffers.ts";
import { DoorRequest } from "./door-request.ts";
import { DoorResponse } from "./door-response.ts";
import type { HitAnswer } from "./hit.ts";
import { readInto } from "./own-reads.ts";
import type { PageSender } from "./page-sender.ts";
import { parseHead, type RequestHead } from "./request-head.ts";
import type { S3Door } from "./s3-door.ts";

/** Bytes that a client may send ahead of its answers before it is no longer listened to. */
const MAX_PENDING_BYTES = 64 * 1024;
/** Requests of one connection that are answered before others get their turn. */
const REQUESTS_A_TURN = 16;

const NO_BYTES = Buffer.alloc(0);
/** Holds what a read brought until its callback returns. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);
/** Where a connection that carries bodies reads heads: what it brings of the body behind the head has to be copied. */
const headScratch = scratch.subarray(0, 4 * 1024);
const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/** Owned by the door, from the connection's beginning until it closes or is handed over. */
export class DoorConnection {
  readonly #door: S3Door;
  readonly #socket: Socket;
  readonly #sender: PageSender;
  /** What the client sent and is not yet answered: the bytes from #at to #end. */
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #end = 0;
  #state: "idle" | "hit" | "rest" | "general" | "draining" | "gone" = "idle";
  #pumping = false;
  #paused = false;
  /** The client sends no more. */
  #ended = false;
  #keepAlive = true;
  #answer: HitAnswer | undefined;
  #sentBytes = 0;
  #rest: AbortController | undefined;
  /** The request whose body is on its way. */
  #request: DoorRequest | undefined;
  #bodyLeft = 0;
  /** The piece of the body that is being filled, and how far it is. */
  #piece: Buffer | undefined;
  #filled = 0;
  /** The rest of the piece, while the next read goes there. */
  #direct: Uint8Array | undefined;
  /** Reads go to memory of ours; no "data" event comes. */
  readonly #ownReads: boolean;
  /** When the connection fell idle, a head began, or an answer last went on; of the monotonic clock. */
  #sinceMs: number;
  /** Address of the client, once it was asked for: a system call each time otherwise. */
  #client: string | undefined;
  /** Requests that were begun here. */
  #requests = 0;
  readonly #restSignal = () => {
    this.#rest = new AbortController();
    return this.#rest.signal;
  };
  readonly #onData = (chunk: Buffer) => this.#received(chunk);
  readonly #onEnd = () => this.#halfClosed();
  readonly #onClose = () => this.#closed();
  readonly #onError = () => this.#socket.destroy();

  constructor(door: S3Door, socket: Socket) {
    this.#door = door;
    this.#socket = socket;
    this.#sinceMs = performance.now();
    this.#sender = door.senderOf(socket, {
      onProgress: (bytes) => {
        this.#sentBytes += bytes;
        if (this.#door.ticks !== this.#tick) this.#touch();
      },
      onPagesSent: () => this.#pagesSent(),
      onFailed: () => this.#socket.destroy(),
    });
    this.#ownReads = readInto(
      socket,
      () => this.#nextBuffer(),
      (length, buffer) => this.#read(length, buffer),
    );
    if (!this.#ownReads) socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
    socket.on("error", this.#onError);
  }

  #tick = 0;

  /** Notes that something happened; by the door's tick, so that the clock is read once a second and not once a request. */
  #touch(): void {
    this.#tick = this.#door.ticks;
    this.#sinceMs = performance.now();
  }

  /** True while no request is being answered. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends what took too long: a head that does not come, a client that takes nothing, an idle connection. */
  checkTime(nowMs: number): void {
    const ageMs = nowMs - this.#sinceMs;
    const { headTimeoutMs, keepAliveTimeoutMs, stallTimeoutMs } = this.#door.options;
    if (this.#state === "hit" || this.#state === "rest" || this.#state === "draining") {
      if (ageMs > stallTimeoutMs) this.#socket.destroy();
    } else if (this.#state === "idle") {
      if (this.#requests > 0 && this.#at === this.#end) {
        if (ageMs > keepAliveTimeoutMs) {
          // What still comes could not be answered.
          this.#ended = true;
          this.#socket.end();
        }
        if (ageMs > keepAliveTimeoutMs + headTimeoutMs) this.#socket.destroy();
      } else if (ageMs > headTimeoutMs) {
        if (this.#ended) this.#socket.destroy();
        else this.#refuse(TIMED_OUT);
      }
    }
  }

  #refuse(answer: string): void {
    this.#ended = true;
    this.#forgetBytes();
    this.#socket.end(answer);
  }

  #forgetBytes(): void {
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#end = 0;
  }

  #received(chunk: Buffer): void {
    if (this.#ended) return;
    const ofBody = this.#bodyLeft > 0 ? this.#bodyCame(chunk) : 0;
    if (ofBody < chunk.length) this.#headCame(chunk, ofBody, chunk.length);
  }

  /** Bytes of heads came. */
  #headCame(chunk: Buffer, from: number, to: number): void {
    const isFirst = this.#at === this.#end;
    if (isFirst) {
      this.#bytes = chunk;
      this.#at = from;
      this.#end = to;
    } else {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at, this.#end), chunk.subarray(from, to)]);
      this.#at = 0;
      this.#end = this.#bytes.length;
    }
    if (this.#state === "idle") this.#pump();
    // A head is waited for since its first byte.
    if (isFirst && this.#state === "idle" && this.#at < this.#end) this.#touch();
    if (this.#state !== "idle" && this.#end - this.#at > MAX_PENDING_BYTES) this.#pause();
  }

  /** A read into memory of ours. */
  #read(length: number, buffer: Uint8Array): boolean {
    if (this.#state === "gone") {
      // Handed over, and node:http has not taken the descriptor: the stream gets its bytes after all.
      return this.#socket.push(Buffer.from(buffer.subarray(0, length)));
    }
    if (buffer === this.#direct) {
      this.#direct = undefined;
      this.#filledBy(length);
    } else {
      if (this.#bodyLeft > 0) this.#received(scratch.subarray(0, length));
      else if (!this.#ended) this.#headCame(scratch, 0, length);
      // The scratch buffer is the next read's.
      if (this.#bytes === scratch) {
        this.#bytes = Buffer.from(scratch.subarray(this.#at, this.#end));
        this.#at = 0;
        this.#end = this.#bytes.length;
      }
    }
    return !this.#paused && !this.#socket.destroyed;
  }

  /** Where the next read goes. */
  #nextBuffer(): Uint8Array {
    this.#direct = undefined;
    if (this.#bodyLeft === 0) return headScratch;
    if (this.#state !== "general") return scratch;
    this.#direct = this.#pieceOf().subarray(this.#filled);
    return this.#direct;
  }

  /** The piece of the body that is to be filled. */
  #pieceOf(): Buffer {
    if (this.#piece === undefined) {
      this.#piece = bodyBuffer(Math.min(this.#bodyLeft, MAX_PIECE_BYTES));
      this.#filled = 0;
    }
    return this.#piece;
  }

  #beginBody(request: DoorRequest, lengthBytes: number): void {
    request.pooled = this.#ownReads;
    this.#request = request;
    this.#bodyLeft = lengthBytes;
    this.#at += this.#bodyCame(this.#bytes.subarray(this.#at, this.#end));
  }

  /** Takes bytes that came elsewhere than in the body's piece. @returns how many of them were the body's */
  #bodyCame(bytes: Buffer): number {
    const own = Math.min(bytes.length, this.#bodyLeft);
    if (this.#state !== "general" || !this.#ownReads) {
      const request = this.#request;
      this.#bodyLeft -= own;
      if (own > 0) this.#bodyWent(request, bytes.subarray(0, own));
      return own;
    }
    for (let at = 0; at < own; ) {
      const taken = bytes.copy(this.#pieceOf(), this.#filled, at, own);
      at += taken;
      this.#filledBy(taken);
    }
    return own;
  }

  #filledBy(length: number): void {
    this.#bodyLeft -= length;
    this.#filled += length;
    const piece = this.#piece;
    // Without a piece the body is no longer wanted.
    if (piece === undefined) this.#bodyWent(undefined, NO_BYTES);
    else if (this.#filled === piece.length) {
      this.#piece = undefined;
      this.#bodyWent(this.#request, piece);
    }
  }

  /** A piece of the body is there; of a body that nobody wants any more it is dropped. */
  #bodyWent(request: DoorRequest | undefined, piece: Buffer): void {
    if (this.#door.ticks !== this.#tick) this.#touch();
    const isLast = this.#bodyLeft === 0;
    if (isLast) this.#request = undefined;
    if (this.#state === "general" && request !== undefined) {
      const wantsMore = request.came(piece);
      if (isLast) request.bodyEnded();
      else if (!wantsMore) this.#pause();
    } else if (isLast && this.#state === "draining") this.#finished();
  }

  #moreBody(): void {
    if (this.#bodyLeft === 0 || this.#state === "gone") return;
    this.#resume();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #pause(): void {
    if (this.#paused || this.#state === "gone") return;
    this.#paused = true;
    this.#socket.pause();
  }

  #halfClosed(): void {
    this.#ended = true;
    // As node:http has it, a client that ends its side while its answer is being made has left; a hit is as good as sent.
    this.#request?.destroy();
    if (this.#state === "general" || this.#state === "rest" || this.#state === "draining") this.#socket.end();
    else if (this.#state === "idle" && !this.#pumping) this.#endIdle();
  }

  /** The client sends no more, and everything whole was answered. */
  #endIdle(): void {
    if (this.#at < this.#end) this.#refuse(BAD_REQUEST);
    else this.#socket.end();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let turn = 0; this.#state === "idle" && !this.#socket.destroyed && this.#at < this.#end; turn++) {
      if (turn === REQUESTS_A_TURN) {
        setImmediate(() => {
          this.#pumping = false;
          this.#pump();
        });
        return;
      }
      const head = parseHead(this.#bytes, this.#at, this.#end);
      if (head === "partial") break;
      if (head === "foreign") {
        this.#handOver();
        return;
      }
      this.#at = head.end;
      this.#begin(head);
    }
    this.#pumping = false;
    if (this.#at === this.#end) this.#forgetBytes();
    if (this.#state !== "idle") return;
    if (this.#ended) this.#endIdle();
    else this.#resume();
  }

  #begin(head: RequestHead): void {
    this.#requests++;
    // Whoever was idle for long has not been waiting for this answer as long.
    if (this.#door.ticks !== this.#tick) this.#touch();
    this.#keepAlive = head.keepAlive && !this.#door.closing;
    const { hits } = this.#door.options;
    // Bytes sent around the stream must not overtake what it still holds.
    const isRead = head.method === "GET" || head.method === "HEAD";
    if (isRead && hits !== undefined && this.#keepAlive && this.#socket.writableLength === 0) {
      this.#client ??= this.#socket.remoteAddress ?? "";
      const answer = hits(head, this.#door.headBuffer, this.#client);
      if (answer !== undefined) {
        this.#state = "hit";
        this.#answer = answer;
        this.#sentBytes = 0;
        // Who asks for more at once is answered at once.
        if (this.#sender.send(answer, this.#door.headBuffer, this.#at === this.#end)) this.#door.keepHead();
        return;
      }
    }
    this.#state = "general";
    const response = new DoorResponse(this.#socket, {
      method: head.method,
      keepAlive: this.#keepAlive,
      keepAliveTimeoutMs: this.#door.options.keepAliveTimeoutMs,
    });
    const request = new DoorRequest(this.#socket, head, () => this.#moreBody());
    if (head.bodyBytes > 0) this.#beginBody(request, head.bodyBytes);
    this.#door.options.handler(request, response);
    response.once("close", () => {
      if (!response.writableFinished) this.#socket.destroy();
      if (!response.keepAlive) this.#keepAlive = false;
      if (this.#bodyLeft === 0 || !this.#keepAlive) this.#finished();
      else this.#drain();
    });
  }

  /** The answer is out, and the rest of the body, which the handler did not want, is still to come. */
  #drain(): void {
    if (this.#state === "gone") return;
    this.#state = "draining";
    this.#piece = undefined;
    this.#touch();
    this.#resume();
  }

  #pagesSent(): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    const rest = answer.rest(this.#restSignal);
    const signal = this.#rest?.signal;
    if (rest === undefined || signal === undefined) {
      this.#rest = undefined;
      this.#answerDone(false);
      return;
    }
    this.#state = "rest";
    this.#sendRest(rest, signal).then(
      () => this.#answerDone(false),
      () => this.#socket.destroy(),
    );
  }

  /** Sends what the pages at hand did not hold. */
  async #sendRest(rest: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    for await (const chunk of rest) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        this.#socket.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
      this.#sentBytes += chunk.length;
      this.#touch();
    }
    signal.throwIfAborted();
  }

  #answerDone(aborted: boolean): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#answer = undefined;
    this.#rest = undefined;
    answer.done(this.#sentBytes, aborted);
    if (!aborted) this.#finished();
  }

  /** An answer is out. */
  #finished(): void {
    if (this.#state === "gone" || this.#socket.destroyed) return;
    this.#state = "idle";
    if (this.#door.ticks !== this.#tick) this.#touch();
    if (!this.#keepAlive || this.#door.closing) {
      this.#ended = true;
      this.#forgetBytes();
      this.#socket.end();
    } else {
      this.#pump();
    }
  }

  /** From here on node:http has the connection, beginning with the bytes that were not understood. */
  #handOver(): void {
    const socket = this.#socket;
    if (this.#ended) {
      // A client that ended its side has left, as node:http has it; and what ended takes no bytes back.
      this.#forgetBytes();
      this.#pumping = false;
      socket.end();
      return;
    }
    const kept = this.#bytes.subarray(this.#at, this.#end);
    const rest = this.#ownReads ? Buffer.from(kept) : kept;
    this.#leave();
    socket.unshift(rest);
    this.#door.options.httpServer.emit("connection", socket);
    if (this.#paused) socket.resume();
  }

  #closed(): void {
    this.#request?.destroy();
    // Nothing is read any more, and nobody was given the piece.
    if (this.#piece !== undefined) releasePooled(this.#piece);
    this.#leave();
    this.#rest?.abort();
    this.#answerDone(true);
  }

  #leave(): void {
    this.#state = "gone";
    this.#forgetBytes();
    this.#request = undefined;
    this.#piece = undefined;
    this.#sender.close();
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.off("error", this.#onError);
    this.#door.forget(this);
  }
}
