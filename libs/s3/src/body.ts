/** Sending the bytes of a read. */
import { setImmediate } from "node:timers/promises";
import { RinglightError, type StopSignal } from "@ringlight/core";
import type { ReadBody } from "./backend.ts";
import type { AnswerHeaders, Exchange, S3Response } from "./exchange.ts";

/**
 * After so many bytes the event loop gets its turn. A source in memory and a client that keeps up never wait for anything but
 * microtasks, and one large object would hold up all other requests.
 */
const BYTES_A_TURN = 1024 * 1024;

/**
 * Waits for a response to take bytes again: made when back-pressure first shows, for it costs listeners and a timer. A client
 * that takes nothing for the whole time is cut off.
 */
class DrainGate {
  readonly #res: S3Response;
  readonly #timer: NodeJS.Timeout;
  #wake: (() => void) | undefined;

  constructor(res: S3Response, signal: StopSignal, stallTimeoutMs: number) {
    this.#res = res;
    const wake = () => {
      this.#wake?.();
      this.#wake = undefined;
    };
    this.#timer = setTimeout(() => {
      if (!this.#wake) return;
      // A pipelined answer whose turn has not come: the client takes the ones before it, or their own gates cut it off.
      if (res.socket === null) this.#timer.refresh();
      else res.destroy();
    }, stallTimeoutMs).unref();
    res.on("drain", wake);
    const end = () => {
      clearTimeout(this.#timer);
      wake();
    };
    res.on("close", end);
    signal.addEventListener("abort", end, { once: true });
  }

  /** Resolves when bytes are taken again, or when there is nobody left to take them. */
  wait(): Promise<void> {
    if (this.#res.destroyed) return Promise.resolve();
    this.#timer.refresh();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function wrongLength(expected: number, got: number): RinglightError {
  return new RinglightError("RL_INTERNAL", `the body has ${got} bytes where ${expected} were announced`);
}

/** Sends a body that is here. */
async function sendWhole(
  exchange: Exchange,
  { status, headers, lengthBytes, stallTimeoutMs }: BodyAnswer,
  whole: Uint8Array,
): Promise<void> {
  const { res, signal } = exchange;
  if (signal.aborted || res.destroyed) throw gone();
  if (whole.length !== lengthBytes) throw wrongLength(lengthBytes, whole.length);
  res.writeHead(status, headers());
  exchange.markFirstByte();
  exchange.bytesOut += whole.length;
  if (!res.write(whole)) {
    await new DrainGate(res, signal, stallTimeoutMs).wait();
    if (res.destroyed) throw gone();
  }
  res.end();
}

function gone(): RinglightError {
  return new RinglightError("RL_CANCELLED", "the client went away");
}

/** How an answer with bytes is sent. */
export interface BodyAnswer {
  readonly status: number;
  /** Complete headers, Content-Length included; asked for when the first bytes are there and the head goes out. */
  readonly headers: () => AnswerHeaders;
  readonly lengthBytes: number;
  readonly body: ReadBody;
  /** All of the body, where it is here. */
  readonly whole?: Uint8Array | undefined;
  readonly stallTimeoutMs: number;
}

/**
 * Sends head and body. The head waits for the first bytes, so that a source that fails at once is answered with an error;
 * a failure after that, or bytes that do not add up to the announced length, cut the connection: an answer that looks
 * complete is complete. @throws whatever the body throws; the caller answers or cuts.
 */
export async function sendBody(exchange: Exchange, answer: BodyAnswer): Promise<void> {
  const { res, signal } = exchange;
  if (answer.whole !== undefined) {
    await sendWhole(exchange, answer, answer.whole);
    return;
  }
  if (typeof answer.body === "function") {
    if (res.destroyed) return;
    res.writeHead(answer.status, answer.headers());
    exchange.markFirstByte();
    const { socket } = res;
    const before = socket?.bytesWritten ?? 0;
    try {
      await answer.body(res);
      exchange.bytesOut += answer.lengthBytes;
    } catch (error) {
      // What a broken body wrote is known to the connection alone, the head among it.
      exchange.bytesOut += Math.min(answer.lengthBytes, Math.max(0, (socket?.bytesWritten ?? 0) - before));
      throw error;
    }
    return;
  }
  const iterator = answer.body[Symbol.asyncIterator]();
  let sent = 0;
  let sinceTurn = 0;
  let gate: DrainGate | undefined;
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (signal.aborted || res.destroyed) throw gone();
      const chunk = next.value;
      if (sent + chunk.length > answer.lengthBytes) throw wrongLength(answer.lengthBytes, sent + chunk.length);
      if (!res.headersSent) {
        res.writeHead(answer.status, answer.headers());
        exchange.markFirstByte();
      }
      sent += chunk.length;
      exchange.bytesOut += chunk.length;
      if (!res.write(chunk)) {
        gate ??= new DrainGate(res, signal, answer.stallTimeoutMs);
        await gate.wait();
        if (res.destroyed) throw gone();
      }
      sinceTurn += chunk.length;
      if (sinceTurn >= BYTES_A_TURN) {
        sinceTurn = 0;
        await setImmediate();
      }
    }
    if (sent !== answer.lengthBytes) throw wrongLength(answer.lengthBytes, sent);
  } catch (error) {
    // The source lets go of what it holds; what it throws meanwhile is not news.
    await iterator.return?.().catch(() => undefined);
    throw error;
  }
  if (res.destroyed) return;
  if (!res.headersSent) {
    res.writeHead(answer.status, answer.headers());
    exchange.markFirstByte();
  }
  res.end();
}
