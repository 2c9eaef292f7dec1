/**
 * The live watches of the store's thread. A watch begins with a snapshot, made in the same turn in which it is registered:
 * nothing falls between them and nothing comes twice. Later changes of one trace are told as its newest summary. Each
 * watch tells at most a batch four times a second; what is more is counted and said.
 */
import { logMatcher } from "./log-tables.ts";
import type { LogQuery, LogWatchEvent, StoredLog } from "./logs.ts";
import type { Changes, StoreCore } from "./store-core.ts";
import { summaryOf, type TraceRow } from "./trace-state.ts";
import type { TraceQuery, TraceWatchEvent } from "./traces.ts";

/** Traces or log records of one message. */
const BATCH = 200;

type Tell = (id: number, event: TraceWatchEvent | LogWatchEvent) => void;

interface TraceWatch {
  readonly matches: (row: TraceRow) => boolean;
  /** By trace id, the last changed at the end. */
  readonly waiting: Map<string, TraceRow>;
  dropped: number;
}

interface LogWatch {
  readonly matches: (log: StoredLog) => boolean;
  waiting: StoredLog[];
  dropped: number;
}

export class Watches {
  readonly #store: StoreCore;
  readonly #tell: Tell;
  readonly #traces = new Map<number, TraceWatch>();
  readonly #logs = new Map<number, LogWatch>();

  constructor(store: StoreCore, tell: Tell) {
    this.#store = store;
    this.#tell = tell;
  }

  /** @throws RL_BAD_REQUEST */
  watchTraces(id: number, query: TraceQuery): void {
    // A live watch has no end: what comes later is what it is for.
    const { toMs: _to, cursor: _cursor, ...open } = query;
    const { traces } = this.#store.search(open);
    this.#traces.set(id, { matches: this.#store.matcher(open), waiting: new Map(), dropped: 0 });
    this.#tell(id, { type: "snapshot", traces });
  }

  watchLogs(id: number, query: LogQuery): void {
    const { toMs: _to, beforeId: _before, ...open } = query;
    const { logs } = this.#store.logs(open);
    this.#logs.set(id, { matches: logMatcher(open), waiting: [], dropped: 0 });
    this.#tell(id, { type: "snapshot", logs: [...logs].reverse() });
  }

  stop(id: number): void {
    this.#traces.delete(id);
    this.#logs.delete(id);
  }

  /** Notes what a commit changed. */
  note({ traces, logs }: Changes): void {
    for (const watch of this.#traces.values()) {
      for (const row of traces) {
        if (!watch.matches(row)) continue;
        watch.waiting.delete(row.traceId);
        watch.waiting.set(row.traceId, row);
        if (watch.waiting.size <= BATCH) continue;
        const [oldest] = watch.waiting.keys();
        if (oldest !== undefined) watch.waiting.delete(oldest);
        watch.dropped++;
      }
    }
    for (const watch of this.#logs.values()) {
      for (const log of logs) if (watch.matches(log)) watch.waiting.push(log);
      const excess = watch.waiting.length - BATCH;
      if (excess <= 0) continue;
      watch.waiting.splice(0, excess);
      watch.dropped += excess;
    }
  }

  /** Tells what was noted. */
  tell(): void {
    for (const [id, watch] of this.#traces) {
      if (watch.dropped > 0) this.#tell(id, { type: "dropped", count: watch.dropped });
      if (watch.waiting.size > 0)
        this.#tell(id, { type: "traces", traces: [...watch.waiting.values()].map(summaryOf) });
      watch.dropped = 0;
      watch.waiting.clear();
    }
    for (const [id, watch] of this.#logs) {
      if (watch.dropped > 0) this.#tell(id, { type: "dropped", count: watch.dropped });
      if (watch.waiting.length > 0) this.#tell(id, { type: "logs", logs: watch.waiting });
      watch.dropped = 0;
      watch.waiting = [];
    }
  }
}
