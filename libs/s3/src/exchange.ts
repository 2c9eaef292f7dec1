/** One request and its answer: identity, times and counts, and the ways to answer. */
import { randomFillSync } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { type ReadStatus, RinglightError, Stop, type StopSignal } from "@ringlight/core";
import { errorDocument, type S3Error } from "./s3-error.ts";

/** Headers of an answer, names as they are sent. */
export type AnswerHeaders = Record<string, string | number>;

/** Who takes a body's pieces as they come. */
export interface PieceTaker {
  piece(piece: Buffer): void;
  /** The last one was there. */
  ended(): void;
}

/** A request as the handler takes it: node:http's, or one that the door parsed itself. */
export interface S3Request extends Readable {
  readonly method?: string | undefined;
  /** Target as on the request line. */
  readonly url?: string | undefined;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as received. */
  readonly rawHeaders: string[];
  /** True when the body, if there is one, has arrived. */
  readonly complete: boolean;
  /** The body's pieces lie in memory that is used again. */
  readonly pooled?: boolean;
  readonly socket: Socket;
  /** Has the body's pieces handed over past the stream, which then has none and does not end; false where that cannot be. */
  takePieces?(taker: PieceTaker): boolean;
}

/** An answer as the handler gives it. */
export interface S3Response extends Writable {
  /** Null for a pipelined answer whose turn has not come. */
  readonly socket: Socket | null;
  readonly headersSent: boolean;
  readonly statusCode: number;
  writeHead(status: number, headers: AnswerHeaders): unknown;
}

/** A refused body up to this size is read to its end, so that the connection can go on being used. */
const SMALL_BODY_BYTES = 1024 * 1024;
/** A larger one is read for a while after the answer, for a client that is still sending would not see it otherwise. */
const LINGER_BYTES = 64 * 1024 * 1024;
const LINGER_MS = 10_000;
/** A client that asked for "100 Continue" and got a final answer sends no body; one that sends it all the same is read this long. */
const LINGER_EXPECT_MS = 1_000;

/** What is told about an answered request. */
export interface RequestDone {
  /** Name of the S3 operation; "Unknown" if the request never got so far. */
  readonly api: string;
  /** The status that was sent; 499 when the client left before one was. */
  readonly status: number;
  /** Bytes of the body that were handed to the connection. */
  readonly bytesOut: number;
  /** Time to the first byte of the body (of the head, if there is no body), milliseconds. */
  readonly firstByteMs: number;
  readonly totalMs: number;
  /** True when the answer did not reach its end: the client left, or the connection was cut. */
  readonly aborted: boolean;
  readonly bucket?: string;
  readonly key?: string;
  /** The Range header as it was sent; absent without one. */
  readonly range?: string;
  /** Address of the client; absent where it is not known. */
  readonly client?: string;
  /** What happened to the read, as far as it went. */
  readonly read?: ReadStatus;
  /** The request's trace, where it is kept. */
  readonly traceId?: string;
}

/** Random bytes are drawn in bulk: a system call for each id would cost more than the id. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** An id of a request: 16 hex digits. */
export function newRequestId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 8;
  return pool.toString("hex", used - 8, used).toUpperCase();
}

/** Adds the headers that every answer has. */
export function identifyHeaders(headers: AnswerHeaders, requestId: string, hostId: string): AnswerHeaders {
  headers["x-amz-request-id"] = requestId;
  headers["x-amz-id-2"] = hostId;
  headers.Server = "Ringlight";
  return headers;
}

const connections = new WeakMap<Socket, Set<Exchange>>();

/** The unfinished exchanges of a connection; they end with it. */
function openExchanges(socket: Socket): Set<Exchange> {
  const known = connections.get(socket);
  if (known) return known;
  const open = new Set<Exchange>();
  connections.set(socket, open);
  socket.once("close", () => {
    for (const exchange of [...open]) exchange.connectionClosed();
  });
  return open;
}

/** Owned by one request. */
export class Exchange {
  readonly req: S3Request;
  readonly res: S3Response;
  readonly requestId: string;
  readonly hostId: string;
  readonly #stop = new Stop();
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #onDone: ((done: RequestDone) => void) | undefined;
  readonly #connection: Set<Exchange>;
  #firstByteMs: number | undefined;
  api = "Unknown";
  bucket: string | undefined;
  key: string | undefined;
  bytesOut = 0;

  constructor(
    req: S3Request,
    res: S3Response,
    options: { requestId: string; hostId: string; nowMs: () => number; onDone?: (done: RequestDone) => void },
  ) {
    this.req = req;
    this.res = res;
    this.requestId = options.requestId;
    this.hostId = options.hostId;
    this.#nowMs = options.nowMs;
    this.#startMs = options.nowMs();
    this.#onDone = options.onDone;
    // Writing to a client that left is no error of ours: "close" tells it.
    res.on("error", () => undefined);
    res.on("close", () => this.#finish());
    this.#connection = openExchanges(req.socket);
    this.#connection.add(this);
  }

  /** The connection closed. For a pipelined request whose turn has not come, node tells its response nothing. */
  connectionClosed(): void {
    this.res.destroy();
    this.#finish();
  }

  /** Cuts the connection. For a pipelined answer when its turn comes: the ones before it are whole, and node forgets it. */
  cut(): void {
    const { res } = this;
    res.destroy();
    if (res.socket === null) res.once("socket", (socket: Socket) => socket.destroy());
  }

  #finish(): void {
    if (!this.#connection.delete(this)) return;
    const aborted = !this.res.writableFinished;
    if (aborted) this.#stop.abort(new RinglightError("RL_CANCELLED", "the client went away"));
    this.#onDone?.(this.#done(aborted));
  }

  /** Aborts when the client goes away or the connection is cut. */
  get signal(): StopSignal {
    return this.#stop;
  }

  /** To be called when the first byte goes out; later calls do nothing. */
  markFirstByte(): void {
    this.#firstByteMs ??= this.#nowMs() - this.#startMs;
  }

  #done(aborted: boolean): RequestDone {
    const totalMs = this.#nowMs() - this.#startMs;
    const { range } = this.req.headers;
    const { remoteAddress } = this.req.socket;
    return {
      api: this.api,
      status: this.res.headersSent ? this.res.statusCode : 499,
      bytesOut: this.bytesOut,
      firstByteMs: this.#firstByteMs ?? totalMs,
      totalMs,
      aborted,
      ...(this.bucket !== undefined && { bucket: this.bucket }),
      ...(this.key !== undefined && { key: this.key }),
      ...(range !== undefined && { range }),
      ...(remoteAddress !== undefined && { client: remoteAddress }),
    };
  }

  /** Adds the headers that every answer has. */
  identify(headers: AnswerHeaders): AnswerHeaders {
    return identifyHeaders(headers, this.requestId, this.hostId);
  }

  /** Answers with a whole body, and sees to the request's own body if it has one. Does nothing if the client has left. */
  send(status: number, headers: AnswerHeaders, body: string | undefined): void {
    const { req, res } = this;
    if (res.destroyed || res.headersSent) return;
    const bytes = body === undefined ? undefined : Buffer.from(body, "utf8");
    this.identify(headers);
    // An answer without a body says so, or node would announce a chunked one of no chunks. HEAD says what GET would say.
    if (req.method !== "HEAD" && status !== 204 && status !== 304) headers["Content-Length"] = bytes?.length ?? 0;
    const unread = this.#unreadBody();
    if (unread === "large") headers.Connection = "close";
    this.markFirstByte();
    res.writeHead(status, headers);
    if (bytes !== undefined && req.method !== "HEAD") {
      this.bytesOut += bytes.length;
      res.write(bytes);
    }
    if (unread === "large") this.#linger();
    else res.end();
  }

  /** Answers with a document. */
  sendXml(status: number, document: string, headers: AnswerHeaders = {}): void {
    headers["Content-Type"] = "application/xml";
    this.send(status, headers, document);
  }

  /** Answers with an error, or cuts the connection if an answer has begun. */
  sendError(error: S3Error, headers: AnswerHeaders = {}): void {
    if (this.res.headersSent) {
      this.cut();
      return;
    }
    if (error.ringlightCode !== undefined) headers["x-ringlight-error"] = error.ringlightCode;
    const resource = (this.req.url ?? "/").split("?")[0] ?? "/";
    this.sendXml(error.status, errorDocument(error, resource, this.requestId, this.hostId), headers);
  }

  #unreadBody(): "none" | "small" | "large" {
    const { req } = this;
    if (req.complete) return "none";
    // The client that waits for "100 Continue" sends no body after a final answer, but might: the connection ends.
    if (req.headers.expect !== undefined) return "large";
    if (req.headers["transfer-encoding"] !== undefined) return "large";
    const length = Number(req.headers["content-length"] ?? 0);
    return length === 0 ? "none" : length <= SMALL_BODY_BYTES ? "small" : "large";
  }

  /** Reads on for a bounded while, then closes. */
  #linger(): void {
    const { req, res } = this;
    let left = LINGER_BYTES;
    const finish = () => {
      clearTimeout(timer);
      res.end();
    };
    const timer = setTimeout(finish, req.headers.expect === undefined ? LINGER_MS : LINGER_EXPECT_MS);
    timer.unref();
    req.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) finish();
    });
    req.once("end", finish);
    req.once("close", finish);
  }
}
