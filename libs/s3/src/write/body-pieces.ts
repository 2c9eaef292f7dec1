/** The bytes of a request's body as they come from the connection. */
import { RinglightError } from "@ringlight/core";
import type { S3Request, S3Response } from "../exchange.ts";
import { S3Error } from "../s3-error.ts";
import { noteBodyPiece } from "./young-garbage.ts";

/** What node:http's response has more: the go-ahead for a client that waits for it. */
interface Continues {
  writeContinue?(): void;
}

/** Pieces that may wait for their reader before the connection is paused. */
const MAX_WAITING = 4;

function stalled(): S3Error {
  return new S3Error(
    "RequestTimeout",
    "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.",
  );
}

function left(): RinglightError {
  return new RinglightError("RL_CANCELLED", "the client went away before its body was complete");
}

/**
 * The pieces of a short body, all of them, without a stream in between; undefined where they come by the stream alone. As
 * bodyPieces() in all that the client sees.
 */
export function gatherBody(
  req: S3Request,
  res: S3Response & Continues,
  stallTimeoutMs: number,
): Promise<Uint8Array[]> | undefined {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const pieces: Uint8Array[] = [];
  let open = true;
  const settle = () => {
    open = false;
    clearTimeout(timer);
    req.off("close", onClose);
  };
  const onClose = () => {
    settle();
    reject(left());
  };
  const timer = setTimeout(() => {
    settle();
    reject(stalled());
  }, stallTimeoutMs).unref();
  const isTaken = req.takePieces?.({
    piece: (piece) => {
      if (req.pooled !== true) noteBodyPiece(piece.length);
      if (!open) return;
      pieces.push(piece);
      timer.refresh();
    },
    ended: () => {
      settle();
      resolve(pieces);
    },
  });
  if (isTaken !== true) {
    clearTimeout(timer);
    return undefined;
  }
  req.on("close", onClose);
  if (req.headers.expect?.toLowerCase() === "100-continue") res.writeContinue?.();
  return promise;
}

/**
 * Yields the body piece by piece. A client that asked for it is told to continue when the first piece is asked for, and one
 * that sends nothing for `stallTimeoutMs` while it is waited for is RequestTimeout. Leaving early lets the rest of the body
 * run to waste, so that the connection can be answered.
 */
export async function* bodyPieces(
  req: S3Request,
  res: S3Response & Continues,
  stallTimeoutMs: number,
): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  let ended = req.readableEnded;
  let failure: unknown;
  let wake: (() => void) | undefined;
  const tell = () => {
    wake?.();
    wake = undefined;
  };
  const onData = (piece: Buffer) => {
    if (req.pooled !== true) noteBodyPiece(piece.length);
    waiting.push(piece);
    if (waiting.length >= MAX_WAITING) req.pause();
    tell();
  };
  const onEnd = () => {
    ended = true;
    tell();
  };
  const onClose = () => {
    if (!ended) failure ??= left();
    tell();
  };
  const timer = setTimeout(() => {
    if (!wake) return;
    failure ??= stalled();
    tell();
  }, stallTimeoutMs).unref();
  req.on("end", onEnd);
  req.on("error", onClose);
  req.on("close", onClose);
  req.on("data", onData);
  if (req.headers.expect?.toLowerCase() === "100-continue" && !ended) res.writeContinue?.();
  try {
    for (;;) {
      const piece = waiting.shift();
      if (piece !== undefined) {
        yield piece;
        continue;
      }
      if (failure !== undefined) throw failure;
      if (ended) return;
      if (req.destroyed) onClose();
      else {
        req.resume();
        timer.refresh();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    clearTimeout(timer);
    req.off("data", onData);
    req.off("end", onEnd);
    req.off("close", onClose);
    // The listener for errors stays: a connection that breaks later is nobody's concern any more.
    if (!ended) req.resume();
  }
}
