/**
 * Cold reads: what no worker has seen, through a worker against the same bytes straight from the store. Store, worker and
 * generator share all cores on both sides: a pinned store would take the worker's core away, or leave it one that the
 * direct side has not.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { median } from "../statistics.ts";
import { byteRate, type Measured } from "./measured.ts";
import { getLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { interleave, type Side } from "./rounds.ts";
import { type Bar, differenceRow, type Row, ratioRow, refusedRow } from "./row.ts";
import { BUCKET, OBJECTS, type Stage } from "./stage.ts";
import { type ColdKind, type ColdStore, distantStore, plainStore, radosStore } from "./stores.ts";

const run = promisify(execFile);
const ALL_CORES = "0,1";
const LARGE = "cold 64 MiB GET";
const LARGE_A_ROUND = 6;
const SMALL: readonly { readonly kind: ColdKind; readonly name: string }[] = [
  { kind: "c4k", name: "cold 4 KiB objects, 64 connections" },
  { kind: "c100k", name: "cold 100 KiB objects, 64 connections" },
];
const SMALL_CONNECTIONS = 64;
/** The lead fills it: pages of a tier with room lie in memory that the machine may never have used, which costs up to ten times as much. */
const FULL_MEM = "256MiB";
const SMALL_A_ROUND = 1500;
const SMALL_A_QUICK_ROUND = 400;

/** All cold rows that `wanted` accepts by name. */
export async function coldCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const rows: Row[] = [];
  if (wanted(LARGE)) rows.push(...(await stage.rows(LARGE, () => largeRows(stage))));
  const small = SMALL.filter(({ name }) => wanted(name));
  if (small.length === 0) return rows;
  const perRound = stage.effort.quick ? SMALL_A_QUICK_ROUND : SMALL_A_ROUND;
  const stores = [
    {
      store: await radosStore(stage, { rounds: stage.effort.rounds, perRound }),
      bar: { kind: "at least", value: 0.8 } as const,
    },
    { store: await plainStore(stage) },
    { store: await distantStore(stage) },
  ];
  for (const { store, bar } of stores) {
    for (const { name, kind } of small) {
      if (store === undefined) {
        const missing = "Ceph is not installed: apt-get install ceph-mon ceph-osd ceph-mgr radosgw ceph-common";
        rows.push(refusedRow(name, "radosgw, direct", missing, bar));
        continue;
      }
      const details = { store, kind, name, perRound, ...(bar && { bar }) };
      rows.push(...(await stage.rows(`${name}, ${store.name}`, () => smallRows(stage, details))));
    }
  }
  return rows;
}

interface SmallCase {
  readonly store: ColdStore;
  readonly kind: ColdKind;
  readonly name: string;
  readonly perRound: number;
  readonly bar?: Bar;
}

async function smallRows(stage: Stage, { store, kind, name, perRound, bar }: SmallCase): Promise<Row[]> {
  const ringlight = await Ringlight.start(stage, { workers: [undefined], mem: FULL_MEM, env: store.env });
  try {
    await lead(stage, ringlight, LEADS[kind], store.mount.credentials);
    await ringlight.mount(store.mount);
    const [first = ""] = store.keys(kind, 0, 1);
    const door = await ringlight.door(first);
    const side = (port: number, line: (key: string) => string, pids: readonly number[], count: number): Side => {
      return (round) =>
        stage.generator.load({
          endpoints: [{ port, targets: stage.generator.targets(store.keys(kind, round, count).map(line)) }],
          connections: SMALL_CONNECTIONS,
          seconds: 60,
          order: "once",
          pids,
          cores: ALL_CORES,
        });
    };
    const taken = await interleave(
      {
        ringlight: side(door.port, (key) => getLine(door, key), [...ringlight.pids(), ...store.pids], perRound),
        direct: side(store.port, store.line, store.pids, perRound * store.directFactor),
      },
      stage.effort.rounds,
    );
    return [
      ratioRow({
        case: name,
        reference: `${store.name}, direct`,
        ours: taken.ringlight,
        theirs: taken.direct,
        ...(bar && { bar }),
      }),
    ];
  } finally {
    await ringlight.stop();
  }
}

/**
 * What a worker reads cold before it is measured: its code must be compiled, as it is in a process that has run for a minute. An
 * object of 4 KiB takes 250 to 380 µs of the CPU up to the 12,000th, 150 to 180 then, and 110 to 150 from the 40,000th on.
 */
interface Lead {
  readonly file: "c4k" | "c100k" | "c64m";
  readonly count: number;
  readonly connections: number;
}
const LEADS: Readonly<Record<ColdKind, readonly Lead[]>> = {
  c4k: [{ file: "c4k", count: 40_000, connections: SMALL_CONNECTIONS }],
  c100k: [
    { file: "c4k", count: 32_000, connections: SMALL_CONNECTIONS },
    { file: "c100k", count: 8_000, connections: SMALL_CONNECTIONS },
  ],
};
const LARGE_LEAD: Lead = { file: "c64m", count: 16, connections: 1 };
const LEAD_MOUNT = "lead";

/**
 * Reads objects of another mount cold, so that none of the measured ones is touched.
 * @param credentials of the store that is measured, so that requests are signed here where they are there
 */
async function lead(stage: Stage, ringlight: Ringlight, leads: readonly Lead[], credentials?: string): Promise<void> {
  const store = await plainStore(stage);
  await ringlight.mount({ ...store.mount, name: LEAD_MOUNT, bucket: BUCKET, ...(credentials && { credentials }) });
  const door = await ringlight.door("c4k", { bucket: LEAD_MOUNT });
  for (const { file, count, connections } of leads) {
    const lines = Array.from({ length: count }, () => getLine(door, `cold/${file}/${stage.freshNumbers(1)}`));
    await stage.generator.load({
      endpoints: [{ port: door.port, targets: stage.generator.targets(lines) }],
      connections,
      seconds: 60,
      order: "once",
      cores: ALL_CORES,
    });
  }
}

/** Direct clients are tried in turn with the worker; the fastest of them by its median is the reference. */
async function largeRows(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage, { workers: [undefined] });
  try {
    await lead(stage, ringlight, [LARGE_LEAD]);
    await ringlight.mount(store.mount);
    const door = await ringlight.door("c4k");
    const { generator } = stage;
    const whole = (port: number, line: string, pids: readonly number[]): Side => {
      const targets = generator.targets([line]);
      return () =>
        generator.load({
          endpoints: [{ port, targets }],
          connections: 1,
          seconds: 60,
          order: "cycle",
          requests: LARGE_A_ROUND,
          firstNumber: stage.freshNumbers(LARGE_A_ROUND),
          pids,
          cores: ALL_CORES,
        });
    };
    const key = "cold/c64m/{n}";
    const clients: Record<string, Side> = {
      "own client": whole(store.port, `GET /bench/${key}`, store.pids),
      "own client, 4 ranges at once": fourRanges(stage, store.port, store.pids),
      curl: curl(stage, store.port),
    };
    const ours =
      door.credentials !== undefined
        ? presignedWhole(stage, door, [...ringlight.pids(), ...store.pids])
        : whole(door.port, `GET /bench/${key}`, [...ringlight.pids(), ...store.pids]);
    const taken = await interleave<string>({ ringlight: ours, ...clients }, stage.effort.rounds);
    const of = (name: string) => taken[name] ?? [];
    const speed = (name: string) => median(of(name).map(byteRate));
    const best = Object.keys(clients).reduce((a, b) => (speed(a) >= speed(b) ? a : b));
    const bar: Bar = { kind: "at least", value: 0.9 };
    const rows = Object.keys(clients).map((client) =>
      ratioRow({
        case: LARGE,
        reference: `nginx direct, ${client}${client === best ? " (the best)" : ""}`,
        ours: of("ringlight"),
        theirs: of(client),
        figure: byteRate,
        ...(client === best && { bar }),
      }),
    );
    rows.push(
      differenceRow(
        {
          case: `${LARGE}, time to first byte`,
          reference: "nginx direct, own client",
          ours: of("ringlight"),
          theirs: of("own client"),
          figure: (measured: Measured) => measured.firstByteP50Us / 1000,
          bar: { kind: "at most", value: 2 },
        },
        "ms",
      ),
    );
    return rows;
  } finally {
    await ringlight.stop();
  }
}

/** A presigned URL cannot take its key from the generator: each is made before its round. */
function presignedWhole(stage: Stage, door: Parameters<typeof getLine>[0], pids: readonly number[]): Side {
  return () => {
    const first = stage.freshNumbers(LARGE_A_ROUND);
    const lines = Array.from({ length: LARGE_A_ROUND }, (_, index) => getLine(door, `cold/c64m/${first + index}`));
    return stage.generator.load({
      endpoints: [{ port: door.port, targets: stage.generator.targets(lines) }],
      connections: 1,
      seconds: 60,
      order: "once",
      pids,
      cores: ALL_CORES,
    });
  };
}

/** A client that fetches the quarters of an object at the same time, as download managers do. */
function fourRanges(stage: Stage, port: number, pids: readonly number[]): Side {
  const quarter = OBJECTS.cold.c64m / 4;
  const targets = stage.generator.targets(
    Array.from(
      { length: 4 },
      (_, index) => `GET /bench/cold/c64m/0\tRange: bytes=${index * quarter}-${(index + 1) * quarter - 1}`,
    ),
  );
  return async () => {
    const measured = await stage.generator.load({
      endpoints: [{ port, targets }],
      connections: 4,
      seconds: 60,
      order: "cycle",
      requests: LARGE_A_ROUND * 4,
      pids,
      cores: ALL_CORES,
    });
    return { ...measured, requests: measured.requests / 4 };
  };
}

/** curl, reading one object after the other over one connection. Its start counts for nothing: curl reports its own times. */
function curl(stage: Stage, port: number): Side {
  return async () => {
    const first = stage.freshNumbers(LARGE_A_ROUND);
    const { stdout } = await run("curl", [
      ...["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{time_total} %{time_starttransfer}\\n"],
      `http://127.0.0.1:${port}/bench/cold/c64m/[${first}-${first + LARGE_A_ROUND - 1}]`,
    ]);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" ").map(Number));
    const sum = (column: number) => lines.reduce((total, fields) => total + (fields[column] ?? Number.NaN), 0);
    if (lines.some(([status]) => status !== 200)) throw new Error(`curl: ${stdout}`);
    return {
      requests: lines.length,
      bytes: sum(1),
      seconds: sum(2),
      errors: 0,
      bad: "",
      p50Us: median(lines.map((fields) => (fields[2] ?? 0) * 1e6)),
      p99Us: Math.max(...lines.map((fields) => (fields[2] ?? 0) * 1e6)),
      p999Us: Number.NaN,
      firstByteP50Us: median(lines.map((fields) => (fields[3] ?? 0) * 1e6)),
      serverCpuSeconds: Number.NaN,
      generatorShare: Number.NaN,
    };
  };
}
