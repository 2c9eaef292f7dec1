/**
 * Read amplification: bytes that the store sent over bytes that were asked for, each object cold. What the store sent is
 * counted by the store (nginx's access log), not by the worker; a byte that is asked for twice counts once.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { closedLoop, type Shot } from "../closed-loop.ts";
import { type ParquetLayout, type ParquetReader, parquetScan } from "./parquet-scan.ts";
import { type Door, getLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { type Bar, type Row, spread } from "./row.ts";
import { OBJECTS, type Stage } from "./stage.ts";
import { plainStore } from "./stores.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const PAGE_BYTES = MIB;
/** How long the store must have been silent for its log to be complete, milliseconds. */
const SILENCE_MS = 300;
const SILENCE_DEADLINE_MS = 15_000;

/** A pattern of reads of one object. */
interface Pattern {
  readonly name: string;
  readonly file: keyof typeof OBJECTS.cold;
  readonly connections: number;
  /** Ranges, or the whole object. */
  readonly ranges: readonly (readonly [number, number])[] | "whole";
  readonly bar?: Bar;
  readonly note?: string;
}

/** Bytes of the column chunks of a million rows of events: some wide strings, many numbers; 24 MiB together. */
const COLUMN_KIB = [
  1800, 900, 900, 420, 420, 420, 5200, 3100, 640, 640, 180, 90, 90, 60, 2400, 1500, 900, 900, 640, 2900,
];

/** The table as DuckDB writes it, in row groups of 24 MiB, and as Spark does, in row groups of 128 MiB. */
const LAYOUTS: Readonly<Record<ParquetReader, ParquetLayout>> = {
  duckdb: { rowGroups: 24, columnBytes: COLUMN_KIB.map((kib) => kib * KIB), footerBytes: 60 * KIB },
  trino: { rowGroups: 6, columnBytes: COLUMN_KIB.map((kib) => Math.round(kib * 5.33) * KIB), footerBytes: 18 * KIB },
};
/** A file that Ray read to train on, as its requests were recorded: the tail twice, and then all columns in three ranges. */
const RAY_RANGES = [
  [96_355_461, 96_420_996],
  [96_355_461, 96_420_996],
  [4, 38_502_954],
  [38_502_955, 71_763_160],
  [71_763_161, 96_420_996],
] as const;
/** What a query of three columns in a row and one far away reads. */
const COLUMNS = [3, 4, 5, 15];

/** What is shown with smaller pages, too: the scan that the default is too coarse for. */
const SMALL_PAGES = "256KiB";
const WITH_SMALL_PAGES = "DuckDB";

/** All rows that `wanted` accepts by name. */
export async function amplificationCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const chosen = patterns().filter(({ name }) => wanted(name));
  const smaller = patterns()
    .filter(({ name }) => name.includes(WITH_SMALL_PAGES))
    .map(({ bar: _, ...pattern }) => ({ ...pattern, name: `${pattern.name}, pages of ${SMALL_PAGES}` }))
    .filter(({ name }) => wanted(name));
  return [...(await rowsOf(stage, chosen, [])), ...(await rowsOf(stage, smaller, [`--page-size=${SMALL_PAGES}`]))];
}

async function rowsOf(stage: Stage, chosen: readonly Pattern[], flags: readonly string[]): Promise<Row[]> {
  if (chosen.length === 0) return [];
  const store = await plainStore(stage, "nginx-counted.conf");
  const log = join(store.directory, "access.log");
  const ringlight = await Ringlight.start(stage, { workers: [undefined], flags });
  try {
    await ringlight.mount(store.mount);
    const door = await ringlight.door("c4k");
    const rows: Row[] = [];
    for (const pattern of chosen) {
      rows.push(...(await stage.rows(pattern.name, () => amplified(stage, { pattern, door, log }))));
    }
    return rows;
  } finally {
    await ringlight.stop();
  }
}

function patterns(): Pattern[] {
  const scan = (reader: ParquetReader) => parquetScan(LAYOUTS[reader], COLUMNS, reader);
  const size = OBJECTS.cold.c64m;
  const steps = Array.from(
    { length: size / (256 * KIB) },
    (_, index) => [index * 256 * KIB, (index + 1) * 256 * KIB - 1] as const,
  );
  return [
    {
      name: "read amplification, cold sequential, whole object",
      file: "c64m",
      connections: 1,
      ranges: "whole",
      bar: { kind: "at most", value: 1.02 },
    },
    {
      name: "read amplification, cold sequential, ranges of 256 KiB",
      file: "c64m",
      connections: 1,
      ranges: steps,
      bar: { kind: "at most", value: 1.02 },
    },
    {
      name: "read amplification, cold random 4 KiB",
      file: "c1g",
      connections: 4,
      ranges: scattered(256, 4 * KIB, OBJECTS.cold.c1g),
      bar: { kind: "at most", value: PAGE_BYTES / (4 * KIB) },
      note: "the bound is the page size over 4 KiB: a page a read; a smaller one means that pages were read in part",
    },
    ...(["duckdb", "trino"] as const).map((reader) => ({
      name: `read amplification, Parquet scan by ${reader === "duckdb" ? "DuckDB of its own file" : "Trino of Spark's file"}`,
      file: "c1g" as const,
      connections: 4,
      ranges: scan(reader),
      bar: { kind: "at most", value: 1.3 } as const,
    })),
    {
      name: "read amplification, Parquet file read whole by Ray",
      file: "c1g",
      connections: 1,
      ranges: RAY_RANGES,
      bar: { kind: "at most", value: 1.3 },
    },
  ];
}

/** Distinct aligned blocks in an order without a pattern, none beside another. */
function scattered(count: number, bytes: number, objectBytes: number): [number, number][] {
  const blocks = objectBytes / bytes;
  return Array.from({ length: count }, (_, index) => {
    const start = ((index * 2_654_435_761 + 97) % blocks) * bytes;
    return [start, start + bytes - 1];
  });
}

async function amplified(
  stage: Stage,
  { pattern, door, log }: { readonly pattern: Pattern; readonly door: Door; readonly log: string },
): Promise<Row[]> {
  const ratios: number[] = [];
  const requests: number[] = [];
  for (let round = 0; round < Math.min(3, stage.effort.rounds); round++) {
    await silence(log);
    const before = sentBytes(log);
    const { pathname, search } = new URL(
      getLine(door, `cold/${pattern.file}/amplified-${stage.freshNumbers(1)}`).slice(4),
      "http://x",
    );
    const url = new URL(`http://127.0.0.1:${door.port}${pathname}${search}`);
    const size = OBJECTS.cold[pattern.file];
    const shots: Shot[] =
      pattern.ranges === "whole"
        ? [{ url, expectBytes: size }]
        : pattern.ranges.map(([start, end]) => ({ url, range: [start, end], expectBytes: end - start + 1 }));
    await closedLoop(shots, pattern.connections);
    await silence(log);
    const after = sentBytes(log);
    ratios.push((after.bytes - before.bytes) / askedBytes(pattern.ranges, size));
    requests.push(after.requests - before.requests);
  }
  const count = requests[requests.length >> 1];
  const note = `${count} requests to the store${pattern.note === undefined ? "" : `; ${pattern.note}`}`;
  return [
    {
      case: pattern.name,
      reference: "bytes asked for",
      value: spread(ratios),
      unit: "x",
      ...(pattern.bar && { bar: pattern.bar }),
      note,
    },
  ];
}

/** Bytes that were asked for, each counted once. */
export function askedBytes(ranges: Pattern["ranges"], size: number): number {
  if (ranges === "whole") return size;
  let covered = 0;
  let reached = -1;
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    covered += Math.max(0, end - Math.max(start, reached + 1) + 1);
    reached = Math.max(reached, end);
  }
  return covered;
}

function sentBytes(log: string): { bytes: number; requests: number } {
  let bytes = 0;
  let requests = 0;
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [method, , , sent] = line.split(" ");
    if (method !== "GET") continue;
    bytes += Number(sent);
    requests++;
  }
  return { bytes, requests };
}

/** Waits until the store's log stays as it is: a fetch that goes on behind the reader is part of the price. */
async function silence(log: string): Promise<void> {
  const deadline = performance.now() + SILENCE_DEADLINE_MS;
  for (let before = -1; performance.now() < deadline; ) {
    const { bytes } = sentBytes(log);
    if (bytes === before) return;
    before = bytes;
    await sleep(SILENCE_MS);
  }
}
