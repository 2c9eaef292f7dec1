/**
 * The read path of the client. Each segment is read from its owner; when a source does not answer or breaks off, the next
 * one carries on at the byte where it stopped, pinned to the same version, so that no reader sees bytes of two versions.
 */
import { DEFAULT_SEGMENT_BYTES, isRinglightError, RinglightError, segmentOf } from "@ringlight/core";
import type { Cluster, ObjectInfo, ReadResponse, ReadSummary } from "@ringlight/proto";
import { callStream } from "@ringlight/rpc";
import { anotherMay, type Candidate, type ClusterState } from "./cluster-state.ts";
import { leasedObjectInfo, type ShortCircuit } from "./short-circuit.ts";

/** What to read of an object; all of it if nothing is said. */
export interface ReadOptions {
  /** First byte. */
  readonly offset?: number | undefined;
  /** Bytes wanted, at least 1; to the end of the object if left out. Fewer come when the object is shorter. */
  readonly length?: number | undefined;
  /** Read this version, or fail with RL_VERSION_CHANGED. */
  readonly version?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** W3C trace context to continue; that of the span of OpenTelemetry JS that is active at the call if left out. */
  readonly traceparent?: string | undefined;
  /** Longest silence of a worker before the next one is asked, milliseconds; 15000 if left out. */
  readonly idleMs?: number | undefined;
}

/** A read. It starts when the stream is iterated or the object is asked for. */
export interface ReadHandle {
  /** The object, known with the first answer. */
  readonly object: Promise<ObjectInfo>;
  /** The bytes, to be read once. Leaving the loop early cancels the read. */
  readonly stream: AsyncIterable<Uint8Array>;
  /**
   * What happened, known at the end of the stream; RL_CANCELLED when that was left early. What a source did before it
   * broke off is not in it.
   */
  readonly summary: Promise<ReadSummary>;
  /** Ends a read whose stream is not read to its end. Idempotent. */
  cancel(): Promise<void>;
}

const IDLE_MS = 15_000;
/** A shorter read is not worth a question for a lease. */
const LEAST_LEASED_BYTES = 1024 * 1024;
/** Sources that may fail within one read. */
const MAX_FAILURES = 16;

/** Prepares a read. Errors come from each of the handle's parts. */
export function startRead(
  state: ClusterState,
  shortCircuit: ShortCircuit | undefined,
  path: string,
  options: ReadOptions,
): ReadHandle {
  const reading = new Reading(state, shortCircuit, path, options);
  const bytes = reading.run();
  let first: Promise<IteratorResult<Uint8Array, void>> | undefined;
  const begin = (): Promise<IteratorResult<Uint8Array, void>> => {
    if (first === undefined) {
      first = bytes.next();
      // Whoever asked for the object only learns of a failure from there.
      first.catch(() => {});
    }
    return first;
  };
  const cancel = async (): Promise<void> => {
    await bytes.return();
    reading.leave();
  };
  async function* stream(): AsyncGenerator<Uint8Array, void> {
    try {
      for (let next = await begin(); !next.done; next = await bytes.next()) yield next.value;
    } finally {
      await cancel();
    }
  }
  return {
    get object() {
      void begin();
      return reading.object.promise;
    },
    stream: stream(),
    summary: reading.summary.promise,
    cancel,
  };
}

/** Where a read stands. */
class Reading {
  readonly object = Promise.withResolvers<ObjectInfo>();
  readonly summary = Promise.withResolvers<ReadSummary>();
  readonly #state: ClusterState;
  readonly #shortCircuit: ShortCircuit | undefined;
  readonly #path: string;
  readonly #options: ReadOptions;
  readonly #offset: number;
  readonly #total: ReadSummary = {
    hits: 0,
    misses: 0,
    joined: 0,
    missReason: "",
    bytesBySource: {},
    servedBy: [],
    ufsMs: 0,
    fellBack: false,
  };
  /** Next byte to read. */
  #position: number;
  /** First byte that is not wanted; unknown before the first answer. */
  #end: number | undefined;
  #version: string;
  /** Size of that version: with it the owner of a later segment need not ask that of the first. 0 before the first answer. */
  #sizeBytes = 0;
  /** An empty object has no range at all: it is read as a whole. */
  #whole = false;
  #failures = 0;
  #failure: unknown;

  constructor(state: ClusterState, shortCircuit: ShortCircuit | undefined, path: string, options: ReadOptions) {
    this.#state = state;
    this.#shortCircuit = shortCircuit;
    this.#path = path;
    this.#options = options;
    this.#offset = options.offset ?? 0;
    this.#position = this.#offset;
    this.#version = options.version ?? "";
    // Nobody need look at these two.
    this.object.promise.catch(() => {});
    this.summary.promise.catch(() => {});
  }

  async *run(): AsyncGenerator<Uint8Array, void> {
    try {
      this.#check();
      while (this.#end === undefined || this.#position < this.#end) yield* this.#segment(await this.#state.known());
      this.summary.resolve(this.#total);
    } catch (error) {
      this.object.reject(error);
      this.summary.reject(error);
      throw error;
    } finally {
      this.leave();
    }
  }

  /** Nothing more will come. Without effect on what is settled. */
  leave(): void {
    const left = new RinglightError("RL_CANCELLED", `the read of ${this.#path} was left before its end`);
    this.object.reject(left);
    this.summary.reject(left);
  }

  #check(): void {
    const { length } = this.#options;
    if (!(Number.isSafeInteger(this.#offset) && this.#offset >= 0)) {
      throw new RinglightError("RL_BAD_REQUEST", `offset ${this.#offset} is not a byte of an object`);
    }
    if (length !== undefined && !(Number.isSafeInteger(length) && length > 0)) {
      throw new RinglightError("RL_BAD_REQUEST", `length ${length} is not a number of bytes above 0`);
    }
  }

  /** Reads the rest of the segment that the position is in, from one source after another. */
  async *#segment(cluster: Cluster): AsyncGenerator<Uint8Array, void> {
    const segmentBytes = cluster.segmentBytes || DEFAULT_SEGMENT_BYTES;
    const segment = segmentOf(this.#position, segmentBytes);
    const stop = Math.min((segment + 1) * segmentBytes, this.#end ?? this.#wantedEnd());
    const begun = this.#position;
    yield* this.#fromPageFiles(stop);
    if (this.#position >= Math.min(stop, this.#end ?? stop)) return;
    const sources = this.#state.candidates(cluster, this.#path, segment);
    for (const source of sources) {
      try {
        yield* this.#from(source, stop);
        return;
      } catch (error) {
        if (this.#mustReadWhole(error)) return;
        this.#note(source, error);
      }
    }
    if (this.#position > begun) return;
    // Nobody of those that were known: perhaps there are others by now.
    const now = await this.#state.learn().catch(() => cluster);
    const others = this.#state
      .candidates(now, this.#path, segment)
      .filter(({ id }) => !sources.some((s) => s.id === id));
    if (others.length === 0) {
      throw this.#failure ?? new RinglightError("RL_NO_WORKERS", `no worker is alive to read ${this.#path}`);
    }
  }

  /** What lies in page files of this host is read from there, up to the first byte that does not. */
  async *#fromPageFiles(stop: number): AsyncGenerator<Uint8Array, void> {
    const shortCircuit = this.#shortCircuit;
    const wanted = stop - this.#position;
    if (shortCircuit === undefined || wanted < LEAST_LEASED_BYTES) return;
    for await (const { object, page, bytes } of shortCircuit.stream(this.#path, this.#position, stop)) {
      if (this.#version !== "" && object.meta.version !== this.#version) return;
      this.#meet(leasedObjectInfo(object));
      const { workerId } = page.session;
      this.#total.hits++;
      this.#total.bytesBySource[page.tier] = (this.#total.bytesBySource[page.tier] ?? 0) + bytes.length;
      if (!this.#total.servedBy.includes(workerId)) this.#total.servedBy.push(workerId);
      this.#position += bytes.length;
      yield bytes;
      this.#options.signal?.throwIfAborted();
    }
  }

  async *#from(source: Candidate, stop: number): AsyncGenerator<Uint8Array, void> {
    const { signal, traceparent, idleMs = IDLE_MS } = this.#options;
    const length = this.#whole || stop === Number.POSITIVE_INFINITY ? 0 : stop - this.#position;
    const request = {
      path: this.#path,
      offset: this.#position,
      length,
      version: this.#version,
      sizeBytes: this.#sizeBytes,
    };
    for await (const message of callStream(source.client, "read", request, { signal, traceparent, idleMs })) {
      if (message.object !== undefined) this.#meet(message.object);
      if (message.summary !== undefined) this.#add(message.summary);
      const data = this.#wanted(message, stop);
      if (data.length === 0) continue;
      this.#position += data.length;
      yield data;
    }
    if (this.#end === undefined || this.#position < Math.min(stop, this.#end)) {
      throw new RinglightError("RL_NO_WORKERS", `${source.id} ended its answer before the last byte`);
    }
  }

  /** The first answer says what the object is, and pins its version; every other one must say the same. */
  #meet(object: ObjectInfo): void {
    if (this.#version !== "" && object.version !== this.#version) {
      throw new RinglightError("RL_VERSION_CHANGED", `${this.#path} is at version ${object.version} now`);
    }
    if (this.#end !== undefined) return;
    this.#version = object.version;
    this.#sizeBytes = object.sizeBytes;
    this.#end = Math.min(this.#wantedEnd(), object.sizeBytes);
    this.object.resolve(object);
  }

  #wanted(message: ReadResponse, stop: number): Uint8Array {
    if (message.data.length > 0 && this.#end === undefined) {
      throw new RinglightError("RL_INTERNAL", `bytes of ${this.#path} came before its version`);
    }
    const left = Math.min(this.#whole ? Number.POSITIVE_INFINITY : stop, this.#end ?? 0) - this.#position;
    return message.data.length <= left ? message.data : message.data.subarray(0, left);
  }

  #wantedEnd(): number {
    const { length } = this.#options;
    return length === undefined ? Number.POSITIVE_INFINITY : this.#offset + length;
  }

  /** True where the object turns out to have no first byte: then it is asked for as a whole. */
  #mustReadWhole(error: unknown): boolean {
    if (!isRinglightError(error, "RL_BAD_RANGE") || this.#whole || this.#offset > 0 || this.#end !== undefined)
      return false;
    this.#whole = true;
    return true;
  }

  /** Counts a source's failure. @throws the failure where no other source may do better */
  #note(source: Candidate, error: unknown): void {
    if (this.#options.signal?.aborted) throw error;
    // A worker that has not heard of the version that another one served is no proof that it is gone.
    const otherVersion = isRinglightError(error, "RL_VERSION_CHANGED");
    if (otherVersion ? this.#end === undefined : !anotherMay(error)) throw error;
    if (!otherVersion) this.#state.suspect(source.id);
    if (!isRinglightError(this.#failure, "RL_VERSION_CHANGED")) this.#failure = error;
    this.#total.fellBack = true;
    if (++this.#failures > MAX_FAILURES) throw this.#failure;
  }

  #add(summary: ReadSummary): void {
    const total = this.#total;
    total.hits += summary.hits;
    total.misses += summary.misses;
    total.joined += summary.joined;
    total.missReason ||= summary.missReason;
    total.ufsMs += summary.ufsMs;
    total.fellBack ||= summary.fellBack;
    for (const [source, bytes] of Object.entries(summary.bytesBySource)) {
      total.bytesBySource[source] = (total.bytesBySource[source] ?? 0) + bytes;
    }
    for (const worker of summary.servedBy) if (!total.servedBy.includes(worker)) total.servedBy.push(worker);
  }
}
