/**
 * An HTTP proxy on loopback that passes requests on as they are (target, Host and all end-to-end headers, so that
 * signatures stay valid) and counts them: the only way to know what a store that does not tell was asked.
 */
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { LoggedRequest } from "./s3-origin.ts";
import { matches, type RequestMatch } from "./s3-origin-faults.ts";
import { parseRequest } from "./s3-origin-requests.ts";

/** A running proxy. */
export interface CountingProxy {
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  readonly port: number;
  /** All requests since the start or resetCounts(), in order, read as S3 requests. */
  readonly requests: readonly LoggedRequest[];
  /** Number of logged requests that match; all without a match. */
  count(match?: RequestMatch): number;
  resetCounts(): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Headers that belong to one connection and are not passed on. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "te", "upgrade"]);

/** Raw header pairs without those of the connection. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1] ?? "");
  }
  return kept;
}

/** Starts a proxy in front of an http URL. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  let requests: LoggedRequest[] = [];

  const pass = (request: IncomingMessage, response: ServerResponse) => {
    const parsed = parseRequest(request);
    const { method, op, bucket, key, range } = parsed;
    const entry: LoggedRequest = { method, op, bucket, key, range, status: 0, bytes: 0, atMs: Date.now() };
    requests.push(entry);
    const upstream = httpRequest(
      {
        hostname,
        port,
        agent,
        method,
        path: request.url ?? "/",
        headers: endToEnd(request.rawHeaders),
        setHost: false,
      },
      (answer) => {
        entry.status = answer.statusCode ?? 0;
        response.writeHead(entry.status, answer.statusMessage ?? "", endToEnd(answer.rawHeaders));
        answer.on("data", (chunk: Buffer) => {
          entry.bytes += chunk.length;
        });
        answer.on("error", () => response.destroy());
        answer.on("aborted", () => response.destroy());
        answer.pipe(response);
      },
    );
    upstream.on("error", () => response.destroy());
    response.on("close", () => {
      if (!response.writableFinished) upstream.destroy();
    });
    response.on("error", () => upstream.destroy());
    request.on("error", () => upstream.destroy());
    request.pipe(upstream);
  };

  const server = createServer(pass);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const own = (server.address() as AddressInfo).port;
  let closing: Promise<void> | undefined;
  return {
    endpoint: `http://127.0.0.1:${own}`,
    port: own,
    get requests() {
      return requests;
    },
    count: (match = {}) => requests.reduce((sum, entry) => sum + (matches(match, entry) ? 1 : 0), 0),
    resetCounts: () => {
      requests = [];
    },
    close: () => {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      });
      return closing;
    },
  };
}
