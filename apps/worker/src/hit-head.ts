/** Heads of hits: everything that the object's version decides, made once, by the functions of the general path. */
import { randomFillSync } from "node:crypto";
import type { ObjectMeta, ReadStatus } from "@ringlight/core";
import { headerLines, identifyHeaders, objectHeaders } from "@ringlight/s3";
import { cacheStatus, serverTiming } from "./cache-headers.ts";

/**
 * A head up to its length, as bytes: joining and writing its text for each answer takes several times as long as copying them. The
 * trace id and the request id of an answer go over the places that are kept for them.
 */
export interface HeadTemplate {
  readonly bytes: Uint8Array;
  readonly traceAt: number;
  readonly requestAt: number;
}

/** As long as the ids. */
const TRACE_MARK = "~trace-id~".padEnd(32, "~");
const REQUEST_MARK = "~request-id~".padEnd(16, "~");

/** Makes the template. @param status what the answer says of the cache; its trace id is not looked at */
export function headTemplate(code: number, meta: ObjectMeta, status: ReadStatus, hostId: string): HeadTemplate {
  const headers = objectHeaders(meta);
  headers["Cache-Status"] = cacheStatus(status);
  headers["Server-Timing"] = serverTiming({ ...status, traceId: TRACE_MARK });
  const text = headerLines(code, identifyHeaders(headers, REQUEST_MARK, hostId));
  // The last of each: an object's own metadata stands before them, and may hold anything.
  const requestAt = text.lastIndexOf(REQUEST_MARK);
  const traceAt = text.lastIndexOf(TRACE_MARK, requestAt);
  return { bytes: Uint8Array.from(Buffer.from(text, "latin1")), traceAt, requestAt };
}

/** Copies the template to the beginning of a buffer that has room for it, with the ids in their places. */
export function writeHead(
  into: Buffer,
  { bytes, traceAt, requestAt }: HeadTemplate,
  traceId: string,
  requestId: string,
): void {
  into.set(bytes);
  writeText(into, traceId, traceAt);
  writeText(into, requestId, requestAt);
}

/** For short texts quicker than a call that leaves JavaScript. */
function writeText(into: Uint8Array, text: string, at: number): void {
  for (let index = 0; index < text.length; index++) into[at + index] = text.charCodeAt(index);
}

/** Bytes of a trace id. */
const ID_BYTES = 16;
/** Random bytes are drawn in bulk: a system call for each id would cost more than the id. */
const pool = Buffer.alloc(ID_BYTES * 256);
let drawn = pool.length;
/** Ids are written out by eight, and cut from one text: few enough for an id that is kept to keep little beside itself. */
const WRITTEN_BYTES = ID_BYTES * 8;
let written = "";
let capitals = "";
let cut = 0;

/** A new trace id (32 hex digits), and the request id (16) that is its first half. */
export function newIds(): { readonly traceId: string; readonly requestId: string } {
  if (cut === written.length) {
    if (drawn === pool.length) {
      randomFillSync(pool);
      drawn = 0;
    }
    drawn += WRITTEN_BYTES;
    written = pool.toString("hex", drawn - WRITTEN_BYTES, drawn);
    capitals = written.toUpperCase();
    cut = 0;
  }
  const at = cut;
  cut += ID_BYTES * 2;
  return { traceId: written.slice(at, cut), requestId: capitals.slice(at, at + ID_BYTES) };
}
