/**
 * `bench telemetry`: what telemetry costs the fastest reads, with the settings that it has by default and a receiver that takes it.
 *
 * Two processes of one program differ by some percent as long as they live (where their memory lies, what was compiled when): more
 * than what is to be measured. So telemetry is switched within one worker (telemetry-switch.ts), between windows of one load on the
 * same connections, in the order on, off, off, on and the other way round; the worker is started anew several times, and the interval
 * takes the starts as its units. As many windows compare on with on, switched alike: what they differ by is the method's own noise.
 *
 * What a window has to send is sent within it, and what a pause has before it, so that none pays for another: with windows of half a
 * second spans are sent twice as often as by a worker that nobody switches, which telemetry is charged with. The one thing in which a worker that was switched off
 * differs from one that never was on is what V8 has seen its code do; every other start begins off, the rest on, and what either
 * differs by from itself before its first switch says how much that is.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ProcessServiceClient } from "@ringlight/proto";
import { callStream, connectGrpc } from "@ringlight/rpc";
import { BenchProcess } from "./bench-process.ts";
import { type CpuProfile, foldProfile } from "./dataplane/cpu-profile.ts";
import { getLines } from "./dataplane/requests.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { BUCKET, type Effort, Stage } from "./dataplane/stage.ts";
import {
  figuresOf,
  type LetteredWindow,
  type StartOfWorker,
  sharesOf,
  type TelemetryFigures,
} from "./telemetry-figures.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const OBJECTS = { prefix: "o", count: 16, bytes: MIB };
const RANGE_BYTES = 4 * KIB;
const CONNECTIONS = 16;
/** Seconds of load on a worker that was just started: its hot code is compiled then. */
const WARM_SECONDS = 5;
/** Seconds between a switch and its window. */
const PAUSE_SECONDS = 0.1;
/** 1 is on, 0 off, a and b are on both; v is the state in which the worker was started. */
const VIRGIN = "v".repeat(8);
const SEQUENCES = ["1001abba0110baab", "0110baab1001abba"].map((one) => one.repeat(4));
const SAMPLED = "s00s";
/** Seconds of a CPU profile, one a start. */
const PROFILE_SECONDS = 3;
const PRELOAD = fileURLToPath(new URL("telemetry-switch.ts", import.meta.url));

/** Runs the comparison: a start of the worker a round. */
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
    const starts: StartOfWorker[] = [];
    for (let round = 0; round < effort.rounds; round++) {
      progress(`start ${round + 1} of ${effort.rounds}`);
      starts.push(await oneStart(stage, { url, endpoint, round }));
    }
    return figuresOf(starts, loadBefore);
  } finally {
    await stage.close();
  }
}

interface Start {
  /** Of the receiver. */
  readonly url: string;
  /** Of the store. */
  readonly endpoint: string;
  readonly round: number;
}

/** Starts a worker, and measures it in all its states. */
async function oneStart(stage: Stage, { url, endpoint, round }: Start): Promise<StartOfWorker> {
  const born = round % 2 === 0 ? "off" : "on";
  const socket = join(stage.directory, `switch-${round}`);
  const ringlight = await Ringlight.start(stage, {
    mem: "256MiB",
    flags: [`--console-url=${url}`],
    nodeFlags: ["--import", PRELOAD],
    env: { BENCH_SWITCH: socket, ...(born === "off" && { OTEL_SDK_DISABLED: "true" }) },
  });
  try {
    await ringlight.mount({ endpoint });
    const door = await ringlight.door(`${OBJECTS.prefix}0`);
    const targets = stage.generator.targets(getLines(door, OBJECTS));
    for (let index = 0; index < OBJECTS.count; index++) {
      const answer = await fetch(`http://127.0.0.1:${door.port}/${BUCKET}/${OBJECTS.prefix}${index}`);
      await answer.arrayBuffer();
    }
    const load = {
      endpoints: [{ port: door.port, targets }],
      connections: CONNECTIONS,
      range: { bytes: RANGE_BYTES, objectBytes: OBJECTS.bytes },
      pids: ringlight.pids(),
      seed: round + 1,
    };
    const windows = async (sequence: string): Promise<LetteredWindow[]> => {
      const { seconds } = stage.effort;
      const taken = await stage.generator.windows({ ...load, seconds, warmSeconds: PAUSE_SECONDS, socket, sequence });
      return taken.map((window, at) => ({ ...window, letter: sequence[at] ?? "" }));
    };
    await stage.generator.load({ ...load, seconds: WARM_SECONDS });
    // By two, for both the states of birth have both orders.
    const sequence = VIRGIN + SEQUENCES[Math.floor(round / 2) % 2];
    const taken = await windows(sequence);
    // It is on now.
    const loaded = stage.generator.load({ ...load, seconds: PROFILE_SECONDS + 1 });
    const profile = sharesOf(foldProfile(await profileOf(ringlight.worker.grpcPort)));
    await loaded;
    const sampled = await windows(SAMPLED);
    return { born, virgin: taken.slice(0, VIRGIN.length), switched: taken.slice(VIRGIN.length), sampled, profile };
  } finally {
    await ringlight.stop();
  }
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

function helper(stage: Stage, script: string, args: readonly string[] = []): BenchProcess {
  const started = new BenchProcess(script, fileURLToPath(new URL(script, import.meta.url)), args);
  stage.onClose(() => started.stop());
  return started;
}
