/** What the Explain page is told: `GET /api/explain?path=/mount/key` or `?id=<trace id or request id>`. */
import type { TraceSummary } from "@ringlight/trace-store";
import type { FileDetail } from "./wire.ts";

/** A read, as the worker that served it remembers it. */
export interface AccessView {
  readonly workerId: string;
  readonly atMs: number;
  readonly offset: number;
  readonly length: number;
  readonly outcome: string;
  readonly tier: string;
  readonly missReason: string;
  readonly durationMs: number;
  readonly traceId: string;
}

/** What an id led to. */
export interface FoundRead {
  /** As it was asked for. */
  readonly id: string;
  readonly traceId: string;
  /** The read itself, while a worker remembers it. */
  readonly access?: AccessView;
  /** True when spans of the trace are stored. */
  readonly traced: boolean;
}

/** Why a path is where it is, and what its reads met. */
export interface ExplainView {
  readonly path: string;
  readonly found?: FoundRead;
  readonly file: FileDetail;
  /** The newest stored traces of the path. */
  readonly traces: readonly TraceSummary[];
  /** Under which the spans of the path are found. */
  readonly pathHash: string;
}
