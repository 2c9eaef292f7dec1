/**
 * How many bytes one GET of a run should fetch, by what was seen of the store. A GET costs its latency once: a run that
 * transfers for four times that long spends a fifth of its time waiting, and a longer one only holds more memory.
 */
const MIB = 1024 * 1024;
/** Shorter runs cost this process itself more: on a store with no distance, a third more CPU a byte with 1 MiB than with 4 MiB. */
const MIN_RUN_BYTES = 4 * MIB;
const MAX_RUN_BYTES = 16 * MIB;
/** Before anything was seen. */
const DEFAULT_RUN_BYTES = 8 * MIB;
/** Transfer time of a run, in latencies. */
const LATENCIES = 4;
/** Weight of a new sample in the averages. */
const WEIGHT = 0.2;
/** Shorter transfers say nothing of a store's throughput. */
const MIN_SAMPLE_BYTES = 256 * 1024;

/** Observed latency and throughput of one store. */
export class RunLength {
  #latencyMs: number | undefined;
  #bytesPerMs: number | undefined;

  /**
   * Takes in a GET.
   * @param latencyMs from the request to its first bytes
   * @param transferMs from the first bytes to the last
   */
  observe(latencyMs: number, bytes: number, transferMs: number): void {
    this.#latencyMs = average(this.#latencyMs, latencyMs);
    if (bytes >= MIN_SAMPLE_BYTES && transferMs > 0) {
      this.#bytesPerMs = average(this.#bytesPerMs, bytes / transferMs);
    }
  }

  /** Bytes of the next run: a power of two from 4 to 16 MiB. */
  get bytes(): number {
    if (this.#latencyMs === undefined || this.#bytesPerMs === undefined) return DEFAULT_RUN_BYTES;
    const wanted = this.#latencyMs * this.#bytesPerMs * LATENCIES;
    if (wanted <= MIN_RUN_BYTES) return MIN_RUN_BYTES;
    return Math.min(MAX_RUN_BYTES, 2 ** Math.round(Math.log2(wanted)));
  }
}

function average(before: number | undefined, sample: number): number {
  return before === undefined ? sample : before + WEIGHT * (sample - before);
}
