/**
 * Many small ranges, a few calls. Ranges are put together by the worker that owns them, and answers of one call come in any
 * order; a range whose worker does not answer is read like any other.
 */
import { isRinglightError, RinglightError, segmentOf } from "@ringlight/core";
import type { RangeBytes } from "@ringlight/proto";
import { callStream } from "@ringlight/rpc";
import { anotherMay, type Candidate, type ClusterState } from "./cluster-state.ts";

/** Ranges, and bytes, that go into one call. */
const RANGES_A_CALL = 256;
const BYTES_A_CALL = 4 * 1024 * 1024;
/** Longer ranges are not small: they are read by themselves. */
const MAX_SMALL_BYTES = 1024 * 1024;
const IDLE_MS = 15_000;

/** A range to read. */
export interface RangeToRead {
  readonly path: string;
  /** First byte; 0 if left out. */
  readonly offset?: number | undefined;
  /** Bytes wanted, at least 1. Fewer come where the object ends before. */
  readonly length: number;
}

interface Waiting extends RangeToRead {
  readonly offset: number;
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/** Puts ranges that are asked for at about the same time into common calls. */
export class RangeReader {
  readonly #state: ClusterState;
  /** Reads one range by itself. */
  readonly #alone: (range: RangeToRead) => Promise<Buffer>;
  #queue: Waiting[] = [];

  constructor(state: ClusterState, alone: (range: RangeToRead) => Promise<Buffer>) {
    this.#state = state;
    this.#alone = alone;
  }

  /** Reads a range. @throws the worker's error, RL_BAD_RANGE where it begins behind the object's end */
  read({ path, offset = 0, length }: RangeToRead): Promise<Buffer> {
    if (!(Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length > 0)) {
      return Promise.reject(new RinglightError("RL_BAD_REQUEST", `${length} bytes from ${offset} on are no range`));
    }
    if (length > MAX_SMALL_BYTES) return this.#alone({ path, offset, length });
    return new Promise((resolve, reject) => {
      // What is asked for within one turn of the event loop goes out together.
      if (this.#queue.length === 0) setImmediate(() => void this.#send());
      this.#queue.push({ path, offset, length, resolve, reject });
    });
  }

  /** Never rejects: each range hears of its own fate. */
  async #send(): Promise<void> {
    const ranges = this.#queue;
    this.#queue = [];
    try {
      const cluster = await this.#state.known();
      const segmentBytes = this.#state.segmentBytes;
      const batches = new Map<string, { readonly owner: Candidate; readonly ranges: Waiting[] }>();
      for (const range of ranges) {
        const owner = this.#state.owner(cluster, range.path, segmentOf(range.offset, segmentBytes));
        if (owner === undefined) {
          this.#readAlone(range);
          continue;
        }
        const batch = batches.get(owner.id);
        if (batch === undefined) batches.set(owner.id, { owner, ranges: [range] });
        else batch.ranges.push(range);
      }
      for (const { owner, ranges } of batches.values()) {
        for (const part of parts(ranges)) void this.#ask(owner, part);
      }
    } catch (error) {
      for (const range of ranges) range.reject(error);
    }
  }

  async #ask(owner: Candidate, ranges: readonly Waiting[]): Promise<void> {
    const left = new Set(ranges);
    try {
      const request = { ranges: ranges.map(({ path, offset, length }) => ({ path, offset, length, version: "" })) };
      for await (const answer of callStream(owner.direct, "readMany", request, { idleMs: IDLE_MS })) {
        for (const item of answer.ranges) {
          const range = ranges[item.index];
          if (range === undefined || !left.delete(range)) continue;
          this.#settle(range, item);
        }
      }
    } catch (error) {
      if (anotherMay(error)) this.#state.suspect(owner.id);
      else if (!isRinglightError(error, "RL_NOT_IMPLEMENTED")) {
        for (const range of left) range.reject(error);
        return;
      }
    }
    for (const range of left) this.#readAlone(range);
  }

  #settle(range: Waiting, { data, errorCode, error }: RangeBytes): void {
    if (errorCode === "") {
      range.resolve(data);
      return;
    }
    const failure = new RinglightError(errorCode as RinglightError["code"], error);
    if (anotherMay(failure) || failure.code === "RL_VERSION_CHANGED") this.#readAlone(range);
    else range.reject(failure);
  }

  #readAlone(range: Waiting): void {
    this.#alone(range).then(range.resolve, range.reject);
  }
}

function* parts(ranges: readonly Waiting[]): Generator<Waiting[]> {
  let part: Waiting[] = [];
  let bytes = 0;
  for (const range of ranges) {
    if (part.length >= RANGES_A_CALL || (part.length > 0 && bytes + range.length > BYTES_A_CALL)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(range);
    bytes += range.length;
  }
  yield part;
}
