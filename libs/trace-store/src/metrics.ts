/** Metrics as the store keeps and answers them. */

/** Labels of one series. */
export type MetricLabels = Readonly<Record<string, string>>;

/** counter: increases; gauge: values; histogram: increases by bucket. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** A known metric. */
export interface MetricInfo {
  readonly name: string;
  readonly kind: MetricKind;
  /** In UCUM: "s", "By", "1". */
  readonly unit: string;
  /** Labels with the values that were seen, at most 200 each. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** When a point last came. */
  readonly lastMs: number;
}

/**
 * How points of one step and one group become one number. Counters: `rate` (a second) or `increase`. Gauges: `sum`, `avg`,
 * `min` or `max` over the series of the group, of each one's last value in the step. Histograms: `quantile`, `avg`,
 * `rate` and `increase` (of the count).
 */
export type MetricFunction = "rate" | "increase" | "sum" | "avg" | "min" | "max" | "quantile";

/** What to draw. */
export interface MetricQuery {
  readonly metric: string;
  /** Left out: rate of a counter, sum of a gauge, quantile of a histogram. */
  readonly fn?: MetricFunction;
  /** Of `quantile`, 0 to 1: one series each; [0.5, 0.95, 0.99] if left out. */
  readonly quantiles?: readonly number[];
  /** Label → the values of which one must hold. */
  readonly filter?: Readonly<Record<string, readonly string[]>>;
  /** Labels that stay apart; all others are summed up. */
  readonly groupBy?: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Left out: as fine as about 300 points and the resolution allow. */
  readonly stepMs?: number;
  /** False for an answer without exemplars: to look for them costs more than the numbers. */
  readonly exemplars?: boolean;
}

/** One line of a chart. */
export interface MetricSeries {
  readonly labels: MetricLabels;
  /** Set for `quantile`. */
  readonly quantile?: number;
  /** One for each of the answer's times; null where nothing is known. */
  readonly values: readonly (number | null)[];
}

/** A measured value that stands for others near it, with the trace that it was measured in. */
export interface MetricExemplar {
  readonly atMs: number;
  readonly value: number;
  readonly traceId: string;
  readonly labels: MetricLabels;
}

/** Answer to a metric query. */
export interface MetricResult {
  readonly metric: string;
  readonly kind: MetricKind;
  readonly unit: string;
  readonly fn: MetricFunction;
  readonly stepMs: number;
  /** Of the stored points: 1,000 for the last hour, 10,000 for the last day, 300,000 for the last 30 days. */
  readonly resolutionMs: number;
  /** Start of each step, milliseconds. */
  readonly times: readonly number[];
  readonly series: readonly MetricSeries[];
  /** True when there were more series than are answered (the largest are). */
  readonly truncated: boolean;
  readonly exemplars: readonly MetricExemplar[];
}
