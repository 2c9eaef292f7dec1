/** What the windows of `bench telemetry` come to: ratios with their intervals, whose units are the starts of the worker. */

import type { Frame } from "./dataplane/cpu-profile.ts";
import type { Window } from "./dataplane/generator.ts";
import { cpuMicros, requestRate } from "./dataplane/measured.ts";
import { type Interval, ratioInterval } from "./results/bootstrap.ts";
import { median } from "./statistics.ts";

/** Telemetry may cost so much of the requests a second, and of the CPU time of a request. */
const ALLOWED = 0.03;
const CONFIDENCE = 0.95;

/** A window by the letter of its state. */
export interface LetteredWindow extends Window {
  readonly letter: string;
}

/** One start of the worker: its windows in their order, and what its profile says. */
export interface StartOfWorker {
  /** The state in which it was started, which no switch had touched yet. */
  readonly born: "on" | "off";
  /** Windows in that state, letter v. */
  readonly virgin: readonly LetteredWindow[];
  /** Four by four: each four has two of either of its letters, in the order of ABBA. */
  readonly switched: readonly LetteredWindow[];
  /** Four with every trace sampled (s), against off (0). */
  readonly sampled: readonly LetteredWindow[];
  readonly profile: ProfileShares;
}

/** Shares of a worker's CPU time, idle time left out, by its profile. */
export interface ProfileShares {
  /** Sampling traces, making spans and sending them: what OTEL_SDK_DISABLED ends. */
  readonly traces: number;
  /** Counters and histograms, which count always. */
  readonly counts: number;
}

/** What one state came to: medians of all windows. */
interface SideFigures {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
}

/** One state against another: requests a second, and CPU time a request. */
interface Comparison {
  readonly requestsPerSecond: Interval;
  readonly cpuPerRequest: Interval;
}

/** "undecided": the interval holds the bar, so that this run cannot tell. */
export type TelemetryVerdict = "kept" | "missed" | "undecided";

/** What the comparison came to. */
export interface TelemetryFigures {
  readonly starts: number;
  readonly windowsAStart: number;
  /** Load average of the machine at the beginning, over a minute: 0 is a machine with nothing else to do. */
  readonly loadBefore: number;
  readonly on: SideFigures;
  readonly off: SideFigures;
  readonly everySampled: SideFigures;
  readonly onAgainstOff: Comparison;
  /** Telemetry on against telemetry on, switched as often: what this method tells apart where nothing differs. */
  readonly onAgainstOn: Comparison;
  /**
   * A worker that was never on against one that was switched off: how much a worker of before its first switch differs from the same
   * worker in the same state later, with what a worker that began on differs by taken off.
   */
  readonly neverOnAgainstOff: Comparison;
  readonly everySampledAgainstOff: Comparison;
  /** With telemetry on. */
  readonly profile: ProfileShares;
  readonly byRequests: TelemetryVerdict;
  readonly byCpu: TelemetryVerdict;
  /** By the requests a second; where they leave it open, by the CPU time. */
  readonly verdict: TelemetryVerdict;
}

type Figure = (window: Window) => number;

const geometricMean = (values: readonly number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** Of a state's windows; NaN where there are none. */
const ofLetter = (windows: readonly LetteredWindow[], letter: string, figure: Figure) =>
  geometricMean(windows.filter((window) => window.letter === letter).map(figure));

/** The mean of the middle half, which disturbed windows do not move. */
function middleMean(values: readonly number[]): number {
  const cut = Math.floor(values.length / 4);
  return geometricMean(values.toSorted((a, b) => a - b).slice(cut, values.length - cut));
}

/** One letter against another in a start, by its fours. */
function ratioOfStart(windows: readonly LetteredWindow[], b: string, a: string, figure: Figure): number {
  const ratios: number[] = [];
  for (let at = 0; at < windows.length; at += 4) {
    const four = windows.slice(at, at + 4);
    if (four.some(({ letter }) => letter === a)) ratios.push(ofLetter(four, b, figure) / ofLetter(four, a, figure));
  }
  return middleMean(ratios);
}

/** The mean of ratios, each of a start. */
const intervalOf = (ratios: readonly number[]) =>
  ratioInterval(
    ratios.map(() => 1),
    ratios,
    { paired: true, confidence: CONFIDENCE },
  );

/** Works the figures out. */
export function figuresOf(starts: readonly StartOfWorker[], loadBefore: number): TelemetryFigures {
  const all = starts.flatMap(({ switched, sampled }) => [...switched, ...sampled]);
  const sideOf = (letter: string): SideFigures => {
    const windows = all.filter((window) => window.letter === letter);
    return {
      requestsPerSecond: median(windows.map(requestRate)),
      cpuMicrosPerRequest: median(windows.map(cpuMicros)),
    };
  };
  const compared = (compare: (figure: Figure) => Interval): Comparison => ({
    requestsPerSecond: compare(requestRate),
    cpuPerRequest: compare(cpuMicros),
  });
  const against = (b: string, a: string, of: (start: StartOfWorker) => readonly LetteredWindow[]) =>
    compared((figure) => intervalOf(starts.map((start) => ratioOfStart(of(start), b, a, figure))));
  const onAgainstOff = against("1", "0", ({ switched }) => switched);
  const beforeSwitches = (born: StartOfWorker["born"], figure: Figure) =>
    starts
      .filter((start) => start.born === born)
      .map(({ virgin, switched }) => {
        const later = switched.filter(({ letter }) => letter === (born === "on" ? "1" : "0"));
        return middleMean(virgin.map(figure)) / middleMean(later.map(figure));
      });
  const { low, high } = onAgainstOff.requestsPerSecond;
  const byRequests = low >= 1 - ALLOWED ? "kept" : high < 1 - ALLOWED ? "missed" : "undecided";
  const cpu = onAgainstOff.cpuPerRequest;
  const byCpu = cpu.high <= 1 + ALLOWED ? "kept" : cpu.low > 1 + ALLOWED ? "missed" : "undecided";
  return {
    starts: starts.length,
    windowsAStart: starts[0]?.switched.length ?? 0,
    loadBefore,
    on: sideOf("1"),
    off: sideOf("0"),
    everySampled: sideOf("s"),
    onAgainstOff,
    onAgainstOn: against("b", "a", ({ switched }) => switched),
    neverOnAgainstOff: compared((figure) =>
      ratioInterval(beforeSwitches("on", figure), beforeSwitches("off", figure), {
        paired: false,
        confidence: CONFIDENCE,
      }),
    ),
    everySampledAgainstOff: against("s", "0", ({ sampled }) => sampled),
    profile: {
      traces: median(starts.map(({ profile }) => profile.traces)),
      counts: median(starts.map(({ profile }) => profile.counts)),
    },
    byRequests,
    byCpu,
    verdict: byRequests === "undecided" ? byCpu : byRequests,
  };
}

const COUNTS = /^(libs\/telemetry\/src\/metrics\.ts|apps\/worker\/src\/statistics\.ts)/;
/** The S3 port has a parser of its own: Node's HTTP is what spans are sent by. */
const TRACES = /^(libs\/telemetry\/|node:_http_|node:internal\/http)/;

/** Time in telemetry's functions and in what they call. */
export function sharesOf(root: Frame): ProfileShares {
  let [traces, counts] = [0, 0];
  const visit = (frame: Frame) => {
    if (COUNTS.test(frame.where)) counts += frame.total;
    else if (TRACES.test(frame.where) || frame.name === "#span") traces += frame.total;
    else for (const child of frame.children) visit(child);
  };
  visit(root);
  return { traces: traces / root.total, counts: counts / root.total };
}

const SENTENCES: Readonly<Record<TelemetryVerdict, string>> = {
  kept: "KEPT",
  missed: "MISSED",
  undecided: "UNDECIDED: the intervals hold the bar; more rounds, or a machine with no other work, can tell",
};

/** The figures as people read them. */
export function telemetryText(figures: TelemetryFigures): string {
  const { starts, windowsAStart, loadBefore, byRequests, byCpu, verdict } = figures;
  const row = (name: string, { requestsPerSecond, cpuMicrosPerRequest }: SideFigures) =>
    `  ${name.padEnd(22)} ${Math.round(requestsPerSecond).toString().padStart(8)} requests/s  ${cpuMicrosPerRequest.toFixed(2).padStart(6)} µs of CPU a request`;
  const percent = (value: number) =>
    Number.isFinite(value) ? `${value >= 1 ? "+" : ""}${((value - 1) * 100).toFixed(2)} %` : "?";
  const share = (value: number) => `${(value * 100).toFixed(2)} %`;
  const interval = ({ estimate, low, high }: Interval) =>
    `${percent(estimate).padStart(9)} (${percent(low)} to ${percent(high)})`.padEnd(32);
  const comparison = (name: string, { requestsPerSecond, cpuPerRequest }: Comparison) =>
    `  ${name.padEnd(36)} requests/s ${interval(requestsPerSecond)} CPU a request ${interval(cpuPerRequest)}`.trimEnd();
  return [
    `warm 4 KiB range GETs, switched on and off within one worker: ${starts} starts of it, ${windowsAStart} windows each; load of the machine before ${loadBefore.toFixed(1)}`,
    row("telemetry on", figures.on),
    row("telemetry off", figures.off),
    row("every trace sampled", figures.everySampled),
    `ratios with their ${CONFIDENCE * 100} % intervals over the starts:`,
    comparison("on against off", figures.onAgainstOff),
    comparison("on against on (equal)", figures.onAgainstOn),
    comparison("never on against switched off", figures.neverOnAgainstOff),
    comparison("every trace sampled against off", figures.everySampledAgainstOff),
    `by the CPU profile with telemetry on: ${share(figures.profile.traces)} of the time for traces and their sending, ${share(figures.profile.counts)} for counters and histograms (which count with telemetry off, too)`,
    `bar: within 3 % of requests/s. By requests/s ${byRequests}, by CPU time a request ${byCpu}: ${SENTENCES[verdict]}`,
  ].join("\n");
}
