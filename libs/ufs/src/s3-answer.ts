/** What an answer to a ranged GET must say before its bytes are believed. */
import { type ByteRange, type ObjectMeta, RinglightError } from "@ringlight/core";
import type { Http1Response } from "./http1-connection.ts";
import { etagOf, metaOf } from "./s3-meta.ts";

const wrong = (text: string, what: string) => new RinglightError("RL_UFS_ERROR", `${text}: ${what}`);

/** What part of the object an answer holds. */
interface Extent {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
  readonly sizeBytes: number;
}

function partOf(response: Http1Response, what: string): Extent {
  const { "content-length": length, "content-range": range } = response.headers;
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range ?? "");
  if (parts === null) throw wrong(`the store sent no Content-Range that can be read ("${range ?? ""}")`, what);
  const [from, to, sizeBytes] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  if (to < from || to >= sizeBytes) throw wrong(`the store sent a Content-Range that cannot be (${range})`, what);
  if (length !== undefined && Number(length) !== to - from + 1)
    throw wrong(`Content-Length ${length} contradicts ${range}`, what);
  return { from, to, sizeBytes };
}

/**
 * Checks the answer to a GET of bytes `start` to `range.end` of a version. Returns the object's size.
 * @throws RL_VERSION_CHANGED, RL_BAD_RANGE, RL_UFS_ERROR
 */
export function checkPinned(
  response: Http1Response,
  version: string,
  start: number,
  range: ByteRange,
  what: string,
): number {
  const etag = etagOf(response.headers.etag);
  if (etag === undefined) throw wrong("the store sent no ETag, so the version cannot be known", what);
  if (etag !== version) throw new RinglightError("RL_VERSION_CHANGED", `the object changed: ${what}`);
  if (response.status === 200) {
    // A store that ignores ranges is served only where all was asked for.
    if (start !== 0 || Number(response.headers["content-length"] ?? Number.NaN) !== range.end + 1)
      throw wrong("the store ignored the range", what);
    return range.end + 1;
  }
  const { from, to, sizeBytes } = partOf(response, what);
  if (from === start && to < range.end && to === sizeBytes - 1) {
    throw new RinglightError("RL_BAD_RANGE", `the range ends behind the object's ${sizeBytes} bytes: ${what}`);
  }
  if (from !== start || to !== range.end) {
    throw wrong(`the store sent another range (${response.headers["content-range"]})`, what);
  }
  return sizeBytes;
}

/**
 * Checks the answer to a GET of a range of whatever version is current. A store that ignores ranges is taken at its word
 * where the range began with the object: what lies behind the range is then not received.
 * @throws RL_UFS_ERROR
 */
export function checkCurrent(
  response: Http1Response,
  asked: ByteRange,
  what: string,
): { meta: ObjectMeta; range: ByteRange } {
  if (response.status === 200) {
    const sizeBytes = Number(response.headers["content-length"] ?? Number.NaN);
    const meta = metaOf(response.headers, sizeBytes, what, response.isPlain);
    if (asked.start !== 0) throw wrong("the store ignored the range", what);
    if (sizeBytes === 0) throw new RinglightError("RL_BAD_RANGE", `the object is empty: ${what}`);
    return { meta, range: { start: 0, end: Math.min(asked.end, sizeBytes - 1) } };
  }
  const { from, to, sizeBytes } = partOf(response, what);
  if (from !== asked.start || to !== Math.min(asked.end, sizeBytes - 1)) {
    throw wrong(`the store sent another range (${response.headers["content-range"]})`, what);
  }
  return { meta: metaOf(response.headers, sizeBytes, what, response.isPlain), range: { start: from, end: to } };
}
