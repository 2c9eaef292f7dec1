/** The body of a write on its way: its length is watched, and its last piece is held back until the stream has ended well. */
import { RinglightError, type UfsWriteBody } from "@ringlight/core";

/**
 * Hands the pieces on one behind, so that the last one leaves only after the stream has ended without an error: a stream
 * that throws at its end (a checksum that does not hold) has then sent less than was announced, and nothing is written.
 * @throws what the stream throws; RL_BAD_REQUEST when it has another length than announced.
 */
export async function* heldBack(body: UfsWriteBody, what: string): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  let came = 0;
  for await (const piece of body.stream) {
    if (piece.length === 0) continue;
    came += piece.length;
    if (came > body.sizeBytes) throw wrongLength(body, `more than ${body.sizeBytes}`, what);
    if (held !== undefined) yield held;
    held = piece;
  }
  if (came !== body.sizeBytes) throw wrongLength(body, String(came), what);
  if (held !== undefined) yield held;
}

function wrongLength(body: UfsWriteBody, came: string, what: string): RinglightError {
  const text = `${came} bytes came of ${body.sizeBytes} that were announced: ${what}`;
  return new RinglightError("RL_BAD_REQUEST", text, {
    s3: { code: "IncompleteBody", status: 400, message: INCOMPLETE },
  });
}

const INCOMPLETE = "You did not provide the number of bytes specified by the Content-Length HTTP header";

/** Collects the pieces of a body that is small enough to be held; nothing is copied. @throws as heldBack */
export async function collectBody(body: UfsWriteBody, what: string): Promise<Uint8Array[]> {
  if (body.collect !== undefined) {
    const all = await body.collect();
    const came = all.reduce((sum, piece) => sum + piece.length, 0);
    if (came !== body.sizeBytes) throw wrongLength(body, String(came), what);
    return all;
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of heldBack(body, what)) pieces.push(piece);
  return pieces;
}
