/**
 * One kept-alive HTTP/1.1 connection with one request in flight, on a plain socket: a request costs one write and, for a small
 * answer, one read, and no object is made for its headers. Bodies are counted, not kept. What node:http and fetch do beyond that
 * costs the generator two to five times the time of a small request, and would be measured in place of the target.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** What came back, reused from answer to answer: read it before the callback returns. */
export interface RawAnswer {
  /** 0 when the connection failed. */
  status: number;
  bodyBytes: number;
  /** performance.now() of the first byte. */
  firstByteAtMs: number;
  head: string;
  error: string;
}

/** Where to connect. */
export interface Origin {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

const READ_BYTES = 256 * 1024;
/** Bytes are looked at in the callback only, so all connections of a process read into the same memory. */
const shared = Buffer.allocUnsafe(READ_BYTES);
const HEAD_END = Buffer.from("\r\n\r\n");
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const CLOSES = /\r\nconnection: *close/i;
const CHUNKS_END = "0\r\n\r\n";
const EMPTY = Buffer.alloc(0);

/** A connection; it connects again when it is used after the server closed it. */
export class HttpConnection {
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  readonly #answer: RawAnswer = { status: 0, bodyBytes: 0, firstByteAtMs: 0, head: "", error: "" };
  #socket: Socket | undefined;
  #done: ((answer: RawAnswer) => void) | undefined;
  #isHead = false;
  #inHead = true;
  #partial: Buffer = EMPTY;
  #left = 0;
  #chunked = false;
  #tail = "";
  #closes = false;
  /** The request, while it may still be sent again on a fresh connection. */
  #again: (() => void) | undefined;

  constructor(origin: Origin, timeoutMs: number) {
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
  }

  /** Sends a request's head, and a body; `done` is called once with what came. */
  send(head: string, isHead: boolean, body: Buffer | undefined, done: (answer: RawAnswer) => void): void {
    const answer = this.#answer;
    answer.status = 0;
    answer.bodyBytes = 0;
    answer.firstByteAtMs = 0;
    answer.error = "";
    this.#isHead = isHead;
    this.#inHead = true;
    this.#partial = EMPTY;
    this.#done = done;
    const write = () => {
      const socket = this.#socket ?? this.#open();
      if (body === undefined) socket.write(head, "latin1");
      else {
        socket.cork();
        socket.write(head, "latin1");
        socket.write(body);
        socket.uncork();
      }
    };
    // A kept-alive connection may have been closed by the server a moment ago: then it is asked once more.
    this.#again = this.#socket === undefined ? undefined : write;
    write();
  }

  close(): void {
    this.#done = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    const { host, port, isTls } = this.#origin;
    const onread = {
      buffer: shared,
      callback: (count: number, buffer: Uint8Array) => {
        this.#received(buffer as Buffer, count);
        return true;
      },
    };
    const socket = isTls
      ? connectTls({ host, port, servername: host }).on("data", (chunk: Buffer) => this.#received(chunk, chunk.length))
      : connect({ host, port, onread });
    socket.setNoDelay(true);
    socket.setTimeout(this.#timeoutMs, () => {
      if (this.#done !== undefined) socket.destroy(new Error(`no answer within ${this.#timeoutMs} ms`));
    });
    socket.on("error", (error) => this.#lost(socket, error.message));
    socket.on("close", () => this.#lost(socket, "the connection was closed before the answer was whole"));
    this.#socket = socket;
    return socket;
  }

  #lost(socket: Socket, why: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    if (this.#done === undefined) return;
    const again = this.#again;
    if (again !== undefined && this.#answer.firstByteAtMs === 0) {
      this.#again = undefined;
      again();
      return;
    }
    this.#answer.error = why;
    this.#finish();
  }

  #received(buffer: Buffer, count: number): void {
    let data = buffer;
    let at = 0;
    let end = count;
    if (this.#inHead) {
      if (this.#answer.firstByteAtMs === 0) this.#answer.firstByteAtMs = performance.now();
      if (this.#partial.length > 0) {
        data = Buffer.concat([this.#partial, buffer.subarray(0, count)]);
        end = data.length;
      }
      const headEnd = data.indexOf(HEAD_END);
      if (headEnd === -1 || headEnd >= end) {
        this.#partial = Buffer.from(data.subarray(0, end));
        return;
      }
      const head = data.toString("latin1", 0, headEnd);
      this.#begin(head);
      if (this.#inHead) {
        // 100 Continue and its like come before the answer.
        this.#partial = EMPTY;
        const rest = Buffer.from(data.subarray(headEnd + 4, end));
        if (rest.length > 0) this.#received(rest, rest.length);
        return;
      }
      at = headEnd + 4;
    }
    const received = end - at;
    this.#answer.bodyBytes += received;
    if (this.#chunked) {
      this.#tail = (this.#tail + data.toString("latin1", Math.max(at, end - CHUNKS_END.length), end)).slice(
        -CHUNKS_END.length,
      );
      if (this.#tail === CHUNKS_END) this.#finish();
      return;
    }
    this.#left -= received;
    if (this.#left <= 0) this.#finish();
  }

  #begin(head: string): void {
    const answer = this.#answer;
    answer.status = (head.charCodeAt(9) - 48) * 100 + (head.charCodeAt(10) - 48) * 10 + head.charCodeAt(11) - 48;
    if (answer.status < 200) return;
    answer.head = head;
    this.#inHead = false;
    this.#tail = "";
    this.#closes = CLOSES.test(head);
    const hasBody = !this.#isHead && answer.status !== 204 && answer.status !== 304;
    const length = LENGTH.exec(head);
    this.#chunked = hasBody && length === null && CHUNKED.test(head);
    this.#left = hasBody && length !== null ? Number(length[1]) : 0;
  }

  #finish(): void {
    const done = this.#done;
    this.#done = undefined;
    this.#again = undefined;
    if (this.#closes || this.#answer.error !== "") {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
      this.#closes = false;
    }
    done?.(this.#answer);
  }
}
