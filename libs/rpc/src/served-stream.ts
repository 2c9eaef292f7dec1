/**
 * One call on its HTTP/2 stream: request in, messages and status out. A stream may end in four ways, and its observer is
 * told once of whichever comes first: its status was sent, the caller reset it or went away, its deadline passed, the
 * server cut it.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Metadata, type MethodDefinition, status as Status } from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import type { CallSpan } from "./call-tracer.ts";
import { MAX_MESSAGE_BYTES } from "./channel.ts";
import { messagePrefix, parseTimeout, RequestMessage, WireError } from "./grpc-wire.ts";
import { type CallContext, EncodedMessage, type Served } from "./handlers.ts";
import { type FailedStatus, statusOf } from "./status.ts";

/** Messages of one stream that are on their way to the socket; more wait for the reader. */
const MAX_MESSAGES_IN_FLIGHT = 4;
/** Longest timer of Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-accept-encoding": "identity,deflate,gzip",
};

/** Told of the end of a call: the status, what was thrown where that is a defect, the time to the first message, what failed. */
export type OnEnd = (
  code: number,
  bytesOut: number,
  defect: unknown,
  firstMessageMs: number | undefined,
  error: unknown,
) => void;

/** A method and what serves it. */
export interface Route {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly served: Served;
}

/** Serves one call. */
export class ServedStream implements CallContext {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #onEnd: OnEnd;
  #metadata: Metadata | undefined;
  #controller: AbortController | undefined;
  #deadline: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Why the caller will hear no more; "status" when its status is on the way. */
  #ended: RinglightError | "status" | undefined;
  readonly #span: CallSpan | undefined;
  readonly #startedMs = performance.now();
  #firstMessageMs: number | undefined;
  #error: unknown;
  #told = false;
  #bytesOut = 0;
  /** Wakes a pump that waits for the reader. */
  #wake: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, onEnd: OnEnd, span?: CallSpan) {
    this.#stream = stream;
    this.#span = span;
    this.#headers = headers;
    this.#onEnd = onEnd;
    // A reset raises an error on the stream; its close, which follows, says all that there is to do.
    stream.on("error", () => {});
    stream.once("close", () => this.#closed());
  }

  get metadata(): Metadata {
    this.#metadata ??= Metadata.fromHttp2Headers(this.#headers);
    return this.#metadata;
  }

  get traceparent(): string | undefined {
    if (this.#span !== undefined) return this.#span.traceparent;
    const value = this.#headers.traceparent;
    return typeof value === "string" ? value : undefined;
  }

  get deadlineMs(): number | undefined {
    return this.#deadline;
  }

  /** Made only if the handler asks for it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended instanceof RinglightError) this.#controller.abort(this.#ended);
    }
    return this.#controller.signal;
  }

  /** Takes the request and answers it. Never rejects. */
  serve(route: Route): Promise<void> {
    return this.#span === undefined ? this.#serve(route) : this.#span.run(() => this.#serve(route));
  }

  async #serve({ definition, served }: Route): Promise<void> {
    try {
      this.#watchDeadline();
      const bytes = await this.#request();
      if (bytes === undefined || this.#ended !== undefined) return;
      const request = decode(definition, bytes);
      if (served.kind === "unary") {
        const response = await served.serve(request, this);
        await this.#send(new EncodedMessage([definition.responseSerialize(response)]));
      } else {
        for await (const message of await served.serve(request, this)) {
          const encoded =
            message instanceof EncodedMessage ? message : new EncodedMessage([definition.responseSerialize(message)]);
          await this.#send(encoded);
          if (this.#ended !== undefined) return;
        }
      }
      this.#finish({ code: Status.OK, details: "OK", metadata: new Metadata() });
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the call with an error. */
  fail(error: unknown): void {
    this.#error = error;
    if (error instanceof WireError) {
      this.#finish({ code: error.status, details: error.message, metadata: new Metadata() });
    } else {
      this.#finish(statusOf(error));
    }
  }

  /** The request's bytes once they are all there; undefined when the caller left before. */
  #request(): Promise<Buffer | undefined> {
    const encoding = this.#headers["grpc-encoding"];
    const message = new RequestMessage(MAX_MESSAGE_BYTES, typeof encoding === "string" ? encoding : "identity");
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      stream.on("data", (chunk: Buffer) => {
        try {
          message.add(chunk);
        } catch (error) {
          stream.removeAllListeners("data");
          stream.resume();
          reject(error);
        }
      });
      stream.once("end", () => {
        try {
          resolve(message.take());
        } catch (error) {
          reject(error);
        }
      });
      stream.once("close", () => resolve(undefined));
    });
  }

  /** Sends a message; resolves when the next one may come. */
  async #send(message: EncodedMessage): Promise<void> {
    if (this.#ended !== undefined || this.#stream.destroyed) {
      message.onSent?.();
      return;
    }
    if (message.lengthBytes > MAX_MESSAGE_BYTES) {
      message.onSent?.();
      throw new WireError(
        Status.RESOURCE_EXHAUSTED,
        `a message of ${message.lengthBytes} bytes is larger than ${MAX_MESSAGE_BYTES}`,
      );
    }
    const stream = this.#stream;
    this.#firstMessageMs ??= performance.now() - this.#startedMs;
    if (!stream.headersSent) stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
    this.#bytesOut += message.lengthBytes;
    this.#inFlight++;
    const sent = () => {
      this.#inFlight--;
      message.onSent?.();
      this.#wake?.();
    };
    stream.cork();
    const last = message.parts.length - 1;
    stream.write(messagePrefix(message.lengthBytes), last < 0 ? sent : undefined);
    for (let at = 0; at <= last; at++) stream.write(message.parts[at], at === last ? sent : undefined);
    stream.uncork();
    while (this.#inFlight >= MAX_MESSAGES_IN_FLIGHT && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
  #inFlight = 0;

  /** Sends the status, unless the call has ended. */
  #finish(status: FailedStatus): void {
    if (this.#ended !== undefined) return;
    this.#end("status");
    const stream = this.#stream;
    const trailers = {
      "grpc-status": status.code,
      "grpc-message": encodeURI(status.details),
      ...status.metadata.toHttp2Headers(),
    };
    if (!stream.destroyed && !stream.headersSent) {
      stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
    } else if (!stream.destroyed) {
      stream.once("wantTrailers", () => {
        if (!stream.destroyed) stream.sendTrailers(trailers);
        this.#tell(status.code, status.defect);
      });
      stream.end();
      return;
    }
    this.#tell(status.code, status.defect);
  }

  #watchDeadline(): void {
    const header = this.#headers["grpc-timeout"];
    if (typeof header !== "string") return;
    const timeoutMs = parseTimeout(header);
    this.#deadline = Date.now() + timeoutMs;
    this.#timer = setTimeout(
      () => {
        const passed = new RinglightError("RL_DEADLINE", "the caller's deadline passed");
        this.#finish({ code: Status.DEADLINE_EXCEEDED, details: "Deadline exceeded", metadata: new Metadata() });
        this.#controller?.abort(passed);
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
  }

  #closed(): void {
    if (this.#ended === undefined) {
      const left = new RinglightError("RL_CANCELLED", "the caller went away");
      this.#end(left);
      this.#controller?.abort(left);
    }
    this.#tell(Status.CANCELLED, undefined);
  }

  #end(how: RinglightError | "status"): void {
    this.#ended = how;
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  #tell(code: number, defect: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#onEnd(code, this.#bytesOut, defect, this.#firstMessageMs, this.#error);
  }
}

function decode(definition: MethodDefinition<unknown, unknown>, bytes: Buffer): unknown {
  try {
    return definition.requestDeserialize(bytes);
  } catch (error) {
    if (error instanceof RinglightError) throw error;
    throw new WireError(Status.INTERNAL, "the request's message is not of the method's type");
  }
}
