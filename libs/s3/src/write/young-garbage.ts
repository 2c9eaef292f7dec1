/**
 * Frees the memory of body pieces while it is young. Node reads each piece of a request's body into a new buffer of 64 KiB,
 * whose memory lies outside of V8's heap: the heap's young generation fills so slowly meanwhile that V8 sees some 60 MiB of
 * buffers first and marks the whole heap for them, again and again. Measured on uploads, that was more than half of a
 * worker's time; collecting the young generation after some MiB of bodies costs little, for hardly anything in it lives.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of bodies between two collections. */
const COLLECT_EVERY_BYTES = 16 * 1024 * 1024;

let uncollectedBytes = 0;
let collect: (() => void) | undefined;

/** V8's collector, which is hidden unless it is asked for. */
function youngCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: { readonly type: "minor"; readonly execution: "sync" }) => void;
  return () => gc({ type: "minor", execution: "sync" });
}

/** Notes that a piece of a body came in, in memory of its own. */
export function noteBodyPiece(bytes: number): void {
  uncollectedBytes += bytes;
  if (uncollectedBytes < COLLECT_EVERY_BYTES) return;
  uncollectedBytes = 0;
  collect ??= youngCollector();
  collect();
}
