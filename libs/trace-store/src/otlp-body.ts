/** The body of an OTLP request: inflated within a bound, and decoded from protobuf or JSON. */
import { gunzipSync } from "node:zlib";
import { RinglightError } from "@ringlight/core";
import {
  ExportLogsServiceRequest,
  ExportLogsServiceResponse,
  ExportMetricsServiceRequest,
  ExportMetricsServiceResponse,
  ExportTraceServiceRequest,
  ExportTraceServiceResponse,
} from "@ringlight/proto/otlp";
import { readJson } from "./json-reader.ts";
import { logsRequest, metricsRequest, tracesRequest } from "./otlp-json.ts";

/** What a request carries, by the end of its URL. */
export type Signal = "traces" | "metrics" | "logs";

/** How a body is written. */
export type OtlpFormat = "protobuf" | "json";

/** A body as it came. */
export interface OtlpBody {
  readonly format: OtlpFormat;
  readonly gzip: boolean;
  readonly bytes: Uint8Array;
}

/** A body of more bytes than this, inflated, is refused: what a sender puts into one request is at most a few MiB. */
const MAX_INFLATED_BYTES = 32 * 1024 * 1024;

function inflate({ gzip, bytes }: OtlpBody): Uint8Array {
  if (!gzip) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_INFLATED_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new RinglightError(
        "RL_ENTITY_TOO_LARGE",
        `the body is more than ${MAX_INFLATED_BYTES / (1024 * 1024)} MiB when it is unpacked; send smaller batches`,
        { cause: error },
      );
    }
    throw new RinglightError("RL_BAD_REQUEST", `the body is not gzip: ${(error as Error).message}`, { cause: error });
  }
}

function decoded<T>(body: OtlpBody, decode: (bytes: Uint8Array) => T, read: (source: string) => T): T {
  const bytes = inflate(body);
  if (body.format === "json") {
    return read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  }
  try {
    return decode(bytes);
  } catch (error) {
    throw new RinglightError("RL_BAD_REQUEST", `the body is not OTLP protobuf: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** @throws RL_BAD_REQUEST, RL_ENTITY_TOO_LARGE */
export const decodeTraces = (body: OtlpBody): ExportTraceServiceRequest =>
  decoded(body, ExportTraceServiceRequest.decode, (source) => readJson(source, tracesRequest));

/** @throws RL_BAD_REQUEST, RL_ENTITY_TOO_LARGE */
export const decodeLogs = (body: OtlpBody): ExportLogsServiceRequest =>
  decoded(body, ExportLogsServiceRequest.decode, (source) => readJson(source, logsRequest));

/** @throws RL_BAD_REQUEST, RL_ENTITY_TOO_LARGE */
export const decodeMetrics = (body: OtlpBody): ExportMetricsServiceRequest =>
  decoded(body, ExportMetricsServiceRequest.decode, (source) => readJson(source, metricsRequest));

/** What became of the records of a request. */
export interface Acceptance {
  readonly accepted: number;
  readonly rejected: number;
  /** Why some were rejected. */
  readonly message: string;
}

/** The answer to an accepted request, in its own format. `partial_success` is left out where everything was taken. */
export function encodeAcceptance(signal: Signal, format: OtlpFormat, { rejected, message }: Acceptance): Uint8Array {
  const whole = rejected === 0 && message === "";
  if (format === "json") {
    const name = { traces: "rejectedSpans", metrics: "rejectedDataPoints", logs: "rejectedLogRecords" }[signal];
    const partialSuccess = { [name]: String(rejected), errorMessage: message };
    return Buffer.from(JSON.stringify(whole ? {} : { partialSuccess }));
  }
  if (whole) return Buffer.alloc(0);
  const errorMessage = message;
  if (signal === "traces") {
    return ExportTraceServiceResponse.encode({ partialSuccess: { rejectedSpans: rejected, errorMessage } }).finish();
  }
  if (signal === "metrics") {
    const partialSuccess = { rejectedDataPoints: rejected, errorMessage };
    return ExportMetricsServiceResponse.encode({ partialSuccess }).finish();
  }
  return ExportLogsServiceResponse.encode({ partialSuccess: { rejectedLogRecords: rejected, errorMessage } }).finish();
}

/** google.rpc.Status, which a refused request is answered with: code and message. */
export function encodeRefusal(format: OtlpFormat, grpcCode: number, message: string): Uint8Array {
  if (format === "json") return Buffer.from(JSON.stringify({ code: grpcCode, message }));
  const words = Buffer.from(message, "utf8");
  const length: number[] = [];
  for (let rest = words.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Uint8Array.of(0x08, grpcCode, 0x12, ...length), words]);
}
