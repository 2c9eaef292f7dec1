/** Adapters from async functions to grpc-js handlers. */

import type { handleServerStreamingCall, handleUnaryCall, Metadata, ServerWritableStream } from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import { statusOf } from "./status.ts";

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

/** Messages of one stream that are on their way to the socket; more wait for the reader. */
const MAX_MESSAGES_IN_FLIGHT = 4;

interface CancellableCall {
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  once(event: "cancelled", listener: () => void): unknown;
}

/** The context of one call. The signal is made only if the handler asks for it. */
class Context implements CallContext {
  readonly metadata: Metadata;
  #controller: AbortController | undefined;
  #ended: RinglightError | "served" | undefined;
  readonly #deadline: number;

  constructor(call: CancellableCall) {
    this.metadata = call.metadata;
    this.#deadline = Number(call.getDeadline());
    // grpc-js tells of the end of every call by this event, of a call that was served in full too.
    call.once("cancelled", () => this.#cancel());
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended instanceof RinglightError) this.#controller.abort(this.#ended);
    }
    return this.#controller.signal;
  }

  get traceparent(): string | undefined {
    const value = this.metadata.get("traceparent")[0];
    return typeof value === "string" ? value : undefined;
  }

  get deadlineMs(): number | undefined {
    return Number.isFinite(this.#deadline) ? this.#deadline : undefined;
  }

  get cancelled(): boolean {
    return this.#ended instanceof RinglightError;
  }

  /** The call was answered: what happens to its stream from now on is no cancellation. */
  served(): void {
    this.#ended ??= "served";
  }

  #cancel(): void {
    if (this.#ended !== undefined) return;
    this.#ended =
      Date.now() >= this.#deadline
        ? new RinglightError("RL_DEADLINE", "the caller's deadline passed")
        : new RinglightError("RL_CANCELLED", "the caller went away");
    this.#controller?.abort(this.#ended);
  }
}

/** A unary handler from an async function. Errors become statuses with the code in the trailer `rl-code`. */
export function unary<Req, Res>(
  serve: (request: Req, context: CallContext) => Promise<Res>,
): handleUnaryCall<Req, Res> {
  return (call, callback) => {
    const context = new Context(call);
    const run = async () => serve(call.request, context);
    run().then(
      (response) => {
        context.served();
        callback(null, response);
      },
      (error: unknown) => {
        context.served();
        callback(statusOf(error));
      },
    );
  };
}

/**
 * A server-streaming handler from an async generator (or a function that promises one). At most a few messages wait for a
 * slow reader; when the caller leaves, the generator is returned from at its next yield, and its signal aborts at once.
 */
export function serverStream<Req, Res>(
  serve: (request: Req, context: CallContext) => AsyncIterable<Res> | Promise<AsyncIterable<Res>>,
): handleServerStreamingCall<Req, Res> {
  return (call) => {
    const context = new Context(call);
    pump(call, context, async () => serve(call.request, context)).then(
      () => {
        context.served();
        call.end();
      },
      (error: unknown) => {
        if (context.cancelled) return;
        context.served();
        call.emit("error", statusOf(error));
      },
    );
  };
}

async function pump<Req, Res>(
  call: ServerWritableStream<Req, Res>,
  context: Context,
  start: () => Promise<AsyncIterable<Res>>,
): Promise<void> {
  let inFlight = 0;
  let wake: (() => void) | undefined;
  const written = () => {
    inFlight--;
    wake?.();
  };
  // A message that is written after the end of the call is never called back for.
  call.once("cancelled", () => wake?.());
  for await (const message of await start()) {
    if (context.cancelled) return;
    inFlight++;
    call.write(message, written);
    while (inFlight >= MAX_MESSAGES_IN_FLIGHT && !context.cancelled) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
  }
}
