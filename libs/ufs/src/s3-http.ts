/**
 * The lean S3 client of reads and listings: signed requests on our own HTTP/1.1 connections. The AWS SDK, which costs about ten
 * times the CPU a request, is left with credentials (docs/adr/0004-s3-under-store-client.md, docs/adr/0010-cold-path.md).
 */
import { RinglightError, type StopSignal } from "@ringlight/core";
import { type RawTarget, signRequest } from "@ringlight/sigv4";
import type { CredentialsSource } from "./credentials.ts";
import { HttpBody } from "./http-body.ts";
import { type Http1Response, type OnHead, StaleConnection } from "./http1-connection.ts";
import { MalformedResponse } from "./http1-head.ts";
import { Http1Pool, SilentStore } from "./http1-pool.ts";
import { lookupLocal } from "./local-lookup.ts";
import { describe, failureError, networkError, parseErrorXml, silenceError } from "./s3-errors.ts";
import { queryText, type S3Location, targetOf } from "./s3-location.ts";

const MAX_ERROR_BYTES = 64 * 1024;
/** Longest document that is read: a thousand keys of a thousand characters, all of them encoded, are a third of it. */
const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;
const ERROR_BODY_MS = 2000;
/** What a header's value may be made of; a version token that came from elsewhere could hold anything. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Sends signed requests to one bucket. */
export class S3Http {
  readonly location: S3Location;
  readonly credentials: CredentialsSource;
  readonly #pool: Http1Pool;
  readonly #stallTimeoutMs: number;
  readonly #traceHeaders: (() => Readonly<Record<string, string>>) | undefined;

  constructor(
    location: S3Location,
    credentials: CredentialsSource,
    stallTimeoutMs: number,
    maxConnections: number,
    traceHeaders?: () => Readonly<Record<string, string>>,
  ) {
    this.#traceHeaders = traceHeaders;
    this.location = location;
    this.credentials = credentials;
    this.#stallTimeoutMs = stallTimeoutMs;
    const { hostname, port, secure } = location;
    this.#pool = new Http1Pool({ hostname, port, secure, lookup: lookupLocal, maxIdle: maxConnections });
  }

  close(): void {
    this.#pool.close();
  }

  /**
   * Sends one request and resolves with the response when its head is there and its status is 2xx; the body waits.
   * @param onHead told of the response just before, if its status is 2xx; see OnHead
   * @throws RinglightError, or TransientError where another attempt may help.
   */
  send(
    method: "GET" | "HEAD",
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: StopSignal,
    onHead?: OnHead,
  ): Promise<Http1Response> {
    const operation = `${method} ${JSON.stringify(this.location.prefix + key)}`;
    return this.#send(method, targetOf(this.location, key), operation, headers, signal, onHead);
  }

  /** Asks the bucket itself by GET, and returns the document that it answers with. @throws as send */
  async document(
    query: readonly (readonly [string, string])[],
    operation: string,
    signal: StopSignal,
  ): Promise<string> {
    const { host, basePath } = this.location;
    const url = { host, rawUrl: `${basePath}/${queryText(query)}` };
    const response = await this.#send("GET", url, operation, {}, signal);
    const body = new HttpBody(response, this.#stallTimeoutMs);
    const abort = () => body.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      const pieces: Uint8Array[] = [];
      let sizeBytes = 0;
      for (;;) {
        const piece = await body.next();
        if (signal.aborted) throw signal.reason;
        if (piece === "end") return Buffer.concat(pieces).toString("utf8");
        if (piece === "stalled") throw silenceError(this.location, operation, this.#stallTimeoutMs);
        if (piece === "closed") throw networkError(this.location, operation, new Error("the answer broke off"));
        pieces.push(piece);
        sizeBytes += piece.length;
        if (sizeBytes > MAX_DOCUMENT_BYTES) {
          const text = `the answer is over ${MAX_DOCUMENT_BYTES} bytes: ${describe(this.location, operation)}`;
          throw new RinglightError("RL_UFS_ERROR", text);
        }
      }
    } catch (error) {
      throw error instanceof MalformedResponse ? networkError(this.location, operation, error) : error;
    } finally {
      signal.removeEventListener("abort", abort);
      body.destroy();
    }
  }

  async #send(
    method: "GET" | "HEAD",
    url: RawTarget,
    operation: string,
    headers: Readonly<Record<string, string>>,
    signal: StopSignal,
    onHead?: OnHead,
  ): Promise<Http1Response> {
    const credentials = await this.credentials.get();
    const signed =
      credentials === undefined
        ? { host: url.host, ...headers }
        : signRequest({ method, url, headers }, { credentials, region: this.location.region });
    // Outside of the signature: whoever stands between may put his own place in the trace.
    const sent = this.#traceHeaders === undefined ? signed : { ...signed, ...this.#traceHeaders() };
    const onGood =
      onHead &&
      ((response: Http1Response) => {
        if (isGood(response)) onHead(response);
      });
    const response = await this.#exchange(method, url.rawUrl, sent, operation, signal, onGood);
    if (isGood(response)) return response;
    const { status } = response;
    const { code, message } = method === "HEAD" ? NO_XML : parseErrorXml(await this.#errorText(response));
    if (status === 401 || status === 403) this.credentials.forget();
    throw failureError(this.location, operation, this.credentials.description, {
      status,
      code,
      message,
      retryAfter: response.headers["retry-after"],
      bucketRegion: response.headers["x-amz-bucket-region"],
    });
  }

  async #exchange(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    operation: string,
    signal: StopSignal,
    onHead: OnHead | undefined,
  ): Promise<Http1Response> {
    let head = `${method} ${path} HTTP/1.1\r\n`;
    for (const name in headers) {
      const value = headers[name] ?? "";
      if (!HEADER_VALUE.test(value)) {
        throw new RinglightError("RL_BAD_REQUEST", `header ${name} of ${operation} would hold control characters`);
      }
      head += `${name}: ${value}\r\n`;
    }
    try {
      return await this.#pool.exchange(`${head}\r\n`, method === "HEAD", this.#stallTimeoutMs, signal, onHead);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SilentStore) throw silenceError(this.location, operation, this.#stallTimeoutMs);
      const mapped = networkError(this.location, operation, error);
      if (error instanceof StaleConnection) this.#pool.dropIdle();
      throw mapped;
    }
  }

  /** Text of an error's body, as far as it comes soon. */
  async #errorText(response: Http1Response): Promise<string> {
    const body = new HttpBody(response, Math.min(this.#stallTimeoutMs, ERROR_BODY_MS));
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    while (sizeBytes < MAX_ERROR_BYTES) {
      const piece = await body.next();
      if (!(piece instanceof Uint8Array)) break;
      pieces.push(piece);
      sizeBytes += piece.length;
    }
    body.destroy();
    return Buffer.concat(pieces).toString("utf8");
  }
}

function isGood({ status }: Http1Response): boolean {
  return status >= 200 && status < 300;
}

const NO_XML = { code: "", message: "" };
