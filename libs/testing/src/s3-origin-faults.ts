/** Faults of the S3 origin: which requests they hit, how often, and what they do. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectData, OriginObject } from "./s3-origin-objects.ts";

/** What the origin makes of a request's method and query. */
export type OriginOperation =
  | "ListBuckets"
  | "CreateBucket"
  | "DeleteBucket"
  | "HeadBucket"
  | "GetBucketLocation"
  | "ListObjects"
  | "ListObjectsV2"
  | "GetObject"
  | "HeadObject"
  | "PutObject"
  | "CopyObject"
  | "DeleteObject"
  | "DeleteObjects"
  | "CreateMultipartUpload"
  | "UploadPart"
  | "UploadPartCopy"
  | "CompleteMultipartUpload"
  | "AbortMultipartUpload"
  | "ListParts"
  | "ListMultipartUploads"
  | "GetObjectTagging"
  | "PutObjectTagging"
  | "DeleteObjectTagging"
  | "Unsupported";

/** A request as the origin understood it. */
export interface OriginRequest {
  readonly method: string;
  readonly op: OriginOperation;
  /** "" for ListBuckets. */
  readonly bucket: string;
  /** "" for operations on a bucket. */
  readonly key: string;
  /** The Range header as sent, "" if none. */
  readonly range: string;
}

/** Which requests: all fields that are given must match. A function decides by itself. */
export type RequestMatch =
  | {
      readonly method?: string;
      readonly op?: OriginOperation;
      readonly bucket?: string;
      readonly key?: string | RegExp;
      readonly range?: string | RegExp;
    }
  | ((request: OriginRequest) => boolean);

/** How often a fault strikes: `times` at most (default without end), and on every `every`-th match only (default 1). */
export interface FaultTiming {
  readonly times?: number;
  readonly every?: number;
}

/** Does a request match? */
export function matches(match: RequestMatch, request: OriginRequest): boolean {
  if (typeof match === "function") return match(request);
  const text = (want: string | RegExp | undefined, got: string) =>
    want === undefined || (typeof want === "string" ? want === got : want.test(got));
  return (
    text(match.method, request.method) &&
    text(match.op, request.op) &&
    text(match.bucket, request.bucket) &&
    text(match.key, request.key) &&
    text(match.range, request.range)
  );
}

/** One thing that goes wrong. */
export type OriginFault =
  | {
      readonly kind: "fail";
      readonly status: number;
      readonly code: string;
      readonly message: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** Silence before the head of the response, or after so many bytes of its body. */
  | { readonly kind: "stall"; readonly ms: number; readonly afterBytes: number | undefined }
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /** The connection ends early, in order or by RST. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly reset: boolean }
  /** The answer is made at once, and arrives so much later. */
  | { readonly kind: "lag"; readonly ms: number }
  /** The connection ends after so many bytes of the request's body, and nothing is written. */
  | { readonly kind: "cut-upload"; readonly afterBytes: number }
  /** The request takes effect, and the connection ends before the answer. */
  | { readonly kind: "lose-answer" }
  | { readonly kind: "change"; readonly afterBytes: number; readonly data: ObjectData; readonly cut: boolean };

interface Rule {
  readonly match: RequestMatch;
  readonly fault: OriginFault;
  readonly every: number;
  left: number;
  seen: number;
}

/** The faults that are set. */
export class FaultTable {
  #rules: Rule[] = [];

  add(match: RequestMatch, fault: OriginFault, timing: FaultTiming = {}): void {
    this.#rules.push({
      match,
      fault,
      every: timing.every ?? 1,
      left: timing.times ?? Number.POSITIVE_INFINITY,
      seen: 0,
    });
  }

  clear(): void {
    this.#rules = [];
  }

  /** The faults that strike this request; counts them. */
  take(request: OriginRequest): OriginFault[] {
    const struck: OriginFault[] = [];
    for (const rule of this.#rules) {
      if (rule.left <= 0 || !matches(rule.match, request)) continue;
      rule.seen++;
      if (rule.seen % rule.every !== 0) continue;
      rule.left--;
      struck.push(rule.fault);
    }
    return struck;
  }
}

/** Sleeps unless the connection closes first; false if it did. */
export async function sleepWhileOpen(response: ServerResponse, ms: number): Promise<boolean> {
  if (response.destroyed) return false;
  const closed = new AbortController();
  const abort = () => closed.abort();
  response.once("close", abort);
  try {
    // A timer cannot be set longer than 2^31-1 ms; Infinity means "until the client leaves".
    await sleep(Math.min(ms, 2 ** 31 - 1), undefined, { signal: closed.signal });
    return true;
  } catch {
    return false;
  } finally {
    response.off("close", abort);
  }
}

/** Writes and waits until the bytes were handed to the kernel; false if the connection closed. */
function writeOut(response: ServerResponse, bytes: Buffer, flush: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve(false);
      return;
    }
    const closed = () => resolve(false);
    const done = (error?: Error | null) => {
      response.off("close", closed);
      resolve(!error);
    };
    response.once("close", closed);
    if (response.write(bytes, flush ? done : undefined) && !flush) done();
    else if (!flush) response.once("drain", done);
  });
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Sends `length` bytes of an object from `start` with the faults of the request, and ends the response.
 * @returns the number of bytes that were written.
 */
export async function sendBody(
  response: ServerResponse,
  object: OriginObject,
  start: number,
  length: number,
  faults: readonly OriginFault[],
  change: (data: ObjectData) => void,
): Promise<number> {
  if (faults.length === 0) {
    const whole = object.slice(start, length);
    if (whole.length === length) {
      response.end(whole);
      return length;
    }
  }
  const due = faults
    .filter((fault) => fault.kind === "change" || fault.kind === "cut" || fault.kind === "stall")
    .filter((fault) => fault.afterBytes !== undefined && fault.afterBytes < length)
    .sort((a, b) => (a.afterBytes ?? 0) - (b.afterBytes ?? 0));
  const slow = faults.find((fault) => fault.kind === "slow");
  const chunkBytes = slow === undefined ? CHUNK_BYTES : Math.max(1, Math.ceil(slow.bytesPerSecond / 50));
  let sent = 0;
  if (due.length > 0) response.flushHeaders();
  while (sent < length) {
    const next = due[0];
    if (next !== undefined && next.afterBytes === sent) {
      due.shift();
      if (next.kind === "stall") {
        if (!(await sleepWhileOpen(response, next.ms))) return sent;
        continue;
      }
      if (next.kind === "change") change(next.data);
      if (next.kind === "cut" || next.cut) {
        if (next.kind === "cut" && next.reset) response.socket?.resetAndDestroy();
        else response.socket?.destroy();
        return sent;
      }
      continue;
    }
    const until = next?.afterBytes ?? length;
    const bytes = object.slice(start + sent, Math.min(chunkBytes, until - sent));
    if (!(await writeOut(response, bytes, due.length > 0))) return sent;
    sent += bytes.length;
    if (slow !== undefined && !(await sleepWhileOpen(response, (bytes.length / slow.bytesPerSecond) * 1000)))
      return sent;
  }
  response.end();
  return sent;
}
