/** Spans of a trace gathered by what they are: a service's operation. */
import type { SpanLike, TraceTree } from "./trace-tree.ts";

/** All spans of one service and name. Times in milliseconds. */
export interface SpanStatistics {
  readonly service: string;
  readonly name: string;
  readonly count: number;
  readonly errors: number;
  /** Sum of durations; more than the trace's own where spans ran side by side. */
  readonly totalMs: number;
  readonly selfMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** On the critical path. */
  readonly criticalMs: number;
}

/** Statistics by service and name, those with the most time of their own first. */
export function spanStatistics<Span extends SpanLike>(
  tree: TraceTree<Span>,
  serviceOf: (span: Span) => string,
  critical: ReadonlyMap<string, number>,
): SpanStatistics[] {
  const groups = new Map<
    string,
    { service: string; name: string; errors: number; selfMs: number; criticalMs: number; durations: number[] }
  >();
  for (const { span, selfMs } of tree.nodes) {
    const service = serviceOf(span);
    const key = `${service}\n${span.name}`;
    let group = groups.get(key);
    if (!group) {
      group = { service, name: span.name, errors: 0, selfMs: 0, criticalMs: 0, durations: [] };
      groups.set(key, group);
    }
    if (span.status === "error") group.errors++;
    group.selfMs += selfMs;
    group.criticalMs += critical.get(span.spanId) ?? 0;
    group.durations.push(span.durationMs);
  }
  return [...groups.values()]
    .map(({ durations, ...group }): SpanStatistics => {
      durations.sort((a, b) => a - b);
      const totalMs = durations.reduce((sum, duration) => sum + duration, 0);
      // Nearest rank: a value that was measured.
      const rank = (q: number) => durations[Math.max(0, Math.ceil(q * durations.length) - 1)]!;
      return {
        ...group,
        count: durations.length,
        totalMs,
        minMs: durations[0]!,
        maxMs: durations.at(-1)!,
        meanMs: totalMs / durations.length,
        p50Ms: rank(0.5),
        p95Ms: rank(0.95),
      };
    })
    .sort((a, b) => b.selfMs - a.selfMs || (a.name < b.name ? -1 : 1));
}
