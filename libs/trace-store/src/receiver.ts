/**
 * The OTLP receiver's side of HTTP, without a server around it: what to answer to a POST of `/v1/traces`, `/v1/metrics` or
 * `/v1/logs`. Answers are in the request's own format. A full store answers 429 with Retry-After, which senders obey.
 */
import { ERRORS, type ErrorCode, RinglightError } from "@ringlight/core";
import { encodeAcceptance, encodeRefusal, type OtlpFormat, type Signal } from "./otlp-body.ts";
import type { TraceStore } from "./trace-store.ts";

/** A request as a server hands it over. */
export interface ReceivedRequest {
  readonly method: string;
  readonly signal: Signal;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** What to answer. */
export interface ReceiverAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Largest body as it comes, packed or not. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const RETRY_AFTER_S = 1;
const FORMATS: Readonly<Record<string, OtlpFormat>> = {
  "application/x-protobuf": "protobuf",
  "application/protobuf": "protobuf",
  "application/json": "json",
};

/** The signal of a path, or undefined when it is none of the receiver's. */
export function signalOf(path: string): Signal | undefined {
  const found = /^\/v1\/(traces|metrics|logs)\/?$/.exec(path)?.[1];
  return found as Signal | undefined;
}

const header = (request: ReceivedRequest, name: string): string => {
  const value = request.headers[name];
  return (typeof value === "string" ? value : (value?.[0] ?? "")).trim();
};

function answer(
  format: OtlpFormat,
  status: number,
  body: Uint8Array,
  more: Record<string, string> = {},
): ReceiverAnswer {
  const type = format === "json" ? "application/json" : "application/x-protobuf";
  return { status, headers: { "content-type": type, ...more }, body };
}

function refusal(
  format: OtlpFormat,
  status: number,
  grpc: number,
  message: string,
  more?: Record<string, string>,
): ReceiverAnswer {
  return answer(format, status, encodeRefusal(format, grpc, message), more);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.byteLength;
    if (bytes > MAX_BODY_BYTES) {
      throw new RinglightError(
        "RL_ENTITY_TOO_LARGE",
        `the body is larger than ${MAX_BODY_BYTES / (1024 * 1024)} MiB; send smaller batches`,
      );
    }
    parts.push(part);
  }
  // A copy without Buffer's shared pool behind it: it is handed to another thread.
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

/** Answers one request. Never throws. */
export async function receive(store: TraceStore, request: ReceivedRequest): Promise<ReceiverAnswer> {
  const contentType = header(request, "content-type").split(";")[0]!.trim().toLowerCase();
  const format = FORMATS[contentType];
  if (request.method !== "POST") {
    return refusal(format ?? "json", 405, 12, "OTLP is sent by POST", { allow: "POST" });
  }
  if (format === undefined) {
    const named = contentType === "" ? "no content-type" : `content-type ${contentType}`;
    return refusal("json", 415, 3, `${named}: OTLP comes as application/x-protobuf or application/json`);
  }
  const encoding = header(request, "content-encoding").toLowerCase();
  if (encoding !== "" && encoding !== "identity" && encoding !== "gzip") {
    return refusal(format, 415, 3, `content-encoding ${encoding}: only gzip and identity are read`, {
      "accept-encoding": "gzip",
    });
  }
  try {
    if (Number(header(request, "content-length")) > MAX_BODY_BYTES) {
      const message = `the body is larger than ${MAX_BODY_BYTES / (1024 * 1024)} MiB; send smaller batches`;
      return refusal(format, 413, 3, message, { connection: "close" });
    }
    const bytes = await collect(request.body);
    const taken = await store.ingest(request.signal, { format, gzip: encoding === "gzip", bytes });
    return answer(format, 200, encodeAcceptance(request.signal, format, taken));
  } catch (error) {
    const code: ErrorCode = error instanceof RinglightError ? error.code : "RL_INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    if (code === "RL_OVERLOADED") return refusal(format, 429, 8, message, { "retry-after": String(RETRY_AFTER_S) });
    if (code === "RL_ENTITY_TOO_LARGE") return refusal(format, 413, 3, message, { connection: "close" });
    if (code === "RL_BAD_REQUEST") return refusal(format, 400, 3, message);
    // Not the sender's fault: it may send the same again, which 503 tells it.
    return refusal(format, 503, ERRORS[code].grpc, message, { "retry-after": "5" });
  }
}
