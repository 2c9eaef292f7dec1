/** Rows of the table: what was compared with what, how it came out over the rounds, and the bar that it is held to. */
import { median } from "../statistics.ts";
import { byteRate, cpuMicros, cpuSecondsPerGb, type Measured, requestRate, requestsPerCpuSecond } from "./measured.ts";

/** Median, least and greatest of the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What a row must reach. */
export interface Bar {
  readonly kind: "at least" | "at most";
  readonly value: number;
  /** What is aimed at beyond it. */
  readonly aim?: number;
}

/** Figures of one side beside the ratio: medians. */
export interface SideFigures {
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly cpuMicrosPerRequest: number;
  readonly cpuSecondsPerGb: number;
  readonly generatorShare: number;
  /** CPU seconds of the servers a second: 1 is a whole core. */
  readonly serverShare: number;
}

/** A row. */
export interface Row {
  readonly case: string;
  /** What the figure is measured against; empty for a figure that stands alone. */
  readonly reference: string;
  readonly value: Spread | undefined;
  /** "x" for ratios. */
  readonly unit: string;
  /** Absent for what is printed for comparison only. */
  readonly bar?: Bar;
  /** Requests that a second of our CPU time carries over what one of theirs does: the ratio without the machine's moods. */
  readonly perCpu?: Spread;
  readonly ours?: SideFigures;
  readonly theirs?: SideFigures;
  /** Why there is no figure, or what to know about it. */
  readonly note?: string;
}

/** Median, least and greatest. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Medians of a side's rounds. */
export function figures(rounds: readonly Measured[]): SideFigures {
  const of = (value: (measured: Measured) => number) => median(rounds.map(value));
  return {
    requestsPerSecond: of(requestRate),
    bytesPerSecond: of(byteRate),
    p50Us: of(({ p50Us }) => p50Us),
    p99Us: of(({ p99Us }) => p99Us),
    cpuMicrosPerRequest: of(cpuMicros),
    cpuSecondsPerGb: of(cpuSecondsPerGb),
    generatorShare: of(({ generatorShare }) => generatorShare),
    serverShare: of(({ serverCpuSeconds, seconds }) => serverCpuSeconds / seconds),
  };
}

/** What a comparison of two sides is made of. */
export interface Comparison {
  readonly case: string;
  readonly reference: string;
  readonly ours: readonly Measured[];
  readonly theirs: readonly Measured[];
  /** The figure that is compared; requests a second when left out. */
  readonly figure?: (measured: Measured) => number;
  readonly bar?: Bar;
  readonly note?: string;
}

/** A row of ratios, ours over theirs in the same round. */
export function ratioRow({ ours, theirs, figure = requestRate, bar, note, ...names }: Comparison): Row {
  const ratios = ours.map((measured, round) => figure(measured) / figure(theirs[round] ?? measured));
  return {
    ...names,
    value: spread(ratios),
    unit: "x",
    ...(bar && { bar }),
    perCpu: spread(
      ours.map((measured, round) => requestsPerCpuSecond(measured) / requestsPerCpuSecond(theirs[round] ?? measured)),
    ),
    ours: figures(ours),
    theirs: figures(theirs),
    ...(note !== undefined && { note }),
  };
}

/** A row of differences, ours less theirs in the same round. */
export function differenceRow(
  { ours, theirs, figure = requestRate, bar, note, ...names }: Comparison,
  unit: string,
): Row {
  const differences = ours.map((measured, round) => figure(measured) - figure(theirs[round] ?? measured));
  return {
    ...names,
    value: spread(differences),
    unit,
    ...(bar && { bar }),
    ours: figures(ours),
    theirs: figures(theirs),
    ...(note !== undefined && { note }),
  };
}

/** A row without a figure: why it could not be measured. */
export function refusedRow(name: string, reference: string, why: string, bar?: Bar): Row {
  return { case: name, reference, value: undefined, unit: "", ...(bar && { bar }), note: why };
}

/** Whether the row reaches its bar; undefined without a bar. A bar without a figure is not reached. */
export function verdict({ bar, value }: Row): "pass" | "short" | undefined {
  if (bar === undefined) return undefined;
  if (value === undefined || Number.isNaN(value.median)) return "short";
  const reached = bar.kind === "at least" ? value.median >= bar.value : value.median <= bar.value;
  return reached ? "pass" : "short";
}
