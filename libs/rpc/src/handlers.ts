/** Handlers from async functions: what a service implements, and what startGrpcServer serves. */
import type { handleServerStreamingCall, handleUnaryCall, Metadata } from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";

/** What a handler knows of the call that it serves. */
export interface CallContext {
  /** Aborts when the caller leaves (RL_CANCELLED) or its deadline passes (RL_DEADLINE). */
  readonly signal: AbortSignal;
  readonly metadata: Metadata;
  /** W3C trace context of the caller. */
  readonly traceparent: string | undefined;
  /** The caller's deadline, milliseconds since the Unix epoch. */
  readonly deadlineMs: number | undefined;
}

/**
 * A message that is encoded already, in parts that go out one behind the other without being copied. A handler of a stream
 * may yield one in place of a message; what it holds must be a protobuf encoding of the method's response.
 */
export class EncodedMessage {
  readonly parts: readonly Uint8Array[];
  readonly lengthBytes: number;
  /** Called once, when the parts are on their way to the peer or will never be: their memory may be used again. */
  readonly onSent: (() => void) | undefined;

  constructor(parts: readonly Uint8Array[], onSent?: () => void) {
    this.parts = parts;
    this.lengthBytes = parts.reduce((total, part) => total + part.length, 0);
    this.onSent = onSent;
  }
}

/** What is behind a handler. */
export type Served =
  | { readonly kind: "unary"; serve(request: unknown, context: CallContext): Promise<unknown> }
  | {
      readonly kind: "stream";
      serve(request: unknown, context: CallContext): AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>;
    };

const servedBy = new WeakMap<object, Served>();

/** A unary handler from an async function. Errors become statuses with the code in the trailer `rl-code`. */
export function unary<Req, Res>(
  serve: (request: Req, context: CallContext) => Promise<Res>,
): handleUnaryCall<Req, Res> {
  const handler: handleUnaryCall<Req, Res> = () => notCallable();
  servedBy.set(handler, { kind: "unary", serve: async (request, context) => serve(request as Req, context) });
  return handler;
}

/**
 * A server-streaming handler from an async generator (or a function that promises one). At most a few messages wait for a
 * slow reader; when the caller leaves, the generator is returned from at its next yield, and its signal aborts at once.
 */
export function serverStream<Req, Res>(
  serve: (
    request: Req,
    context: CallContext,
  ) => AsyncIterable<Res | EncodedMessage> | Promise<AsyncIterable<Res | EncodedMessage>>,
): handleServerStreamingCall<Req, Res> {
  const handler: handleServerStreamingCall<Req, Res> = () => notCallable();
  servedBy.set(handler, { kind: "stream", serve: (request, context) => serve(request as Req, context) });
  return handler;
}

/** What unary() or serverStream() made the handler of; undefined for any other. */
export function servedOf(handler: unknown): Served | undefined {
  return typeof handler === "function" ? servedBy.get(handler) : undefined;
}

function notCallable(): never {
  throw new RinglightError("RL_INTERNAL", "a handler made by unary() or serverStream() is served by startGrpcServer");
}
