/**
 * A ring of one-second slots with named columns. Counters are kept as the increase within each second, spread evenly
 * over the time that it came from, so that a sample which is late makes neither a dip nor a spike and no increase is
 * ever lost; gauges are kept as the last value of each second. A second that no sample covers stays unknown, which is
 * something else than zero.
 *
 * Columns take memory only once they hold something: 4 bytes a slot. Not safe for clocks that run backwards by more
 * than the ring: such samples are dropped.
 */
import { isGauge } from "../columns.ts";

/** Rates and values of a stretch of time in equal steps. */
export interface SeriesSlice {
  /** Start of each step, seconds since the Unix epoch. */
  readonly times: number[];
  readonly columns: Record<string, (number | null)[]>;
}

/** How long a gauge stands for the seconds before it: a sample that is late leaves no gap. */
const HOLD_SECONDS = 3;

export class SeriesBuffer {
  readonly #seconds: number;
  readonly #columns = new Map<string, Float32Array>();
  readonly #coverage: Float32Array;
  /** The newest second that has a slot; -1 before the first sample. */
  #newest = -1;

  /** @param seconds how many seconds are kept */
  constructor(seconds = 3600) {
    this.#seconds = seconds;
    this.#coverage = new Float32Array(seconds);
  }

  /** Records what happened between two moments (milliseconds): increases of counters, and gauges as they stood at the end. */
  record(
    fromMs: number,
    toMs: number,
    increases: ReadonlyMap<string, number>,
    gauges: ReadonlyMap<string, number>,
  ): void {
    const last = Math.floor((toMs - 0.001) / 1000);
    if (!this.#reach(Math.floor(toMs / 1000))) return;
    const oldest = this.#newest - this.#seconds + 1;
    const span = toMs - fromMs;
    const start = Math.max(fromMs, oldest * 1000);
    for (let second = Math.floor(start / 1000); second <= last && span > 0; second++) {
      const covered = (Math.min(toMs, (second + 1) * 1000) - Math.max(start, second * 1000)) / 1000;
      if (covered <= 0) continue;
      const slot = second % this.#seconds;
      this.#coverage[slot] = Math.min(1, this.#coverage[slot]! + covered);
      for (const [name, amount] of increases) {
        if (amount !== 0) this.#column(name)[slot]! += (amount * covered * 1000) / span;
      }
    }
    this.#hold(fromMs, toMs, gauges);
  }

  /** Records gauges that stood so since `fromMs`, without saying that counters were seen. */
  gauge(fromMs: number, toMs: number, gauges: ReadonlyMap<string, number>): void {
    if (this.#reach(Math.floor(toMs / 1000))) this.#hold(fromMs, toMs, gauges);
  }

  /** Writes gauges into the second of `toMs` and into those before it that no sample fell into. */
  #hold(fromMs: number, toMs: number, gauges: ReadonlyMap<string, number>): void {
    const last = Math.floor(toMs / 1000);
    const first = Math.min(last, Math.max(Math.floor(fromMs / 1000) + 1, last - HOLD_SECONDS));
    for (const [name, value] of gauges) {
      const column = this.#column(name);
      for (let second = first; second <= last; second++) column[second % this.#seconds] = value;
    }
  }

  /**
   * Steps whose start is at or after `fromS` and whose end is at or before `toS`. A step is a multiple of `stepS` since
   * the epoch; its counters are rates over the seconds that were covered, its gauges the last value seen.
   */
  slice(fromS: number, toS: number, stepS: number): SeriesSlice {
    const times: number[] = [];
    const oldest = this.#newest - this.#seconds + 1;
    for (let time = Math.ceil(fromS / stepS) * stepS; time + stepS <= toS; time += stepS) times.push(time);
    const covered = times.map((time) => {
      let sum = 0;
      for (let second = time; second < time + stepS; second++) {
        if (second >= oldest && second <= this.#newest) sum += this.#coverage[second % this.#seconds]!;
      }
      return sum;
    });
    const columns: Record<string, (number | null)[]> = {};
    for (const [name, values] of this.#columns) {
      const gauge = isGauge(name);
      columns[name] = times.map((time, index) => {
        let sum = 0;
        let lastValue: number | null = null;
        for (let second = time; second < time + stepS; second++) {
          if (second < oldest || second > this.#newest) continue;
          const value = values[second % this.#seconds]!;
          if (gauge) lastValue = Number.isNaN(value) ? lastValue : value;
          else sum += value;
        }
        if (gauge) return lastValue;
        // Less than a fifth of the step seen: too little for a rate.
        return covered[index]! < stepS * 0.2 ? null : sum / covered[index]!;
      });
    }
    return { times, columns };
  }

  /** Makes room up to a second; false when the second is already older than the ring. */
  #reach(second: number): boolean {
    if (this.#newest < 0) this.#newest = second - 1;
    if (second <= this.#newest - this.#seconds) return false;
    const from = Math.max(this.#newest + 1, second - this.#seconds + 1);
    for (let next = from; next <= second; next++) {
      const slot = next % this.#seconds;
      this.#coverage[slot] = 0;
      for (const [name, values] of this.#columns) values[slot] = isGauge(name) ? Number.NaN : 0;
    }
    this.#newest = Math.max(this.#newest, second);
    return true;
  }

  #column(name: string): Float32Array {
    let column = this.#columns.get(name);
    if (!column) {
      column = new Float32Array(this.#seconds);
      if (isGauge(name)) column.fill(Number.NaN);
      this.#columns.set(name, column);
    }
    return column;
  }
}
