/** The span of a request: whose trace it continues, and what it says at its end. */
import type { IncomingHttpHeaders } from "node:http";
import type { ReadStatus } from "@ringlight/core";
import { type ActiveSpan, type CallerTrace, keyHash } from "@ringlight/telemetry";
import type { Exchange, RequestDone } from "./exchange.ts";

/** What the client sent of its trace. */
export function callerTrace(headers: IncomingHttpHeaders): CallerTrace {
  return {
    traceparent: oneOf(headers.traceparent),
    tracestate: oneOf(headers.tracestate),
    baggage: oneOf(headers.baggage),
  };
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** What a read met, as attributes of a span. */
export function readAttributes(status: ReadStatus): Record<string, string | number | boolean> {
  const [source] = status.bytesBySource.keys();
  if (status.hits + status.misses + status.joined === 0) return {};
  return {
    "ringlight.outcome": status.misses > 0 ? "miss" : status.joined > 0 ? "joined" : "hit",
    ...(status.missReason && { "ringlight.miss.reason": status.missReason }),
    ...(source !== undefined && { "ringlight.tier": source }),
    "ringlight.pages.hit": status.hits,
    "ringlight.pages.missed": status.misses,
    "ringlight.pages.joined": status.joined,
    "ringlight.served_by": status.servedBy.join(","),
    ...(status.ufsMs > 0 && { "ringlight.ufs.wait_ms": Math.round(status.ufsMs * 1000) / 1000 }),
    ...(status.fellBack && { "ringlight.fell_back": true }),
  };
}

function attributesOf(
  done: RequestDone,
  status: ReadStatus,
  exchange: Exchange,
): Record<string, string | number | boolean> {
  const { bucket = "", key = "" } = done;
  const path = `/${bucket}/${key}`;
  return {
    "http.request.method": exchange.req.method ?? "",
    "http.response.status_code": done.status,
    "aws.s3.bucket": bucket,
    "aws.request_id": exchange.requestId,
    "ringlight.api": done.api,
    "ringlight.mount": bucket,
    ...(key !== "" && { "aws.s3.key": key, "ringlight.path": path, "ringlight.key.hash": keyHash(path) }),
    "ringlight.bytes": done.bytesOut,
    ...readAttributes(status),
  };
}

/** Ends the span of a request. @returns the trace's id where it is kept */
export function endOfRequest(
  span: ActiveSpan,
  done: RequestDone,
  status: ReadStatus,
  exchange: Exchange,
  failure: unknown,
): string | undefined {
  span.name = `s3.${done.api}`;
  if (status.misses > 0 || status.joined > 0 || status.fellBack) span.missed();
  const isOurs = done.status >= 500 && done.status !== 501;
  const kept = span.end({
    error: failure,
    // A client's mistake is no failure of ours, and neither is one that leaves.
    failed: failure !== undefined && (isOurs || done.status === 404 || done.status === 403),
    decisiveMs: done.firstByteMs,
    describe: () => attributesOf(done, status, exchange),
  });
  return kept ? span.context.traceId : undefined;
}
