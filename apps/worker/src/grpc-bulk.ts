/** The messages of a streamed read: protobuf's field headers by hand, the page's bytes as they are. */
import { formatPath, type PageStore, type ReadStatus, type VersionId } from "@ringlight/core";
import { EncodedMessage } from "@ringlight/rpc";
import { BUFFER_BYTES, type BufferPool } from "./lease-buffers.ts";
import { readHit } from "./lease-hits.ts";
import type { OwnObjects, VersionPages } from "./lease-objects.ts";
import type { ObjectReader } from "./object-reader.ts";

/** Tag of `bytes data = 2` of ReadResponse. */
const DATA_TAG = 0x12;

/** Counts hits of one page; none where more bytes of a page follow that was counted before. */
export type CountHits = (
  mount: string,
  tier: string,
  count: number,
  bytes: number,
  version: VersionId,
  index: number,
) => void;

/** What reading hits needs of the worker. */
export interface BulkOptions {
  readonly store: PageStore;
  readonly own: OwnObjects;
  readonly objects: ObjectReader;
  readonly buffers: BufferPool;
  readonly pageBytes: number;
  readonly segmentBytes: number;
  readonly workerId: string;
  readonly countHits: CountHits;
}

/** A ReadResponse that holds data only; `onSent` is called when the bytes may change again. */
export function dataMessage(data: Uint8Array, onSent?: () => void): EncodedMessage {
  const header = Buffer.allocUnsafe(6);
  header[0] = DATA_TAG;
  let at = 1;
  let rest = data.length;
  while (rest > 127) {
    header[at++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  header[at++] = rest;
  return new EncodedMessage([header.subarray(0, at), data], onSent);
}

/**
 * Yields the bytes from `start` on, up to `end`, as long as this worker owns their segments and holds their pages; ends
 * before the first byte that it has not. Returns the offset where it ended.
 */
export async function* readHits(
  options: BulkOptions,
  known: VersionPages,
  start: number,
  end: number,
  trace: { readonly status: ReadStatus; readonly traceId: string },
): AsyncGenerator<EncodedMessage, number> {
  const { store, buffers, pageBytes, segmentBytes, own, countHits } = options;
  const { record, key } = known;
  const { status } = trace;
  const atMs = Date.now();
  const startedMs = performance.now();
  let at = start;
  let ownedUpTo = start - (start % segmentBytes);
  while (at < end) {
    if (at >= ownedUpTo) {
      if (!own.owns(record, key, Math.floor(at / segmentBytes))) break;
      ownedUpTo = at - (at % segmentBytes) + segmentBytes;
    }
    const length = Math.min(end - at, BUFFER_BYTES, pageBytes - (at % pageBytes));
    const buffer = buffers.take();
    const reading = readHit(store, pageBytes, known, at, buffer, 0, length);
    const tier = reading instanceof Promise ? await reading : reading;
    if (tier === undefined) {
      buffers.give(buffer);
      break;
    }
    // A page larger than a message is one hit.
    if (at === start || at % pageBytes === 0) status.hits++;
    const hits = at === start || at % pageBytes === 0 ? 1 : 0;
    countHits(record.name, tier, hits, length, known.version, Math.floor(at / pageBytes));
    status.bytesBySource.set(tier, (status.bytesBySource.get(tier) ?? 0) + length);
    at += length;
    yield dataMessage(buffer.subarray(0, length), () => buffers.give(buffer));
  }
  if (at > start) {
    if (!status.servedBy.includes(options.workerId)) status.servedBy.push(options.workerId);
    const [tier = ""] = status.bytesBySource.keys();
    const durationMs = performance.now() - startedMs;
    const length = at - start;
    const access = {
      atMs,
      offset: start,
      length,
      outcome: "hit",
      tier,
      missReason: "",
      durationMs,
      traceId: trace.traceId,
    };
    options.objects.accesses.add(formatPath({ mount: record.name, key }), access);
  }
  return at;
}
