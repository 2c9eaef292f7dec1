/**
 * The S3 client of writes: node:http with a signature. Small bodies are collected, so that they can be sent again when a
 * kept-alive connection turns out to be dead or the store asks for patience; larger ones stream through a connection of
 * their own, once, with no more than a few pieces in memory.
 */
import { lookup as dnsLookup } from "node:dns";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { RinglightError, type UfsCallOptions, type UfsObservation, type UfsWriteBody } from "@ringlight/core";
import { EMPTY_PAYLOAD_HASH, signRequest, UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import { abortError } from "./call.ts";
import type { CredentialsSource } from "./credentials.ts";
import { TransientError, withRetries } from "./retry.ts";
import { networkError, parseErrorXml, silenceError } from "./s3-errors.ts";
import { type S3Location, targetOf } from "./s3-location.ts";
import { isUndone, writeFailure } from "./s3-write-errors.ts";
import { bodyHeaders, checksumHeader } from "./s3-write-headers.ts";
import { collectBody, heldBack } from "./write-body.ts";

/** Bodies up to this size are collected before they are sent, bytes. */
const COLLECTED_BYTES = 1024 * 1024;
/** Bytes of a streamed body that may wait for the store. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** Longest document that is read from a store. */
const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;

const lookupLocal: LookupFunction = (hostname, options, callback) => {
  if (!hostname.endsWith(".localhost")) dnsLookup(hostname, options, callback);
  else if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

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

/** A body as it is sent: pieces that are at hand, or a stream. */
type SentBody = readonly Uint8Array[] | AsyncGenerator<Uint8Array>;

function isPieces(body: SentBody): body is readonly Uint8Array[] {
  return Array.isArray(body);
}

/** Sends writes to one bucket. */
export class S3WriteHttp {
  readonly location: S3Location;
  readonly #credentials: CredentialsSource;
  readonly #stallTimeoutMs: number;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #single: HttpAgent | HttpsAgent;

  constructor(location: S3Location, credentials: CredentialsSource, stallTimeoutMs: number) {
    this.location = location;
    this.#credentials = credentials;
    this.#stallTimeoutMs = stallTimeoutMs;
    const Agent = location.secure ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 64, lookup: lookupLocal });
    this.#single = new Agent({ keepAlive: false, lookup: lookupLocal });
  }

  close(): void {
    this.#agent.destroy();
    this.#single.destroy();
  }

  /**
   * Sends a write and resolves with the answer when it is a success.
   * @throws RinglightError; what the body's stream threw, as it is
   */
  async send(request: S3WriteRequest, signal: AbortSignal): Promise<S3Answer> {
    const { body } = request;
    if (body === undefined || body instanceof Uint8Array) {
      return this.#repeat(request, body === undefined ? [] : [body], {}, signal);
    }
    if (body.sizeBytes <= COLLECTED_BYTES) {
      const pieces = await collectBody(body, request.operation);
      return this.#repeat(request, pieces, bodyHeaders(body, request.notesChecksum), signal);
    }
    const { checksum } = body;
    const trails = checksum !== undefined && checksum.value() === undefined && this.location.checksumTrailers;
    try {
      if (!trails) {
        const headers = { ...bodyHeaders(body, request.notesChecksum), "content-length": String(body.sizeBytes) };
        return await this.#attempt(request, heldBack(body, request.operation), UNSIGNED_PAYLOAD, headers, signal);
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
    signal: AbortSignal,
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
    signal: AbortSignal,
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

  #exchange(
    { method, operation, answerMs, repeatable }: S3WriteRequest,
    path: string,
    headers: Record<string, string>,
    body: SentBody,
    signal: AbortSignal,
  ): Promise<S3Answer> {
    const { hostname, port, secure } = this.location;
    const send = secure ? httpsRequest : httpRequest;
    const streams = !isPieces(body);
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortError(signal, operation));
        return;
      }
      // What cannot be sent again does not go out on a connection that may be dead already.
      const agent = streams || !repeatable ? this.#single : this.#agent;
      const request = send({ agent, hostname, port, method, path, headers, setHost: false });
      const watch = new Watch((ms) => fail(silenceError(this.location, operation, ms)));
      let settled = false;
      const settle = () => {
        settled = true;
        watch.stop();
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: unknown) => {
        if (settled) return;
        settle();
        reject(error);
        request.destroy();
      };
      const abort = () => fail(abortError(signal, operation));
      signal.addEventListener("abort", abort, { once: true });
      request.once("response", (response) => {
        watch.begin(answerMs);
        readText(response, () => watch.begin(answerMs)).then(
          (text) => {
            if (settled) return;
            settle();
            resolve({ status: response.statusCode ?? 0, headers: flat(response), text });
            // An answer that came before the whole body did: the rest is not sent.
            if (!request.writableEnded) request.destroy();
          },
          (error: unknown) => fail(networkError(this.location, operation, error)),
        );
      });
      request.on("error", (error) => fail(networkError(this.location, operation, error)));
      const ended = () => watch.begin(answerMs);
      if (streams) {
        watch.begin(this.#stallTimeoutMs);
        pump(request, body, watch, this.#stallTimeoutMs, () => settled).then(ended, fail);
      } else {
        // One system call for head and pieces.
        request.cork();
        for (const piece of body) request.write(piece);
        request.end();
        ended();
      }
    });
  }
}

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

/** Sends the pieces with the store's back-pressure. The store is watched only while it is waited for, not while the client is. */
async function pump(
  request: ClientRequest,
  body: AsyncGenerator<Uint8Array>,
  watch: Watch,
  stallTimeoutMs: number,
  isSettled: () => boolean,
): Promise<void> {
  watch.stop();
  for await (const piece of body) {
    if (isSettled()) return;
    if (request.write(piece) || request.writableLength < MAX_UNSENT_BYTES) continue;
    watch.begin(stallTimeoutMs);
    await drained(request);
    if (isSettled()) return;
    watch.stop();
  }
  request.end();
}

/** Resolves when the request takes more, or is over. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off("drain", done).off("close", done).off("error", done);
      resolve();
    };
    request.once("drain", done).once("close", done).once("error", done);
  });
}

/** The body in the framing of aws-chunked, with a checksum behind it. */
async function* framedBody(
  body: UfsWriteBody,
  what: string,
  trailer: string,
  value: () => string,
): AsyncGenerator<Uint8Array> {
  for await (const piece of heldBack(body, what)) {
    yield Buffer.from(`${piece.length.toString(16)}\r\n`, "latin1");
    yield piece;
    yield Buffer.from("\r\n", "latin1");
  }
  yield Buffer.from(`0\r\n${trailer}:${value()}\r\n\r\n`, "latin1");
}

function queryText(query: readonly (readonly [string, string])[]): string {
  const word = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = query.map(([name, value]) => (value === "" ? word(name) : `${word(name)}=${word(value)}`));
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function flat(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = typeof value === "string" ? value : value.join(",");
  }
  return headers;
}

function readText(response: IncomingMessage, heard: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    response.on("data", (piece: Buffer) => {
      heard();
      sizeBytes += piece.length;
      if (sizeBytes <= MAX_DOCUMENT_BYTES) pieces.push(piece);
      else
        response.destroy(new RinglightError("RL_UFS_ERROR", `the store's answer is over ${MAX_DOCUMENT_BYTES} bytes`));
    });
    response.once("end", () => resolve(Buffer.concat(pieces).toString("utf8")));
    response.once("error", reject);
    response.once("close", () => reject(new Error("the connection ended within the answer")));
  });
}
