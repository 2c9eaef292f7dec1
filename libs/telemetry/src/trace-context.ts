/** W3C trace context (https://www.w3.org/TR/trace-context/): ids of traces and spans, made and carried on. */
import { randomFillSync } from "node:crypto";

/** The place of one piece of work in a trace. Its ids exist before anybody knows whether a span will be made of it. */
export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** This piece's own span, 16 lower-case hex digits. */
  readonly spanId: string;
  /** The caller's span. */
  readonly parentSpanId: string | undefined;
  /** The caller keeps this trace, and wants our spans in it. */
  readonly sampled: boolean;
  /** Header for those whom we call: they become children of this piece. */
  readonly traceparent: string;
}

/** What a traceparent header says. */
export interface Traceparent {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/** Takes a traceparent header apart; undefined for one that the standard says to ignore. */
export function parseTraceparent(header: string | undefined): Traceparent | undefined {
  const match = header === undefined ? null : TRACEPARENT.exec(header.trim());
  if (match === null) return undefined;
  const [, version, traceId = NO_TRACE, spanId = NO_SPAN, flags = "00", rest] = match;
  if (version === "ff" || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  if (version === "00" && rest !== undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Continues the caller's trace, or begins a new one (not sampled) where there is none. */
export function newTraceContext(traceparent?: string): TraceContext {
  const parent = parseTraceparent(traceparent);
  const traceId = parent?.traceId ?? randomHex(16, NO_TRACE);
  const spanId = randomHex(8, NO_SPAN);
  const sampled = parent?.sampled ?? false;
  return {
    traceId,
    spanId,
    parentSpanId: parent?.spanId,
    sampled,
    traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`,
  };
}

/** Random bytes are drawn in bulk: a system call for each id would cost more than the id. */
const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number, forbidden: string): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString("hex", used, used + bytes);
  used += bytes;
  return hex === forbidden ? randomHex(bytes, forbidden) : hex;
}
