/**
 * One ranged read of one version. The first response is awaited before the read is given out, so that a changed or
 * missing object is told before the first byte; a body that ends early or falls silent is resumed where it stopped, with
 * If-Match, so that what follows is of the same version or nothing.
 */
import type { IncomingMessage } from "node:http";
import { type ByteRange, isRinglightError, RinglightError } from "@ringlight/core";
import { abortError, type Observed } from "./call.ts";
import { HttpBody } from "./http-body.ts";
import { UNREAD_MS } from "./options.ts";
import { backoffMs, MAX_ATTEMPTS, pause, TransientError, withRetries } from "./retry.ts";
import { describe } from "./s3-errors.ts";
import type { S3Http } from "./s3-http.ts";
import { etagOf } from "./s3-meta.ts";

/** What a read is given out with. */
export interface S3ReadOptions {
  readonly http: S3Http;
  readonly key: string;
  readonly version: string;
  readonly range: ByteRange;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly observed: Observed;
  /** Gives the connection's place back. */
  readonly release: () => void;
}

/** A store that is slower than this over a whole body is as good as stalled. */
const FLOOR_BYTES_PER_MS = 16;

/** A read under way. */
export class S3Read implements AsyncIterable<Uint8Array> {
  sizeBytes = 0;
  readonly #options: S3ReadOptions;
  readonly #operation: string;
  /** Ends with the caller's signal or with the read, whichever is first. */
  readonly #ending = new AbortController();
  readonly #abort: () => void;
  #body: HttpBody | undefined;
  #begun = false;
  #finished = false;
  #unread: NodeJS.Timeout | undefined;
  #onFinish: (() => void) | undefined;

  constructor(options: S3ReadOptions) {
    this.#options = options;
    this.#operation = `GET ${JSON.stringify(options.http.location.prefix + options.key)}`;
    this.#abort = () => {
      if (options.signal) this.finish(abortError(options.signal, this.#what()));
    };
    options.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Called once, when the read ended in whatever way. */
  set onFinish(listener: () => void) {
    this.#onFinish = listener;
  }

  /** Awaits the first response. */
  async open(signal: AbortSignal): Promise<void> {
    const body = await withRetries(
      signal,
      () => this.#request(this.#options.range.start, signal),
      () => this.#options.observed.repeat(),
    );
    if (this.#finished) {
      body.destroy();
      throw this.#ending.signal.reason;
    }
    this.#body = body;
    this.#unread = setTimeout(() => {
      if (!this.#begun) this.finish(new RinglightError("RL_CANCELLED", `nobody read the body: ${this.#what()}`));
    }, UNREAD_MS);
    this.#unread.unref();
  }

  /** Ends the read: gives the connection up if it is in use, and tells the observer. Idempotent. */
  finish(error?: RinglightError): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#unread);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (error === undefined) this.#body?.release();
    else this.#body?.destroy();
    this.#ending.abort(error);
    this.#options.release();
    this.#options.observed.end(error);
    this.#onFinish?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#begun) throw new RinglightError("RL_INTERNAL", `a body is read once: ${this.#what()}`);
    this.#begun = true;
    const { range, observed } = this.#options;
    const allowedMs = this.#options.stallTimeoutMs * MAX_ATTEMPTS + (range.end - range.start) / FLOOR_BYTES_PER_MS;
    let failure: RinglightError | undefined = new RinglightError("RL_CANCELLED", `the reader left: ${this.#what()}`);
    let position = range.start;
    let waitedMs = 0;
    let attempt = 1;
    try {
      while (position <= range.end) {
        const beganMs = performance.now();
        const piece = await this.#next();
        waitedMs += performance.now() - beganMs;
        if (typeof piece === "string") {
          this.#body?.destroy();
          const why = piece === "stalled" ? "silence" : "the connection ended";
          const text = `${why} after ${position - range.start} of ${range.end - range.start + 1} bytes: ${this.#what()}`;
          const code = piece === "stalled" ? "RL_UFS_TIMEOUT" : "RL_UFS_ERROR";
          this.#body = await this.#resume(position, attempt++, new RinglightError(code, text));
          continue;
        }
        if (piece.length > range.end - position + 1) {
          throw new RinglightError("RL_UFS_ERROR", `more bytes came than the range has: ${this.#what()}`);
        }
        if (waitedMs > allowedMs) {
          throw new RinglightError("RL_UFS_TIMEOUT", `slower than ${FLOOR_BYTES_PER_MS} kB/s: ${this.#what()}`);
        }
        position += piece.length;
        observed.bytes += piece.length;
        yield piece;
      }
      failure = undefined;
    } catch (error) {
      failure = isRinglightError(error) ? error : new RinglightError("RL_INTERNAL", String(error));
      throw failure;
    } finally {
      this.finish(failure);
    }
  }

  #what(): string {
    return describe(this.#options.http.location, this.#operation);
  }

  async #next(): Promise<Buffer | "end" | "stalled" | "closed"> {
    const piece = (await this.#body?.next()) ?? "closed";
    // An abort destroys the body, which then looks like a closed connection; the signal's reason says what it was.
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
    return piece;
  }

  /** Asks for the rest. Each resumption counts, so a store that always stops cannot keep a reader for ever. */
  async #resume(position: number, attempt: number, cause: RinglightError): Promise<HttpBody> {
    const { signal } = this.#ending;
    for (let tries = attempt, last = cause; ; tries++) {
      if (tries >= MAX_ATTEMPTS) throw last;
      try {
        await pause(backoffMs(tries), signal);
        this.#options.observed.repeat();
        return await this.#request(position, signal);
      } catch (error) {
        if (error instanceof TransientError) last = error.error;
        else if (isRinglightError(error, "RL_NOT_FOUND")) {
          throw new RinglightError("RL_VERSION_CHANGED", `the object was deleted while it was read: ${this.#what()}`);
        } else throw error;
      }
    }
  }

  async #request(start: number, signal: AbortSignal): Promise<HttpBody> {
    const { http, key, version, range } = this.#options;
    const headers = { range: `bytes=${start}-${range.end}`, "if-match": version };
    const message = await http.send("GET", key, headers, signal);
    try {
      this.#check(message, start);
    } catch (error) {
      message.on("error", () => undefined).destroy();
      throw error;
    }
    return new HttpBody(message, this.#options.stallTimeoutMs);
  }

  /** A response is believed only if it says that it is what was asked for. */
  #check(message: IncomingMessage, start: number): void {
    const { version, range } = this.#options;
    const wrong = (text: string) => new RinglightError("RL_UFS_ERROR", `${text}: ${this.#what()}`);
    const etag = etagOf(message.headers.etag);
    if (etag === undefined) throw wrong("the store sent no ETag, so the version cannot be known");
    if (etag !== version) throw new RinglightError("RL_VERSION_CHANGED", `the object changed: ${this.#what()}`);
    const { "content-length": lengthHeader, "content-range": rangeHeader } = message.headers;
    const length = lengthHeader === undefined ? undefined : Number(lengthHeader);
    if (message.statusCode === 200) {
      // A store that ignores ranges is served only where all was asked for.
      if (start !== 0 || length !== range.end + 1) throw wrong("the store ignored the range");
      this.sizeBytes = length;
      return;
    }
    const parts = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(rangeHeader ?? "");
    if (parts === null) throw wrong(`the store sent no Content-Range that can be read ("${rangeHeader ?? ""}")`);
    const [from, to, size] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
    if (from === start && to < range.end && to === size - 1) {
      throw new RinglightError("RL_BAD_RANGE", `the range ends behind the object's ${size} bytes: ${this.#what()}`);
    }
    if (from !== start || to !== range.end) throw wrong(`the store sent another range (${rangeHeader})`);
    if (length !== undefined && length !== to - from + 1)
      throw wrong(`Content-Length ${length} contradicts ${rangeHeader}`);
    this.sizeBytes = size;
  }
}
