/** What a process records for others to see: finished spans and log lines. */
import type { LogLevel } from "../logger.ts";
import type { TraceContext } from "../trace-context.ts";

/** A value of an attribute. */
export type AttributeValue = string | number | boolean | readonly string[];

/** Attributes by their OpenTelemetry names. What is undefined is left out. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since the Unix epoch; fractions count. */
  readonly atMs: number;
  readonly attributes?: Attributes;
}

/** A finished piece of work. */
export interface RecordedSpan {
  readonly context: TraceContext;
  readonly name: string;
  /** "internal" if left out. */
  readonly kind?: "internal" | "server" | "client";
  /** Milliseconds since the Unix epoch; fractions count. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes?: Attributes;
  readonly events?: readonly SpanEvent[];
  /** Whatever was thrown. */
  readonly error?: unknown;
  /** Traceparents of spans elsewhere that belong to this one. */
  readonly links?: readonly string[];
}

/** A line of the log, its secrets masked already. */
export interface LogRecord {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly attributes: Attributes;
  readonly traceId?: string;
  readonly spanId?: string;
}
