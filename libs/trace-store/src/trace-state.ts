/** What the store knows of one trace while its spans come in, and the policy that says which traces are kept. */
import type { LooseSpan } from "./otlp-records.ts";
import type { KeptReason, ResourceRecord, TraceSummary } from "./traces.ts";
import { KNOWN } from "./words.ts";

/** Reasons by their number in the table; 0 is not kept. */
export const KEPT_REASONS: readonly (KeptReason | undefined)[] = [undefined, "error", "slow", "job", "miss", "asked"];

/** Which traces go into the longer memory. */
export interface KeepPolicy {
  /** A trace whose root takes at least so long, milliseconds. */
  readonly slowMs: number;
  /** Miss reasons that explain themselves and are not kept. */
  readonly ordinaryMisses: ReadonlySet<string>;
}

/** The part of a trace's row that is kept as text. */
export interface TraceInfo {
  name: string;
  service: string;
  instance?: string;
  rooted: boolean;
  /** Start of the span that name, service and instance are of. */
  headMs: number;
  services: string[];
  outcome?: string;
  missReason?: string;
  tier?: string;
  mount?: string;
  jobId?: string;
  pathHash?: string;
}

/** A trace's row. */
export interface TraceRow {
  readonly id: number;
  readonly traceId: string;
  version: number;
  startMs: number;
  endMs: number;
  spans: number;
  errors: number;
  /** Index in KEPT_REASONS. */
  kept: number;
  bytes: number;
  readonly tokens: Set<number>;
  readonly info: TraceInfo;
}

const SERVICES_LIMIT = 50;
/** The worst first: what a trace with many page requests is said to be. */
const OUTCOMES = ["miss", "bypass", "joined", "hit"];

function worse(a: string | undefined, b: string): string {
  if (a === undefined) return b;
  const rank = (outcome: string) => (OUTCOMES.includes(outcome) ? OUTCOMES.indexOf(outcome) : OUTCOMES.length);
  return rank(b) < rank(a) ? b : a;
}

/** A trace before its first span. */
export function newTrace(id: number, traceId: string): TraceRow {
  return {
    id,
    traceId,
    version: 0,
    startMs: Number.POSITIVE_INFINITY,
    endMs: 0,
    spans: 0,
    errors: 0,
    kept: 0,
    bytes: 0,
    tokens: new Set(),
    info: { name: "", service: "", rooted: false, headMs: Number.POSITIVE_INFINITY, services: [] },
  };
}

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

/** Takes a span into account. */
export function addSpan(row: TraceRow, span: LooseSpan, resource: ResourceRecord, policy: KeepPolicy): void {
  const { info } = row;
  const { attributes } = span;
  row.spans++;
  row.startMs = Math.min(row.startMs, span.startMs);
  row.endMs = Math.max(row.endMs, span.startMs + span.durationMs);
  const failed = span.status === "error";
  if (failed) row.errors++;
  const root = span.parentSpanId === undefined;
  if (root ? !info.rooted || span.startMs < info.headMs : !info.rooted && span.startMs < info.headMs) {
    info.name = span.name;
    info.service = resource.service;
    if (resource.instance === undefined) delete info.instance;
    else info.instance = resource.instance;
    info.headMs = span.startMs;
    info.rooted = root;
  }
  if (!info.services.includes(resource.service) && info.services.length < SERVICES_LIMIT) {
    info.services.push(resource.service);
  }
  const outcome = textOf(attributes[KNOWN.outcome]);
  if (outcome !== undefined) info.outcome = worse(info.outcome, outcome);
  for (const field of ["missReason", "tier", "mount", "jobId", "pathHash"] as const) {
    if (info[field] !== undefined) continue;
    const value = textOf(attributes[KNOWN[field]]);
    if (value !== undefined) info[field] = value;
  }
  if (row.kept === 0) row.kept = keptFor(span, failed, policy);
}

/** Index in KEPT_REASONS for the span, 0 for none. */
function keptFor(span: LooseSpan, failed: boolean, policy: KeepPolicy): number {
  const { attributes } = span;
  let reason: KeptReason | undefined;
  if (failed) reason = "error";
  else if (attributes[KNOWN.jobId] !== undefined) reason = "job";
  else if (span.durationMs >= policy.slowMs) reason = "slow";
  else if (attributes[KNOWN.keep] === true) reason = "asked";
  else {
    const miss = textOf(attributes[KNOWN.missReason]);
    if (miss !== undefined && !policy.ordinaryMisses.has(miss)) reason = "miss";
  }
  return reason === undefined ? 0 : KEPT_REASONS.indexOf(reason);
}

/** The row as searches answer it. */
export function summaryOf(row: TraceRow): TraceSummary {
  const { headMs: _head, ...info } = row.info;
  const keptReason = KEPT_REASONS[row.kept];
  return {
    traceId: row.traceId,
    version: row.version,
    ...info,
    startMs: row.startMs,
    durationMs: Math.max(0, row.endMs - row.startMs),
    spanCount: row.spans,
    errorCount: row.errors,
    class: keptReason === undefined ? "recent" : "kept",
    ...(keptReason === undefined ? {} : { keptFor: keptReason }),
  };
}
