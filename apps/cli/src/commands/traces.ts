/** `ringlight traces` and `ringlight trace`: what the console keeps of requests and jobs. */
import { formatDuration } from "@ringlight/core";
import type { SpanRecord, TraceDetail, TraceSearchResult, TraceSummary } from "@ringlight/trace-store";
import { askConsole, type ConsoleOptions } from "../console-connection.ts";
import { count, localTime, table } from "../format.ts";
import { note, print } from "./output.ts";

/** Options of a search: the fields of the Traces page. */
export interface TracesOptions extends ConsoleOptions {
  readonly service?: string;
  readonly instance?: string;
  readonly name?: string;
  readonly min?: string;
  readonly max?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly mount?: string;
  readonly path?: string;
  readonly job?: string;
  readonly attr?: readonly string[];
  readonly error?: string | boolean;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
}

const LONGEST_TRACE = 10_000;

const seconds = (ms: number) => `${localTime(ms)}:${String(new Date(ms).getSeconds()).padStart(2, "0")}`;

function outcomeText({ errorCount, outcome, missReason, tier }: TraceSummary): string {
  if (errorCount > 0) return "error";
  return [outcome, missReason ?? (outcome === "hit" ? tier : undefined)].filter(Boolean).join(" ") || "–";
}

/** Searches. */
export async function traces(options: TracesOptions): Promise<void> {
  const { service, instance, name, min, max, outcome, reason, mount, job, from, to, limit } = options;
  const attr = [...(options.attr ?? []), ...(options.path === undefined ? [] : [`ringlight.path=${options.path}`])];
  const error = options.error === undefined ? undefined : String(options.error);
  const fields = { service, instance, name, min, max, outcome, reason, mount, job, from, to, limit, attr, error };
  const found = await askConsole<TraceSearchResult>(options, "/api/traces", fields);
  print(options.json, found, () =>
    table(
      [
        { title: "TIME" },
        { title: "TRACE" },
        { title: "DURATION", right: true },
        { title: "SPANS", right: true },
        { title: "OUTCOME" },
        { title: "NAME" },
        { title: "SERVICE" },
      ],
      found.traces.map((trace) => [
        seconds(trace.startMs),
        trace.traceId,
        formatDuration(trace.durationMs),
        String(trace.spanCount),
        outcomeText(trace),
        trace.name,
        trace.instance ?? trace.service,
      ]),
    ),
  );
  if (options.json) return;
  if (found.traces.length === 0) note("No trace has all that was asked for.");
  else if (found.next !== undefined) note(`The newest ${count(found.traces.length, "trace")}; there are more.`);
}

/** The spans as a tree: a line each, below whoever asked for them. Exported for its test. */
export function traceLines({ spans, resources, summary }: TraceDetail): string[] {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const below = Map.groupBy(spans, ({ parentSpanId }) =>
    parentSpanId !== undefined && known.has(parentSpanId) ? parentSpanId : "",
  );
  const lines: string[][] = [];
  const add = (span: SpanRecord, depth: number) => {
    const { "ringlight.outcome": outcome, "ringlight.miss.reason": reason, "ringlight.tier": tier } = span.attributes;
    const { instance, service } = resources[span.resource] ?? { service: "unknown_service", instance: undefined };
    const said =
      span.status === "error"
        ? `error ${span.statusMessage ?? ""}`.trim()
        : [outcome, reason || tier].filter(Boolean).join(" ");
    lines.push([
      `${"  ".repeat(depth)}${span.name}`,
      `+${formatDuration(Math.max(0, span.startMs - summary.startMs))}`,
      formatDuration(span.durationMs),
      instance ?? service,
      said,
    ]);
    for (const child of below.get(span.spanId) ?? []) add(child, depth + 1);
  };
  for (const root of below.get("") ?? []) add(root, 0);
  const columns = [
    { title: "SPAN" },
    { title: "BEGINS", right: true },
    { title: "DURATION", right: true },
    { title: "WHERE" },
    { title: "OUTCOME" },
  ];
  return table(columns, lines).split("\n");
}

/** Shows one trace. */
export async function trace(id: string, options: ConsoleOptions): Promise<void> {
  const route = `/api/traces/${encodeURIComponent(id)}`;
  const detail = await askConsole<TraceDetail>(options, route, { limit: String(LONGEST_TRACE) });
  const { summary, total, logCount } = detail;
  print(options.json, detail, () =>
    [
      `Trace ${summary.traceId}, ${seconds(summary.startMs)}: ${formatDuration(summary.durationMs)}, ${count(total, "span")}, ${count(logCount, "log line")}`,
      "",
      ...traceLines(detail),
    ].join("\n"),
  );
}
