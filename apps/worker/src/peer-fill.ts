/**
 * A UFS that is read by way of another worker: a replica of a hot segment fills its pages from the segment's first owner,
 * which has them, and turns to the UFS itself only for what the owner does not deliver.
 */
import type { ByteRange, ObjectMeta, Ufs, UfsBody, UfsCallOptions } from "@ringlight/core";
import { PeerFailure } from "./peer-client.ts";

/** Opens bytes of the pinned version at the owner. @throws PeerFailure, or what the owner met */
export type FillSource = (
  pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
  range: ByteRange,
  signal: AbortSignal | undefined,
) => Promise<AsyncIterable<Uint8Array>>;

/** The UFS, with read() going to `source` first. It has neither readInto() nor readCurrent(), which would pass it by. */
export function filledFrom(ufs: Ufs, sizeBytes: number, source: FillSource): Ufs {
  return {
    uri: ufs.uri,
    head: (key, options) => ufs.head(key, options),
    list: (request, options) => ufs.list(request, options),
    check: (options) => ufs.check(options),
    close: () => ufs.close(),
    read: async (key, version, range, options): Promise<UfsBody> => ({
      meta: { version, sizeBytes },
      stream: filled(ufs, key, { version, sizeBytes }, range, source, options),
    }),
  };
}

async function* filled(
  ufs: Ufs,
  key: string,
  pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
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
