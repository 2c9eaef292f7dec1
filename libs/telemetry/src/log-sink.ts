/** Where the lines of this process's loggers go besides standard output: to the receivers of telemetry, once they are known. */
import type { LogRecord } from "./otlp/records.ts";

/** Lines from before telemetry starts that are kept for it. */
const MAX_EARLY = 100;

let sink: ((record: LogRecord) => void) | undefined;
let early: LogRecord[] | undefined = [];

/** Sets where lines go; undefined for nowhere. Lines from before the first call are handed over. */
export function setLogSink(next: ((record: LogRecord) => void) | undefined): void {
  sink = next;
  for (const record of early ?? []) next?.(record);
  early = undefined;
}

/** Hands a line over. */
export function emitLog(record: LogRecord): void {
  if (sink !== undefined) sink(record);
  else if (early !== undefined && early.length < MAX_EARLY) early.push(record);
}

/** True when somebody may get lines. */
export function takesLogs(): boolean {
  return sink !== undefined || early !== undefined;
}
