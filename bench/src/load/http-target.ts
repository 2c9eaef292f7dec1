/** A target over HTTP: S3, signed (by presigned URLs, made once a key) or not, or anything that serves ranges of files. */
import { randomBytes } from "node:crypto";
import { presignUrl } from "@ringlight/sigv4";
import type { PlannedRequest } from "../workloads/plan.ts";
import { HttpConnection, type Origin, type RawAnswer } from "./http-connection.ts";
import { writtenBody } from "./object-bytes.ts";
import type { Answer, Target, TargetAddress } from "./target.ts";

const TIMEOUT_MS = 60_000;
const EXPIRES_S = 24 * 3600;
/** One request in so many asks for a trace, the first among them: a server keeps none of a fast hit by itself. */
const TRACE_EVERY = 500;
/** Signed paths that are remembered. */
const MAX_PATHS = 200_000;

interface Waiting {
  readonly request: PlannedRequest;
  readonly sentMs: number;
  readonly done: (answer: Answer) => void;
}

/** Options of an HTTP target. */
export interface HttpTargetOptions {
  readonly address: TargetAddress;
  /** Connections at most; requests beyond wait their turn, and their time counts. */
  readonly connections: number;
}

/** Requests over kept-alive connections, dealt to all hosts of the address. */
export class HttpTarget implements Target {
  readonly #origins: readonly Origin[];
  readonly #address: TargetAddress;
  readonly #connections: number;
  readonly #all: HttpConnection[] = [];
  readonly #free: HttpConnection[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #heads = new Map<string, string>();
  #next = 0;
  #sent = 0;

  constructor({ address, connections }: HttpTargetOptions) {
    const { hosts, isTls } = parseHttpUrl(address.url);
    this.#origins = hosts.map((host) => {
      const at = host.lastIndexOf(":");
      const hasPort = at > host.lastIndexOf("]");
      const name = hasPort ? host.slice(0, at) : host;
      return { host: name, port: hasPort ? Number(host.slice(at + 1)) : isTls ? 443 : 80, isTls };
    });
    this.#address = address;
    this.#connections = connections;
  }

  perform(request: PlannedRequest, done: (answer: Answer) => void): void {
    const sentMs = performance.now();
    const connection = this.#free.pop() ?? this.#added();
    if (connection === undefined) this.#waiting.push({ request, sentMs, done });
    else this.#send(connection, request, sentMs, done);
  }

  async close(): Promise<void> {
    for (const connection of this.#all.splice(0)) connection.close();
    this.#free.length = 0;
    this.#waiting.length = 0;
  }

  #added(): HttpConnection | undefined {
    if (this.#all.length >= this.#connections) return undefined;
    const origin = this.#origins[this.#all.length % this.#origins.length]!;
    const connection = new HttpConnection(origin, TIMEOUT_MS);
    this.#all.push(connection);
    return connection;
  }

  #send(connection: HttpConnection, request: PlannedRequest, sentMs: number, done: (answer: Answer) => void): void {
    const { op, length } = request;
    const body = op === "put" ? writtenBody(request.key, length) : undefined;
    const isTraced = this.#sent++ % TRACE_EVERY === 0;
    connection.send(this.#head(request, isTraced), op === "head" || op === "open", body, (raw) => {
      const answer = answerOf(request, raw, sentMs);
      const next = this.#waiting.length > this.#next ? this.#waiting[this.#next++] : undefined;
      if (this.#next > 1024 && this.#next * 2 > this.#waiting.length) {
        this.#waiting.splice(0, this.#next);
        this.#next = 0;
      }
      if (next === undefined) this.#free.push(connection);
      else this.#send(connection, next.request, next.sentMs, next.done);
      done(isTraced ? { ...answer, isTraced } : answer);
    });
  }

  #head(request: PlannedRequest, isTraced: boolean): string {
    const { op, key, offset, length } = request;
    const start = this.#startOfHead(op, key) + (isTraced ? traceHeader() : "");
    if (op === "put") return `${start}content-length: ${length}\r\n\r\n`;
    if (op === "get" && length > 0) return `${start}range: bytes=${offset}-${offset + length - 1}\r\n\r\n`;
    return `${start}\r\n`;
  }

  /** Request line and host; remembered by key. */
  #startOfHead(op: PlannedRequest["op"], key: string): string {
    const name = `${op} ${key}`;
    const known = this.#heads.get(name);
    if (known !== undefined) return known;
    const { method, url } = requestOf(this.#address, op, key);
    const head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`;
    if (this.#heads.size >= MAX_PATHS) this.#heads.clear();
    this.#heads.set(name, head);
    return head;
  }
}

/** W3C trace context that asks the server to keep the request's trace. */
function traceHeader(): string {
  return `traceparent: 00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01\r\n`;
}

/** Method and URL of a request, presigned where the address has credentials. @throws Error where the address is none */
export function requestOf(
  address: TargetAddress,
  op: PlannedRequest["op"],
  key: string,
): { readonly method: string; readonly url: URL } {
  const { hosts, isTls, path } = parseHttpUrl(address.url);
  const slash = path.indexOf("/", 1);
  const bucket = slash === -1 ? path : path.slice(0, slash);
  const prefix = slash === -1 ? "" : path.slice(slash + 1);
  const method = { get: "GET", head: "HEAD", open: "HEAD", put: "PUT", list: "GET" }[op];
  const target =
    op === "list"
      ? `${bucket}/?list-type=2&max-keys=1000&prefix=${encodeURIComponent(prefix + key)}`
      : `${bucket}/${(prefix + key).split("/").map(encodeURIComponent).join("/")}`;
  const url = new URL(`${isTls ? "https" : "http"}://${hosts[0]}${target}`);
  const { credentials, region = "us-east-1" } = address;
  if (credentials === undefined) return { method, url };
  return { method, url: presignUrl({ method, url, headers: {} }, { credentials, region, expiresS: EXPIRES_S }) };
}

function answerOf(request: PlannedRequest, raw: RawAnswer, sentMs: number): Answer {
  const firstByteMs = raw.firstByteAtMs === 0 ? 0 : raw.firstByteAtMs - sentMs;
  const { op, key, length } = request;
  const isRange = op === "get" && length > 0;
  const isRight = raw.status === 200 || (isRange && raw.status === 206) || (op === "put" && raw.status === 204);
  let { error } = raw;
  if (error === "" && !isRight) error = `${op.toUpperCase()} ${key}: status ${raw.status}`;
  // A server without ranges answers 200 with everything, which is not what was asked for.
  if (error === "" && isRange && raw.bodyBytes !== length) {
    error = `GET ${key} ${request.offset}+${length}: ${raw.bodyBytes} bytes came`;
  }
  const bytes = op === "put" ? length : raw.bodyBytes;
  return { ok: error === "", bytes: error === "" ? bytes : 0, firstByteMs, error, head: raw.head };
}

/** Takes http://a:1,b:2/bucket/prefix apart. @throws Error where there is no bucket */
export function parseHttpUrl(url: string): { hosts: readonly string[]; isTls: boolean; path: string } {
  const match = /^(https?):\/\/([^/]+)(\/[^?#]*)?$/.exec(url);
  if (match === null) throw new Error(`"${url}" is not http(s)://host:port/bucket/prefix`);
  let path = match[3] ?? "/";
  if (path === "/") throw new Error(`"${url}" names no bucket; write http://host:port/bucket/prefix`);
  // A prefix of one element and more ends with a slash, so that keys are below it.
  if (path.indexOf("/", 1) !== -1 && !path.endsWith("/")) path += "/";
  return { hosts: match[2]!.split(","), isTls: match[1] === "https", path: path.replace(/^(\/[^/]+)\/$/, "$1") };
}
