/** Sending the bytes of a read. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { RinglightError } from "@ringlight/core";
import type { ReadBody } from "./backend.ts";
import type { AnswerHeaders, Exchange } from "./exchange.ts";

/** Waits until the response takes bytes again. @throws RL_CANCELLED when the client leaves, RL_DEADLINE when it stops reading. */
async function drained(res: ServerResponse, signal: AbortSignal, stallTimeoutMs: number): Promise<void> {
  if (res.destroyed) throw new RinglightError("RL_CANCELLED", "the client went away");
  const timeout = AbortSignal.timeout(stallTimeoutMs);
  try {
    await once(res, "drain", { signal: AbortSignal.any([signal, timeout]) });
  } catch (cause) {
    if (signal.aborted) throw new RinglightError("RL_CANCELLED", "the client went away", { cause });
    throw new RinglightError("RL_DEADLINE", `the client read nothing for ${stallTimeoutMs} ms`, { cause });
  }
}

function wrongLength(expected: number, got: number): RinglightError {
  return new RinglightError("RL_INTERNAL", `the body has ${got} bytes where ${expected} were announced`);
}

/** How an answer with bytes is sent. */
export interface BodyAnswer {
  readonly status: number;
  /** Complete headers, Content-Length included; asked for when the first bytes are there and the head goes out. */
  readonly headers: () => AnswerHeaders;
  readonly lengthBytes: number;
  readonly body: ReadBody;
  readonly stallTimeoutMs: number;
}

/**
 * Sends head and body. The head waits for the first bytes, so that a source that fails at once is answered with an error;
 * a failure after that, or bytes that do not add up to the announced length, cut the connection: an answer that looks
 * complete is complete. @throws whatever the body throws; the caller answers or cuts.
 */
export async function sendBody(exchange: Exchange, answer: BodyAnswer): Promise<void> {
  const { res, signal } = exchange;
  if (typeof answer.body === "function") {
    if (res.destroyed) return;
    res.writeHead(answer.status, answer.headers());
    exchange.markFirstByte();
    await answer.body(res);
    exchange.bytesOut += answer.lengthBytes;
    return;
  }
  const iterator = answer.body[Symbol.asyncIterator]();
  let sent = 0;
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (signal.aborted) throw new RinglightError("RL_CANCELLED", "the client went away");
      const chunk = next.value;
      if (sent + chunk.length > answer.lengthBytes) throw wrongLength(answer.lengthBytes, sent + chunk.length);
      if (!res.headersSent) {
        res.writeHead(answer.status, answer.headers());
        exchange.markFirstByte();
      }
      sent += chunk.length;
      exchange.bytesOut += chunk.length;
      if (!res.write(chunk)) await drained(res, signal, answer.stallTimeoutMs);
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
