/** Tells sequential readers from random ones, per object version. */
import { type ByteRange, RecentMap, type VersionId } from "@ringlight/core";

/** Furthest read-ahead, bytes. */
const MAX_AHEAD_BYTES = 8 * 1024 * 1024;
/** Versions remembered. */
const MAX_STREAMS = 4096;

interface Stream {
  nextOffset: number;
  pages: number;
}

/**
 * Follows where each version was read last. A read that begins where the one before it ended doubles the window, from one
 * page up to 8 MiB; any other read closes it. So a random reader never causes a byte of read-ahead.
 */
export class ReadAhead {
  readonly #streams = new RecentMap<Stream>(MAX_STREAMS);

  /** Records a read and returns how many pages behind it should be fetched now. */
  next(version: VersionId, range: ByteRange, pageBytes: number): number {
    const stream = this.#streams.get(version);
    if (stream === undefined) {
      this.#streams.set(version, { nextOffset: range.end + 1, pages: 0 });
      return 0;
    }
    const most = Math.max(1, Math.floor(MAX_AHEAD_BYTES / pageBytes));
    stream.pages = range.start === stream.nextOffset ? Math.min(most, Math.max(1, stream.pages * 2)) : 0;
    stream.nextOffset = range.end + 1;
    return stream.pages;
  }
}
