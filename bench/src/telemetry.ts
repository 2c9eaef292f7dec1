/**
 * `bench telemetry`: what telemetry costs the fastest reads. Two workers are alike but for OTEL_SDK_DISABLED: one sends spans,
 * lines and counts to a receiver, with the settings that it has by default; the other sends nothing. Warm ranged GETs of
 * 4 KiB go to both in turn, round by round. A third samples every trace, to show what a span costs where it is wanted.
 */
import { fileURLToPath } from "node:url";
import { BenchProcess } from "./bench-process.ts";
import { cpuMicros, type Measured, requestRate } from "./dataplane/measured.ts";
import { getLines } from "./dataplane/requests.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { interleave, type Side } from "./dataplane/rounds.ts";
import { BUCKET, type Effort, Stage } from "./dataplane/stage.ts";
import { median } from "./statistics.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const OBJECTS = { prefix: "o", count: 16, bytes: MIB };
const RANGE_BYTES = 4 * KIB;
const CONNECTIONS = 16;
/** Seconds of load on the measured connections before a round is measured. */
const LEAD_SECONDS = 0.3;
/** Telemetry may cost so much of the requests a second. */
const BAR = 0.97;

/** What one side came to: medians of the rounds. */
interface SideFigures {
  readonly requestsPerSecond: number;
  readonly cpuMicrosPerRequest: number;
}

/** What the comparison came to. */
export interface TelemetryFigures {
  readonly rounds: number;
  readonly on: SideFigures;
  readonly off: SideFigures;
  readonly everySampled: SideFigures;
  /** Requests a second with telemetry over those without, in the same round: median, least and greatest. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
  /** CPU time a request with telemetry over that without, in the same round: the median. */
  readonly cpuRatio: number;
  /** Whether the bar of 3 % is kept. */
  readonly kept: boolean;
}

/** Runs the comparison. */
export async function benchTelemetry(effort: Effort, progress: (line: string) => void): Promise<TelemetryFigures> {
  const stage = new Stage(effort, progress);
  try {
    const sink = helper(stage, "otlp-sink-main.ts");
    const origin = helper(stage, "origin-main.ts", [
      JSON.stringify([{ prefix: OBJECTS.prefix, count: OBJECTS.count, sizeBytes: OBJECTS.bytes }]),
    ]);
    const { url } = await sink.line((line) => JSON.parse(line) as { url: string });
    const { endpoint } = await origin.line((line) => JSON.parse(line) as { endpoint: string });
    const side = async (flags: readonly string[], env: Readonly<Record<string, string>>): Promise<Side> => {
      const ringlight = await Ringlight.start(stage, { mem: "256MiB", flags, env });
      await ringlight.mount({ endpoint });
      const door = await ringlight.door(`${OBJECTS.prefix}0`);
      const targets = stage.generator.targets(getLines(door, OBJECTS));
      for (let index = 0; index < OBJECTS.count; index++) {
        const answer = await fetch(`http://127.0.0.1:${door.port}/${BUCKET}/${OBJECTS.prefix}${index}`);
        await answer.arrayBuffer();
      }
      return (round) =>
        stage.generator.load({
          endpoints: [{ port: door.port, targets }],
          connections: CONNECTIONS,
          seconds: effort.seconds,
          warmSeconds: LEAD_SECONDS,
          range: { bytes: RANGE_BYTES, objectBytes: OBJECTS.bytes },
          pids: ringlight.pids(),
          seed: round + 1,
        });
    };
    const sides = {
      on: await side([`--console-url=${url}`], {}),
      off: await side([], { OTEL_SDK_DISABLED: "true" }),
      everySampled: await side([`--console-url=${url}`, "--trace-ratio=1"], {}),
    };
    progress(
      `warm 4 KiB range GETs, ${CONNECTIONS} connections, ${effort.rounds} rounds of ${effort.seconds} s a side`,
    );
    return figuresOf(await interleave(sides, effort.rounds), effort.rounds);
  } finally {
    await stage.close();
  }
}

function helper(stage: Stage, script: string, args: readonly string[] = []): BenchProcess {
  const started = new BenchProcess(script, fileURLToPath(new URL(script, import.meta.url)), args);
  stage.onClose(() => started.stop());
  return started;
}

function figuresOf(
  taken: Readonly<Record<"on" | "off" | "everySampled", readonly Measured[]>>,
  rounds: number,
): TelemetryFigures {
  const ofSide = (measured: readonly Measured[]): SideFigures => ({
    requestsPerSecond: median(measured.map(requestRate)),
    cpuMicrosPerRequest: median(measured.map(cpuMicros)),
  });
  const inRound = (figure: (measured: Measured) => number) =>
    taken.on.map((on, index) => figure(on) / figure(taken.off[index] ?? on));
  const ratios = inRound(requestRate);
  const ratio = { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
  return {
    rounds,
    on: ofSide(taken.on),
    off: ofSide(taken.off),
    everySampled: ofSide(taken.everySampled),
    ratio,
    cpuRatio: median(inRound(cpuMicros)),
    kept: ratio.median >= BAR,
  };
}

/** The figures as people read them. */
export function telemetryText({ rounds, on, off, everySampled, ratio, cpuRatio, kept }: TelemetryFigures): string {
  const row = (name: string, { requestsPerSecond, cpuMicrosPerRequest }: SideFigures) =>
    `  ${name.padEnd(22)} ${Math.round(requestsPerSecond).toString().padStart(8)} requests/s  ${cpuMicrosPerRequest.toFixed(1).padStart(6)} µs of CPU a request`;
  const percent = (value: number) => `${((value - 1) * 100).toFixed(1)} %`;
  return [
    `warm 4 KiB range GETs, ${CONNECTIONS} connections, medians of ${rounds} paired rounds`,
    row("telemetry on", on),
    row("telemetry off", off),
    row("every trace sampled", everySampled),
    `on against off: requests/s ${percent(ratio.median)} (rounds from ${percent(ratio.min)} to ${percent(ratio.max)}), CPU a request ${percent(cpuRatio)}`,
    `bar: within 3 % of requests/s: ${kept ? "kept" : "missed"}`,
  ].join("\n");
}
