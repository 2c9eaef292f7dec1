/** Heads of hits: everything that the object's version decides, made once, by the functions of the general path. */
import { randomFillSync } from "node:crypto";
import type { ObjectMeta, ReadStatus } from "@ringlight/core";
import { headerLines, identifyHeaders, objectHeaders } from "@ringlight/s3";
import { cacheStatus, serverTiming } from "./cache-headers.ts";

/** A head up to its length, in three pieces: the trace id and the request id go between them. */
export interface HeadTemplate {
  readonly toTrace: string;
  readonly toRequest: string;
  readonly rest: string;
}

const TRACE_MARK = "~trace-id~";
const REQUEST_MARK = "~request-id~";

/** Makes the template. @param status what the answer says of the cache; its trace id is not looked at */
export function headTemplate(code: number, meta: ObjectMeta, status: ReadStatus, hostId: string): HeadTemplate {
  const headers = objectHeaders(meta);
  headers["Cache-Status"] = cacheStatus(status);
  headers["Server-Timing"] = serverTiming({ ...status, traceId: TRACE_MARK });
  const text = headerLines(code, identifyHeaders(headers, REQUEST_MARK, hostId));
  // The last of each: an object's own metadata stands before them, and may hold anything.
  const request = text.lastIndexOf(REQUEST_MARK);
  const trace = text.lastIndexOf(TRACE_MARK, request);
  return {
    toTrace: text.slice(0, trace),
    toRequest: text.slice(trace + TRACE_MARK.length, request),
    rest: text.slice(request + REQUEST_MARK.length),
  };
}

/** Random bytes are drawn in bulk: a system call for each id would cost more than the id. */
const pool = Buffer.alloc(24 * 256);
let used = pool.length;

/** A new trace id (32 hex digits) and a new request id (16). */
export function newIds(): { readonly traceId: string; readonly requestId: string } {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 24;
  const hex = pool.toString("hex", used - 24, used);
  return { traceId: hex.slice(0, 32), requestId: hex.slice(32).toUpperCase() };
}
