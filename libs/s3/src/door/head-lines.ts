/** Lines of an answer's head, as node:http writes them. */
import { STATUS_CODES } from "node:http";
import { RinglightError } from "@ringlight/core";
import type { AnswerHeaders } from "../exchange.ts";

/** What no value may have: it would end the line, or could not be sent as one byte a character. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** The status line and the headers. @throws RL_INTERNAL for a value that cannot be sent */
export function headerLines(status: number, headers: AnswerHeaders): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n`;
  for (const name in headers) {
    const value = String(headers[name]);
    if (UNSENDABLE.test(value)) throw new RinglightError("RL_INTERNAL", `the header ${name} cannot be sent`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
}

let dateText = "";
let dateUntilMs = 0;

/** "Date: ...\r\n", made once a second. */
export function dateLine(nowMs = Date.now()): string {
  if (nowMs >= dateUntilMs) {
    dateUntilMs = nowMs - (nowMs % 1000) + 1000;
    dateText = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  } else if (nowMs < dateUntilMs - 1000) {
    // The clock was set back.
    dateUntilMs = 0;
    return dateLine(nowMs);
  }
  return dateText;
}

/** "Connection: ...\r\n", and how long an idle connection is kept. */
export function connectionLines(keepAlive: boolean, keepAliveTimeoutMs: number): string {
  if (!keepAlive) return "Connection: close\r\n";
  const seconds = Math.floor(keepAliveTimeoutMs / 1000);
  return seconds > 0 ? `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n` : "Connection: keep-alive\r\n";
}
