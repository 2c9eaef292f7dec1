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
  /** The caller's tracestate, handed on as it came. */
  readonly tracestate?: string | undefined;
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

/** What decides whether a trace that begins here is sampled. */
interface RootSampler {
  readonly ratio: number | undefined;
  /** False: a caller's own choice does not count. */
  readonly heedsParent: boolean;
}

let sampler: RootSampler | undefined;

/** Sets who is sampled; undefined where nobody receives spans: only callers' choices are handed on then. */
export function setSampler(next: RootSampler | undefined): void {
  sampler = next;
}

/** True for a new trace that is to be kept whatever happens. Cheap: one random number. */
export function samplesRoot(): boolean {
  const ratio = sampler?.ratio;
  return ratio !== undefined && ratio > 0 && Math.random() < ratio;
}

/** Continues the caller's trace, or begins a new one where there is none. */
export function newTraceContext(traceparent?: string): TraceContext {
  const parent = parseTraceparent(traceparent);
  const traceId = parent?.traceId ?? randomHex(16, NO_TRACE);
  const spanId = randomHex(8, NO_SPAN);
  const heeded = parent !== undefined && sampler?.heedsParent !== false;
  return traceContext(traceId, spanId, parent?.spanId, heeded ? parent.sampled : samplesRoot());
}

/** Begins a trace that is kept whatever happens: a command's, or a job's. */
export function keptTraceContext(traceparent?: string): TraceContext {
  const parent = parseTraceparent(traceparent);
  const traceId = parent?.traceId ?? randomHex(16, NO_TRACE);
  return traceContext(traceId, randomHex(8, NO_SPAN), parent?.spanId, true);
}

function traceContext(
  traceId: string,
  spanId: string,
  parentSpanId: string | undefined,
  sampled: boolean,
): TraceContext {
  return {
    traceId,
    spanId,
    parentSpanId,
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
