/**
 * Many small ranges in one call. What is in this worker's store is read straight into the message that carries it; the rest
 * goes the way of every read, a few at a time, and is answered as it comes.
 */
import {
  newReadStatus,
  type PageStore,
  parsePath,
  RinglightError,
  releasePooled,
  toRinglightError,
} from "@ringlight/core";
import type { ReadManyRequest, ReadManyResponse, ReadRange } from "@ringlight/proto";
import { type CallContext, EncodedMessage } from "@ringlight/rpc";
import type { Capture } from "./capture.ts";
import type { CountHits } from "./grpc-bulk.ts";
import type { HotObjects } from "./hot-objects.ts";
import { BUFFER_BYTES, type BufferPool } from "./lease-buffers.ts";
import { readHit } from "./lease-hits.ts";
import type { KnownObject, OwnObjects } from "./lease-objects.ts";
import type { Router } from "./router.ts";
import { traceOf } from "./trace.ts";

const MAX_RANGES = 1024;
const MAX_BYTES = 32 * 1024 * 1024;
/** Ranges that are not at hand, read at once. */
const MISSES_AT_ONCE = 16;
/** Longest range that is read into a message of several; longer ones are read one by one. */
const MAX_SMALL_BYTES = 256 * 1024;
/** Bytes of a range in a message besides its data and version: tags, lengths and index. */
const OVERHEAD_BYTES = 32;

/** What reading many ranges needs of the worker. */
export interface ReadManyOptions {
  readonly store: PageStore;
  readonly own: OwnObjects;
  readonly router: Router;
  readonly buffers: BufferPool;
  readonly pageBytes: number;
  readonly countHits: CountHits;
  readonly hot: HotObjects;
  readonly capture: Capture;
}

/** Answers one call. @throws RL_BAD_REQUEST; what a single range meets is in its answer */
export async function* readMany(
  options: ReadManyOptions,
  { ranges }: ReadManyRequest,
  ctx: CallContext,
): AsyncGenerator<ReadManyResponse | EncodedMessage> {
  check(ranges);
  const atMs = Date.now();
  const missed: number[] = [];
  let message = new Message(options.buffers);
  for (const [index, range] of ranges.entries()) {
    const known = range.length <= MAX_SMALL_BYTES ? knownOf(options, range) : undefined;
    const length = known && Math.min(range.length, known.meta.sizeBytes - range.offset);
    if (known === undefined || length === undefined || length <= 0) {
      missed.push(index);
      continue;
    }
    if (!message.fits(length, known.meta.version)) {
      yield message.finish();
      message = new Message(options.buffers);
    }
    const filled = message.add(index, known.meta.version, length, (target, at) =>
      fill(options, known, range.offset, target, at, length),
    );
    if (typeof filled === "boolean" ? filled : await filled) options.hot.note(range.path, 1, length);
    else missed.push(index);
  }
  if (message.isEmpty) message.abandon();
  else yield message.finish();
  if (options.capture.running) record(options.capture, ranges, new Set(missed), atMs);
  yield* readMissed(options, ranges, missed, ctx);
}

function record(capture: Capture, ranges: readonly ReadRange[], missed: ReadonlySet<number>, atMs: number): void {
  for (const [index, { path, offset, length }] of ranges.entries()) {
    // What is not at hand here may be a hit at its owner.
    const outcome = missed.has(index) ? "" : "hit";
    capture.note({ atMs, op: "get", path, client: "grpc", offset, length, sizeBytes: 0, outcome });
  }
}

function check(ranges: readonly ReadRange[]): void {
  let bytes = 0;
  for (const { offset, length } of ranges) {
    bytes += length;
    if (!(Number.isSafeInteger(offset) && offset >= 0 && length > 0)) {
      throw new RinglightError("RL_BAD_REQUEST", `${length} bytes from ${offset} on are no range`);
    }
  }
  if (ranges.length > MAX_RANGES || bytes > MAX_BYTES) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${ranges.length} ranges of ${bytes} bytes in one call; at most ${MAX_RANGES} and ${MAX_BYTES}`,
    );
  }
}

function knownOf({ own }: ReadManyOptions, range: ReadRange): KnownObject | undefined {
  try {
    const { mount, key } = parsePath(range.path);
    const known = own.peek(mount, key);
    return range.version === "" || range.version === known?.meta.version ? known : undefined;
  } catch {
    // The way of every read finds the words for it.
    return undefined;
  }
}

/** Reads a range out of the store; it may lie in two pages or more. */
function fill(
  options: ReadManyOptions,
  known: KnownObject,
  offset: number,
  target: Buffer,
  at: number,
  length: number,
): boolean | Promise<boolean> {
  const { store, pageBytes, countHits } = options;
  const inPage = Math.min(length, pageBytes - (offset % pageBytes));
  const next = (tier: string | undefined): boolean | Promise<boolean> => {
    if (tier === undefined) return false;
    countHits(known.record.name, tier, 1, inPage, known.version, Math.floor(offset / pageBytes));
    return inPage === length || fill(options, known, offset + inPage, target, at + inPage, length - inPage);
  };
  const tier = readHit(store, pageBytes, known, offset, target, at, inPage);
  return tier instanceof Promise ? tier.then(next) : next(tier);
}

async function* readMissed(
  options: ReadManyOptions,
  ranges: readonly ReadRange[],
  missed: readonly number[],
  ctx: CallContext,
): AsyncGenerator<ReadManyResponse> {
  const running = new Map<number, Promise<ReadManyResponse>>();
  for (let at = 0; at < missed.length || running.size > 0; ) {
    while (at < missed.length && running.size < MISSES_AT_ONCE) {
      const index = missed[at++] ?? 0;
      const range = ranges[index];
      if (range === undefined) continue;
      const answer = readOne(options, index, range, ctx).finally(() => running.delete(index));
      running.set(index, answer);
    }
    yield await Promise.race(running.values());
  }
}

/** One range by the way of every read. Never rejects. */
async function readOne(
  { router }: ReadManyOptions,
  index: number,
  range: ReadRange,
  ctx: CallContext,
): Promise<ReadManyResponse> {
  try {
    const { mount, key } = parsePath(range.path);
    if (key === "") throw new RinglightError("RL_BAD_REQUEST", `"${range.path}" names a mount, not an object`);
    const context = { signal: ctx.signal, status: newReadStatus(), ...traceOf(ctx) };
    const asked = { kind: "from-to" as const, start: range.offset, end: range.offset + range.length - 1 };
    const answer = await router.open(mount, key, { range: asked, conditions: {} }, context);
    if (answer.outcome !== "ok") {
      throw new RinglightError("RL_BAD_RANGE", `offset ${range.offset} is behind the end of ${range.path}`);
    }
    if (range.version !== "" && range.version !== answer.meta.version) {
      await answer.body[Symbol.asyncIterator]().return?.();
      throw new RinglightError("RL_VERSION_CHANGED", `${range.path} is at version ${answer.meta.version} now`);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    const data = Buffer.concat(chunks);
    for (const chunk of chunks) releasePooled(chunk);
    const item = { index, data, version: answer.meta.version, errorCode: "", error: "" };
    return { ranges: [item] };
  } catch (error) {
    const { code, message } = toRinglightError(error);
    const words = code === "RL_INTERNAL" ? "the server met a defect" : message;
    return { ranges: [{ index, data: Buffer.alloc(0), version: "", errorCode: code, error: words }] };
  }
}

/** A ReadManyResponse that is written field by field into one buffer, so that data is read to where it is sent from. */
class Message {
  readonly #pool: BufferPool;
  readonly #buffer: Buffer;
  #at = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#buffer = pool.take();
  }

  get isEmpty(): boolean {
    return this.#at === 0;
  }

  fits(length: number, version: string): boolean {
    return this.#at + length + 3 * version.length + OVERHEAD_BYTES <= BUFFER_BYTES;
  }

  /** Adds a range whose data `read` puts into place; if that cannot, the message stays as it was. */
  add(
    index: number,
    version: string,
    length: number,
    read: (target: Buffer, at: number) => boolean | Promise<boolean>,
  ): boolean | Promise<boolean> {
    const start = this.#at;
    const versionBytes = Buffer.byteLength(version);
    const inner =
      (index > 0 ? 1 + varintBytes(index) : 0) +
      1 +
      varintBytes(length) +
      length +
      1 +
      varintBytes(versionBytes) +
      versionBytes;
    this.#byte(0x0a);
    this.#varint(inner);
    if (index > 0) {
      this.#byte(0x08);
      this.#varint(index);
    }
    this.#byte(0x1a);
    this.#varint(versionBytes);
    this.#at += this.#buffer.write(version, this.#at);
    this.#byte(0x12);
    this.#varint(length);
    const dataAt = this.#at;
    this.#at += length;
    const settle = (isRead: boolean): boolean => {
      if (!isRead) this.#at = start;
      return isRead;
    };
    const done = read(this.#buffer, dataAt);
    return typeof done === "boolean" ? settle(done) : done.then(settle);
  }

  finish(): EncodedMessage {
    return new EncodedMessage([this.#buffer.subarray(0, this.#at)], () => this.abandon());
  }

  abandon(): void {
    this.#pool.give(this.#buffer);
  }

  #byte(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#buffer[this.#at++] = rest;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest >>>= 7) bytes++;
  return bytes;
}
