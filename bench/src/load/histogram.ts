/** Histograms of times: HdrHistogram, in microseconds, three digits, so a quantile is right within 0.1 %. */
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";

const HOUR_US = 3_600_000_000;

/** A histogram of times. */
export class TimeHistogram {
  readonly #histogram: Histogram;

  constructor(histogram: Histogram = build({ highestTrackableValue: HOUR_US, numberOfSignificantValueDigits: 3 })) {
    this.#histogram = histogram;
  }

  /** @throws Error where the text is none */
  static decode(text: string): TimeHistogram {
    return new TimeHistogram(decodeFromCompressedBase64(text));
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  get meanMs(): number {
    return this.count === 0 ? Number.NaN : this.#histogram.mean / 1000;
  }

  get maxMs(): number {
    return this.count === 0 ? Number.NaN : this.#histogram.maxValue / 1000;
  }

  /** Takes a time, milliseconds. */
  record(ms: number): void {
    this.#histogram.recordValue(Math.min(HOUR_US, Math.max(0, Math.round(ms * 1000))));
  }

  /** The q-quantile (0 to 1), milliseconds; NaN of nothing. */
  quantileMs(q: number): number {
    return this.count === 0 ? Number.NaN : this.#histogram.getValueAtPercentile(q * 100) / 1000;
  }

  add(other: TimeHistogram): void {
    this.#histogram.add(other.#histogram);
  }

  reset(): void {
    this.#histogram.reset();
  }

  /** HdrHistogram's own compressed form, base64. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }
}
