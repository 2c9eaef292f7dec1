/** Structured logs: one JSON line each, or one readable line. No secret passes. */
import { pino } from "pino";

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
  /** A logger that adds these fields to every line. */
  child(fields: LogFields): Logger;
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

/** A logger of JSON lines {time, level, service, instance, msg, ...fields}, or of text. */
export function createLogger(options: LoggerOptions): Logger {
  const destination = options.destination ?? standardOutput();
  const sink = options.format === "text" ? { write: (line: string) => destination.write(textLine(line)) } : destination;
  const logger = pino(
    {
      level: options.level ?? "info",
      base: { service: options.service, instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return wrap(logger);
}

/** Bytes of lines that are kept while they cannot be written; later ones are lost. */
const UNWRITTEN_BYTES = 256 * 1024;

/** A log that cannot be written, on a full disk for example, must not end the process: lines wait for the next try. */
function standardOutput() {
  const destination = pino.destination({ fd: 1, sync: true, maxLength: UNWRITTEN_BYTES });
  destination.on("error", () => {});
  return destination;
}

function wrap(logger: pino.Logger): Logger {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!logger.isLevelEnabled(level)) return;
    if (fields === undefined) logger[level](message);
    else logger[level](masked(fields, 0), message);
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    child: (fields) => wrap(logger.child(masked(fields, 0) as pino.Bindings)),
  };
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
