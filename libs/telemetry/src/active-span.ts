/**
 * The piece of work that is going on, and the trace that it belongs to. Work begins with startSpan() and runs within run(), so
 * that whatever it awaits finds it by currentSpan(): requests to stores and to other workers become its children and carry
 * its headers, and log lines its trace id.
 *
 * All spans of one request in this process share one fate, which is decided when the request ends (keep.ts): until then they
 * wait with it, and are then sent together or forgotten. Hits answered at the door never come here.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { isKept, keepsAllMisses } from "./keep.ts";
import type { Attributes, AttributeValue, RecordedSpan } from "./otlp/records.ts";
import { isTracing, sendSpan } from "./span-sink.ts";
import { keptTraceContext, newTraceContext, type TraceContext } from "./trace-context.ts";

/** What a caller sent of its trace. */
export interface CallerTrace {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly baggage?: string | undefined;
}

/** How a piece of work begins. */
export interface SpanStart {
  readonly name: string;
  readonly kind?: RecordedSpan["kind"];
  readonly attributes?: Attributes;
  /** Who asked, from outside of this process; left out, it is a part of the work that is going on. */
  readonly caller?: CallerTrace | undefined;
  /** It is kept whatever happens, and so is what others do for it. */
  readonly keep?: boolean;
}

/** How a piece of work ended. */
export interface SpanEnd {
  /** Whatever was thrown. */
  readonly error?: unknown;
  /** Kept as a span if it took as long as slow work; time to the first byte, for answers that depend on their reader. */
  readonly decisiveMs?: number;
  /** False for errors that say nothing of the work: the caller left. */
  readonly failed?: boolean;
  /** Further attributes, as they stand at the end; asked for when the span is sent, and not where it is forgotten with its request. */
  readonly describe?: () => Attributes;
}

/** A finished span, or how to make it: most spans are forgotten with their request. */
type Finished = RecordedSpan | (() => RecordedSpan);

/** Spans that wait for the end of one request; with more the request is kept at once. */
const MAX_WAITING = 256;
/** Longer headers of callers are not carried on: https://www.w3.org/TR/baggage/#limits. */
const MAX_HEADER_LENGTH = 8192;

/** What all spans of one request in this process share. */
interface Request {
  kept: boolean;
  missed: boolean;
  ended: boolean;
  readonly waiting: Finished[];
  readonly tracestate: string | undefined;
  readonly baggage: string | undefined;
}

const active = new AsyncLocalStorage<ActiveSpan | undefined>();

/** A piece of work. */
export class ActiveSpan {
  /** May change until it ends: what is asked for is often known only after its head was read. */
  name: string;
  readonly context: TraceContext;
  readonly #kind: RecordedSpan["kind"];
  readonly #request: Request;
  readonly #isFirst: boolean;
  readonly #startMs = Date.now();
  readonly #startedMs = performance.now();
  readonly #attributes: Record<string, AttributeValue | undefined>;
  #over = false;

  constructor(start: SpanStart, parent: ActiveSpan | undefined) {
    const { caller, name, kind, attributes } = start;
    this.name = name;
    this.#kind = kind;
    this.#attributes = { ...attributes };
    this.#isFirst = parent === undefined;
    const traceparent = caller?.traceparent ?? parent?.context.traceparent;
    const context = start.keep ? keptTraceContext(traceparent) : newTraceContext(traceparent);
    const continues = caller?.traceparent !== undefined && context.parentSpanId !== undefined;
    this.#request = parent?.request ?? {
      kept: context.sampled,
      missed: false,
      ended: false,
      waiting: [],
      tracestate: continues ? bounded(caller?.tracestate) : undefined,
      baggage: bounded(caller?.baggage),
    };
    const { tracestate } = this.#request;
    this.context = tracestate === undefined ? context : { ...context, tracestate };
  }

  /** For spans of the same request. */
  get request(): Request {
    return this.#request;
  }

  /** True once the request that this belongs to has ended. */
  get isOver(): boolean {
    return this.#request.ended;
  }

  /** True when the request is certainly kept. */
  get isKept(): boolean {
    const { kept, missed } = this.#request;
    return isTracing() && (kept || (missed && keepsAllMisses()));
  }

  /** Runs work as a part of this piece. */
  run<T>(work: () => T): T {
    return active.run(this, work);
  }

  /** Adds attributes. */
  set(attributes: Attributes): void {
    Object.assign(this.#attributes, attributes);
  }

  /** The request had to ask elsewhere for what the cache could not give. */
  missed(): void {
    this.#request.missed = true;
  }

  /** True when it did. */
  get hasMissed(): boolean {
    return this.#request.missed;
  }

  /** Takes a finished span of the same request. */
  add(span: Finished): void {
    const request = this.#request;
    if (!isTracing()) return;
    if (request.kept) send(span);
    else if (!request.ended) {
      request.waiting.push(span);
      if (request.waiting.length >= MAX_WAITING) release(request);
    }
  }

  /** Ends it. @returns true when it is kept. Later calls do nothing. */
  end({ error, decisiveMs, failed = error !== undefined, describe }: SpanEnd = {}): boolean {
    if (this.#over) return this.#request.kept;
    this.#over = true;
    const request = this.#request;
    const durationMs = performance.now() - this.#startedMs;
    if (failed) request.kept = true;
    if (this.#isFirst) {
      const { missed } = request;
      const sampled = request.kept;
      request.kept = isTracing() && isKept({ durationMs: decisiveMs ?? durationMs, failed, missed, sampled });
    }
    if (!isTracing()) {
      if (this.#isFirst) request.ended = true;
      return false;
    }
    if (this.#isFirst && !request.kept) {
      request.ended = true;
      request.waiting.length = 0;
      return false;
    }
    if (request.kept) release(request);
    const record = () => ({
      context: this.context,
      name: this.name,
      ...(this.#kind && { kind: this.#kind }),
      startMs: this.#startMs,
      endMs: this.#startMs + durationMs,
      attributes: { ...this.#attributes, ...describe?.() },
      ...(failed && { error }),
    });
    // Where that is not decided, most are forgotten: nothing is made for them before.
    this.add(request.kept ? record() : record);
    if (this.#isFirst) request.ended = true;
    return request.kept;
  }

  /** Headers for those who are asked in the course of it. */
  headers(): Record<string, string> {
    const { tracestate, baggage } = this.#request;
    return {
      traceparent: this.context.traceparent,
      ...(tracestate !== undefined && { tracestate }),
      ...(baggage !== undefined && { baggage }),
    };
  }
}

function release(request: Request): void {
  request.kept = true;
  for (const span of request.waiting.splice(0)) send(span);
}

function send(span: Finished): void {
  sendSpan(typeof span === "function" ? span() : span);
}

function bounded(header: string | undefined): string | undefined {
  return header !== undefined && header.length <= MAX_HEADER_LENGTH ? header : undefined;
}

/** The work that is going on here, if there is any that has not ended. */
export function currentSpan(): ActiveSpan | undefined {
  const span = active.getStore();
  return span?.isOver === true ? undefined : span;
}

/** The work in whose course this runs, even when its request has ended meanwhile: for what ends a little later. */
export function originSpan(): ActiveSpan | undefined {
  return active.getStore();
}

/**
 * Begins a piece of work: for a caller from outside where one is given, else as a part of what is going on. A client span
 * may name its parent in the trace that is going on, too.
 */
export function startSpan(start: SpanStart): ActiveSpan {
  const current = currentSpan();
  const traceparent = start.caller?.traceparent;
  const isInside =
    start.caller === undefined ||
    (start.kind !== "server" && current !== undefined && traceparent?.includes(current.context.traceId) === true);
  return new ActiveSpan(start, isInside ? current : undefined);
}

/** Runs work that belongs to nobody's request: what it starts may go on for long. */
export function detached<T>(work: () => T): T {
  return active.run(undefined, work);
}

/** Records a finished span: with its request where that is going on here, else at once. */
export function recordSpan(span: RecordedSpan): void {
  const request = active.getStore();
  if (request !== undefined && request.context.traceId === span.context.traceId) request.add(span);
  else sendSpan(span);
}
