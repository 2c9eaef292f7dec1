/**
 * A gRPC server over node:http2: token check, health, observation of calls, keep-alive, orderly end. Own, and not that of
 * grpc-js, because that copies each message twice and costs five times as much a byte (docs/adr/0011-grpc-bulk-reads.md).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import {
  createServer,
  constants as Http2,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import {
  logVerbosity,
  type MethodDefinition,
  type ServiceDefinition,
  status as Status,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import { type CallSpan, callTracer } from "./call-tracer.ts";
import { FLOW_CONTROL_WINDOW_BYTES } from "./channel.ts";
import { WireError } from "./grpc-wire.ts";
import { servedOf } from "./handlers.ts";
import { healthDefinition, healthService } from "./health.ts";
import { type OnEnd, type Route, ServedStream } from "./served-stream.ts";
import { statusName } from "./status.ts";

/** One finished call, as told to an observer. */
export interface ServedCall {
  /** Fully qualified: "ringlight.v1.WorkerService/Stat". */
  readonly method: string;
  /** Name of the status: "OK", "NOT_FOUND", "CANCELLED". */
  readonly code: string;
  readonly durationMs: number;
  /** Time to the first message of the answer; absent where there was none. */
  readonly firstMessageMs?: number;
  /** Bytes of the messages sent. */
  readonly bytesOut: number;
  /** The trace of the call, where it is kept. */
  readonly traceId?: string;
}

/** Where the server writes about its own defects. */
export interface RpcLog {
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Options of startGrpcServer. */
export interface GrpcServerOptions {
  readonly bind: string;
  /** 0 for any free port. */
  readonly port: number;
  /** If set, every call except health checks must carry `authorization: Bearer <token>`. */
  readonly token?: string | undefined;
  readonly services: readonly (readonly [
    definition: ServiceDefinition,
    implementation: UntypedServiceImplementation,
  ])[];
  readonly log?: RpcLog | undefined;
  readonly onCall?: ((call: ServedCall) => void) | undefined;
}

/** A server that listens. */
export interface GrpcServer {
  readonly port: number;
  /** Takes no new calls, waits for the running ones at most `graceMs` (2000), then cuts them. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

// grpc-js, which the clients are made of, writes lines of its own to stderr about what it also throws.
setLogVerbosity(logVerbosity.NONE);

const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** @throws RL_PORT_IN_USE, RL_NO_PERMISSION, RL_BAD_CONFIG (no such address on this machine) */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const health = healthService(options.services.flatMap(([definition]) => [...serviceNames(definition)]));
  const open = routesOf(healthDefinition, health.implementation);
  const guarded = new Map<string, Route>();
  for (const [definition, implementation] of options.services) {
    for (const [path, route] of routesOf(definition, implementation)) guarded.set(path, route);
  }
  const isAuthorised = tokenCheck(options.token);
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer({
    settings: { initialWindowSize: FLOW_CONTROL_WINDOW_BYTES },
    maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
    session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
    keepAlive(session);
  });
  server.on("stream", (stream, headers) => {
    const path = headers[":path"] ?? "";
    if (!isGrpc(headers)) {
      refuseMediaType(stream);
      return;
    }
    const route = open.get(path) ?? guarded.get(path);
    const method = path.slice(1);
    const isTraced = route !== undefined && !method.startsWith("grpc.health.");
    const span = isTraced ? callTracer()?.server({ method, headers }) : undefined;
    const call = new ServedStream(stream, headers, observer(method, options, route !== undefined, span), span);
    if (route === undefined) {
      call.fail(new WireError(Status.UNIMPLEMENTED, `the server does not implement ${path}`));
    } else if (guarded.has(path) && !isAuthorised(headers)) {
      call.fail(unauthenticated(path.slice(1), headers));
    } else {
      void call.serve(route);
    }
  });

  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", (error) => reject(bindError(error, options)));
    server.listen({ host: options.bind, port: options.port }, () => {
      server.removeAllListeners("error");
      resolve((server.address() as AddressInfo).port);
    });
  });

  let closing: Promise<void> | undefined;
  const close = (graceMs = 2000): Promise<void> => {
    closing ??= new Promise((resolve) => {
      health.stop();
      const timer = setTimeout(() => {
        // CANCEL is what clients take for a connection that failed, and not for an answer.
        for (const session of sessions) session.destroy(undefined, Http2.NGHTTP2_CANCEL);
      }, graceMs);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      for (const session of sessions) session.close();
    });
    return closing;
  };
  return { port, close };
}

/** The error behind the operating system's refusal. */
function bindError(error: NodeJS.ErrnoException, { bind, port }: GrpcServerOptions): RinglightError {
  const where = `${bind}:${port}`;
  const cause = { cause: error };
  if (error.code === "EADDRINUSE") {
    const message = `another process listens on ${where}; stop it, or choose another gRPC port`;
    return new RinglightError("RL_PORT_IN_USE", message, cause);
  }
  if (error.code === "EACCES") {
    return new RinglightError(
      "RL_NO_PERMISSION",
      `this user may not listen on ${where}; choose a port above 1023`,
      cause,
    );
  }
  return new RinglightError("RL_BAD_CONFIG", `cannot listen on ${where}: ${error.message}`, cause);
}

function serviceNames(definition: ServiceDefinition): Set<string> {
  return new Set(Object.values(definition).map((method) => method.path.split("/")[1] ?? ""));
}

/** The methods that are implemented, by path. @throws RL_INTERNAL for a handler that cannot be served */
function routesOf(definition: ServiceDefinition, implementation: UntypedServiceImplementation): Map<string, Route> {
  const routes = new Map<string, Route>();
  for (const [name, method] of Object.entries<MethodDefinition<unknown, unknown>>(definition)) {
    const handler = implementation[name];
    if (handler === undefined) continue;
    const served = servedOf(handler);
    if (method.requestStream || served === undefined || (served.kind === "stream") !== method.responseStream) {
      throw new RinglightError("RL_INTERNAL", `${method.path}: its handler is none of unary() or serverStream()`);
    }
    routes.set(method.path, { definition: method, served });
  }
  return routes;
}

/** Tells the log and the observer of a call's end. */
function observer(
  method: string,
  { log, onCall }: GrpcServerOptions,
  isKnown: boolean,
  span: CallSpan | undefined,
): OnEnd {
  const startedMs = performance.now();
  return (code, bytesOut, defect, firstMessageMs, error) => {
    const traceId = span?.end(statusName(code), firstMessageMs, error);
    if (defect !== undefined) {
      const error = defect instanceof Error ? (defect.stack ?? defect.message) : String(defect);
      log?.error("a gRPC handler met a defect", { method, error });
    }
    // Names that anybody can make up would make metrics without end.
    if (isKnown && !method.startsWith("grpc.health."))
      onCall?.({
        method,
        code: statusName(code),
        durationMs: performance.now() - startedMs,
        bytesOut,
        ...(firstMessageMs !== undefined && { firstMessageMs }),
        ...(traceId !== undefined && { traceId }),
      });
  };
}

/** Pings a connection that may have died without a word, and cuts it when no answer comes. */
function keepAlive(session: ServerHttp2Session): void {
  let timeout: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    if (session.destroyed || session.closed) return;
    timeout ??= setTimeout(() => session.destroy(), KEEPALIVE_TIMEOUT_MS).unref();
    session.ping((error) => {
      clearTimeout(timeout);
      timeout = undefined;
      if (error) session.destroy();
    });
  }, KEEPALIVE_MS).unref();
  session.once("close", () => {
    clearInterval(timer);
    clearTimeout(timeout);
  });
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers["content-type"]?.startsWith("application/grpc") === true;
}

function refuseMediaType(stream: ServerHttp2Stream): void {
  stream.on("error", () => {});
  stream.respond({ ":status": 415 }, { endStream: true });
}

function unauthenticated(method: string, headers: IncomingHttpHeaders): RinglightError {
  const words =
    headers.authorization !== undefined
      ? `the token sent to ${method} is not the cluster's`
      : `${method} needs the cluster token: send "authorization: Bearer <token>"`;
  return new RinglightError("RL_UNAUTHENTICATED", words);
}

/** Compares digests in constant time, so that neither bytes nor length of the token can be measured. */
function tokenCheck(token: string | undefined): (headers: IncomingHttpHeaders) => boolean {
  if (token === undefined) return () => true;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(token);
  return ({ authorization }) => {
    if (authorization === undefined || !/^bearer /i.test(authorization)) return false;
    return timingSafeEqual(digest(authorization.slice(7)), wanted);
  };
}
