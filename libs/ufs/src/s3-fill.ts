/**
 * Fills a sink with one range of one version: the bytes go from the socket into the sink's own memory, and nothing waits
 * for anybody. A body that ends early or falls silent is resumed where it stopped, with If-Match, so that what follows is
 * of the same version or nothing.
 */
import { type ByteRange, type ByteSink, isRinglightError, RinglightError, type StopSignal } from "@ringlight/core";
import { abortError, type Observed } from "./call.ts";
import type { BodyEnd, BodyReceiver, Http1Response } from "./http1-connection.ts";
import { MalformedResponse } from "./http1-head.ts";
import { backoffMs, MAX_ATTEMPTS, pause, TransientError } from "./retry.ts";
import { checkPinned } from "./s3-answer.ts";
import type { S3Http } from "./s3-http.ts";

/** A store that is slower than this over a whole body is as good as stalled. */
export const FLOOR_BYTES_PER_MS = 16;

/** What to fill. */
export interface FillOptions {
  readonly http: S3Http;
  readonly key: string;
  readonly version: string;
  readonly range: ByteRange;
  readonly sink: ByteSink;
  readonly stallTimeoutMs: number;
  readonly signal: StopSignal;
  readonly observed: Observed;
  /** Names the request in error texts. */
  readonly what: string;
  /** The first answer goes on behind the range: what is behind is not received. */
  readonly bodyIsLonger?: boolean;
}

/** Asks for the rest of a range of a version. @throws RinglightError or TransientError */
export async function requestRange(
  { http, key, version, range, what }: Pick<FillOptions, "http" | "key" | "version" | "range" | "what">,
  start: number,
  signal: StopSignal,
): Promise<{ response: Http1Response; sizeBytes: number }> {
  const headers = { range: `bytes=${start}-${range.end}`, "if-match": version };
  const response = await http.send("GET", key, headers, signal);
  try {
    return { response, sizeBytes: checkPinned(response, version, start, range, what) };
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/** Begins to receive the first answer. */
export function receiveFirst(
  options: Pick<FillOptions, "range" | "sink" | "stallTimeoutMs" | "signal" | "bodyIsLonger">,
  response: Http1Response,
): Piece {
  const { start, end } = options.range;
  return new Piece(options, end - start + 1, response, options.bodyIsLonger === true);
}

/**
 * Awaits the first answer and resumes until the range is complete.
 * @throws RL_UFS_ERROR, RL_UFS_TIMEOUT, RL_VERSION_CHANGED, or what the signal means
 */
export async function fillRange(options: FillOptions, first: Piece): Promise<void> {
  const { range, observed, what, signal } = options;
  const endMs =
    performance.now() + options.stallTimeoutMs * MAX_ATTEMPTS + (range.end - range.start) / FLOOR_BYTES_PER_MS;
  const total = range.end - range.start + 1;
  let piece = first;
  for (let done = 0, attempt = 1; ; ) {
    const how = await piece.received;
    done += piece.length;
    observed.bytes += piece.length;
    if (how instanceof MalformedResponse) throw new RinglightError("RL_UFS_ERROR", `${how.message}: ${what}`);
    if (done === total) return;
    if (signal.aborted) throw abortError(signal, what);
    if (how instanceof Error) throw how;
    const why = how === "stalled" ? "silence" : "the connection ended";
    const code = how === "stalled" ? "RL_UFS_TIMEOUT" : "RL_UFS_ERROR";
    const cause = new RinglightError(code, `${why} after ${done} of ${total} bytes: ${what}`);
    if (performance.now() > endMs) {
      throw new RinglightError("RL_UFS_TIMEOUT", `slower than ${FLOOR_BYTES_PER_MS} kB/s: ${what}`);
    }
    piece = new Piece(options, total - done, await resume(options, range.start + done, attempt++, cause), false);
  }
}

/** Asks for the rest. Each resumption counts, so a store that always stops cannot keep a reader for ever. */
export async function resume(
  options: Pick<FillOptions, "http" | "key" | "version" | "range" | "what" | "observed" | "signal">,
  position: number,
  attempt: number,
  cause: RinglightError,
): Promise<Http1Response> {
  const { signal, observed, what } = options;
  for (let tries = attempt, last = cause; ; tries++) {
    if (tries >= MAX_ATTEMPTS) throw last;
    try {
      await pause(backoffMs(tries), signal);
      observed.repeat();
      return (await requestRange(options, position, signal)).response;
    } catch (error) {
      if (error instanceof TransientError) last = error.error;
      else if (isRinglightError(error, "RL_NOT_FOUND")) {
        throw new RinglightError("RL_VERSION_CHANGED", `the object was deleted while it was read: ${what}`);
      } else throw error;
    }
  }
}

const NO_SPACE = new Uint8Array(0);

/** One answer on its way into the sink. */
export class Piece implements BodyReceiver {
  length = 0;
  readonly received: Promise<BodyEnd | "stalled">;
  readonly #sink: ByteSink;
  readonly #limit: number;
  readonly #response: Http1Response;
  readonly #signal: StopSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = () => this.#response.destroy();
  #resolve: (how: BodyEnd | "stalled") => void = () => undefined;
  #stalled = false;
  readonly #isLonger: boolean;

  constructor(
    { sink, stallTimeoutMs, signal }: Pick<FillOptions, "sink" | "stallTimeoutMs" | "signal">,
    limit: number,
    response: Http1Response,
    isLonger: boolean,
  ) {
    this.#sink = sink;
    this.#isLonger = isLonger;
    this.#limit = limit;
    this.#response = response;
    this.#signal = signal;
    this.received = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => {
      this.#stalled = true;
      response.destroy();
    }, stallTimeoutMs);
    signal.addEventListener("abort", this.#abort, { once: true });
    if (signal.aborted) response.destroy();
    response.receive(this);
  }

  space(): Uint8Array {
    const left = this.#limit - this.length;
    if (left <= 0) return NO_SPACE;
    const space = this.#sink.space();
    return space.length > left ? space.subarray(0, left) : space;
  }

  advance(length: number): void {
    this.length += length;
    this.#timer.refresh();
    this.#sink.advance(length);
    if (this.length === this.#limit && this.#isLonger) this.#response.destroy();
  }

  ended(how: BodyEnd): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#abort);
    this.#resolve(this.#stalled ? "stalled" : how);
  }
}
