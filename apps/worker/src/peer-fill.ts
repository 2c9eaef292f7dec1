/**
 * UFSs that are read by way of another worker. A replica of a hot segment fills its pages from the segment's first owner,
 * which has them or fetches them; the new owner of a segment from the one before, as far as that has them. Both turn to the
 * UFS itself for what the other worker does not deliver.
 */
import {
  type ByteRange,
  isRinglightError,
  type ObjectMeta,
  RinglightError,
  type StopSignal,
  type Ufs,
  type UfsBody,
  type UfsCallOptions,
  type WorkerRecord,
} from "@ringlight/core";
import { type PeerCall, type PeerClient, PeerFailure } from "./peer-client.ts";

type Pinned = Pick<ObjectMeta, "version" | "sizeBytes">;

/** Opens bytes of the pinned version at the owner. @throws PeerFailure, or what the owner met */
export type FillSource = (
  pinned: Pinned,
  range: ByteRange,
  signal: StopSignal | undefined,
) => Promise<AsyncIterable<Uint8Array>>;

/** What another worker has cached from the start of a range on. */
export interface CachedBytes {
  /** Absent where the first page of the range is not cached. */
  readonly served?: ByteRange;
  /** Where the next cached bytes of the range begin. */
  readonly nextCached?: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Asks another worker for what it has cached. @throws PeerFailure */
export interface CachedSource {
  open(pinned: Pinned, range: ByteRange, signal: StopSignal | undefined): Promise<CachedBytes>;
  /** Runs of the range that it has, both ends included. */
  coverage(pinned: Pinned, range: ByteRange, signal: StopSignal | undefined): Promise<readonly ByteRange[]>;
}

/** A worker's cached pages of one object. */
export function cachedSource(
  peers: PeerClient,
  holder: WorkerRecord,
  mount: string,
  key: string,
  call: Omit<PeerCall, "signal">,
): CachedSource {
  const ask = (pinned: Pinned, range: ByteRange, cached: "pages" | "coverage", signal: StopSignal | undefined) => {
    const { version, sizeBytes } = pinned;
    const asked = { pinned: { version, sizeBytes, range }, cached };
    return peers.read(holder, mount, key, asked, { ...call, signal: signal ?? new AbortController().signal });
  };
  return {
    async open(pinned, range, signal) {
      const { answer, body } = await ask(pinned, range, "pages", signal);
      const { served, nextCached } = answer;
      return { ...(served && { served }), ...(nextCached !== undefined && { nextCached }), body };
    },
    async coverage(pinned, range, signal) {
      const { answer, body } = await ask(pinned, range, "coverage", signal);
      // An empty body, read to its end all the same: a connection whose answer was not cannot be used again.
      for await (const _ of body);
      return answer.coverage ?? [];
    },
  };
}

/** The UFS, with read() going to `source` first. It has neither readInto() nor readCurrent(), which would pass it by. */
export function filledFrom(ufs: Ufs, sizeBytes: number, source: FillSource): Ufs {
  return readThrough(ufs, sizeBytes, (key, pinned, range, options) => filled(ufs, key, pinned, range, source, options));
}

/** The UFS, with read() going first to the pages that another worker has cached. */
export function handedOver(ufs: Ufs, sizeBytes: number, source: CachedSource): Ufs {
  return readThrough(ufs, sizeBytes, (key, pinned, range, options) =>
    takenOver(
      async function* rest(at, end) {
        yield* (await ufs.read(key, pinned.version, { start: at, end }, options)).stream;
      },
      pinned,
      range,
      source,
      options,
    ),
  );
}

/** Only what another worker has cached: where it has not, read() throws RL_NOT_CACHED. */
export function cachedOnly(ufs: Ufs, sizeBytes: number, source: CachedSource): Ufs {
  return readThrough(ufs, sizeBytes, (_, pinned, range, options) =>
    takenOver(
      // biome-ignore lint/correctness/useYield: it has nothing to yield, and says so.
      async function* rest(at) {
        throw new RinglightError("RL_NOT_CACHED", `the worker that held byte ${at} does not have it any more`);
      },
      pinned,
      range,
      source,
      options,
    ),
  );
}

type Read = (
  key: string,
  pinned: Pinned,
  range: ByteRange,
  options: UfsCallOptions | undefined,
) => AsyncIterable<Uint8Array>;

function readThrough(ufs: Ufs, sizeBytes: number, read: Read): Ufs {
  return {
    uri: ufs.uri,
    head: (key, options) => ufs.head(key, options),
    list: (request, options) => ufs.list(request, options),
    check: (options) => ufs.check(options),
    close: () => ufs.close(),
    read: async (key, version, range, options): Promise<UfsBody> => ({
      meta: { version, sizeBytes },
      stream: read(key, { version, sizeBytes }, range, options),
    }),
  };
}

async function* filled(
  ufs: Ufs,
  key: string,
  pinned: Pinned,
  range: ByteRange,
  source: FillSource,
  options: UfsCallOptions | undefined,
): AsyncGenerator<Uint8Array> {
  let at = range.start;
  try {
    for await (const chunk of await source(pinned, range, options?.signal)) {
      at += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof PeerFailure) || options?.signal?.aborted) throw error;
    const rest = await ufs.read(key, pinned.version, { start: at, end: range.end }, options);
    yield* rest.stream;
  }
}

async function* takenOver(
  gap: (start: number, end: number) => AsyncIterable<Uint8Array>,
  pinned: Pinned,
  range: ByteRange,
  source: CachedSource,
  options: UfsCallOptions | undefined,
): AsyncGenerator<Uint8Array> {
  const signal = options?.signal;
  let at = range.start;
  while (at <= range.end) {
    let gapEnd = range.end;
    try {
      const { served, nextCached, body } = await source.open(pinned, { start: at, end: range.end }, signal);
      for await (const chunk of body) {
        at += chunk.length;
        yield chunk;
      }
      if (at > range.end) return;
      if (nextCached !== undefined) gapEnd = nextCached - 1;
      // It was served to its end and nothing follows, or there was nothing: the gap goes on from here.
      else if (served !== undefined && at !== served.end + 1) continue;
    } catch (error) {
      const passing = error instanceof PeerFailure || isRinglightError(error);
      if (!passing || signal?.aborted) throw error;
    }
    for await (const chunk of gap(at, gapEnd)) {
      at += chunk.length;
      yield chunk;
    }
  }
}
