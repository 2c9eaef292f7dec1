/** `bench cpu`: flame graphs and the hottest functions of a worker that serves warm and cold reads, and writes. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CpuProfile, foldProfile, type HotFunction, hottest, hottestFiles } from "./cpu-profile.ts";
import { flameGraph } from "./flame-graph.ts";
import type { LoadOptions } from "./generator.ts";
import { cpuMicros, requestRate } from "./measured.ts";
import { getLine, getLines, signedLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { OBJECTS, Stage } from "./stage.ts";
import { plainStore, sinkStore } from "./stores.ts";

const KIB = 1024;
const SHOWN = 25;
const FILES_SHOWN = 12;
const SAMPLE_MICROS = 250;

/** What is profiled, and how much of it. */
export interface CpuOptions {
  readonly seconds: number;
  /** Where the files go; made if it is not there. */
  readonly directory: string;
  /** Only subjects with this in their title. */
  readonly only?: string | undefined;
  readonly progress: (line: string) => void;
}

type SignedDoor = Parameters<typeof signedLine>[0];

/** A load that is profiled: warm ranges, warm objects, cold small objects, cold large ones; writes over a store that costs nothing. */
interface Subject {
  readonly name: string;
  readonly title: string;
  readonly warm: { readonly prefix: string; readonly count: number } | undefined;
  readonly writes?: true;
  readonly load: (door: SignedDoor, stage: Stage) => Omit<LoadOptions, "endpoints"> & { lines: string[] };
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "warm-4k",
    title: "warm 4 KiB ranges, 16 connections",
    warm: OBJECTS.large,
    load: (door, stage) => ({
      lines: getLines(door, OBJECTS.large),
      connections: 16,
      seconds: stage.effort.seconds,
      range: { bytes: 4 * KIB, objectBytes: OBJECTS.large.bytes },
    }),
  },
  {
    name: "warm-1m",
    title: "warm 1 MiB objects, 16 connections",
    warm: OBJECTS.small,
    load: (door, stage) => ({
      lines: getLines(door, OBJECTS.small),
      connections: 16,
      seconds: stage.effort.seconds,
      discard: true,
    }),
  },
  {
    name: "cold-4k",
    title: "cold 4 KiB objects, 64 connections",
    warm: undefined,
    load: (door, stage) => ({
      lines: coldLines(door, stage, "c4k", Math.ceil(stage.effort.seconds * 20_000)),
      connections: 64,
      seconds: stage.effort.seconds,
      order: "once",
    }),
  },
  {
    name: "cold-64m",
    title: "cold 64 MiB objects, 2 connections",
    warm: undefined,
    load: (door, stage) => ({
      lines: coldLines(door, stage, "c64m", Math.ceil(stage.effort.seconds * 60)),
      connections: 2,
      seconds: stage.effort.seconds,
      order: "once",
      discard: true,
    }),
  },
  writing("put-100k", "PUT of 100 KiB, 64 connections", 100 * KIB, 64),
  writing("put-1m", "PUT of 1 MiB, 8 connections", 1024 * KIB, 8),
  writing("put-64m", "PUT of 64 MiB, 1 connection", 64 * 1024 * KIB, 1),
];

/** Objects that are written again and again. */
const WRITTEN = 64;

function writing(name: string, title: string, bodyBytes: number, connections: number): Subject {
  return {
    name,
    title,
    warm: undefined,
    writes: true,
    load: (door, stage) => ({
      lines: Array.from({ length: WRITTEN }, (_, index) => signedLine(door, "PUT", `written/${index}`)),
      connections,
      seconds: stage.effort.seconds,
      warmSeconds: 1,
      order: "cycle",
      bodyBytes,
    }),
  };
}

function coldLines(door: Parameters<typeof getLine>[0], stage: Stage, file: string, count: number): string[] {
  const first = stage.freshNumbers(count);
  return Array.from({ length: count }, (_, index) => getLine(door, `cold/${file}/${first + index}`));
}

/** Profiles each subject in a worker of its own. Returns the summary, and writes it with the graphs to the directory. */
export async function profileWorker({ seconds, directory, only = "", progress }: CpuOptions): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const parts: string[] = [];
  for (const subject of SUBJECTS.filter(({ title }) => title.includes(only))) {
    progress(subject.title);
    const stage = new Stage({ rounds: 1, seconds, quick: false }, progress);
    try {
      parts.push(await profiled(stage, subject, directory));
    } finally {
      await stage.close();
    }
  }
  const text = parts.join("\n\n");
  writeFileSync(join(directory, "hottest.txt"), `${text}\n`);
  return text;
}

async function profiled(stage: Stage, subject: Subject, directory: string): Promise<string> {
  const { generator } = stage;
  const store = subject.writes ? await sinkStore(stage) : await plainStore(stage);
  const profiles = stage.scratch("profiles");
  const ringlight = await Ringlight.start(stage, {
    nodeFlags: ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-interval=${SAMPLE_MICROS}`],
    env: store.env,
  });
  await ringlight.mount(store.mount);
  const { s3Port, credentials } = ringlight.worker;
  const door = subject.writes ? { port: s3Port, credentials } : { ...(await ringlight.door("m1/0")), credentials };
  if (subject.warm !== undefined) {
    const targets = generator.targets(getLines(door, subject.warm));
    const fill = { connections: 1, seconds: 60, order: "once" as const, discard: true };
    await generator.load({ endpoints: [{ port: door.port, targets }], ...fill });
  }
  const { lines, ...load } = subject.load(door, stage);
  const endpoint = { port: door.port, targets: generator.targets(lines) };
  const from = monotonicMicros();
  const measured = await generator.load({ endpoints: [endpoint], pids: ringlight.pids(), ...load });
  const to = monotonicMicros();
  // The profile is written when the worker ends.
  await ringlight.stop();
  const file = readdirSync(profiles).find((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error(`the worker left no profile: ${ringlight.worker.process.output}`);
  const profile = JSON.parse(readFileSync(join(profiles, file), "utf8")) as CpuProfile;
  const root = foldProfile(profile, { from, to });
  writeFileSync(join(directory, `${subject.name}.svg`), flameGraph(root, subject.title));
  const head = `${subject.title}: ${Math.round(requestRate(measured))} requests/s, ${cpuMicros(measured).toFixed(1)} µs of the worker's CPU a request (profiled)`;
  return [
    head,
    "  self %   self time  function",
    ...hottest(root, SHOWN).map(line),
    "  self %   self time  file",
    ...hottestFiles(root, FILES_SHOWN).map(line),
  ].join("\n");
}

function line({ name, where, selfMicros, share }: HotFunction): string {
  return `${(share * 100).toFixed(1).padStart(6)} %  ${(selfMicros / 1000).toFixed(0).padStart(7)} ms  ${name}  ${where}`.trimEnd();
}

/** The clock that V8 stamps samples with. */
function monotonicMicros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
