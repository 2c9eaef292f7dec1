/** `ringlight logs`: log lines that the console has received, or receives. */
import type { LogResult, LogWatchEvent, StoredLog } from "@ringlight/trace-store";
import { askConsole, type ConsoleOptions, followConsole } from "../console-connection.ts";
import { note } from "./output.ts";

/** Its options: the fields of the Logs page. */
export interface LogsOptions extends ConsoleOptions {
  readonly text?: string;
  readonly level?: string;
  readonly service?: string;
  readonly instance?: string;
  readonly trace?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly follow?: boolean;
}

/** A record as a line for people. */
export function logLine({ atMs, level, instance, service, message, traceId, attributes }: StoredLog): string {
  const fields = Object.entries(attributes).map(
    ([key, value]) => `${key}=${typeof value === "string" && /^\S+$/.test(value) ? value : JSON.stringify(value)}`,
  );
  const head = `${new Date(atMs).toISOString()} ${level.toUpperCase().padEnd(5)} ${instance ?? service}`;
  return [head, message, ...fields, ...(traceId === undefined ? [] : [`trace=${traceId}`])].join(" ");
}

/** Runs the command. Lines come in the order in which they were written. */
export async function logs(options: LogsOptions): Promise<void> {
  const { text, level, service, instance, trace, from, to, limit } = options;
  const say = (lines: readonly StoredLog[]) => {
    for (const line of lines) process.stdout.write(`${options.json ? JSON.stringify(line) : logLine(line)}\n`);
  };
  if (options.follow) {
    const fields = { text, level, service, instance, trace };
    for await (const event of followConsole<LogWatchEvent>(options, "/api/logs/live", fields)) {
      if (event.type === "dropped") note(`${event.count} lines were left out: they came faster than they were read.`);
      else say(event.logs);
    }
    note("The console ended.");
    return;
  }
  const fields = { text, level, service, instance, trace, from, to, limit };
  const found = await askConsole<LogResult>(options, "/api/logs", fields);
  say([...found.logs].reverse());
  if (found.logs.length === 0) note("No line has all that was asked for.");
  else if (found.more) note(`The newest ${found.logs.length} lines; there are more.`);
}
