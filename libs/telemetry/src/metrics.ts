/**
 * Counters, gauges and histograms that cost next to nothing where they are counted: a label set is resolved to a series
 * once, and counting is one addition in it. Readers (Prometheus text, the worker's stats stream) look when they want to.
 */
import { LATENCY_BOUNDS_S, RinglightError } from "@ringlight/core";

/** What a metric is, under its OpenTelemetry name. */
export interface MetricDefinition<L extends string = string> {
  /** Dotted name: "ringlight.cache.requests". */
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** UCUM unit: "By", "s", "1", or what is counted in braces: "{request}". */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly L[];
}

/** Values of a metric's labels. */
export type Labels<L extends string = string> = Readonly<Record<L, string>>;

/** One measured value with its labels. */
export interface Sample<L extends string = string> {
  readonly labels: Labels<L>;
  readonly value: number;
}

/** A metric keeps at most this many label sets; what comes later is counted together under "other". */
const MAX_SERIES = 2000;

/** Series whose first labels have the same values. */
class SeriesNode<S> {
  /** By the value of the next label. */
  readonly next = new Map<string, SeriesNode<S>>();
  /** Where no label is left. */
  series: S | undefined;
}

/** The series of a metric by label set: label by label, for joining their values costs more than looking each of them up. */
class SeriesTable<L extends string, S> {
  readonly #labels: readonly L[];
  readonly #make: (labels: Labels<L>) => S;
  readonly #root = new SeriesNode<S>();
  readonly #series: S[] = [];
  #overflow: S | undefined;

  constructor(labels: readonly L[], make: (labels: Labels<L>) => S) {
    this.#labels = labels;
    this.#make = make;
  }

  resolve(labels: Labels<L>): S {
    let node: SeriesNode<S> | undefined = this.#root;
    for (const label of this.#labels) {
      node = node.next.get(labels[label]);
      if (node === undefined) break;
    }
    return node?.series ?? this.#added(labels);
  }

  #added(labels: Labels<L>): S {
    if (this.#series.length >= MAX_SERIES) {
      this.#overflow ??= this.#make(this.#pick(() => "other"));
      return this.#overflow;
    }
    let node = this.#root;
    for (const label of this.#labels) {
      const value = labels[label];
      let next = node.next.get(value);
      if (next === undefined) {
        next = new SeriesNode();
        node.next.set(value, next);
      }
      node = next;
    }
    const series = this.#make(this.#pick((label) => labels[label]));
    node.series = series;
    this.#series.push(series);
    return series;
  }

  *all(): Iterable<S> {
    yield* this.#series;
    if (this.#overflow !== undefined) yield this.#overflow;
  }

  #pick(value: (label: L) => string): Labels<L> {
    return Object.fromEntries(this.#labels.map((label) => [label, value(label)])) as Labels<L>;
  }
}

/** One label set of a counter. Keep it where counting is hot. */
export class CounterSeries<L extends string = string> implements Sample<L> {
  readonly labels: Labels<L>;
  #value = 0;

  constructor(labels: Labels<L>) {
    this.labels = labels;
  }

  get value(): number {
    return this.#value;
  }

  /** Adds `n`, which is not negative. */
  add(n: number): void {
    this.#value += n;
  }
}

/** A sum that only grows. */
export class Counter<L extends string = string> {
  readonly definition: MetricDefinition<L>;
  readonly #table: SeriesTable<L, CounterSeries<L>>;

  constructor(definition: MetricDefinition<L>) {
    this.definition = definition;
    this.#table = new SeriesTable(definition.labels, (labels) => new CounterSeries(labels));
  }

  /** The series of a label set. */
  with(labels: Labels<L>): CounterSeries<L> {
    return this.#table.resolve(labels);
  }

  series(): Iterable<CounterSeries<L>> {
    return this.#table.all();
  }
}

/** A value of this moment, asked for when somebody looks. Also serves counters that are kept elsewhere. */
export class Gauge<L extends string = string> {
  readonly definition: MetricDefinition<L>;
  readonly #read: () => number | undefined | Iterable<Sample<L>>;

  constructor(definition: MetricDefinition<L>, read: () => number | undefined | Iterable<Sample<L>>) {
    this.definition = definition;
    this.#read = read;
  }

  series(): Iterable<Sample<L>> {
    const value = this.#read();
    if (value === undefined) return [];
    return typeof value === "number" ? [{ labels: {} as Labels<L>, value }] : value;
  }
}

/** The last traced value of a bucket. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** One label set of a histogram. */
export class HistogramSeries<L extends string = string> {
  readonly labels: Labels<L>;
  readonly bounds: readonly number[];
  /** Counts by bucket; one more than there are bounds. */
  readonly counts: Float64Array;
  readonly #exemplars: (Exemplar | undefined)[];
  #sum = 0;

  constructor(labels: Labels<L>, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
    this.#exemplars = new Array<Exemplar | undefined>(bounds.length + 1);
  }

  /** Sum of all values. */
  get sum(): number {
    return this.#sum;
  }

  /** Counts a value (seconds, for durations). A trace id, given where the trace is kept, becomes the bucket's exemplar. */
  observe(value: number, traceId?: string): void {
    const { bounds } = this;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    this.counts[index]! += 1;
    this.#sum += value;
    if (traceId !== undefined) this.#exemplars[index] = { traceId, value, atMs: Date.now() };
  }

  /** The last traced value of a bucket. */
  exemplar(bucket: number): Exemplar | undefined {
    return this.#exemplars[bucket];
  }
}

/** Values counted by buckets: LATENCY_BOUNDS_S unless told otherwise. */
export class Histogram<L extends string = string> {
  readonly definition: MetricDefinition<L>;
  readonly #table: SeriesTable<L, HistogramSeries<L>>;

  constructor(definition: MetricDefinition<L>, bounds: readonly number[] = LATENCY_BOUNDS_S) {
    this.definition = definition;
    this.#table = new SeriesTable(definition.labels, (labels) => new HistogramSeries(labels, bounds));
  }

  /** The series of a label set. */
  with(labels: Labels<L>): HistogramSeries<L> {
    return this.#table.resolve(labels);
  }

  series(): Iterable<HistogramSeries<L>> {
    return this.#table.all();
  }
}

/** Any of the three. */
export type Metric = Counter | Gauge | Histogram;

/** The metrics of one process. */
export class MetricRegistry {
  readonly #metrics = new Map<string, Metric>();

  /** @throws RL_INTERNAL when the name is taken */
  counter<L extends string>(definition: MetricDefinition<L>): Counter<L> {
    return this.#add(new Counter(definition));
  }

  /** @throws RL_INTERNAL when the name is taken */
  gauge<L extends string>(
    definition: MetricDefinition<L>,
    read: () => number | undefined | Iterable<Sample<L>>,
  ): Gauge<L> {
    return this.#add(new Gauge(definition, read));
  }

  /** @throws RL_INTERNAL when the name is taken */
  histogram<L extends string>(definition: MetricDefinition<L>, bounds?: readonly number[]): Histogram<L> {
    return this.#add(new Histogram(definition, bounds));
  }

  /** All, in the order of their registration. */
  metrics(): Iterable<Metric> {
    return this.#metrics.values();
  }

  #add<M extends { readonly definition: MetricDefinition<never> | MetricDefinition }>(metric: M): M {
    const { name } = metric.definition;
    if (this.#metrics.has(name)) throw new RinglightError("RL_INTERNAL", `the metric ${name} is registered twice`);
    this.#metrics.set(name, metric as unknown as Metric);
    return metric;
  }
}
