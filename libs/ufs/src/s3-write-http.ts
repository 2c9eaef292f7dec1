/**
 * The S3 client of writes: signed requests on our own HTTP/1.1 connections (docs/adr/0021-puts-at-the-door.md). Small bodies
 * are collected, so that they can be sent again when a kept-alive connection turns out to be dead or the store asks for
 * patience; larger ones stream through a new connection, once, with no more than a few pieces in memory.
 */
import {
  RinglightError,
  releasePooled,
  type StopSignal,
  type UfsCallOptions,
  type UfsObservation,
  type UfsWriteBody,
} from "@ringlight/core";
import { EMPTY_PAYLOAD_HASH, signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import { abortError } from "./call.ts";
import type { CredentialsSource } from "./credentials.ts";
import { type BodyEnd, type BodyReceiver, type Http1Response, StaleConnection } from "./http1-connection.ts";
import { Http1Pool } from "./http1-pool.ts";
import { lookupLocal } from "./local-lookup.ts";
import { TransientError, withRetries } from "./retry.ts";
import { networkError, parseErrorXml, silenceError } from "./s3-errors.ts";
import { queryText, type S3Location, targetOf } from "./s3-location.ts";
import { isUndone, writeFailure } from "./s3-write-errors.ts";
import { bodyHeaders, checksumHeader } from "./s3-write-headers.ts";
import { collectBody, heldBack } from "./write-body.ts";

/** Bodies up to this size are collected before they are sent, bytes. */
const COLLECTED_BYTES = 1024 * 1024;
/** Bytes of a streamed body that may wait for the store. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** Longest document that is read from a store. */
const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;
/** Kept-alive connections. */
const MAX_IDLE = 64;

/** What a header's name and value may be made of. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A write to send. */
export interface S3WriteRequest {
  readonly method: "PUT" | "POST" | "DELETE" | "GET" | "HEAD";
  /** undefined: the bucket itself. */
  readonly key: string | undefined;
  /** Parameters in order; an empty value is sent without "=". */
  readonly query?: readonly (readonly [string, string])[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: UfsWriteBody | Buffer;
  /** What it is, for error texts: `PUT "key"`. */
  readonly operation: string;
  /** Silence that is borne after the last byte of the body, milliseconds. */
  readonly answerMs: number;
  /** May be sent again though an attempt may have taken effect unseen. */
  readonly repeatable: boolean;
  /** The body's checksum is kept as user metadata, too, where it is known before the body. */
  readonly notesChecksum?: boolean;
}

/** An answer, its body read. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** What the store is asked of a request besides its key. */
export type Ask = Omit<S3WriteRequest, "operation" | "answerMs"> & { readonly slow?: boolean };

/** One operation on the store, with its deadline, its place among the connections and its observation. */
export type RunWrite = (
  op: UfsObservation["op"],
  verb: string,
  ask: Ask,
  options: UfsCallOptions | undefined,
) => Promise<S3Answer>;

/** A body as it is sent: pieces that are at hand, or a stream of pieces that belong together. */
type SentBody = readonly Uint8Array[] | AsyncGenerator<readonly Uint8Array[]>;

function isPieces(body: SentBody): body is readonly Uint8Array[] {
  return Array.isArray(body);
}

/** Sends writes to one bucket. */
export class S3WriteHttp {
  readonly location: S3Location;
  readonly #credentials: CredentialsSource;
  readonly #stallTimeoutMs: number;
  readonly #pool: Http1Pool;
  /** Give up what is under way. */
  readonly #underway = new Set<(error: RinglightError) => void>();
  #closed: RinglightError | undefined;

  constructor(location: S3Location, credentials: CredentialsSource, stallTimeoutMs: number) {
    this.location = location;
    this.#credentials = credentials;
    this.#stallTimeoutMs = stallTimeoutMs;
    const { hostname, port, secure } = location;
    this.#pool = new Http1Pool({ hostname, port, secure, lookup: lookupLocal, maxIdle: MAX_IDLE });
  }

  /** Ends what is under way, and whatever is asked for later, with the error. Idempotent. */
  close(error: RinglightError): void {
    this.#closed ??= error;
    for (const fail of this.#underway) fail(error);
    this.#pool.close();
  }

  /**
   * Sends a write and resolves with the answer when it is a success.
   * @throws RinglightError; what the body's stream threw, as it is
   */
  async send(request: S3WriteRequest, signal: StopSignal): Promise<S3Answer> {
    const { body } = request;
    if (body === undefined || body instanceof Uint8Array) {
      return this.#repeat(request, body === undefined ? [] : [body], {}, signal);
    }
    if (body.sizeBytes <= COLLECTED_BYTES) {
      const pieces = await collectBody(body, request.operation);
      const answer = await this.#repeat(request, pieces, bodyHeaders(body, request.notesChecksum), signal);
      for (const piece of pieces) releasePooled(piece);
      return answer;
    }
    const { checksum } = body;
    const trails = checksum !== undefined && checksum.value() === undefined && this.location.checksumTrailers;
    try {
      if (!trails) {
        const headers = { ...bodyHeaders(body, request.notesChecksum), "content-length": String(body.sizeBytes) };
        return await this.#attempt(request, plainBody(body, request.operation), UNSIGNED_PAYLOAD, headers, signal);
      }
      const encoding = request.headers?.["content-encoding"];
      const headers = {
        ...bodyHeaders(body),
        "content-encoding": encoding === undefined ? "aws-chunked" : `aws-chunked,${encoding}`,
        "x-amz-decoded-content-length": String(body.sizeBytes),
        "x-amz-trailer": checksumHeader(checksum.algorithm),
        "transfer-encoding": "chunked",
      };
      const framed = framedBody(
        body,
        request.operation,
        checksumHeader(checksum.algorithm),
        () => checksum.value() ?? "",
      );
      return await this.#attempt(request, framed, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers, signal);
    } catch (error) {
      throw error instanceof TransientError ? error.error : error;
    }
  }

  #repeat(
    request: S3WriteRequest,
    pieces: readonly Uint8Array[],
    known: Readonly<Record<string, string>>,
    signal: StopSignal,
  ): Promise<S3Answer> {
    const hasBody = request.method === "PUT" || request.method === "POST";
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const headers = hasBody ? { ...known, "content-length": String(sizeBytes) } : known;
    const hash = sizeBytes === 0 ? EMPTY_PAYLOAD_HASH : UNSIGNED_PAYLOAD;
    return withRetries(signal, async () => {
      try {
        return await this.#attempt(request, pieces, hash, headers, signal);
      } catch (error) {
        if (error instanceof TransientError && !request.repeatable && !isUndone(error)) throw error.error;
        throw error;
      }
    });
  }

  async #attempt(
    request: S3WriteRequest,
    body: SentBody,
    payloadHash: string,
    known: Readonly<Record<string, string>>,
    signal: StopSignal,
  ): Promise<S3Answer> {
    const { location } = this;
    const { method, operation } = request;
    const { host } = location;
    const path = request.key === undefined ? `${location.basePath}/` : targetOf(location, request.key).rawUrl;
    const url = { host, rawUrl: path + queryText(request.query ?? []) };
    const credentials = await this.#credentials.get();
    const headers = { ...request.headers, ...known };
    const signed =
      credentials === undefined
        ? { ...headers, host, ...(payloadHash.startsWith("STREAMING-") && { "x-amz-content-sha256": payloadHash }) }
        : signRequest({ method, url, headers }, { credentials, region: location.region, payloadHash });
    const answer = await this.#exchange(request, url.rawUrl, signed, body, signal);
    const { status } = answer;
    const isError =
      status < 200 || status >= 300 || (method !== "GET" && /^(<\?xml[^>]*>)?\s*<Error[\s>]/.test(answer.text));
    if (!isError) return answer;
    if (status === 401 || status === 403) this.#credentials.forget();
    const { code, message } = parseErrorXml(answer.text);
    throw writeFailure(location, operation, this.#credentials.description, {
      // A copy or completion may fail after its 200 was sent, as S3 documents it.
      status: status < 300 ? (code === "InternalError" ? 500 : 503) : status,
      code,
      message,
      retryAfter: answer.headers["retry-after"],
      bucketRegion: answer.headers["x-amz-bucket-region"],
    });
  }

  async #exchange(
    { method, operation, answerMs, repeatable }: S3WriteRequest,
    path: string,
    headers: Record<string, string>,
    body: SentBody,
    signal: StopSignal,
  ): Promise<S3Answer> {
    const head = requestHead(method, path, headers, operation);
    let first: readonly Uint8Array[] = [];
    const streams = !isPieces(body);
    if (!streams) first = body;
    else {
      // The store is not troubled before there is something to send, and head and beginning leave together.
      const { value, done } = await body.next();
      if (done !== true) first = value;
    }
    if (signal.aborted || this.#closed !== undefined) {
      if (streams) await body.return(undefined);
      throw this.#closed ?? abortError(signal, operation);
    }
    // What cannot be sent again does not go out on a connection that may be dead already.
    const connection = this.#pool.connection(streams || !repeatable);
    return new Promise((resolve, reject) => {
      const watch = new Watch((ms) => fail(silenceError(this.location, operation, ms)));
      let settled = false;
      let pumping = streams;
      const gate = new Gate();
      const settle = () => {
        settled = true;
        this.#underway.delete(fail);
        watch.stop();
        signal.removeEventListener("abort", abort);
        gate.open();
      };
      const fail = (error: unknown) => {
        if (settled) return;
        settle();
        reject(error);
        connection.destroy(new Error("given up"));
      };
      const abort = () => fail(abortError(signal, operation));
      const broken = (error: unknown) => {
        if (error instanceof StaleConnection) this.#pool.dropIdle();
        fail(networkError(this.location, operation, error));
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#underway.add(fail);
      const heard = () => watch.begin(answerMs);
      connection
        .send(head, method === "HEAD", first, streams)
        .then(async (response) => {
          heard();
          const text = await new AnswerText(response, heard).text;
          if (settled) return;
          settle();
          resolve({ status: response.status, headers: response.headers, text });
          // An answer that came before the whole body did: the rest is not sent.
          if (pumping) connection.destroy();
        })
        .catch(broken);
      if (!streams) {
        heard();
        return;
      }
      const pump = async () => {
        for await (const pieces of body) {
          if (settled) return;
          connection.write(pieces, () => {
            for (const piece of pieces) releasePooled(piece);
            gate.open();
          });
          // The store is watched only while it is waited for, not while the client is.
          while (connection.unsentBytes >= MAX_UNSENT_BYTES) {
            watch.begin(this.#stallTimeoutMs);
            await gate.opened();
            if (settled) return;
          }
          watch.stop();
        }
        pumping = false;
        connection.finish();
        if (!settled) heard();
      };
      pump().catch(fail);
    });
  }
}

/** The head of a request, one character a byte. @throws RL_BAD_REQUEST for what no header can hold */
function requestHead(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  operation: string,
): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const name in headers) {
    const value = headers[name] ?? "";
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) {
      throw new RinglightError("RL_BAD_REQUEST", `${operation} would send a header that cannot be: ${name}`);
    }
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}

/** Lets one who waits go on. */
class Gate {
  #open: (() => void) | undefined;

  open(): void {
    this.#open?.();
    this.#open = undefined;
  }

  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.#open = resolve;
    });
  }
}

/** The body of an answer as text. */
class AnswerText implements BodyReceiver {
  /** Rejects when the body is cut short, or too long to be kept. */
  readonly text: Promise<string>;
  readonly #heard: () => void;
  readonly #pieces: Buffer[] = [];
  #space = NO_BYTES;
  #sizeBytes = 0;
  #settle: (how: BodyEnd) => void = () => undefined;

  constructor(response: Http1Response, heard: () => void) {
    this.#heard = heard;
    this.text = new Promise((resolve, reject) => {
      this.#settle = (how) => {
        if (how === "end") resolve(this.#sizeBytes === 0 ? "" : Buffer.concat(this.#pieces).toString("utf8"));
        else reject(how === "closed" ? new Error("the connection ended within the answer") : how);
      };
    });
    response.receive(this);
  }

  space(): Uint8Array {
    if (this.#space.length === 0) this.#space = Buffer.allocUnsafe(ANSWER_BLOCK_BYTES);
    return this.#space;
  }

  advance(length: number): void {
    this.#heard();
    this.#sizeBytes += length;
    if (this.#sizeBytes > MAX_DOCUMENT_BYTES) {
      throw new RinglightError("RL_UFS_ERROR", `the store's answer is over ${MAX_DOCUMENT_BYTES} bytes`);
    }
    this.#pieces.push(this.#space.subarray(0, length));
    this.#space = this.#space.subarray(length);
  }

  ended(how: BodyEnd): void {
    this.#settle(how);
  }
}

const NO_BYTES = Buffer.alloc(0);
const ANSWER_BLOCK_BYTES = 4096;

/** One timer for the phases of an exchange in which the store is waited for. */
class Watch {
  readonly #silent: (ms: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;

  constructor(silent: (ms: number) => void) {
    this.#silent = silent;
  }

  begin(ms: number): void {
    if (this.#timer !== undefined && this.#ms === ms) {
      this.#timer.refresh();
      return;
    }
    this.stop();
    this.#ms = ms;
    this.#timer = setTimeout(() => this.#silent(ms), ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** The body as it is. */
async function* plainBody(body: UfsWriteBody, what: string): AsyncGenerator<readonly Uint8Array[]> {
  for await (const piece of heldBack(body, what)) yield [piece];
}

/** The body in the framing of aws-chunked, with a checksum behind it, in chunks of HTTP. */
async function* framedBody(
  body: UfsWriteBody,
  what: string,
  trailer: string,
  value: () => string,
): AsyncGenerator<readonly Uint8Array[]> {
  const latin1 = (text: string) => Buffer.from(text, "latin1");
  for await (const piece of heldBack(body, what)) {
    const chunk = `${piece.length.toString(16)}\r\n`;
    yield [latin1(`${(chunk.length + piece.length + 2).toString(16)}\r\n${chunk}`), piece, latin1("\r\n\r\n")];
  }
  const end = `0\r\n${trailer}:${value()}\r\n\r\n`;
  yield [latin1(`${end.length.toString(16)}\r\n${end}\r\n0\r\n\r\n`)];
}
