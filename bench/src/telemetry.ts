/**
 * `bench telemetry`: what telemetry costs the fastest reads. Workers are alike but for OTEL_SDK_DISABLED: two send spans, lines and
 * counts to a receiver, with the settings that they have by default; two send nothing. What the two of a side differ by is what
 * this machine cannot tell apart. A last one samples every trace, to show what a span costs where it is wanted.
 *
 * Two processes of one program differ by some percent for as long as they live (where their memory lies, what was compiled
 * when), and a machine's mood changes within a second. So a side is two processes, whose mean varies half as much; workers are
 * started anew for each round, a round is cut into slices of all sides in turn (on, off, off, on, and the other way round), and the
 * interval takes the starts as its units, not the rounds. Besides, the worker's own CPU profile says
 * what share of its time telemetry's functions take: a busy machine makes all functions slow alike, and the share stays.
 */
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { ProcessServiceClient } from "@ringlight/proto";
import { callStream, connectGrpc } from "@ringlight/rpc";
import { BenchProcess } from "./bench-process.ts";
import { type CpuProfile, type Frame, foldProfile } from "./dataplane/cpu-profile.ts";
import { cpuMicros, type Measured, requestRate } from "./dataplane/measured.ts";
import { getLines } from "./dataplane/requests.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { BUCKET, type Effort, Stage } from "./dataplane/stage.ts";
import { type Interval, ratioInterval } from "./results/bootstrap.ts";
import { median } from "./statistics.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const OBJECTS = { prefix: "o", count: 16, bytes: MIB };
const RANGE_BYTES = 4 * KIB;
const CONNECTIONS = 16;
/** Seconds of load on the measured connections before a slice is measured. */
const LEAD_SECONDS = 0.1;
/** Seconds of load on each worker that was just started: its hot code is compiled then. */
const WARM_SECONDS = 2;
/** Slices of a round; each has all sides in turn, forth and back. */
const SLICES = 4;
/** Rounds that the same processes serve: by two, the two starts of four rounds could not tell 4 % from nothing. */
const ROUNDS_A_START = 1;
/** Rounds in which a worker that samples every trace takes part: it costs much, which few rounds show. */
const SAMPLED_ROUNDS = 4;
/** Seconds of a CPU profile, one a start. */
const PROFILE_SECONDS = 3;
/** Telemetry may cost so much of the requests a second, and of the CPU time of a request. */
const ALLOWED = 0.03;
const CONFIDENCE = 0.95;

type SideName = "on" | "onAgain" | "off" | "offAgain" | "everySampled";
/** Slices of each side in one round; none of a side that did not take part. */
type Round = Record<SideName, Measured[]>;

/** What one side came to: medians of the rounds. */
interface SideFigures {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
}

/** One side against another: requests a second, and CPU time a request. */
interface Comparison {
  readonly requestsPerSecond: Interval;
  readonly cpuPerRequest: Interval;
}

/** Shares of a worker's CPU time, idle time left out, by its profile. */
export interface ProfileShares {
  /** Sampling traces, making spans and sending them: what OTEL_SDK_DISABLED ends. */
  readonly traces: number;
  /** Counters and histograms, which count always. */
  readonly counts: number;
}

/** "undecided": the interval holds the bar, so that this run cannot tell. */
export type TelemetryVerdict = "kept" | "missed" | "undecided";

/** What the comparison came to. */
export interface TelemetryFigures {
  readonly rounds: number;
  readonly starts: number;
  /** Load average of the machine at the beginning, over a minute: 0 is a machine with nothing else to do. */
  readonly loadBefore: number;
  readonly sides: Readonly<Record<SideName, SideFigures>>;
  /** The mean of both that are on against the mean of both that are off. */
  readonly onAgainstOff: Comparison;
  /** One of each against the other of each, which are equal: what this machine tells apart now. */
  readonly againAgainstFirst: Comparison;
  readonly everySampledAgainstOff: Comparison;
  /** Of the side that is on. */
  readonly profile: ProfileShares;
  readonly byRequests: TelemetryVerdict;
  readonly byCpu: TelemetryVerdict;
  /** By the requests a second; where they leave it open, by the CPU time. */
  readonly verdict: TelemetryVerdict;
}

/** Runs the comparison. */
export async function benchTelemetry(effort: Effort, progress: (line: string) => void): Promise<TelemetryFigures> {
  const loadBefore = loadavg()[0] ?? 0;
  const stage = new Stage(effort, progress);
  try {
    const sink = helper(stage, "otlp-sink-main.ts");
    const origin = helper(stage, "origin-main.ts", [
      JSON.stringify([{ prefix: OBJECTS.prefix, count: OBJECTS.count, sizeBytes: OBJECTS.bytes }]),
    ]);
    const { url } = await sink.line((line) => JSON.parse(line) as { url: string });
    const { endpoint } = await origin.line((line) => JSON.parse(line) as { endpoint: string });
    const starts: Round[][] = [];
    const profiles: ProfileShares[] = [];
    for (let done = 0; done < effort.rounds; ) {
      const rounds = Math.min(ROUNDS_A_START, effort.rounds - done);
      progress(`round ${done + 1} of ${effort.rounds}, ${effort.seconds} s a side`);
      const { taken, profile } = await roundsOfOneStart(stage, { url, endpoint, rounds, first: done });
      starts.push(taken);
      profiles.push(profile);
      done += rounds;
    }
    return figuresOf(starts, profiles, loadBefore);
  } finally {
    await stage.close();
  }
}

interface Start {
  /** Of the receiver. */
  readonly url: string;
  /** Of the store. */
  readonly endpoint: string;
  readonly rounds: number;
  readonly first: number;
}

/** Starts a worker a side, and measures some rounds of them. */
async function roundsOfOneStart(
  stage: Stage,
  { url, endpoint, rounds, first }: Start,
): Promise<{ readonly taken: Round[]; readonly profile: ProfileShares }> {
  const clusters: Ringlight[] = [];
  const side = async (flags: readonly string[], env: Readonly<Record<string, string>>) => {
    const ringlight = await Ringlight.start(stage, { mem: "256MiB", flags, env });
    clusters.push(ringlight);
    await ringlight.mount({ endpoint });
    const door = await ringlight.door(`${OBJECTS.prefix}0`);
    const targets = stage.generator.targets(getLines(door, OBJECTS));
    for (let index = 0; index < OBJECTS.count; index++) {
      const answer = await fetch(`http://127.0.0.1:${door.port}/${BUCKET}/${OBJECTS.prefix}${index}`);
      await answer.arrayBuffer();
    }
    return (seconds: number, warmSeconds: number, seed: number) =>
      stage.generator.load({
        endpoints: [{ port: door.port, targets }],
        connections: CONNECTIONS,
        seconds,
        warmSeconds,
        range: { bytes: RANGE_BYTES, objectBytes: OBJECTS.bytes },
        pids: ringlight.pids(),
        seed,
      });
  };
  const off = { OTEL_SDK_DISABLED: "true" };
  const on = [`--console-url=${url}`];
  // In this order there and back, no side is nearer to either end than another.
  const sides = {
    on: await side(on, {}),
    off: await side([], off),
    offAgain: await side([], off),
    onAgain: await side(on, {}),
    ...(first < SAMPLED_ROUNDS && { everySampled: await side([...on, "--trace-ratio=1"], {}) }),
  };
  const runners = Object.entries(sides) as [SideName, Awaited<ReturnType<typeof side>>][];
  for (const [, run] of runners) await run(WARM_SECONDS, 0, 1);
  const taken: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured: Round = { on: [], onAgain: [], off: [], offAgain: [], everySampled: [] };
    for (let slice = 0; slice < SLICES; slice++) {
      // Who is first changes with every round, and the way back with every slice.
      const turned = runners.map((_, place) => runners[(place + first + round) % runners.length]!);
      for (const [name, run] of slice % 2 === 0 ? turned : turned.reverse()) {
        measured[name].push(await run(stage.effort.seconds / SLICES, LEAD_SECONDS, slice + 1));
      }
    }
    taken.push(measured);
  }
  const load = sides.on(PROFILE_SECONDS + 1, 0, 1);
  const profile = sharesOf(foldProfile(await profileOf(clusters[0]?.worker.grpcPort ?? 0)));
  await load;
  for (const cluster of clusters) await cluster.stop();
  return { taken, profile };
}

/** A worker's CPU profile, by its own gRPC endpoint. */
async function profileOf(grpcPort: number): Promise<CpuProfile> {
  const client = connectGrpc(ProcessServiceClient, `127.0.0.1:${grpcPort}`, {});
  try {
    const parts: Uint8Array[] = [];
    const deadlineMs = (PROFILE_SECONDS + 30) * 1000;
    const stream = callStream(client, "takeCpuProfile", { seconds: PROFILE_SECONDS }, { deadlineMs });
    for await (const { data } of stream) parts.push(data);
    return JSON.parse(Buffer.concat(parts).toString("utf8")) as CpuProfile;
  } finally {
    client.close();
  }
}

const COUNTS = /^(libs\/telemetry\/src\/metrics\.ts|apps\/worker\/src\/statistics\.ts)/;
/** The S3 port has a parser of its own: Node's HTTP is what spans are sent by. */
const TRACES = /^(libs\/telemetry\/|node:_http_|node:internal\/http)/;

/** Time in telemetry's functions and in what they call. Exported for its test. */
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

function helper(stage: Stage, script: string, args: readonly string[] = []): BenchProcess {
  const started = new BenchProcess(script, fileURLToPath(new URL(script, import.meta.url)), args);
  stage.onClose(() => started.stop());
  return started;
}

/** One figure of one side in one round: the median of its slices, which one disturbed slice does not move. */
const ofRound = (slices: readonly Measured[], figure: (measured: Measured) => number) => median(slices.map(figure));

/** Exported for its test. */
export function figuresOf(
  starts: readonly (readonly Round[])[],
  profiles: readonly ProfileShares[],
  loadBefore: number,
): TelemetryFigures {
  const rounds = starts.flat();
  const sideOf = (name: SideName): SideFigures => {
    const taken = rounds.filter((round) => round[name].length > 0);
    return {
      requestsPerSecond: median(taken.map((round) => ofRound(round[name], requestRate))),
      cpuMicrosPerRequest: median(taken.map((round) => ofRound(round[name], cpuMicros))),
    };
  };
  const compare = (
    b: readonly SideName[],
    a: readonly SideName[],
    figure: (measured: Measured) => number,
  ): Interval => {
    const complete = starts.filter((some) =>
      some.every((round) => [...a, ...b].every((name) => round[name].length > 0)),
    );
    const ofStarts = (names: readonly SideName[]) =>
      complete.map((some) => geometricMean(some.flatMap((round) => names.map((name) => ofRound(round[name], figure)))));
    return ratioInterval(ofStarts(a), ofStarts(b), { paired: true, confidence: CONFIDENCE });
  };
  const against = (b: readonly SideName[], a: readonly SideName[]): Comparison => ({
    requestsPerSecond: compare(b, a, requestRate),
    cpuPerRequest: compare(b, a, cpuMicros),
  });
  const onAgainstOff = against(["on", "onAgain"], ["off", "offAgain"]);
  const { low, high } = onAgainstOff.requestsPerSecond;
  const byRequests = low >= 1 - ALLOWED ? "kept" : high < 1 - ALLOWED ? "missed" : "undecided";
  const cpu = onAgainstOff.cpuPerRequest;
  const byCpu = cpu.high <= 1 + ALLOWED ? "kept" : cpu.low > 1 + ALLOWED ? "missed" : "undecided";
  return {
    rounds: rounds.length,
    starts: starts.length,
    loadBefore,
    sides: {
      on: sideOf("on"),
      onAgain: sideOf("onAgain"),
      off: sideOf("off"),
      offAgain: sideOf("offAgain"),
      everySampled: sideOf("everySampled"),
    },
    onAgainstOff,
    againAgainstFirst: against(["onAgain", "offAgain"], ["on", "off"]),
    everySampledAgainstOff: against(["everySampled"], ["off", "offAgain"]),
    profile: {
      traces: median(profiles.map(({ traces }) => traces)),
      counts: median(profiles.map(({ counts }) => counts)),
    },
    byRequests,
    byCpu,
    verdict: byRequests === "undecided" ? byCpu : byRequests,
  };
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

const SENTENCES: Readonly<Record<TelemetryVerdict, string>> = {
  kept: "KEPT",
  missed: "MISSED",
  undecided: "UNDECIDED: the intervals hold the bar; more rounds, or a machine with no other work, can tell",
};

/** The figures as people read them. */
export function telemetryText(figures: TelemetryFigures): string {
  const { rounds, starts, loadBefore, sides, byRequests, byCpu, verdict } = figures;
  const row = (name: string, { requestsPerSecond, cpuMicrosPerRequest }: SideFigures) =>
    `  ${name.padEnd(22)} ${Math.round(requestsPerSecond).toString().padStart(8)} requests/s  ${cpuMicrosPerRequest.toFixed(2).padStart(6)} µs of CPU a request`;
  const percent = (value: number) => `${value >= 1 ? "+" : ""}${((value - 1) * 100).toFixed(1)} %`;
  const share = (value: number) => `${(value * 100).toFixed(2)} %`;
  const interval = ({ estimate, low, high }: Interval) =>
    `${percent(estimate).padStart(8)} (${percent(low)} to ${percent(high)})`;
  const comparison = (name: string, { requestsPerSecond, cpuPerRequest }: Comparison) =>
    `  ${name.padEnd(30)} requests/s ${interval(requestsPerSecond)}   CPU a request ${interval(cpuPerRequest)}`;
  return [
    `warm 4 KiB range GETs, ${CONNECTIONS} connections, medians of ${rounds} paired rounds over ${starts} starts of the workers; load of the machine before ${loadBefore.toFixed(1)}`,
    row("telemetry on", sides.on),
    row("telemetry on, again", sides.onAgain),
    row("telemetry off", sides.off),
    row("telemetry off, again", sides.offAgain),
    row("every trace sampled", sides.everySampled),
    `ratios with their ${CONFIDENCE * 100} % intervals:`,
    comparison("on against off", figures.onAgainstOff),
    comparison("again against first (equal)", figures.againAgainstFirst),
    comparison("every trace sampled against off", figures.everySampledAgainstOff),
    `by the CPU profile of the worker with telemetry on: ${share(figures.profile.traces)} of its time for traces and their sending, ${share(figures.profile.counts)} for counters and histograms (which count with telemetry off, too)`,
    `bar: within 3 % of requests/s. By requests/s ${byRequests}, by CPU time a request ${byCpu}: ${SENTENCES[verdict]}`,
  ].join("\n");
}
