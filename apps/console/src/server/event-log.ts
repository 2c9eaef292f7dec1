/**
 * Events in a file, one JSON record a line, so that they outlive the console. Bounded by count: when twice as many lines
 * have been written as are kept, the file is written anew with the kept ones. What cannot be written is kept in memory,
 * and said once.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ClusterEvent, EventKind, EventsPage } from "../wire-events.ts";
import type { NewEvent } from "./event-diff.ts";

/** What to look for; all that is given must hold. */
export interface EventQuery {
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly kinds?: readonly EventKind[];
  /** Text in the event's words or its subject, upper and lower case alike. */
  readonly text?: string;
  readonly beforeId?: number;
  readonly limit?: number;
}

const DEFAULT_LIMIT = 200;

export class EventLog {
  readonly #file: string;
  readonly #kept: number;
  readonly #warn: (message: string) => void;
  readonly #events: ClusterEvent[] = [];
  #lines = 0;
  #nextId = 1;
  #failed = false;

  /** Reads what is there. Lines that cannot be read, as the last one after a power loss, are left out. */
  constructor(file: string, options: { readonly kept?: number; readonly warn?: (message: string) => void } = {}) {
    this.#file = file;
    this.#kept = options.kept ?? 5000;
    this.#warn = options.warn ?? (() => {});
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) return;
    const text = readFileSync(file, "utf8");
    for (const line of text.split("\n")) {
      if (line === "") continue;
      this.#lines++;
      try {
        const event = JSON.parse(line) as ClusterEvent;
        if (typeof event.id === "number" && typeof event.atMs === "number") this.#events.push(event);
      } catch {
        // Half a line.
      }
    }
    this.#events.splice(0, this.#events.length - this.#kept);
    this.#nextId = (this.#events.at(-1)?.id ?? 0) + 1;
    // What is written next must not continue half a line.
    this.#compact(text !== "" && !text.endsWith("\n"));
  }

  /** Writes events down, in this order. */
  add(events: readonly NewEvent[], atMs: number): void {
    if (events.length === 0) return;
    const written = events.map((event): ClusterEvent => ({ id: this.#nextId++, atMs, ...event }));
    this.#events.push(...written);
    if (this.#events.length > this.#kept) this.#events.splice(0, this.#events.length - this.#kept);
    this.#lines += written.length;
    this.#write(() => appendFileSync(this.#file, written.map((event) => `${JSON.stringify(event)}\n`).join("")));
    this.#compact();
  }

  /** Events, newest first. */
  list(query: EventQuery = {}): EventsPage {
    const limit = Math.max(1, Math.min(1000, query.limit ?? DEFAULT_LIMIT));
    const text = query.text?.toLowerCase();
    const events: ClusterEvent[] = [];
    let more = false;
    for (let index = this.#events.length - 1; index >= 0; index--) {
      const event = this.#events[index]!;
      if (query.beforeId !== undefined && event.id >= query.beforeId) continue;
      if (query.toMs !== undefined && event.atMs >= query.toMs) continue;
      if (query.fromMs !== undefined && event.atMs < query.fromMs) break;
      if (query.kinds && !query.kinds.includes(event.kind)) continue;
      if (text && !event.text.toLowerCase().includes(text) && !event.subject.toLowerCase().includes(text)) continue;
      if (events.length === limit) {
        more = true;
        break;
      }
      events.push(event);
    }
    return { events, more, sinceMs: this.#events[0]?.atMs ?? 0 };
  }

  #compact(always = false): void {
    if (!always && this.#lines <= 2 * this.#kept) return;
    this.#write(() => {
      writeFileSync(`${this.#file}.new`, this.#events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      renameSync(`${this.#file}.new`, this.#file);
      this.#lines = this.#events.length;
    });
  }

  #write(work: () => void): void {
    try {
      work();
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#warn(`events are not written to ${this.#file}: ${String(error)}`);
      this.#failed = true;
    }
  }
}
