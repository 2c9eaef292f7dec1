/** Log files of the supervised processes: appended to by the process itself, rotated by size. */
import { closeSync, copyFileSync, openSync, readSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import path from "node:path";

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT = 2;

/**
 * One process's log. The process writes to the descriptor directly, in append mode, so that its log survives the
 * supervisor. A file that has grown past 10 MiB is copied to <name>.log.1 and cut to nothing; lines written between the
 * two are lost, which is the price.
 */
export class LogFile {
  readonly file: string;

  constructor(dir: string, name: string) {
    this.file = path.join(dir, `${name}.log`);
  }

  /** A descriptor to append by; the caller closes it once the process has it. */
  open(): number {
    return openSync(this.file, "a", 0o600);
  }

  /** Size now, bytes. */
  size(): number {
    return statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Rotates when it is time to. @throws the file system's error */
  rotate(maxBytes: number = MAX_BYTES): void {
    if (this.size() <= maxBytes) return;
    rmSync(`${this.file}.${KEPT}`, { force: true });
    for (let number = KEPT - 1; number >= 1; number--) {
      if (statSync(`${this.file}.${number}`, { throwIfNoEntry: false })) {
        renameSync(`${this.file}.${number}`, `${this.file}.${number + 1}`);
      }
    }
    copyFileSync(this.file, `${this.file}.1`);
    truncateSync(this.file, 0);
  }

  /** The last line that says something, written since `fromBytes`: for "it died, and its last words were". */
  lastWords(fromBytes: number): string {
    const size = this.size();
    const start = Math.max(fromBytes <= size ? fromBytes : 0, size - 8192);
    const buffer = Buffer.alloc(Math.max(0, size - start));
    if (buffer.length === 0) return "";
    const fd = openSync(this.file, "r");
    try {
      readSync(fd, buffer, 0, buffer.length, start);
    } finally {
      closeSync(fd);
    }
    const lines = buffer
      .toString("utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    return messageOf(pickLine(lines));
  }
}

/** The line that names an error if there is one (a stack trace follows it), else the last. */
function pickLine(lines: readonly string[]): string {
  return lines.findLast((line) => /RL_[A-Z_]+|^\w*Error\b/.test(line)) ?? lines.at(-1) ?? "";
}

function messageOf(line: string): string {
  let text = line;
  try {
    const entry = JSON.parse(line) as { msg?: unknown; message?: unknown; err?: { message?: unknown } };
    text =
      [entry.msg ?? entry.message, entry.err?.message].filter((part) => typeof part === "string").join(": ") || line;
  } catch {
    // Not JSON: the line as it is.
  }
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
