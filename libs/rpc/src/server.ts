/** A gRPC server: token check, health, observation of calls, orderly end. */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";
import {
  logVerbosity,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  setLogVerbosity,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import { MAX_MESSAGE_BYTES } from "./channel.ts";
import { healthDefinition, healthService } from "./health.ts";
import { type FailedStatus, statusName, statusOf } from "./status.ts";

/** One finished call, as told to an observer. */
export interface ServedCall {
  /** Fully qualified: "ringlight.v1.WorkerService/Stat". */
  readonly method: string;
  /** Name of the status: "OK", "NOT_FOUND", "CANCELLED". */
  readonly code: string;
  readonly durationMs: number;
  /** Bytes of the messages sent. */
  readonly bytesOut: number;
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

// grpc-js writes lines of its own to stderr about what it also throws.
setLogVerbosity(logVerbosity.NONE);

/** @throws RL_PORT_IN_USE, RL_NO_PERMISSION, RL_BAD_CONFIG (no such address on this machine) */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  const names: string[] = [];
  for (const [definition, implementation] of options.services) {
    names.push(...serviceNames(definition));
    server.addService(counted(definition), guarded(definition, implementation, options));
  }
  const health = healthService(names);
  server.addService(healthDefinition, health.implementation);

  const host = isIPv6(options.bind) ? `[${options.bind}]` : options.bind;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(bindError(error, options));
      else resolve(bound);
    });
  }).catch((error: unknown) => {
    server.forceShutdown();
    throw error;
  });

  let closing: Promise<void> | undefined;
  const close = (graceMs = 2000): Promise<void> => {
    closing ??= new Promise((resolve) => {
      health.stop();
      const timer = setTimeout(() => {
        server.forceShutdown();
        resolve();
      }, graceMs);
      server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return closing;
  };
  return { port, close };
}

/** The error behind grpc-js's words: it passes on the text of the operating system's error only. */
function bindError(error: Error, { bind, port }: GrpcServerOptions): RinglightError {
  const where = `${bind}:${port}`;
  const cause = { cause: error };
  if (error.message.includes("EADDRINUSE")) {
    const message = `another process listens on ${where}; stop it, or choose another gRPC port`;
    return new RinglightError("RL_PORT_IN_USE", message, cause);
  }
  if (error.message.includes("EACCES")) {
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

/** Adds up the bytes of messages as they are serialised: by message, since grpc-js tells nobody the call there. */
interface ByteCount {
  bytes: number;
}
const countOfMessage = new WeakMap<object, ByteCount>();

function counted(definition: ServiceDefinition): ServiceDefinition {
  const entries = Object.entries(definition).map(([name, method]: [string, MethodDefinition<unknown, unknown>]) => {
    const responseSerialize = (message: unknown): Buffer => {
      const bytes = method.responseSerialize(message);
      const count = countOfMessage.get(message as object);
      if (count) count.bytes += bytes.length;
      return bytes;
    };
    return [name, { ...method, responseSerialize }];
  });
  return Object.fromEntries(entries) as ServiceDefinition;
}

type UnaryHandler = (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => void;
type StreamHandler = (call: ServerWritableStream<unknown, unknown>) => void;

/** The implementation with the token check before, and observation around, every method. */
function guarded(
  definition: ServiceDefinition,
  implementation: UntypedServiceImplementation,
  options: GrpcServerOptions,
): UntypedServiceImplementation {
  const authorised = tokenCheck(options.token);
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(definition)) {
    const handler = implementation[name];
    if (handler === undefined) continue;
    if (method.requestStream)
      throw new RinglightError("RL_INTERNAL", `${method.path}: streams of requests are not served`);
    handlers[name] = method.responseStream
      ? guardStream(method.path.slice(1), handler as StreamHandler, authorised, options)
      : guardUnary(method.path.slice(1), handler as UnaryHandler, authorised, options);
  }
  return handlers;
}

function guardUnary(
  method: string,
  handler: UnaryHandler,
  authorised: (metadata: Metadata) => boolean,
  options: GrpcServerOptions,
): UnaryHandler {
  return (call, callback) => {
    const { count, done } = observe(method, call, options);
    const answer: sendUnaryData<unknown> = (error, value, trailer, flags) => {
      if (typeof value === "object" && value !== null) countOfMessage.set(value, count);
      callback(error, value, trailer, flags);
      if (error) done(error.code ?? 2, (error as FailedStatus).defect);
      else done(0);
    };
    if (authorised(call.metadata)) handler(call, answer);
    else answer(statusOf(unauthenticated(method, call.metadata)));
  };
}

function guardStream(
  method: string,
  handler: StreamHandler,
  authorised: (metadata: Metadata) => boolean,
  options: GrpcServerOptions,
): StreamHandler {
  return (call) => {
    const { count, done } = observe(method, call, options);
    let failed: Partial<FailedStatus> | undefined;
    call.on("error", (error: Partial<FailedStatus>) => {
      failed = error;
    });
    call.once("finish", () => (failed ? done(failed.code ?? 2, failed.defect) : done(0)));
    if (!authorised(call.metadata)) {
      call.emit("error", statusOf(unauthenticated(method, call.metadata)));
      return;
    }
    if (options.onCall) {
      const write = call.write as (message: unknown, callback?: () => void) => boolean;
      call.write = ((message: unknown, callback?: () => void) => {
        countOfMessage.set(message as object, count);
        return write.call(call, message, callback);
      }) as typeof call.write;
    }
    handler(call);
  };
}

/** Tells the observer and the log of a call's end, once: by its status, or by the caller's leaving before that. */
function observe(
  method: string,
  call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>,
  { log, onCall }: GrpcServerOptions,
): { count: ByteCount; done: (code: number, defect?: unknown) => void } {
  const count: ByteCount = { bytes: 0 };
  const startedMs = performance.now();
  let told = false;
  const done = (code: number, defect?: unknown) => {
    if (told) return;
    told = true;
    if (defect !== undefined) {
      const error = defect instanceof Error ? (defect.stack ?? defect.message) : String(defect);
      log?.error("a gRPC handler met a defect", { method, error });
    }
    onCall?.({ method, code: statusName(code), durationMs: performance.now() - startedMs, bytesOut: count.bytes });
  };
  call.once("cancelled", () => done(Date.now() >= Number(call.getDeadline()) ? 4 : 1));
  return { count, done };
}

function unauthenticated(method: string, metadata: Metadata): RinglightError {
  const words =
    metadata.get("authorization").length > 0
      ? `the token sent to ${method} is not the cluster's`
      : `${method} needs the cluster token: send "authorization: Bearer <token>"`;
  return new RinglightError("RL_UNAUTHENTICATED", words);
}

/** Compares digests in constant time, so that neither bytes nor length of the token can be measured. */
function tokenCheck(token: string | undefined): (metadata: Metadata) => boolean {
  if (token === undefined) return () => true;
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(token);
  return (metadata) => {
    const header = metadata.get("authorization")[0];
    if (typeof header !== "string" || !/^bearer /i.test(header)) return false;
    return timingSafeEqual(digest(header.slice(7)), wanted);
  };
}
