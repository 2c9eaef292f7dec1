/** Traces of a Grafana Tempo, by its HTTP API (port 3200). A trace comes as protobuf, in the form of an OTLP request. */
import { ExportTraceServiceRequest } from "@ringlight/proto/otlp";
import { msOf, spanRecords } from "./otlp-records.ts";
import { askBackend, detailFrom, type Fetch, type SentSpan, type TraceSource } from "./trace-source.ts";
import type { TraceQuery, TraceSearchResult, TraceSummary } from "./traces.ts";
import { KNOWN } from "./words.ts";

interface TempoHit {
  readonly traceID: string;
  readonly rootServiceName?: string;
  readonly rootTraceName?: string;
  readonly startTimeUnixNano: string;
  readonly durationMs?: number;
  readonly spanSets?: readonly { readonly matched?: number }[];
}

const DEFAULT_LIMIT = 50;

const quoted = (text: string) => JSON.stringify(text);

/** The query in TraceQL: each condition may stand on another span of the trace. */
function traceQl(query: TraceQuery): string {
  const parts: string[] = [];
  const add = (condition: string) => parts.push(`{ ${condition} }`);
  if (query.service !== undefined) add(`resource.service.name = ${quoted(query.service)}`);
  if (query.instance !== undefined) add(`resource.service.instance.id = ${quoted(query.instance)}`);
  if (query.name?.endsWith("*")) {
    add(`name =~ ${quoted(`${query.name.slice(0, -1).replace(/[\\^$.|?*+()[\]{}]/g, "\\$&")}.*`)}`);
  } else if (query.name !== undefined) add(`name = ${quoted(query.name)}`);
  if (query.error === true) add("status = error");
  if (query.minDurationMs !== undefined) add(`traceDuration >= ${query.minDurationMs}ms`);
  if (query.maxDurationMs !== undefined) add(`traceDuration <= ${query.maxDurationMs}ms`);
  for (const field of ["jobId", "pathHash", "mount", "outcome", "missReason"] as const) {
    const value = query[field];
    if (value !== undefined) add(`.${KNOWN[field]} = ${quoted(value)}`);
  }
  // Tempo compares types; an attribute that is a number or a truth is written as one.
  for (const { key, value } of query.attributes ?? []) {
    const bare = /^(true|false|-?\d+(\.\d+)?)$/.test(value) ? value : quoted(value);
    add(`.${/^[\w.-]+$/.test(key) ? key : quoted(key)} = ${bare}`);
  }
  return parts.length > 0 ? parts.join(" && ") : "{}";
}

function summaryOfHit(hit: TempoHit): TraceSummary {
  const service = hit.rootServiceName ?? "unknown_service";
  return {
    traceId: hit.traceID.toLowerCase().padStart(32, "0"),
    version: 0,
    name: hit.rootTraceName ?? "",
    service,
    rooted: hit.rootTraceName !== undefined && !hit.rootTraceName.startsWith("<"),
    startMs: msOf(hit.startTimeUnixNano),
    durationMs: hit.durationMs ?? 0,
    // Tempo's search does not count the spans of a trace; the trace's page does.
    spanCount: 0,
    errorCount: 0,
    services: [service],
    class: "kept",
  };
}

/** Reads traces from a Tempo. @param base its URL, as http://127.0.0.1:3200 */
export function tempoSource(base: string, ask: Fetch = fetch): TraceSource {
  const urlOf = (path: string) => new URL(path, base.endsWith("/") ? base : `${base}/`);
  return {
    type: "tempo",
    search: async (query: TraceQuery): Promise<TraceSearchResult> => {
      const url = urlOf("api/search");
      const limit = query.limit ?? DEFAULT_LIMIT;
      const now = Date.now();
      url.searchParams.set("q", traceQl(query));
      url.searchParams.set("start", String(Math.floor((query.fromMs ?? now - 3_600_000) / 1000)));
      url.searchParams.set("end", String(Math.ceil((query.toMs ?? now) / 1000)));
      url.searchParams.set("limit", String(limit));
      const response = await askBackend(url, "application/json", ask);
      const hits = response === undefined ? [] : (((await response.json()) as { traces?: TempoHit[] }).traces ?? []);
      const traces = hits.map(summaryOfHit).sort((a, b) => b.startMs - a.startMs);
      return { traces, complete: hits.length < limit };
    },
    detail: async (traceId, offset, limit) => {
      const response = await askBackend(urlOf(`api/traces/${traceId}`), "application/protobuf", ask);
      if (response === undefined) return undefined;
      const bytes = new Uint8Array(await response.arrayBuffer());
      const { groups } = spanRecords(ExportTraceServiceRequest.decode(bytes));
      const spans = groups.flatMap(({ resource, spans: sent }) => sent.map((span): SentSpan => [resource, span]));
      return spans.length === 0 ? undefined : detailFrom(traceId, spans, offset, limit);
    },
  };
}
