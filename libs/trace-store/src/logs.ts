/** Log records as the store keeps and answers them. */
import type { Attributes } from "./traces.ts";

/** Levels, the least severe first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export type LogLevelName = (typeof LOG_LEVELS)[number];

/** One log record. */
export interface StoredLog {
  /** Grows with the order of arrival. */
  readonly id: number;
  readonly atMs: number;
  readonly level: LogLevelName;
  readonly message: string;
  readonly service: string;
  readonly instance?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes: Attributes;
}

/** What to look for; all that is given must hold. Newest first. */
export interface LogQuery {
  readonly service?: string;
  readonly instance?: string;
  /** This level and the more severe ones. */
  readonly level?: LogLevelName;
  /** Text in the message or in the attributes, upper and lower case alike. */
  readonly text?: string;
  readonly traceId?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Only records that came before this one: the next page. */
  readonly beforeId?: number;
  /** 1 to 5000; 200 if left out. */
  readonly limit?: number;
}

/** Answer to a log query. */
export interface LogResult {
  readonly logs: readonly StoredLog[];
  readonly more: boolean;
}

/** What a live tail tells: one `snapshot` (oldest first), then `logs` as they come; `dropped` when the reader was too slow. */
export type LogWatchEvent =
  | { readonly type: "snapshot"; readonly logs: readonly StoredLog[] }
  | { readonly type: "logs"; readonly logs: readonly StoredLog[] }
  | { readonly type: "dropped"; readonly count: number };
