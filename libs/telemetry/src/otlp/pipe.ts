/** One signal of one process: records wait for each other a moment, are encoded once, and go to every destination. */
import { Destination, type DestinationObserver, type DestinationOptions, type DropReason } from "./destination.ts";
import type { BatchSettings } from "./settings.ts";

/** A destination by the name that metrics give it. */
export interface NamedDestination extends DestinationOptions {
  readonly name: "console" | "otlp";
  /** It is told the names of objects. */
  readonly withPaths: boolean;
}

/** What became of a signal's records at a destination, for metrics. */
export interface SignalCounts {
  readonly destination: string;
  sent: number;
  readonly dropped: Map<DropReason, number>;
}

/** Options of a pipe. */
export interface PipeOptions<R> {
  readonly destinations: readonly NamedDestination[];
  readonly batch: BatchSettings;
  /** Encodes records, with the names of objects or without. */
  readonly encode: (records: readonly R[], withPaths: boolean) => Buffer;
  /** Told of a destination that fails, and of its recovery. */
  readonly onState: (destination: NamedDestination, error: string | undefined) => void;
}

/** Takes records of one signal. */
export class SignalPipe<R> {
  readonly counts: readonly SignalCounts[];
  readonly #options: PipeOptions<R>;
  readonly #destinations: readonly Destination[];
  #records: R[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PipeOptions<R>) {
    this.#options = options;
    this.counts = options.destinations.map(({ name }) => ({ destination: name, sent: 0, dropped: new Map() }));
    this.#destinations = options.destinations.map((destination, index) => {
      const counts = this.counts[index];
      const observer: DestinationObserver = {
        sent: (records) => {
          if (counts !== undefined) counts.sent += records;
        },
        dropped: (records, reason) => countDropped(counts, reason, records),
        failing: (error) => options.onState(destination, error),
        recovered: () => options.onState(destination, undefined),
      };
      return new Destination(destination, observer);
    });
  }

  /** Takes a record; drops it when too many wait already. */
  add(record: R): void {
    const { maxQueue, maxBatch, delayMs } = this.#options.batch;
    if (this.#records.length >= maxQueue) {
      for (const counts of this.counts) countDropped(counts, "queue_full", 1);
      return;
    }
    this.#records.push(record);
    if (this.#records.length === maxBatch) {
      // Not at once: whoever records a span is in the middle of its work.
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#hand(), 0);
      this.#timer.unref();
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#hand(), delayMs);
      this.#timer.unref();
    }
  }

  /** Resolves when what is waiting was sent, or its receivers failed. */
  async flush(): Promise<void> {
    this.#hand();
    await Promise.all(this.#destinations.map((destination) => destination.flush()));
  }

  /** Tries to send what waits, and stops. */
  async close(): Promise<void> {
    this.#hand();
    await Promise.all(this.#destinations.map((destination) => destination.close()));
  }

  /** Cuts what is being sent: nobody waits for it any more. */
  abort(): void {
    for (const destination of this.#destinations) destination.abort();
  }

  /** Hands what waits to the destinations. */
  #hand(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#records;
    this.#records = [];
    const { maxBatch } = this.#options.batch;
    for (let at = 0; at < records.length; at += maxBatch) {
      const batch = records.slice(at, at + maxBatch);
      const bodies = new Map<boolean, Buffer>();
      for (const [index, destination] of this.#destinations.entries()) {
        const withPaths = this.#options.destinations[index]?.withPaths ?? false;
        const body = bodies.get(withPaths) ?? this.#options.encode(batch, withPaths);
        bodies.set(withPaths, body);
        destination.add(body, batch.length);
      }
    }
  }
}

function countDropped(counts: SignalCounts | undefined, reason: DropReason, records: number): void {
  counts?.dropped.set(reason, (counts.dropped.get(reason) ?? 0) + records);
}
