/**
 * The lean S3 client for GET and HEAD: node:http with kept-alive connections and a signature, nothing else. The AWS SDK
 * costs about ten times the CPU a request (docs/adr/0004-s3-under-store-client.md).
 */
import { lookup as dnsLookup } from "node:dns";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { signRequest } from "@ringlight/sigv4";
import type { CredentialsSource } from "./credentials.ts";
import { failureError, networkError, parseErrorXml, silenceError } from "./s3-errors.ts";
import { type S3Location, targetOf } from "./s3-location.ts";

/** Resolves names beneath "localhost" to this machine, as RFC 6761 has it and the C library often does not. */
const lookupLocal: LookupFunction = (hostname, options, callback) => {
  if (!hostname.endsWith(".localhost")) dnsLookup(hostname, options, callback);
  else if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

const MAX_ERROR_BYTES = 64 * 1024;

/** Sends signed requests to one bucket. */
export class S3Http {
  readonly location: S3Location;
  readonly credentials: CredentialsSource;
  /** Shared with the SDK's client, so that the mount has one pool of connections. */
  readonly agent: HttpAgent | HttpsAgent;
  readonly #stallTimeoutMs: number;

  constructor(location: S3Location, credentials: CredentialsSource, stallTimeoutMs: number, maxConnections: number) {
    this.location = location;
    this.credentials = credentials;
    this.#stallTimeoutMs = stallTimeoutMs;
    // The mount's own limit lets calls in; this one covers the moment between a call's end and its socket's return.
    const options = {
      keepAlive: true,
      maxSockets: maxConnections,
      maxFreeSockets: maxConnections,
      lookup: lookupLocal,
    };
    this.agent = location.secure ? new HttpsAgent(options) : new HttpAgent(options);
  }

  close(): void {
    this.agent.destroy();
  }

  /**
   * Sends one request and resolves with the response when its head is there and its status is 2xx; the body waits.
   * @throws RinglightError, or TransientError where another attempt may help.
   */
  async send(
    method: "GET" | "HEAD",
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const operation = `${method} ${JSON.stringify(this.location.prefix + key)}`;
    const url = targetOf(this.location, key);
    const credentials = await this.credentials.get();
    const signed =
      credentials === undefined
        ? { ...headers, host: url.host }
        : signRequest({ method, url, headers }, { credentials, region: this.location.region });
    const response = await this.#exchange(method, url.rawUrl, signed, operation, signal);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const { code, message } = method === "HEAD" ? NO_XML : parseErrorXml(await this.#errorText(response));
    response.resume();
    if (status === 401 || status === 403) this.credentials.forget();
    throw failureError(this.location, operation, this.credentials.description, {
      status,
      code,
      message,
      retryAfter: response.headers["retry-after"],
      bucketRegion: single(response.headers["x-amz-bucket-region"]),
    });
  }

  #exchange(
    method: string,
    path: string,
    headers: Record<string, string>,
    operation: string,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { hostname, port, secure } = this.location;
    const send = secure ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      // The signal is looked at here and not before: whoever waited for credentials may have been left meanwhile.
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const request = send({ agent: this.agent, hostname, port, method, path, headers, setHost: false });
      const settled = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const fail = (error: unknown) => {
        settled();
        reject(error);
        request.destroy();
      };
      const abort = () => fail(signal.reason);
      const timer = setTimeout(
        () => fail(silenceError(this.location, operation, this.#stallTimeoutMs)),
        this.#stallTimeoutMs,
      );
      signal.addEventListener("abort", abort, { once: true });
      request.once("response", (response) => {
        settled();
        resolve(response);
      });
      // Stays after the response came: a reset is then told by the response, and an error nobody listens to would end the process.
      request.on("error", (error) => fail(networkError(this.location, operation, error)));
      request.end();
    });
  }

  /** Text of an error's body, as far as it comes soon. */
  #errorText(response: IncomingMessage): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      const timer = setTimeout(() => response.destroy(), Math.min(this.#stallTimeoutMs, 2000));
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        if (text.length < MAX_ERROR_BYTES) text += piece;
        else response.destroy();
      });
      response.on("error", () => undefined);
      response.once("close", () => {
        clearTimeout(timer);
        resolve(text);
      });
    });
  }
}

const NO_XML = { code: "", message: "" };

/** One value of a header that may be repeated. */
export function single(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}
