/** How calls become spans: telemetry says it, which this package knows nothing of. */
import type { IncomingHttpHeaders } from "node:http";

/** One side of one call. */
export interface CallSpan {
  /** For what is done in the course of the call. */
  readonly traceparent: string;
  /** Headers that carry the trace to the other side. */
  headers(): Readonly<Record<string, string>>;
  run<T>(work: () => T): T;
  /**
   * Ends it, with the name of the gRPC status and the time to the first message of the answer.
   * @returns the trace's id where it is kept
   */
  end(status: string, firstMessageMs: number | undefined, error?: unknown): string | undefined;
}

/** Makes spans of calls. */
export interface CallTracer {
  client(call: {
    readonly method: string;
    readonly address: string;
    readonly traceparent?: string | undefined;
  }): CallSpan;
  server(call: { readonly method: string; readonly headers: IncomingHttpHeaders }): CallSpan;
}

const KEY = Symbol.for("ringlight.call-tracer");

/** One for all copies of this module: the bundler of the console's routes makes one more, whose calls would be nobody's spans. */
const everywhere = globalThis as unknown as Record<symbol, { tracer: CallTracer | undefined } | undefined>;
const shared = everywhere[KEY] ?? { tracer: undefined };
everywhere[KEY] = shared;

/** Sets who makes spans of the calls that this process makes and serves from now on. */
export function traceCalls(next: CallTracer | undefined): void {
  shared.tracer = next;
}

/** Who makes spans. */
export function callTracer(): CallTracer | undefined {
  return shared.tracer;
}
