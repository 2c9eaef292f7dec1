/** The answer to a request that the door parsed itself, in the shape in which the general handler gives answers. */
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { RinglightError, releasePooled, sendAtEndOfTurn, type TurnSender } from "@ringlight/core";
import type { AnswerHeaders, S3Response } from "../exchange.ts";
import { connectionLines, dateLine, headerLines } from "./head-lines.ts";

type Callback = (error?: Error | null) => void;

/** What a response needs of its connection. */
export interface ResponseOptions {
  readonly method: string;
  readonly keepAlive: boolean;
  readonly keepAliveTimeoutMs: number;
}

/**
 * Writes to the connection with its back-pressure. "finish" comes when the system has taken every byte; destroying an
 * unfinished answer cuts the connection, for nothing else could follow it.
 */
export class DoorResponse extends Writable implements S3Response, TurnSender {
  readonly socket: Socket;
  statusCode = 200;
  headersSent = false;
  /** False once the answer says that the connection ends with it. */
  keepAlive: boolean;
  readonly #options: ResponseOptions;
  /** The head, until the first bytes of the body or the end go out with it. */
  #head = "";
  #hasBody: boolean;
  #chunked = false;
  /** Bytes of the body still to come; undefined when the head does not tell. */
  #leftBytes: number | undefined;
  #onDrain: (() => void) | undefined;
  /** What was written waits for the end of the turn. */
  #isCorked = false;
  /** Pieces that the system has not taken yet. */
  #untaken = 0;
  /** The body is complete: to be called when the system has all of it. */
  #finish: Callback | undefined;

  constructor(socket: Socket, options: ResponseOptions) {
    super({ decodeStrings: true });
    this.socket = socket;
    this.#options = options;
    this.keepAlive = options.keepAlive;
    this.#hasBody = options.method !== "HEAD";
  }

  /** Sets the head, which goes out with the first bytes of the body. @throws RL_INTERNAL when there was one already */
  writeHead(status: number, headers: AnswerHeaders): this {
    if (this.headersSent) throw new RinglightError("RL_INTERNAL", "an answer has one head");
    this.headersSent = true;
    this.statusCode = status;
    const { Connection: connection, ...others } = headers;
    if (connection === "close") this.keepAlive = false;
    const length = headers["Content-Length"];
    let text = headerLines(status, others);
    if (status === 204 || status === 304 || status < 200) this.#hasBody = false;
    if (this.#hasBody) {
      if (length !== undefined) this.#leftBytes = Number(length);
      this.#chunked = length === undefined;
    }
    text += `${dateLine()}${connectionLines(this.keepAlive, this.#options.keepAliveTimeoutMs)}`;
    if (this.#chunked) text += "Transfer-Encoding: chunked\r\n";
    this.#head = `${text}\r\n`;
    return this;
  }

  /** Tells a client that waits for it to send its body. */
  writeContinue(): void {
    if (!this.headersSent && !this.destroyed) this.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    if (!this.headersSent) this.writeHead(this.statusCode, {});
    if (!this.#hasBody || chunk.length === 0) {
      done();
      return;
    }
    if (this.#leftBytes !== undefined) {
      this.#leftBytes -= chunk.length;
      if (this.#leftBytes < 0) {
        done(new RinglightError("RL_INTERNAL", "the body is longer than the answer announced"));
        return;
      }
    }
    const { socket } = this;
    const head = this.#takeHead();
    // The first piece of a long body is waited for.
    const isWhole = head !== "" && this.#leftBytes === 0;
    if (isWhole) this.#cork();
    else socket.cork();
    if (head !== "") socket.write(head, "latin1");
    if (this.#chunked) socket.write(`${chunk.length.toString(16)}\r\n`, "latin1");
    this.#untaken++;
    let flows = socket.write(chunk, (error) => this.#taken(chunk, error));
    if (this.#chunked) flows = socket.write("\r\n", "latin1");
    if (!isWhole) socket.uncork();
    if (flows) done();
    else this.#whenDrained(done);
  }

  /** Holds what is written back until the end of the turn. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.socket.cork();
    sendAtEndOfTurn(this);
  }

  /** For the end of the turn. */
  sendNow(): void {
    this.#isCorked = false;
    this.socket.uncork();
  }

  /** The system has a piece; an error leaves open who holds it still. */
  #taken(chunk: Buffer, error: Error | null | undefined): void {
    this.#untaken--;
    if (!error) releasePooled(chunk);
    if (this.#untaken === 0) this.#finish?.(error);
  }

  override _final(done: Callback): void {
    if (!this.headersSent) this.writeHead(this.statusCode, {});
    if (this.#leftBytes !== undefined && this.#leftBytes > 0) {
      done(new RinglightError("RL_INTERNAL", "the body is shorter than the answer announced"));
      return;
    }
    const rest = `${this.#takeHead()}${this.#chunked ? "0\r\n\r\n" : ""}`;
    if (rest !== "") {
      this.#cork();
      this.socket.write(rest, "latin1", (error) => done(error));
    } else if (this.#untaken === 0) done();
    else this.#finish = done;
  }

  override _destroy(error: Error | null, done: Callback): void {
    if (this.#onDrain !== undefined) this.socket.off("drain", this.#onDrain);
    if (!this.writableFinished) this.socket.destroy();
    done(error);
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }

  #whenDrained(done: Callback): void {
    this.#onDrain = () => {
      this.#onDrain = undefined;
      done();
    };
    this.socket.once("drain", this.#onDrain);
  }
}
