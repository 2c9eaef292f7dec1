/** What the trace store keeps of a trace, what it answers, and what it can be asked. JSON-safe: the console sends these as they are. */

/** Value of an attribute. Bytes are base64 text; 64-bit integers that no number holds exactly are decimal text. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };

/** Attributes by key. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Who sent spans or log records: one process, as its OpenTelemetry resource tells. */
export interface ResourceRecord {
  /** `service.name`; "unknown_service" where it is not told. */
  readonly service: string;
  /** `service.instance.id`; for a worker, its id. */
  readonly instance?: string;
  readonly attributes: Attributes;
}

/** Kinds of spans, by their number on the wire. */
export const SPAN_KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;

export type SpanKindName = (typeof SPAN_KINDS)[number];

/** States of spans, by their number on the wire. */
export const SPAN_STATUSES = ["unset", "ok", "error"] as const;

export type SpanStatusName = (typeof SPAN_STATUSES)[number];

/** Something that happened during a span. */
export interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Attributes;
}

/** Another span that belongs to this one without being its parent. */
export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

/** One span. Ids are lower-case hex: 32 digits for a trace, 16 for a span. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent for a root. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: SpanKindName;
  /** Milliseconds since the Unix epoch, with fractions, exact to half a microsecond. */
  readonly startMs: number;
  /** Milliseconds, exact to the nanosecond. */
  readonly durationMs: number;
  readonly status: SpanStatusName;
  readonly statusMessage?: string;
  /** Place in the answer's `resources`. */
  readonly resource: number;
  /** Name of the instrumentation scope. */
  readonly scope?: string;
  readonly attributes: Attributes;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanLink[];
  /** Attributes, events and links that the sender left out. */
  readonly dropped?: number;
}

/**
 * Where a trace is kept. `recent`: in the ring that holds everything until newer traces need its bytes. `kept`: in the
 * longer memory, for a reason.
 */
export type TraceClass = "recent" | "kept";

/** Why a trace is kept. */
export type KeptReason = "error" | "slow" | "job" | "miss" | "asked";

/** One row of a search. */
export interface TraceSummary {
  readonly traceId: string;
  /** Grows with every change of any trace in this store: of two summaries of a trace, the one with the higher is newer. */
  readonly version: number;
  /** The root's; while no root has come, those of the earliest span. */
  readonly name: string;
  readonly service: string;
  readonly instance?: string;
  /** False while no span without a parent has come: spans are still on their way, or the caller's own are elsewhere. */
  readonly rooted: boolean;
  readonly startMs: number;
  /** From the first start to the last end. */
  readonly durationMs: number;
  readonly spanCount: number;
  readonly errorCount: number;
  readonly services: readonly string[];
  readonly class: TraceClass;
  readonly keptFor?: KeptReason;
  /** `ringlight.outcome`, `.miss.reason`, `.tier`, `.mount`, `.job.id` and `.key.hash` of the trace's spans, as far as any has one; the worst outcome. */
  readonly outcome?: string;
  readonly missReason?: string;
  readonly tier?: string;
  readonly mount?: string;
  readonly jobId?: string;
  readonly pathHash?: string;
}

/** What to search for. All that is given must hold. Newest first. */
export interface TraceQuery {
  /** Any span of this service; likewise the other text fields. */
  readonly service?: string;
  /** `service.instance.id` of any span: a worker's id. */
  readonly instance?: string;
  /** Exact name of any span, or with a `*` at its end the beginning of one. */
  readonly name?: string;
  /** Of the whole trace. */
  readonly minDurationMs?: number;
  readonly maxDurationMs?: number;
  /** Each must stand on some span, or its resource, of the trace. Numbers and booleans as text. */
  readonly attributes?: readonly { readonly key: string; readonly value: string }[];
  readonly jobId?: string;
  readonly pathHash?: string;
  readonly mount?: string;
  readonly outcome?: string;
  readonly missReason?: string;
  /** True: with failed spans; false: without. */
  readonly error?: boolean;
  readonly class?: TraceClass;
  /** Start of the trace, milliseconds since the Unix epoch: from ≤ start < to. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
  /** 1 to 1000; 50 if left out. */
  readonly limit?: number;
}

/** Answer to a search. */
export interface TraceSearchResult {
  readonly traces: readonly TraceSummary[];
  /** Set when there may be more: the cursor of the next page. */
  readonly next?: string;
  /**
   * False when the search gave up before it had looked at everything in the range (an attribute without an index, over
   * too many traces): `searchedBackToMs` says how far it came.
   */
  readonly complete: boolean;
  readonly searchedBackToMs?: number;
}

/** A trace with its spans, ordered by start. */
export interface TraceDetail {
  readonly summary: TraceSummary;
  readonly resources: readonly ResourceRecord[];
  readonly spans: readonly SpanRecord[];
  /** Place of the first span of this answer among all of the trace. */
  readonly offset: number;
  /** All spans of the trace. */
  readonly total: number;
  /** Log records that carry the trace's id. */
  readonly logCount: number;
}

/** What the store has seen, for completion: the most frequent first. */
export interface TraceValues {
  readonly services: readonly string[];
  readonly names: readonly string[];
  readonly attributeKeys: readonly string[];
  /** Of the key that was asked for. */
  readonly attributeValues: readonly string[];
}

/** What a live watch tells, in this order: one `snapshot`, then `traces` as they come or change; `dropped` when the reader was too slow. */
export type TraceWatchEvent =
  | { readonly type: "snapshot"; readonly traces: readonly TraceSummary[] }
  | { readonly type: "traces"; readonly traces: readonly TraceSummary[] }
  /** So many summaries were left out since the last message: load the page anew to see them. */
  | { readonly type: "dropped"; readonly count: number };
