/** What the console's thread and the store's thread say to each other. */
import type { LogQuery, LogWatchEvent } from "./logs.ts";
import type { SeriesDefinition } from "./metric-series.ts";
import type { OtlpBody, Signal } from "./otlp-body.ts";
import type { PointBatch, StoreCore } from "./store-core.ts";
import type { TraceQuery, TraceWatchEvent } from "./traces.ts";

/** Bodies that are handed to the store's thread at once, and stored together: a query waits for no more than these. */
export const INGEST_WINDOW = 4;

/** Methods of the store that are called from the other thread. */
export type StoreMethod = "search" | "detail" | "stored" | "values" | "logs" | "metrics" | "metric" | "stats";

/** The arguments of a method. */
export type ArgumentsOf<M extends StoreMethod> = Parameters<StoreCore[M]>;

/** To the store. */
export type ToStore =
  | { readonly op: "ingest"; readonly id: number; readonly signal: Signal; readonly body: OtlpBody }
  | { readonly op: "define"; readonly definitions: readonly SeriesDefinition[] }
  | { readonly op: "record"; readonly batch: PointBatch }
  | { readonly op: "call"; readonly id: number; readonly method: StoreMethod; readonly args: readonly unknown[] }
  | { readonly op: "watch"; readonly id: number; readonly traces: TraceQuery }
  | { readonly op: "tail"; readonly id: number; readonly logs: LogQuery }
  | { readonly op: "unwatch"; readonly id: number }
  | { readonly op: "close" };

/** From the store. */
export type FromStore =
  | { readonly op: "started"; readonly putAside: string | undefined }
  | { readonly op: "failed"; readonly code: string; readonly message: string }
  | { readonly op: "result"; readonly id: number; readonly value: unknown }
  | { readonly op: "error"; readonly id: number; readonly code: string; readonly message: string }
  | { readonly op: "event"; readonly id: number; readonly event: TraceWatchEvent | LogWatchEvent }
  | { readonly op: "closed" };
