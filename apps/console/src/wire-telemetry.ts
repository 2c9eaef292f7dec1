/** What the telemetry routes add to the records of the trace store, which pages import as types from `@ringlight/trace-store`. */
import type { TraceDetail } from "@ringlight/trace-store";

/**
 * `GET /api/traces/<id>?offset=0&limit=10000`. `source` is "embedded", or the type of the other backend (`traceSource`)
 * that the trace was read from.
 */
export interface TraceView extends TraceDetail {
  readonly source: "embedded" | "jaeger" | "tempo";
}
