/**
 * One connection at the S3 door: reads heads, answers hits at once, hands other plain reads to the general handler, and the
 * whole connection to node:http as soon as it carries anything else. Requests are answered one after the other; while one
 * is, what the client pipelines is kept up to a bound, and then no longer read.
 */
import type { Socket } from "node:net";
import { DoorRequest } from "./door-request.ts";
import { DoorResponse } from "./door-response.ts";
import type { HitAnswer } from "./hit.ts";
import type { PageSender } from "./page-sender.ts";
import { parseHead, type RequestHead } from "./request-head.ts";
import type { S3Door } from "./s3-door.ts";

/** Bytes that a client may send ahead of its answers before it is no longer listened to. */
const MAX_PENDING_BYTES = 64 * 1024;
/** Requests of one connection that are answered before others get their turn. */
const REQUESTS_A_TURN = 16;

const NO_BYTES = Buffer.alloc(0);
const TIMED_OUT = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
const BAD_REQUEST = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/** Owned by the door, from the connection's beginning until it closes or is handed over. */
export class DoorConnection {
  readonly #door: S3Door;
  readonly #socket: Socket;
  readonly #sender: PageSender;
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #state: "idle" | "hit" | "rest" | "general" | "gone" = "idle";
  #pumping = false;
  #paused = false;
  /** The client sends no more. */
  #ended = false;
  #keepAlive = true;
  #answer: HitAnswer | undefined;
  #sentBytes = 0;
  #rest: AbortController | undefined;
  /** When the connection fell idle, a head began, or an answer last went on; of the monotonic clock. */
  #sinceMs: number;
  /** Address of the client, once it was asked for: a system call each time otherwise. */
  #client: string | undefined;
  /** Requests that were begun here. */
  #requests = 0;
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
    socket.on("data", this.#onData);
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
    if (this.#state === "hit" || this.#state === "rest") {
      if (ageMs > stallTimeoutMs) this.#socket.destroy();
    } else if (this.#state === "idle") {
      if (this.#requests > 0 && this.#at === this.#bytes.length) {
        if (ageMs > keepAliveTimeoutMs) this.#socket.end();
        if (ageMs > keepAliveTimeoutMs + headTimeoutMs) this.#socket.destroy();
      } else if (ageMs > headTimeoutMs) {
        if (this.#ended) this.#socket.destroy();
        else this.#refuse(TIMED_OUT);
      }
    }
  }

  #refuse(answer: string): void {
    this.#ended = true;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#socket.end(answer);
  }

  #received(chunk: Buffer): void {
    if (this.#ended) return;
    const left = this.#bytes.length - this.#at;
    if (left === 0) {
      this.#bytes = chunk;
      // A head is waited for since its first byte.
      if (this.#state === "idle") this.#touch();
    } else {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    }
    this.#at = 0;
    if (this.#state === "idle") this.#pump();
    if (this.#state !== "idle" && this.#bytes.length - this.#at > MAX_PENDING_BYTES) this.#pause();
  }

  #pause(): void {
    if (this.#paused || this.#state === "gone") return;
    this.#paused = true;
    this.#socket.pause();
  }

  #halfClosed(): void {
    this.#ended = true;
    // As node:http has it, a client that ends its side while its answer is being made has left; a hit is as good as sent.
    if (this.#state === "general" || this.#state === "rest") this.#socket.end();
    else if (this.#state === "idle" && !this.#pumping) this.#endIdle();
  }

  /** The client sends no more, and everything whole was answered. */
  #endIdle(): void {
    if (this.#at < this.#bytes.length) this.#refuse(BAD_REQUEST);
    else this.#socket.end();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let turn = 0; this.#state === "idle" && !this.#socket.destroyed && this.#at < this.#bytes.length; turn++) {
      if (turn === REQUESTS_A_TURN) {
        setImmediate(() => {
          this.#pumping = false;
          this.#pump();
        });
        return;
      }
      const head = parseHead(this.#bytes, this.#at, this.#bytes.length);
      if (head === "partial") break;
      if (head === "foreign") {
        this.#handOver();
        return;
      }
      this.#at = head.end;
      this.#begin(head);
    }
    this.#pumping = false;
    if (this.#at === this.#bytes.length) {
      this.#bytes = NO_BYTES;
      this.#at = 0;
    }
    if (this.#state !== "idle") return;
    if (this.#ended) this.#endIdle();
    else if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
  }

  #begin(head: RequestHead): void {
    this.#requests++;
    this.#keepAlive = head.keepAlive && !this.#door.closing;
    const { hits } = this.#door.options;
    // Bytes sent around the stream must not overtake what it still holds.
    if (hits !== undefined && this.#keepAlive && this.#socket.writableLength === 0) {
      this.#client ??= this.#socket.remoteAddress ?? "";
      const answer = hits(head, this.#door.headBuffer, this.#client);
      if (answer !== undefined) {
        this.#state = "hit";
        this.#answer = answer;
        this.#sentBytes = 0;
        this.#sender.send(answer, this.#door.headBuffer);
        return;
      }
    }
    this.#state = "general";
    const response = new DoorResponse(this.#socket, {
      method: head.method,
      keepAlive: this.#keepAlive,
      keepAliveTimeoutMs: this.#door.options.keepAliveTimeoutMs,
    });
    this.#door.options.handler(new DoorRequest(this.#socket, head), response);
    response.once("close", () => {
      if (!response.writableFinished) this.#socket.destroy();
      if (!response.keepAlive) this.#keepAlive = false;
      this.#finished();
    });
  }

  #pagesSent(): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#rest = new AbortController();
    const rest = answer.rest(this.#rest.signal);
    if (rest === undefined) {
      this.#rest = undefined;
      this.#answerDone(false);
      return;
    }
    this.#state = "rest";
    this.#sendRest(rest, this.#rest.signal).then(
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
      this.#bytes = NO_BYTES;
      this.#at = 0;
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
      this.#bytes = NO_BYTES;
      this.#at = 0;
      this.#pumping = false;
      socket.end();
      return;
    }
    const rest = this.#bytes.subarray(this.#at);
    this.#leave();
    socket.unshift(rest);
    this.#door.options.httpServer.emit("connection", socket);
    if (this.#paused) socket.resume();
  }

  #closed(): void {
    this.#leave();
    this.#rest?.abort();
    this.#answerDone(true);
  }

  #leave(): void {
    this.#state = "gone";
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#sender.close();
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    socket.off("error", this.#onError);
    this.#door.forget(this);
  }
}
