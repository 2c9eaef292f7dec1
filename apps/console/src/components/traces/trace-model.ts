/** Everything that the views of one trace draw from, computed once. */

import type { SpanRecord } from "@ringlight/trace-store";
import {
  buildTraceTree,
  type CriticalSection,
  criticalPath,
  criticalTimes,
  type FilterTerm,
  matchesFilter,
  type TraceTree,
} from "@ringlight/ui";
import type { TraceView } from "../../wire-telemetry.ts";
import { serviceColours } from "./service-colours.ts";

/** A trace made ready to be drawn. */
export interface TraceModel {
  readonly trace: TraceView;
  readonly tree: TraceTree<SpanRecord>;
  readonly critical: readonly CriticalSection[];
  /** Milliseconds on the critical path by span. */
  readonly criticalMs: ReadonlyMap<string, number>;
  readonly colours: ReadonlyMap<string, string>;
  readonly serviceOf: (span: SpanRecord) => string;
  /** "ringlight-worker w1": service and, where told, instance. */
  readonly processOf: (span: SpanRecord) => string;
}

/** The model of a trace. */
export function traceModel(trace: TraceView): TraceModel {
  const tree = buildTraceTree(trace.spans);
  const critical = criticalPath(tree);
  const serviceOf = (span: SpanRecord) => trace.resources[span.resource]?.service ?? "unknown_service";
  return {
    trace,
    tree,
    critical,
    criticalMs: criticalTimes(critical),
    colours: serviceColours(trace.resources.map((resource) => resource.service)),
    serviceOf,
    processOf: (span) => {
      const resource = trace.resources[span.resource];
      return resource?.instance ? `${resource.service} ${resource.instance}` : serviceOf(span);
    },
  };
}

/** Ids of the spans that a filter finds; undefined when it asks for nothing. */
export function findSpans(model: TraceModel, terms: readonly FilterTerm[]): ReadonlySet<string> | undefined {
  if (terms.length === 0) return undefined;
  const found = new Set<string>();
  for (const { span } of model.tree.nodes) {
    const resource = model.trace.resources[span.resource];
    const subject = {
      fields: {
        name: span.name,
        service: resource?.service ?? "",
        instance: resource?.instance ?? "",
        kind: span.kind,
        status: span.status,
        span: span.spanId,
        duration: String(span.durationMs),
        message: span.statusMessage ?? "",
      },
      attributes: span.attributes,
    };
    if (matchesFilter(terms, subject)) found.add(span.spanId);
  }
  return found;
}
