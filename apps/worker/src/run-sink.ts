/** How the bytes of a GET come into a run of pages. */
import { type ByteRange, type ByteSink, RinglightError, type Ufs } from "@ringlight/core";
import type { FetchRun } from "./page-fetch.ts";
import type { RunLength } from "./run-length.ts";

/** A run's sink that takes the time. */
export class Timing implements ByteSink {
  readonly #run: FetchRun;
  readonly #startedMs = performance.now();
  #latencyMs: number | undefined;
  #firstMs = 0;
  #bytes = 0;

  /** @param latencyMs where the answer's head was timed already */
  constructor(run: FetchRun, latencyMs?: number) {
    this.#run = run;
    this.#latencyMs = latencyMs;
    this.#firstMs = this.#startedMs;
  }

  space(): Uint8Array {
    return this.#run.space();
  }

  advance(length: number): void {
    if (this.#latencyMs === undefined) {
      this.#firstMs = performance.now();
      this.#latencyMs = this.#firstMs - this.#startedMs;
    }
    this.#bytes += length;
    this.#run.advance(length);
  }

  /** Tells what was seen, if anything came. */
  tell(length: RunLength): void {
    if (this.#latencyMs !== undefined) length.observe(this.#latencyMs, this.#bytes, performance.now() - this.#firstMs);
  }
}

/** Reads from a UFS that cannot put bytes into a sink itself. */
export async function pump(
  ufs: Ufs,
  key: string,
  version: string,
  range: ByteRange,
  sink: ByteSink,
  signal: AbortSignal,
): Promise<void> {
  const { stream } = await ufs.read(key, version, range, { signal });
  for await (const piece of stream) {
    for (let at = 0; at < piece.length; ) {
      const space = sink.space();
      if (space.length === 0) throw new RinglightError("RL_UFS_ERROR", "the store sent more bytes than were asked for");
      const end = Math.min(piece.length, at + space.length);
      space.set(at === 0 && end === piece.length ? piece : piece.subarray(at, end));
      sink.advance(end - at);
      at = end;
    }
    if (signal.aborted) throw signal.reason;
  }
}
