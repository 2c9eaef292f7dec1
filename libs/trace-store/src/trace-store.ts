/**
 * The trace store as the console uses it: everything is done in a thread of its own (store-thread.ts). What waits for that
 * thread is bounded; past the bound the receiver says so to its senders. A thread that ends is started again.
 */
import { Worker } from "node:worker_threads";
import { ERRORS, type ErrorCode, RinglightError } from "@ringlight/core";
import type { LogQuery, LogResult, LogWatchEvent } from "./logs.ts";
import type { SeriesDefinition } from "./metric-series.ts";
import type { MetricInfo, MetricQuery, MetricResult } from "./metrics.ts";
import type { Acceptance, OtlpBody, Signal } from "./otlp-body.ts";
import type { PointBatch } from "./store-core.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";
import { type ArgumentsOf, type FromStore, INGEST_WINDOW, type StoreMethod, type ToStore } from "./thread-messages.ts";
import type { TraceDetail, TraceQuery, TraceSearchResult, TraceValues, TraceWatchEvent } from "./traces.ts";

/** Bodies that wait, all together; past either the receiver is full. */
const WAITING_BYTES = 32 * 1024 * 1024;
const WAITING_BODIES = 2_000;
/** Of the thread's JavaScript; some 150 MB are in use with 1,500 workers. A bound below 2 GiB makes V8 collect sooner, too. */
const THREAD_HEAP_MB = 1024;
const RESTART_MS = 1_000;
const CALL_MS = 15_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: RinglightError) => void;
}

interface QueuedBody {
  readonly signal: Signal;
  readonly body: OtlpBody;
  readonly waiting: Waiting;
}

interface Watching {
  readonly start: (id: number) => ToStore;
  readonly listener: (event: TraceWatchEvent | LogWatchEvent) => void;
}

const errorOf = (code: string, message: string) =>
  new RinglightError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "RL_INTERNAL", message);

export class TraceStore {
  readonly #options: StoreOptions;
  readonly #log: (message: string) => void;
  #thread: Worker | undefined;
  #nextId = 1;
  readonly #calls = new Map<number, Waiting>();
  readonly #ingests = new Map<number, Waiting>();
  #queue: QueuedBody[] = [];
  #waitingBytes = 0;
  #refused = 0;
  readonly #definitions: SeriesDefinition[] = [];
  readonly #watches = new Map<number, Watching>();
  #restart: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #failure: RinglightError | undefined;
  #commitFailure: string | undefined;

  private constructor(options: StoreOptions, log: (message: string) => void) {
    this.#options = options;
    this.#log = log;
  }

  /**
   * Opens the store. When its file cannot be opened it is tried again every second, and until then every call fails with the
   * reason: a console without its store still shows the cluster.
   */
  static async open(options: StoreOptions, log: (message: string) => void = () => {}): Promise<TraceStore> {
    const store = new TraceStore(options, log);
    await store.#start();
    return store;
  }

  /**
   * Takes in the body of an OTLP request.
   * @throws RL_OVERLOADED when too much waits, RL_BAD_REQUEST, RL_ENTITY_TOO_LARGE, RL_DISK_FULL
   */
  ingest(signal: Signal, body: OtlpBody): Promise<Acceptance> {
    if (this.#failure !== undefined) {
      this.#refused++;
      return Promise.reject(this.#failure);
    }
    const waits = this.#queue.length + this.#ingests.size;
    if (waits >= WAITING_BODIES || (waits > 0 && this.#waitingBytes + body.bytes.length > WAITING_BYTES)) {
      this.#refused++;
      return Promise.reject(
        new RinglightError("RL_OVERLOADED", "the trace store is busy with what came before; send again in a moment"),
      );
    }
    const { length } = body.bytes;
    this.#waitingBytes += length;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#queue.push({ signal, body, waiting: { resolve, reject } });
    this.#feed();
    return (promise as Promise<Acceptance>).finally(() => {
      this.#waitingBytes -= length;
    });
  }

  /** Names a series for `record`; gives its number. */
  series(definition: SeriesDefinition): number {
    this.#definitions.push(definition);
    this.#send({ op: "define", definitions: [definition] });
    return this.#definitions.length - 1;
  }

  /** Records points of named series; their arrays belong to the store from now on. */
  record(batch: PointBatch): void {
    this.#thread?.postMessage({ op: "record", batch } satisfies ToStore, [
      batch.refs.buffer as ArrayBuffer,
      batch.values.buffer as ArrayBuffer,
    ]);
  }

  /** @throws RL_BAD_REQUEST */
  search(query: TraceQuery): Promise<TraceSearchResult> {
    return this.#call("search", [query]);
  }

  /** Undefined when no such trace is stored. */
  detail(traceId: string, offset?: number, limit?: number): Promise<TraceDetail | undefined> {
    return this.#call("detail", [traceId, offset, limit]);
  }

  /** Which of these traces are here, in the order asked. @throws RL_INTERNAL where the store has failed */
  stored(traceIds: readonly string[]): Promise<string[]> {
    return this.#call("stored", [traceIds]);
  }

  values(key: string, prefix: string, limit: number): Promise<TraceValues> {
    return this.#call("values", [key, prefix, limit]);
  }

  logs(query: LogQuery): Promise<LogResult> {
    return this.#call("logs", [query]);
  }

  metrics(): Promise<readonly MetricInfo[]> {
    return this.#call("metrics", []);
  }

  /** @throws RL_NOT_FOUND, RL_BAD_REQUEST */
  metric(query: MetricQuery): Promise<MetricResult> {
    return this.#call("metric", [query, Date.now()]);
  }

  async stats(): Promise<StoreStats> {
    return {
      ...(await this.#call<"stats", Omit<StoreStats, "refusedRequests">>("stats", [])),
      refusedRequests: this.#refused,
    };
  }

  /** Watches the traces that meet the query until the returned function is called. */
  watchTraces(query: TraceQuery, listener: (event: TraceWatchEvent) => void): () => void {
    return this.#watch({
      start: (id) => ({ op: "watch", id, traces: query }),
      listener: listener as Watching["listener"],
    });
  }

  /** Follows the log records that meet the query until the returned function is called. */
  watchLogs(query: LogQuery, listener: (event: LogWatchEvent) => void): () => void {
    return this.#watch({
      start: (id) => ({ op: "tail", id, logs: query }),
      listener: listener as Watching["listener"],
    });
  }

  /** Why nothing is stored at this moment: the store cannot be opened, or its last commit failed. */
  get failure(): string | undefined {
    return this.#failure?.message ?? this.#commitFailure;
  }

  /** Requests that were refused since the start because too much waited. */
  get refused(): number {
    return this.#refused;
  }

  /** Writes what waits and ends the thread. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread === undefined) return;
    const exited = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
    this.#feedAll();
    this.#send({ op: "close" });
    await exited;
  }

  #start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const thread = new Worker(new URL("./store-thread.ts", import.meta.url), {
      workerData: this.#options,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB },
      name: "trace-store",
    });
    this.#thread = thread;
    thread.on("message", (message: FromStore) => {
      if (message.op === "started") {
        this.#failure = undefined;
        if (message.putAside !== undefined) {
          this.#log(`the trace store's file could not be read and lies in ${message.putAside} now; a new one is begun`);
        }
        if (this.#definitions.length > 0) this.#send({ op: "define", definitions: this.#definitions });
        for (const [id, { start }] of this.#watches) this.#send(start(id));
        this.#feed();
        resolve();
      } else if (message.op === "failed") {
        this.#failure = errorOf(message.code, message.message);
        this.#log(`the trace store cannot be opened: ${message.message}`);
        resolve();
      } else this.#receive(message);
    });
    thread.on("error", (error: Error) => {
      this.#failure = new RinglightError("RL_INTERNAL", `the trace store ended: ${error.message}`, { cause: error });
      this.#log(this.#failure.message);
    });
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
      this.#abandon(this.#failure ?? new RinglightError("RL_INTERNAL", "the trace store has ended"));
      resolve();
      if (this.#closing !== undefined) return;
      this.#restart = setTimeout(() => void this.#start(), RESTART_MS);
      this.#restart.unref();
    });
    return promise;
  }

  #receive(message: FromStore): void {
    if (message.op === "event") {
      this.#watches.get(message.id)?.listener(message.event);
      return;
    }
    if (message.op !== "result" && message.op !== "error") return;
    const ingest = this.#ingests.get(message.id);
    const waiting = ingest ?? this.#calls.get(message.id);
    this.#ingests.delete(message.id);
    this.#calls.delete(message.id);
    if (ingest !== undefined && (message.op === "result" || message.code !== "RL_BAD_REQUEST")) {
      this.#commitFailure =
        message.op === "error" && message.code !== "RL_ENTITY_TOO_LARGE" ? message.message : undefined;
    }
    if (message.op === "result") waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.code, message.message));
    if (ingest !== undefined) this.#feed();
  }

  /** Everybody who waits is told. */
  #abandon(error: RinglightError): void {
    const waiting = [...this.#calls.values(), ...this.#ingests.values(), ...this.#queue.map((one) => one.waiting)];
    this.#calls.clear();
    this.#ingests.clear();
    this.#queue = [];
    for (const { reject } of waiting) reject(error);
  }

  #feed(): void {
    while (this.#ingests.size < INGEST_WINDOW && this.#queue.length > 0 && this.#thread !== undefined) this.#post();
  }

  #feedAll(): void {
    while (this.#queue.length > 0) this.#post();
  }

  #post(): void {
    const next = this.#queue.shift();
    if (next === undefined) return;
    const id = this.#nextId++;
    this.#ingests.set(id, next.waiting);
    this.#send({ op: "ingest", id, signal: next.signal, body: next.body });
  }

  #call<M extends StoreMethod, T>(method: M, args: ArgumentsOf<M>): Promise<T> {
    if (this.#thread === undefined || this.#failure !== undefined) {
      return Promise.reject(
        this.#failure ?? new RinglightError("RL_INTERNAL", "the trace store is starting; try again"),
      );
    }
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const late = setTimeout(() => {
      this.#calls.delete(id);
      reject(new RinglightError("RL_DEADLINE", `the trace store did not answer within ${CALL_MS / 1000} s`));
    }, CALL_MS);
    this.#calls.set(id, { resolve, reject });
    this.#send({ op: "call", id, method, args });
    return promise.then((value) => (value as { found: T }).found).finally(() => clearTimeout(late));
  }

  #watch(watching: Watching): () => void {
    const id = this.#nextId++;
    this.#watches.set(id, watching);
    this.#send(watching.start(id));
    return () => {
      this.#watches.delete(id);
      this.#send({ op: "unwatch", id });
    };
  }

  #send(message: ToStore): void {
    this.#thread?.postMessage(message);
  }
}
