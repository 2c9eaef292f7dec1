/**
 * One ranged read of one version. The first response is awaited before the read is given out, so that a changed or
 * missing object is told before the first byte; a body that ends early or falls silent is resumed where it stopped, with
 * If-Match, so that what follows is of the same version or nothing.
 */
import { type ByteRange, isRinglightError, RinglightError, type StopSignal } from "@ringlight/core";
import { abortError, type Observed } from "./call.ts";
import { HttpBody } from "./http-body.ts";
import { MalformedResponse } from "./http1-head.ts";
import { UNREAD_MS } from "./options.ts";
import { MAX_ATTEMPTS, withRetries } from "./retry.ts";
import { describe } from "./s3-errors.ts";
import { FLOOR_BYTES_PER_MS, requestRange, resume } from "./s3-fill.ts";
import type { S3Http } from "./s3-http.ts";

/** What a read is given out with. */
export interface S3ReadOptions {
  readonly http: S3Http;
  readonly key: string;
  readonly version: string;
  readonly range: ByteRange;
  readonly stallTimeoutMs: number;
  readonly signal: StopSignal | undefined;
  readonly observed: Observed;
  /** Gives the connection's place back. */
  readonly release: () => void;
}

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
    const { response, sizeBytes } = await withRetries(
      signal,
      () => requestRange({ ...this.#options, what: this.#what() }, this.#options.range.start, signal),
      () => this.#options.observed.repeat(),
    );
    this.sizeBytes = sizeBytes;
    const body = new HttpBody(response, this.#options.stallTimeoutMs);
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
          const { signal } = this.#ending;
          const options = { ...this.#options, signal, what: this.#what() };
          const response = await resume(options, position, attempt++, new RinglightError(code, text));
          this.#body = new HttpBody(response, this.#options.stallTimeoutMs);
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
      if (isRinglightError(error)) failure = error;
      else if (error instanceof MalformedResponse) {
        failure = new RinglightError("RL_UFS_ERROR", `${error.message}: ${this.#what()}`);
      } else failure = new RinglightError("RL_INTERNAL", String(error));
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
}
