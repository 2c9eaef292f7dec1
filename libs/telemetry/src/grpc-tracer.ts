/**
 * Spans of gRPC calls, on both sides, by OpenTelemetry's conventions: the name is the fully qualified method, the status a
 * word. Given to libs/rpc, which knows nothing of telemetry.
 */
import type { IncomingHttpHeaders } from "node:http";
import { startSpan } from "./active-span.ts";

/** A call as libs/rpc tells of it. */
interface Call {
  /** Fully qualified: "ringlight.v1.WorkerService/Stat". */
  readonly method: string;
}

/** One side of a call. */
interface CallSpan {
  readonly traceparent: string;
  headers(): Readonly<Record<string, string>>;
  run<T>(work: () => T): T;
  /** @param status name of the gRPC status @param firstMessageMs time to the first message of the answer */
  end(status: string, firstMessageMs: number | undefined, error?: unknown): string | undefined;
}

/** Statuses that say nothing bad of the call: the caller had enough, or asked for what is not there. */
const CALM = new Set(["OK", "CANCELLED"]);

/** Streams that stand for as long as somebody listens: how long they take says nothing. */
const STANDING = /\/(Watch\w*|RenewLeases|OpenLeases)$/;

/** Makes the spans of calls. */
export const grpcTracer = {
  /** A call that this process makes. @param address host:port of the server */
  client({ method, address, traceparent }: Call & { address: string; traceparent?: string | undefined }): CallSpan {
    const at = address.lastIndexOf(":");
    return callSpan(method, "client", traceparent === undefined ? undefined : { traceparent }, {
      "server.address": address.slice(0, at),
      "server.port": Number(address.slice(at + 1)),
    });
  },
  /** A call that this process serves. */
  server({ method, headers }: Call & { headers: IncomingHttpHeaders }): CallSpan {
    const caller = {
      traceparent: one(headers.traceparent),
      tracestate: one(headers.tracestate),
      baggage: one(headers.baggage),
    };
    return callSpan(method, "server", caller, {});
  },
};

function callSpan(
  method: string,
  kind: "client" | "server",
  caller: Parameters<typeof startSpan>[0]["caller"],
  attributes: Readonly<Record<string, string | number>>,
): CallSpan {
  const span = startSpan({
    name: method,
    kind,
    caller,
    attributes: { "rpc.system.name": "grpc", "rpc.method": method, ...attributes },
  });
  return {
    traceparent: span.context.traceparent,
    headers: () => span.headers(),
    run: (work) => span.run(work),
    end: (status, firstMessageMs, error) => {
      const failed = !CALM.has(status);
      span.set({ "rpc.status_code": status, ...(failed && error === undefined && { "error.type": status }) });
      const kept = span.end({
        failed,
        ...(failed && { error: error ?? status }),
        ...(STANDING.test(method) ? { decisiveMs: 0 } : firstMessageMs !== undefined && { decisiveMs: firstMessageMs }),
      });
      return kept ? span.context.traceId : undefined;
    },
  };
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
