/**
 * `bench quick`: AI, SQL, a trace and the small benchmarks, each through the cache and straight from the store in turn, in a few
 * minutes on two cores, with one report. The store is 10 ms away and gives a connection 90 MB/s; the cache is a cluster of two
 * workers on this machine, read over S3.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitFor } from "@ringlight/testing";
import { Ringlight } from "./dataplane/ringlight.ts";
import { BUCKET, Stage } from "./dataplane/stage.ts";
import { putObjects, withTables } from "./datasets.ts";
import type { TraceSpec } from "./load/generator.ts";
import { htmlReport, type ReportSection } from "./results/html-report.ts";
import { readRun } from "./results/run-directory.ts";
import { markdownReport, plainTable, runTable } from "./results/text-report.ts";
import { type RunOptions, runWorkload } from "./run-workload.ts";
import { importTrace } from "./traces/import-trace.ts";
import { sampleTrace } from "./traces/sample-trace.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL, makePlan, type PlanOptions } from "./workloads/make-plan.ts";

/** Distance of the store: S3's own first byte takes longer, so the cache is not flattered. */
const STORE_DELAY_MS = 10;
const STORE_BYTES_PER_SECOND = 90_000_000;
/** Rounds at most; fewer where the budget does not allow so many. */
const ROUNDS = 5;
/** Everything is done so long after the start, seconds: five minutes less what the last round and the report may take. */
const BUDGET_S = 270;
const CONNECTIONS = 64;
const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** Options of the quick benchmark. */
export interface QuickOptions {
  readonly out: string;
  /** Directory of recorded traces; a small sample is made where there is none. */
  readonly traces?: string | undefined;
  /** Only workloads whose name contains this. */
  readonly only?: string | undefined;
  readonly rounds?: number | undefined;
  /** Seconds that all of it may take; 270 when left out. Each workload makes at least one round whatever it is. */
  readonly budgetS?: number | undefined;
  readonly progress: (line: string) => void;
}

interface Part {
  readonly name: string;
  readonly options?: Partial<PlanOptions>;
  readonly seconds?: number;
  /** Share of the time, in any unit: about what a round takes. */
  readonly weight: number;
  readonly note: string;
}

/** Weight of a trace. */
const TRACE_WEIGHT = 6;

const PARTS: readonly Part[] = [
  {
    name: "resnet50",
    weight: 10,
    options: { scale: 0.008, recordScale: 0.05, accelerators: 2, epochs: 2, accelerator: "a100" },
    note: "Two emulated A100s; records and computation at a twentieth, so the demand of each, 105 MB/s, is that of the benchmark.",
  },
  {
    name: "unet3d",
    weight: 12,
    options: { scale: 0.25, recordScale: 0.01, accelerator: "v100", epochs: 2 },
    note: "One emulated V100; samples of 1.5 MB and computation at a hundredth: a demand of 0.75 GB/s, as that of the benchmark with batches of 7.",
  },
  {
    name: "tpch",
    weight: 12,
    options: { scale: 0.25, recordScale: 1 / 3, epochs: 1 },
    note: "Parquet files of 5 MB in ten row groups, read as Trino reads them.",
  },
  {
    name: "dashboard",
    weight: 8,
    options: { scale: 0.25, recordScale: 1 / 3, epochs: 1 },
    note: "Ten queries by eight users over the same files.",
  },
  {
    name: "small-objects",
    weight: 5,
    options: { scale: 0.1 },
    seconds: 2,
    note: "400 objects of 4 KiB, 16 users, no pauses.",
  },
  {
    name: "random-get",
    weight: 7,
    options: { scale: 0.125, recordScale: 0.5 },
    seconds: 3,
    note: "4 KiB at random places of two objects of 32 MiB.",
  },
  { name: "head", weight: 5, options: { scale: 0.02 }, seconds: 2, note: "HEAD of 80 objects." },
];

/** What the quick benchmark left. */
export interface QuickResult {
  readonly report: string;
  readonly directories: readonly (readonly string[])[];
  /** Rounds that were made, in words. */
  readonly rounds: string;
  readonly seconds: number;
}

function weightOf(part: Part | TraceSpec): number {
  return "weight" in part ? part.weight : TRACE_WEIGHT;
}

function roundsText(made: readonly number[]): string {
  const [least, most] = [Math.min(...made), Math.max(...made)];
  if (least === most) return `${most} round${most === 1 ? "" : "s"}`;
  return `${least} to ${most} rounds (as many as the time allowed)`;
}

/** Runs it. Starts a store and a cluster of its own on free loopback ports, and stops them. */
export async function quick(options: QuickOptions): Promise<QuickResult> {
  const { progress, out, only = "" } = options;
  const begunMs = performance.now();
  const rounds = options.rounds ?? ROUNDS;
  const stage = new Stage({ rounds, seconds: 1, quick: true }, progress);
  const directories: string[][] = [];
  const sections: ReportSection[] = [];
  try {
    progress("starting a store and a cluster of two workers");
    const store = stage.start({
      name: "store",
      command: process.execPath,
      args: [join(REPOSITORY, "bench/src/store-main.ts"), String(STORE_DELAY_MS), String(STORE_BYTES_PER_SECOND)],
    });
    const endpoint = await waitFor(
      () => {
        store.assertRunning();
        return /"endpoint":"([^"]+)"/.exec(store.output)?.[1];
      },
      { timeoutMs: 20_000, what: "the store" },
    );
    const direct = { label: "direct", url: `${endpoint}/${BUCKET}/data` };
    await fetch(`${endpoint}/${BUCKET}`, { method: "PUT" });
    await putObjects([{ key: "hello", sizeBytes: 16 }], direct, progress);
    const cluster = await Ringlight.start(stage, { workers: [undefined, undefined], mem: "512MiB" });
    await cluster.mount({ endpoint: endpoint ?? "" });
    const hosts = cluster.workers.map(({ s3Port }) => `127.0.0.1:${s3Port}`).join(",");
    const sides: RunOptions["sides"] = [
      { address: direct, isStore: true },
      {
        address: { label: "ringlight", url: `http://${hosts}/${BUCKET}/data` },
        metrics: cluster.workers.map(({ restPort }) => `http://127.0.0.1:${restPort}/metrics`),
      },
    ];
    const common = {
      sides,
      rounds,
      processes: 1,
      connections: CONNECTIONS,
      out,
      progress,
      command: ["npm", "run", "bench", "--", "quick"],
    };
    const parts = PARTS.filter(({ name }) => name.includes(only));
    const traces = "trace".includes(only) ? traceFiles(options.traces, stage.scratch("traces"), progress) : [];
    // What is left of the budget is dealt by weight to what is left to do, so that nothing that comes late has none.
    let weightLeft = [...parts, ...traces].reduce((sum, part) => sum + weightOf(part), 0);
    const took = async (
      part: Part | TraceSpec,
      workload: RunOptions["workload"],
      seconds: number | undefined,
      note: string,
    ) => {
      const leftMs = (options.budgetS ?? BUDGET_S) * 1000 - (performance.now() - begunMs);
      const budgetMs = (leftMs * weightOf(part)) / weightLeft;
      weightLeft -= weightOf(part);
      const made = await runWorkload({ ...common, workload, seconds, budgetMs });
      directories.push(made);
      progress(`${((performance.now() - begunMs) / 1000).toFixed(0)} s so far`);
      sections.push({ runs: made.map(readRun), note });
    };
    for (const part of parts) {
      const description = loadDescription(part.name);
      progress(`${part.name}: ${description.title}`);
      const planned = withTables(description, { ...FULL, ...part.options }, progress);
      await putObjects(makePlan(description, planned).objects, direct, progress);
      await took(part, { description, options: planned }, part.seconds, part.note);
    }
    for (const trace of traces) {
      const { trace: rows } = await importTrace(trace.file, trace.format);
      progress(`trace: ${rows.rows} requests of ${trace.file}`);
      await putObjects(rows.objects(110_000), direct, progress);
      await took(trace, { trace }, undefined, `${rows.rows} requests as fast as 16 users take them.`);
    }
    const made = directories.flat().map((directory) => readRun(directory).summary.rounds.length);
    const about = [
      `The same requests straight from the store and through the cache, ${roundsText(made)} in turn after a warm-up. The store is ${STORE_DELAY_MS} ms away and gives each connection ${STORE_BYTES_PER_SECOND / 1e6} MB/s; store, two workers and the load generator share this machine's cores.`,
      "Ratios are cache over store with 99.5 % bootstrap intervals; figures of other machines differ, and docs/benchmarking.md says how to read them.",
    ];
    mkdirSync(out, { recursive: true });
    const report = join(out, "quick.html");
    writeFileSync(report, htmlReport("Ringlight: quick benchmark", sections, about));
    writeFileSync(join(out, "quick.md"), `${sections.map(({ runs }) => markdownReport(runs)).join("\n\n")}\n`);
    return { report, directories, rounds: roundsText(made), seconds: (performance.now() - begunMs) / 1000 };
  } finally {
    await stage.close();
  }
}

/** The recorded traces where they are, else a sample of the same format. */
function traceFiles(directory: string | undefined, scratch: string, progress: (line: string) => void): TraceSpec[] {
  const found = directory === undefined ? [] : readdirSync(directory).filter((name) => name.endsWith(".csv"));
  const spec = (file: string): TraceSpec => ({ file, format: "auto", speed: 0, users: 16 });
  if (directory !== undefined && found.length > 0) return found.sort().map((name) => spec(join(directory, name)));
  progress("no recorded traces are named (--traces DIR or BENCH_TRACES): a made-up sample is replayed");
  const file = join(scratch, "sample.csv");
  writeFileSync(file, sampleTrace({ files: 200, epochs: 2, seed: 1 }));
  return [spec(file)];
}

/** The figures for a terminal. */
export function quickText({ directories, report, rounds, seconds }: QuickResult): string {
  const tables = directories.map((pair) => {
    const runs = pair.map(readRun);
    return `${runs[0]!.summary.title}\n${plainTable(runTable(runs))}`;
  });
  return `${tables.join("\n\n")}\n\n${rounds} in ${seconds.toFixed(0)} s; report: ${report}`;
}
