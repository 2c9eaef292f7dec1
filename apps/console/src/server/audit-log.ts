/**
 * The audit log: who changed what and when, and who tried. One JSON line an entry in a file of the data directory, on the
 * disk before the change is answered. A file of 8 MiB is put aside as `audit.1.jsonl`, in the place of the one before.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry, AuditPage } from "../wire-session.ts";

const FILE_BYTES = 8 * 1024 * 1024;
/** Entries in memory, for the page. */
const ENTRIES = 20_000;

/** Which entries to show. */
export interface AuditQuery {
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
  readonly user?: string | undefined;
  readonly action?: string | undefined;
}

export class AuditLog {
  readonly #file: string;
  readonly #older: string;
  readonly #entries: AuditEntry[] = [];
  #lastId = 0;

  /** Reads what is there. A line that was cut by the end of a process is left out. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#file = join(directory, "audit.jsonl");
    this.#older = join(directory, "audit.1.jsonl");
    for (const file of [this.#older, this.#file]) this.#read(file);
  }

  /** Adds an entry and waits for the disk. @throws the disk's error: then the change must not be answered as done */
  add(entry: Omit<AuditEntry, "id" | "atMs">, nowMs: number): void {
    const whole: AuditEntry = { id: this.#lastId + 1, atMs: nowMs, ...entry };
    this.#turn();
    const file = openSync(this.#file, "a", 0o600);
    try {
      writeSync(file, `${JSON.stringify(whole)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    this.#keep(whole);
  }

  /** The newest entries. */
  page({ before = Number.MAX_SAFE_INTEGER, limit = 100, user, action }: AuditQuery): AuditPage {
    const most = Math.min(1000, Math.max(1, limit));
    const found = this.#entries
      .filter((entry) => entry.id < before)
      .filter((entry) => user === undefined || entry.user === user)
      .filter((entry) => action === undefined || entry.action === action);
    const entries = found.slice(-most).reverse();
    return { entries, more: found.length > entries.length };
  }

  #keep(entry: AuditEntry): void {
    this.#entries.push(entry);
    this.#lastId = Math.max(this.#lastId, entry.id);
    if (this.#entries.length > ENTRIES) this.#entries.shift();
  }

  #read(file: string): void {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    for (const line of text.split("\n")) {
      try {
        if (line !== "") this.#keep(JSON.parse(line) as AuditEntry);
      } catch {
        // Cut in the middle: the change that it would tell of was not answered.
      }
    }
    // The next entry begins a line of its own.
    if (text !== "" && !text.endsWith("\n")) {
      const open = openSync(file, "a");
      writeSync(open, "\n");
      closeSync(open);
    }
  }

  #turn(): void {
    try {
      if (statSync(this.#file).size > FILE_BYTES) renameSync(this.#file, this.#older);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}
