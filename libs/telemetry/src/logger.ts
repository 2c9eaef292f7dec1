/** Structured logs: one JSON line each, or one readable line. No secret passes. */
import { pino } from "pino";
import { currentSpan } from "./active-span.ts";
import { emitLog, takesLogs } from "./log-sink.ts";
import type { AttributeValue, LogRecord } from "./otlp/records.ts";

/** Severity of a line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Fields of a line. `trace_id` links it to a trace. An Error becomes its name, words and stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines. Not for hot code. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. Its level is this one's, now and later. */
  child(fields: LogFields): Logger;
  /** The least severe lines that are written. */
  level(): LogLevel;
  /** Changes the level of this logger, of those that it came from and of those that came from it. */
  setLevel(level: LogLevel): void;
}

/** Options of createLogger. */
export interface LoggerOptions {
  /** The process's kind: "ringlight-worker". */
  readonly service: string;
  /** Which of its kind: the worker's id. */
  readonly instance: string;
  /** The least severe lines that are written. */
  readonly level?: LogLevel;
  /** "json" if left out. */
  readonly format?: "json" | "text";
  /** Takes whole lines, newline included. Standard output if left out. */
  readonly destination?: { write(line: string): void };
}

/** Levels, the least severe first. */
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * A logger of JSON lines {time, level, service, instance, msg, ...fields}, or of text. What it writes goes to the receivers
 * of telemetry too.
 */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? standardOutput();
  const sink = options.format === "text" ? { write: (line: string) => destination.write(textLine(line)) } : destination;
  const logger = pino(
    {
      level: "debug",
      base: { service: options.service, instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return wrap(logger, {}, { level: options.level ?? "info" });
}

/** Bytes of lines that are kept while they cannot be written; later ones are lost. */
const UNWRITTEN_BYTES = 256 * 1024;

/** A log that cannot be written, on a full disk for example, must not end the process: lines wait for the next try. */
function standardOutput() {
  const destination = pino.destination({ fd: 1, sync: true, maxLength: UNWRITTEN_BYTES });
  destination.on("error", () => {});
  return destination;
}

/** `bound` are the fields of every line; `state` is shared by a family of loggers. */
function wrap(logger: pino.Logger, bound: object, state: { level: LogLevel }): Logger {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(state.level)) return;
    const ids = fields?.trace_id === undefined ? traceIds() : undefined;
    const shown = fields === undefined ? ids : { ...ids, ...masked(fields, 0) };
    if (shown === undefined) logger[level](message);
    else logger[level](shown, message);
    if (takesLogs()) emitLog(logRecord(level, message, { ...bound, ...shown }));
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => {
      const shown = masked(fields, 0);
      return wrap(logger.child(shown as pino.Bindings), { ...bound, ...shown }, state);
    },
    level: () => state.level,
    setLevel: (level) => {
      state.level = level;
    },
  };
}

/** The trace that a line belongs to: that of the request in whose course it is written. */
function traceIds(): { readonly trace_id: string; readonly span_id: string } | undefined {
  const context = currentSpan()?.context;
  return context && { trace_id: context.traceId, span_id: context.spanId };
}

/** A line as OTLP has it: trace and span id in their places, nested values as JSON, an error by the names of the conventions. */
function logRecord(level: LogLevel, message: string, fields: object): LogRecord {
  const attributes: Record<string, AttributeValue> = {};
  let ids: Pick<LogRecord, "traceId" | "spanId"> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    if (key === "trace_id" && /^[0-9a-f]{32}$/.test(String(value))) ids = { ...ids, traceId: String(value) };
    else if (key === "span_id" && /^[0-9a-f]{16}$/.test(String(value))) ids = { ...ids, spanId: String(value) };
    else if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      attributes[key] = value;
    } else if (key === "error") {
      const { name, message: words, stack } = value as { name?: string; message?: string; stack?: string };
      if (name !== undefined) attributes["exception.type"] = name;
      if (words !== undefined) attributes["exception.message"] = words;
      if (stack !== undefined) attributes["exception.stacktrace"] = stack;
    } else attributes[key] = JSON.stringify(value) ?? "";
  }
  return { atMs: Date.now(), level, message, attributes, ...ids };
}

/** Names of fields that hold secrets: secret*, *token, *password, authorization, cookies. */
const SECRET_NAME = /^(secret.*|.*secret|.*token|.*password|passwd|authorization|cookie|set-cookie)$/i;
const MASK = "********";
const MAX_DEPTH = 6;

/** A copy in which secret fields are masked and errors are plain. */
function masked(value: unknown, depth: number): object {
  return plain(value, depth) as object;
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    const code = (value as { code?: unknown }).code;
    return { name, code, message, stack, cause: depth < MAX_DEPTH ? plain(cause, depth + 1) : undefined };
  }
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return "[deeper]";
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  const entries = value instanceof Map ? value.entries() : Object.entries(value);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of entries) copy[String(key)] = SECRET_NAME.test(String(key)) ? MASK : plain(item, depth + 1);
  return copy;
}

/** A JSON line as people read it: time, level, who, message, fields. */
function textLine(line: string): string {
  const { time, level, service, instance, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${String(service)}/${String(instance)} ${String(msg ?? "")}${rest.join("")}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === "string")
    return /^[\x21-\x7e]+$/.test(value) && !value.includes('"') ? value : JSON.stringify(value);
  return JSON.stringify(value);
}
