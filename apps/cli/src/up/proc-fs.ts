/** Reading /proc. Another user's process, or one that ended meanwhile, simply tells nothing. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A file's text, or "". */
export function text(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Names in a directory, or none. */
export function directory(name: string): string[] {
  try {
    return readdirSync(name);
  } catch {
    return [];
  }
}

/** Where a symbolic link leads, or "". */
export function link(name: string): string {
  try {
    return readlinkSync(name);
  } catch {
    return "";
  }
}

/** The words of a process's command; none for a process that is gone or a zombie. */
export function commandLine(pid: number | string): string[] {
  return text(`/proc/${pid}/cmdline`).split("\0").filter(Boolean);
}
