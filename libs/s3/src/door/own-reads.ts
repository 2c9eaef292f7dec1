/**
 * Reads of an accepted connection into memory of ours. A socket that a client opens may be given its buffers (`onread` of
 * net.connect); for one that a server accepts Node has no such option, and allocates 64 KiB for each read, which is then
 * garbage. What `onread` sets are three fields of the socket and one call to its handle: the same are set here, later.
 * Where a Node names them otherwise nothing is set, and bytes go on coming as "data" events.
 */
import { Socket } from "node:net";

/** Where the next bytes go. */
export type NextBuffer = () => Uint8Array;
/** Bytes came. @returns false to read no more until the socket is resumed */
export type TakeBytes = (length: number, buffer: Uint8Array) => boolean;

interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

function fieldsOf(): Fields | undefined {
  const probe = new Socket();
  const named = (name: string) => Object.getOwnPropertySymbols(probe).find(({ description }) => description === name);
  const [buffer, callback, generator] = [named("kBuffer"), named("kBufferCb"), named("kBufferGen")];
  return buffer && callback && generator && { buffer, callback, generator };
}

let fields: Fields | undefined | "unknown" = "unknown";

/**
 * From here on the socket's bytes go to buffers of `next` and are told to `take`; no "data" event comes any more. To be
 * called once, while nothing is buffered. @returns false where it cannot be done, and nothing was
 */
export function readInto(socket: Socket, next: NextBuffer, take: TakeBytes): boolean {
  if (fields === "unknown") fields = fieldsOf();
  const handle = (socket as unknown as { _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null })._handle;
  if (fields === undefined || typeof handle?.useUserBuffer !== "function") return false;
  const target = socket as unknown as Record<symbol, unknown>;
  const first = next();
  target[fields.buffer] = first;
  target[fields.callback] = take;
  target[fields.generator] = next;
  handle.useUserBuffer(first);
  return true;
}
