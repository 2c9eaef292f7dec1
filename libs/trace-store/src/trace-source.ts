/** Traces that lie in another backend, read through its HTTP API: one interface beside the embedded store. */
import { RinglightError } from "@ringlight/core";
import type { LooseSpan } from "./otlp-records.ts";
import { addSpan, newTrace, summaryOf } from "./trace-state.ts";
import type { ResourceRecord, SpanRecord, TraceDetail, TraceQuery, TraceSearchResult, TraceSummary } from "./traces.ts";

/** A backend that traces are read from. */
export interface TraceSource {
  readonly type: "jaeger" | "tempo";
  /** The newest traces that meet the query, as far as the backend can tell them apart. @throws RL_UFS_UNAVAILABLE, RL_DEADLINE */
  search(query: TraceQuery): Promise<TraceSearchResult>;
  /** Undefined when the backend has no such trace. */
  detail(traceId: string, offset?: number, limit?: number): Promise<TraceDetail | undefined>;
}

const DEADLINE_MS = 10_000;
const MAX_WINDOW = 10_000;
/** Everything that comes from elsewhere is as it is: nothing is kept or left here. */
const NO_POLICY = { slowMs: Number.POSITIVE_INFINITY, ordinaryMisses: new Set<string>() };

/** A span with whoever sent it. */
export type SentSpan = readonly [resource: ResourceRecord, span: LooseSpan];

/** Summary of a trace from its spans. */
export function summaryFrom(traceId: string, spans: readonly SentSpan[]): TraceSummary {
  const row = newTrace(0, traceId);
  for (const [resource, span] of spans) addSpan(row, span, resource, NO_POLICY);
  return { ...summaryOf(row), class: "kept" };
}

/** A window of a trace from its spans. */
export function detailFrom(traceId: string, spans: readonly SentSpan[], offset = 0, limit = MAX_WINDOW): TraceDetail {
  const unique = new Map(spans.map((sent) => [sent[1].spanId, sent]));
  const ordered = [...unique.values()].sort(([, a], [, b]) => a.startMs - b.startMs || b.durationMs - a.durationMs);
  const places = new Map<ResourceRecord, number>();
  const resources: ResourceRecord[] = [];
  const window = ordered.slice(offset, offset + Math.min(MAX_WINDOW, limit)).map(([resource, span]): SpanRecord => {
    let place = places.get(resource);
    if (place === undefined) {
      place = resources.push(resource) - 1;
      places.set(resource, place);
    }
    return { ...span, resource: place };
  });
  const summary = summaryFrom(traceId, [...unique.values()]);
  return { summary, resources, spans: window, offset, total: ordered.length, logCount: 0 };
}

/** What a backend may be asked with. */
export type Fetch = (url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => Promise<Response>;

/** Asks a backend; undefined for 404. @throws RL_UFS_UNAVAILABLE in the backend's words, RL_DEADLINE */
export async function askBackend(url: URL, accept: string, ask: Fetch): Promise<Response | undefined> {
  let response: Response;
  try {
    response = await ask(url.href, { headers: { accept }, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch (error) {
    const late = error instanceof Error && error.name === "TimeoutError";
    const words = late ? `did not answer within ${DEADLINE_MS / 1000} s` : `does not answer: ${String(error)}`;
    throw new RinglightError(late ? "RL_DEADLINE" : "RL_UFS_UNAVAILABLE", `${url.origin} ${words}`, { cause: error });
  }
  if (response.status === 404) return undefined;
  if (response.ok) return response;
  const words = (await response.text()).slice(0, 300);
  throw new RinglightError("RL_UFS_UNAVAILABLE", `${url.origin} answered ${response.status}: ${words}`);
}
