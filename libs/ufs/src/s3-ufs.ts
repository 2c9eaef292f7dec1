/** The UFS of s3:// mounts: any store that speaks S3. */
import {
  abortSignalOf,
  type Bagged,
  type ByteRange,
  type ByteSink,
  isRinglightError,
  type ListPage,
  type ListRequest,
  type ObjectMeta,
  RinglightError,
  Stop,
  type StopSignal,
  TransientBag,
  type Ufs,
  type UfsBody,
  type UfsCallOptions,
  type UfsObservation,
  type UfsReadOptions,
} from "@ringlight/core";
import { abortError, bounded, Observed, throwIfAborted } from "./call.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import { resolveCredentials } from "./credentials.ts";
import type { Http1Response } from "./http1-connection.ts";
import { limitsOf, type UfsLimits, type UfsMount, type UfsOptions } from "./options.ts";
import { checkRange } from "./range.ts";
import { withRetries } from "./retry.ts";
import { checkCurrent, checkPinned } from "./s3-answer.ts";
import { describe } from "./s3-errors.ts";
import { type FillOptions, fillRange, type Piece, receiveFirst } from "./s3-fill.ts";
import { S3Http } from "./s3-http.ts";
import { S3Lister } from "./s3-list.ts";
import { parseS3Location, type S3Location } from "./s3-location.ts";
import { metaOf } from "./s3-meta.ts";
import { S3Read } from "./s3-read.ts";
import { S3Writes } from "./s3-write.ts";

/** Checks an s3:// mount's URI and options. @throws RL_BAD_REQUEST */
export function checkS3Mount(mount: UfsMount): void {
  parseS3Location(mount, {});
}

/** Opens an s3:// mount. @throws RL_BAD_REQUEST */
export async function openS3Ufs(mount: UfsMount, options: UfsOptions): Promise<Ufs> {
  const env = options.env ?? process.env;
  const location = parseS3Location(mount, env);
  const limits = limitsOf(options);
  const { stallTimeoutMs, maxConnections } = limits;
  const credentials = resolveCredentials(mount.credentials, env);
  const http = new S3Http(location, credentials, stallTimeoutMs, maxConnections, options.traceHeaders);
  const writes = new S3Writes(location, credentials, limits, options.observe);
  return new S3Ufs(location, http, writes, limits, options.observe);
}

/** Stores tell an object's checksums only to those who ask. */
const WITH_CHECKSUMS = { "x-amz-checksum-mode": "ENABLED" };

/**
 * After so many objects in a row that were no longer than what was asked for, the next unknown one is asked for without a range.
 * A body that goes on behind what is wanted is broken off, and the count begins anew.
 */
const WHOLES_IN_A_ROW = 16;

/** Stores answer a GET of all with fewer steps of their own: Ceph's gateway reads an object's head and bytes in one then, else in two. */
const rangeHeader = ({ start, end }: ByteRange) => ({ range: `bytes=${start}-${end}` });

/** A body on its way, that ends with the mount. */
interface Filling extends Bagged {
  readonly end: (error: RinglightError) => void;
}

/** Where the body of an answer goes. */
type Taken = Pick<FillOptions, "version" | "range" | "bodyIsLonger"> & { readonly sink: ByteSink | Promise<ByteSink> };

class S3Ufs implements Ufs {
  readonly uri: string;
  readonly writes: S3Writes;
  readonly #location: S3Location;
  readonly #http: S3Http;
  readonly #lister: S3Lister;
  readonly #limits: UfsLimits;
  readonly #connections: ConnectionLimit;
  readonly #observe: ((observation: UfsObservation) => void) | undefined;
  readonly #reads = new Set<S3Read>();
  readonly #fills = new TransientBag<Filling>();
  readonly #closing = new AbortController();
  /** Unknown objects in a row that had nothing behind the range that they were asked for. */
  #wholes = 0;

  constructor(
    location: S3Location,
    http: S3Http,
    writes: S3Writes,
    limits: UfsLimits,
    observe: ((observation: UfsObservation) => void) | undefined,
  ) {
    this.uri = `s3://${location.bucket}${location.prefix === "" ? "" : `/${location.prefix}`}`;
    this.writes = writes;
    this.#location = location;
    this.#http = http;
    this.#lister = new S3Lister(http);
    this.#limits = limits;
    this.#connections = new ConnectionLimit(limits.maxConnections, limits.maxQueued);
    this.#observe = observe;
  }

  head(key: string, options: UfsCallOptions = {}): Promise<ObjectMeta> {
    const operation = `HEAD ${JSON.stringify(this.#location.prefix + key)}`;
    const observed = new Observed("head", this.#observe);
    return observed.run(() =>
      this.#call(operation, options.signal, async (signal) => {
        const response = await withRetries(
          signal,
          () => this.#http.send("HEAD", key, WITH_CHECKSUMS, signal),
          () => observed.repeat(),
        );
        const sizeBytes = Number(response.headers["content-length"] ?? Number.NaN);
        return metaOf(response.headers, sizeBytes, describe(this.#location, operation), response.isPlain);
      }),
    );
  }

  async read(key: string, version: string, range: ByteRange, options: UfsCallOptions = {}): Promise<UfsBody> {
    const observed = new Observed("get", this.#observe);
    const { signal: given } = options;
    const what = describe(this.#location, `GET ${JSON.stringify(this.#location.prefix + key)}`);
    try {
      checkRange(range, what);
      this.#throwIfClosed();
      const { timeoutMs, stallTimeoutMs } = this.#limits;
      const read = await bounded(what, timeoutMs, this.#unite(given), async (signal) => {
        const release = await this.#connections.take(signal);
        const opening = new S3Read({
          http: this.#http,
          key,
          version,
          range,
          stallTimeoutMs,
          signal: given,
          observed,
          release,
        });
        this.#reads.add(opening);
        opening.onFinish = () => this.#reads.delete(opening);
        try {
          await opening.open(signal);
          return opening;
        } catch (error) {
          opening.finish(isRinglightError(error) ? error : new RinglightError("RL_INTERNAL", String(error)));
          throw error;
        }
      });
      return { meta: { version, sizeBytes: read.sizeBytes }, stream: read };
    } catch (error) {
      observed.end(error);
      throw error;
    }
  }

  readInto(
    key: string,
    version: string,
    range: ByteRange,
    sink: ByteSink,
    options: UfsReadOptions = {},
  ): Promise<void> {
    const isWhole = range.start === 0 && range.end + 1 === options.sizeBytes;
    const headers = { ...(!isWhole && rangeHeader(range)), "if-match": version };
    return this.#fill(key, range, headers, options.signal, (response, what) => {
      checkPinned(response, version, range.start, range, what);
      return { version, range, sink, bodyIsLonger: false };
    });
  }

  readCurrent(
    key: string,
    range: ByteRange,
    begin: (meta: ObjectMeta, range: ByteRange) => ByteSink | Promise<ByteSink>,
    options: UfsReadOptions = {},
  ): Promise<void> {
    const headers = range.start === 0 && this.#wholes >= WHOLES_IN_A_ROW ? {} : rangeHeader(range);
    return this.#fill(key, range, headers, options.signal, (response, what) => {
      const { meta, range: held } = checkCurrent(response, range, what);
      if (held.start === 0) this.#wholes = held.end + 1 === meta.sizeBytes ? this.#wholes + 1 : 0;
      const bodyIsLonger = response.status === 200 && meta.sizeBytes > held.end + 1;
      return { version: meta.version, range: held, sink: begin(meta, held), bodyIsLonger };
    });
  }

  list(request: ListRequest, options: UfsCallOptions = {}): Promise<ListPage> {
    const operation = `list ${JSON.stringify(this.#location.prefix + request.prefix)}`;
    return new Observed("list", this.#observe).run(() =>
      this.#call(operation, options.signal, (signal) => this.#lister.list(request, signal)),
    );
  }

  check(options: UfsCallOptions = {}): Promise<void> {
    return new Observed("check", this.#observe).run(() =>
      this.#call("check", options.signal, async (signal) => {
        await this.#lister.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1 }, signal);
      }),
    );
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const closed = new RinglightError("RL_CANCELLED", `the mount of ${this.uri} was closed`);
    this.#closing.abort(closed);
    for (const read of this.#reads) read.finish(closed);
    for (const fill of this.#fills.values()) fill.end(closed);
    this.writes.close();
    this.#http.close();
  }

  /**
   * Opens an answer in bounded time and receives it into a sink.
   * @param take judges the head of a good answer, and says where its body goes
   */
  #fill(
    key: string,
    range: ByteRange,
    headers: Readonly<Record<string, string>>,
    given: StopSignal | undefined,
    take: (response: Http1Response, what: string) => Taken,
  ): Promise<void> {
    const observed = new Observed("get", this.#observe);
    const what = describe(this.#location, `GET ${JSON.stringify(this.#location.prefix + key)}`);
    const { timeoutMs, stallTimeoutMs } = this.#limits;
    return observed.run(async () => {
      checkRange(range, what);
      this.#throwIfClosed();
      throwIfAborted(given, what);
      // One controller for the caller's signal, the deadline and the mount's end: each of them costs, and so do unions of them.
      const ending = new Stop();
      const signal = ending;
      const begun: { release?: (() => void) | undefined; taken?: Taken; piece?: Piece; error?: unknown } = {};
      // A sink that is there at once gets what came with the head straight from the socket.
      const onHead = (response: Http1Response) => {
        if (signal.aborted) return response.destroy();
        try {
          begun.taken = take(response, what);
          const { sink } = begun.taken;
          if (sink instanceof Promise) return;
          begun.piece = receiveFirst({ ...begun.taken, sink, stallTimeoutMs, signal }, response);
        } catch (error) {
          begun.error = error;
          response.destroy();
        }
      };
      const ask = () => this.#http.send("GET", key, headers, signal, onHead);
      const opening = async () => {
        begun.release = this.#connections.tryTake();
        if (begun.release === undefined) {
          const place = await this.#connections.take(signal);
          if (signal.aborted) place();
          else begun.release = place;
        }
        return withRetries(signal, ask, () => observed.repeat());
      };
      let stop = (error: RinglightError) => ending.abort(error);
      const end = (error: RinglightError) => stop(error);
      const abort = () => given && end(abortError(given, what));
      const late = () => end(new RinglightError("RL_UFS_TIMEOUT", `no answer within ${timeoutMs} ms: ${what}`));
      const timer = setTimeout(late, timeoutMs);
      given?.addEventListener("abort", abort, { once: true });
      const filling: Filling = { end, place: -1 };
      this.#fills.add(filling);
      try {
        const response = await new Promise<Http1Response>((resolve, reject) => {
          // What does not end at the signal (credentials that do not come) is not waited for.
          stop = (error) => {
            ending.abort(error);
            reject(error);
          };
          opening().then(resolve, reject);
        });
        clearTimeout(timer);
        const { taken, piece, error } = begun;
        if (error !== undefined) throw error;
        if (signal.aborted || taken === undefined) throw signal.reason;
        const fill = { ...taken, http: this.#http, key, stallTimeoutMs, signal, observed, what };
        let sink: ByteSink;
        try {
          sink = await taken.sink;
        } catch (error) {
          response.destroy();
          throw error;
        }
        await fillRange({ ...fill, sink }, piece ?? receiveFirst({ ...fill, sink }, response));
      } finally {
        clearTimeout(timer);
        begun.release?.();
        this.#fills.delete(filling);
        given?.removeEventListener("abort", abort);
      }
    });
  }

  /** Runs one bounded call on one connection. */
  #call<T>(operation: string, given: StopSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const what = describe(this.#location, operation);
    return bounded(what, this.#limits.timeoutMs, this.#unite(given), async (signal) => {
      const release = await this.#connections.take(signal);
      try {
        return await work(signal);
      } finally {
        release();
      }
    });
  }

  #unite(given: StopSignal | undefined): AbortSignal {
    return given === undefined ? this.#closing.signal : AbortSignal.any([abortSignalOf(given), this.#closing.signal]);
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
  }
}
