/** Calls as promises and async iterables: deadlines, cancellation, retries, errors of the one table. */
import {
  type CallOptions,
  type Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { type ErrorCode, formatDuration, RinglightError } from "@ringlight/core";
import { type CallSpan, callTracer } from "./call-tracer.ts";
import { addressOf, defaultDeadlineMs } from "./channel.ts";
import { type CallLabel, errorOfStatus, isTransportFailure, statusName } from "./status.ts";

/** Options of every call. */
export interface CallControl {
  /** Milliseconds until the call as a whole fails with RL_DEADLINE. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** W3C trace context to continue. */
  readonly traceparent?: string | undefined;
  /** Further request metadata. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Error code when nobody answers; RL_NO_WORKERS if left out. */
  readonly unavailable?: ErrorCode | undefined;
}

/** Options of a unary call. */
export interface UnaryControl extends CallControl {
  /** May be sent again when the connection failed: up to twice more, within the deadline. */
  readonly idempotent?: boolean | undefined;
}

/** Options of a streaming call; `deadlineMs` bounds the whole stream and is none if left out. */
export interface StreamControl extends CallControl {
  /** Longest wait for a message, milliseconds; 30000 if left out. Time that the reader takes does not count. */
  readonly idleMs?: number | undefined;
}

type UnaryCallback<Res> = (error: ServiceError | null, response: Res) => void;

/** Names of the unary methods of a client. */
export type UnaryMethod<C> = {
  [K in Exclude<keyof C, keyof Client>]: C[K] extends (...args: never[]) => ClientUnaryCall ? K : never;
}[Exclude<keyof C, keyof Client>];

/** Names of the server-streaming methods of a client. */
export type StreamMethod<C> = {
  [K in Exclude<keyof C, keyof Client>]: C[K] extends (...args: never[]) => ClientReadableStream<infer _> ? K : never;
}[Exclude<keyof C, keyof Client>];

/** Request of a method. */
export type RequestOf<C, M extends keyof C> = C[M] extends (request: infer Req, ...rest: never[]) => unknown
  ? Req
  : never;

/** Response of a unary method. */
export type UnaryResponseOf<C, M extends keyof C> = C[M] extends (
  request: never,
  metadata: never,
  options: never,
  callback: UnaryCallback<infer Res>,
) => unknown
  ? Res
  : never;

/** Message of a streaming method. */
export type StreamResponseOf<C, M extends keyof C> = C[M] extends (...args: never[]) => ClientReadableStream<infer Res>
  ? Res
  : never;

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 50;
const IDLE_MS = 30_000;

/** Calls a unary method. @throws RinglightError with the server's own code, RL_DEADLINE, RL_CANCELLED, or `unavailable`. */
export async function callUnary<C extends Client, M extends UnaryMethod<C>>(
  client: C,
  method: M,
  request: RequestOf<C, M>,
  control: UnaryControl = {},
): Promise<UnaryResponseOf<C, M>> {
  type Res = UnaryResponseOf<C, M>;
  const deadlineMs = control.deadlineMs ?? defaultDeadlineMs(client);
  const endMs = Date.now() + deadlineMs;
  const label = labelOf(client, String(method), control, deadlineMs);
  const invoke = client[method] as (
    request: unknown,
    metadata: Metadata,
    options: CallOptions,
    callback: UnaryCallback<Res>,
  ) => ClientUnaryCall;
  const span = beginCall(client, invoke, control);
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(control.signal, label);
    const result = await new Promise<{ error: ServiceError } | { response: Res }>((resolve) => {
      const call = invoke.call(client, request, metadataOf(control, span), { deadline: endMs }, (error, response) => {
        control.signal?.removeEventListener("abort", cancel);
        resolve(error ? { error } : { response });
      });
      const cancel = () => call.cancel();
      control.signal?.addEventListener("abort", cancel, { once: true });
    });
    if ("response" in result) {
      span?.end("OK", undefined);
      return result.response;
    }
    if (control.signal?.aborted) {
      span?.end("CANCELLED", undefined);
      throw abortError(control.signal, label);
    }
    const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
    const again = control.idempotent && attempt < ATTEMPTS && isTransportFailure(result.error);
    if (!again || Date.now() + pauseMs >= endMs) {
      const failure = errorOfStatus(result.error, label);
      span?.end(statusName(result.error.code), undefined, failure);
      throw failure;
    }
    await pause(pauseMs, control.signal);
  }
}

/**
 * Calls a streaming method. The call starts with the first `next()`; leaving the loop early cancels it, and a slow reader
 * slows the server. @throws what callUnary throws, and RL_DEADLINE when no message came for `idleMs`.
 */
export async function* callStream<C extends Client, M extends StreamMethod<C>>(
  client: C,
  method: M,
  request: RequestOf<C, M>,
  control: StreamControl = {},
): AsyncGenerator<StreamResponseOf<C, M>, void, undefined> {
  const label = labelOf(client, String(method), control, control.deadlineMs);
  throwIfAborted(control.signal, label);
  const idleMs = control.idleMs ?? IDLE_MS;
  const invoke = client[method] as (
    request: unknown,
    metadata: Metadata,
    options: CallOptions,
  ) => ClientReadableStream<StreamResponseOf<C, M>>;
  const options: CallOptions = control.deadlineMs === undefined ? {} : { deadline: Date.now() + control.deadlineMs };
  const span = beginCall(client, invoke, control);
  const startedMs = performance.now();
  let firstMessageMs: number | undefined;
  let ending: { readonly status: string; readonly error?: unknown } = { status: "CANCELLED" };
  const call = invoke.call(client, request, metadataOf(control, span), options);
  // Cancelling raises an error on the stream, also when nobody reads it any more.
  call.on("error", () => {});
  let idle = false;
  const cancel = () => call.cancel();
  const expire = () => {
    idle = true;
    call.cancel();
  };
  control.signal?.addEventListener("abort", cancel, { once: true });
  let timer: NodeJS.Timeout | undefined;
  const failure = (error: unknown): RinglightError => {
    if (control.signal?.aborted) return abortError(control.signal, label);
    if (!idle) {
      const failed = errorOfStatus(error as ServiceError, label);
      ending = { status: statusName((error as ServiceError).code), error: failed };
      return failed;
    }
    const words = `${label.address} (${label.method}) sent nothing for ${formatDuration(idleMs)}`;
    const silent = new RinglightError("RL_DEADLINE", words, { cause: error });
    ending = { status: "DEADLINE_EXCEEDED", error: silent };
    return silent;
  };
  try {
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<StreamResponseOf<C, M>>;
    for (;;) {
      timer = setTimeout(expire, idleMs);
      const next = await messages.next().catch((error: unknown) => Promise.reject(failure(error)));
      clearTimeout(timer);
      firstMessageMs ??= performance.now() - startedMs;
      if (next.done) {
        ending = { status: "OK" };
        return;
      }
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
    control.signal?.removeEventListener("abort", cancel);
    call.cancel();
    span?.end(ending.status, firstMessageMs, ending.error);
  }
}

/** The span of a call, where this process makes any. */
function beginCall(client: Client, invoke: unknown, { traceparent }: CallControl): CallSpan | undefined {
  // grpc-js leaves the definition of a method on the function that calls it.
  const { path } = invoke as { readonly path?: string };
  return callTracer()?.client({ method: (path ?? "").slice(1), address: addressOf(client), traceparent });
}

function labelOf(client: Client, method: string, control: CallControl, deadlineMs: number | undefined): CallLabel {
  return { address: addressOf(client), method, unavailable: control.unavailable ?? "RL_NO_WORKERS", deadlineMs };
}

function metadataOf(control: CallControl, span: CallSpan | undefined): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(control.metadata ?? {})) metadata.set(name, value);
  if (control.traceparent !== undefined) metadata.set("traceparent", control.traceparent);
  for (const [name, value] of Object.entries(span?.headers() ?? {})) metadata.set(name, value);
  return metadata;
}

function throwIfAborted(signal: AbortSignal | undefined, label: CallLabel): void {
  if (signal?.aborted) throw abortError(signal, label);
}

function abortError(signal: AbortSignal, label: CallLabel): RinglightError {
  if (signal.reason instanceof RinglightError) return signal.reason;
  const words = `the call of ${label.address} (${label.method}) was cancelled`;
  return new RinglightError("RL_CANCELLED", words, { cause: signal.reason });
}

/** Waits; an abort ends the wait early and is seen by the caller. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}
