/**
 * `bench scheduler`: what jobs cost and how fast they are. A queue of many jobs (submit latency, the leader's CPU time a unit, registry
 * writes a second), the leader's memory over listings that a store computes, a load against rclone from the same store in
 * paired rounds, and how well a bandwidth is kept. The store is the S3 origin of libs/testing in this process, three workers
 * and the scheduler are processes of their own on the same machine.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect, type RinglightClient } from "@ringlight/client";
import { RinglightError } from "@ringlight/core";
import { connectJobStore } from "@ringlight/registry";
import { freePort, type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { BenchProcess } from "./bench-process.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const WORKERS = 3;
const BUCKET = "jobs";
const LISTED = "listed";

/** Options of the benchmark. */
export interface SchedulerBenchOptions {
  readonly rounds: number;
  /** Objects of the listings whose memory is measured, one after the other. */
  readonly listings: readonly number[];
  /** Jobs in the queue, and units of all of them together. */
  readonly jobs: number;
  readonly units: number;
  /** Only parts whose name contains the text. */
  readonly only: string;
  readonly progress: (line: string) => void;
}

/** One figure. */
export interface SchedulerFigure {
  readonly part: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The bar, where there is one. */
  readonly bar?: string;
}

interface Bench {
  readonly options: SchedulerBenchOptions;
  readonly client: RinglightClient;
  readonly origin: S3Origin;
  readonly scheduler: BenchProcess;
  readonly workers: readonly BenchProcess[];
  readonly registryPort: number;
  readonly directory: string;
}

/** Runs the parts. Starts its own store, registry, workers and scheduler on free loopback ports, and stops them. */
export async function benchScheduler(options: SchedulerBenchOptions): Promise<SchedulerFigure[]> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-bench-"));
  const running: BenchProcess[] = [];
  const start = (name: string, script: string, args: readonly string[]) => {
    const started = new BenchProcess(name, fileURLToPath(new URL(`../../${script}`, import.meta.url)), args);
    running.push(started);
    return started;
  };
  const origin = await startS3Origin({ maxLoggedRequests: 1 });
  try {
    const registryPort = await freePort();
    const registry = `--registry=127.0.0.1:${registryPort}`;
    start("registry", "libs/registry/src/main.ts", [
      `--port=${registryPort}`,
      `--data-dir=${join(directory, "registry")}`,
    ]);
    const ports: { readonly grpc: number; readonly rest: number }[] = [];
    const workers: BenchProcess[] = [];
    for (let index = 0; index < WORKERS; index++) {
      const port = { grpc: await freePort(), rest: await freePort() };
      ports.push(port);
      const data = join(directory, `worker-${index}`);
      workers.push(
        start(`worker ${index}`, "apps/worker/src/main.ts", [
          ...[`--data-dir=${data}`, `--id=worker-${index}`, registry, "--s3-port=0", `--grpc-port=${port.grpc}`],
          ...[`--rest-port=${port.rest}`, "--mem=2GiB", "--ssd=0", "--log-level=warn"],
          `--mem-dir=/dev/shm/ringlight-bench-${process.pid}-${index}`,
        ]),
      );
    }
    const scheduler = start("scheduler", "apps/scheduler/src/main.ts", [
      ...[`--data-dir=${join(directory, "scheduler")}`, registry, "--port=0", "--rest-port=0", "--log-level=warn"],
      // Workers have just joined: what is measured is not to meet a hand-over of what came meanwhile.
      "--rebalance-bandwidth=0",
    ]);
    const ready = async (url: string) => (await fetch(url).catch(() => undefined))?.ok === true;
    await waitFor(
      async () => (await Promise.all(ports.map(({ rest }) => ready(`http://127.0.0.1:${rest}/readyz`)))).every(Boolean),
      { timeoutMs: 180_000 },
    );
    const client = await connect({
      endpoints: ports.map(({ grpc }) => `127.0.0.1:${grpc}`),
      deadlineMs: 30_000,
      shortCircuit: false,
    });
    origin.createBucket(BUCKET);
    const listed = options.listings.map((count) => {
      origin.synthesize(`${LISTED}-${count}`, { prefix: "", count, keysPerDirectory: 1_000 });
      return `${LISTED}-${count}`;
    });
    for (const bucket of [BUCKET, ...listed]) {
      const store = { endpoint: origin.endpoint, region: "us-east-1" };
      await client.addMount({
        name: bucket,
        uri: `s3://${bucket}`,
        credentials: "anonymous",
        options: store,
        replicas: 1,
      });
    }
    await waitFor(async () => (await client.jobs.list()).length === 0, { timeoutMs: 60_000 });
    const bench: Bench = { options, client, origin, scheduler, workers, registryPort, directory };
    const figures: SchedulerFigure[] = [];
    for (const [name, run] of PARTS) {
      if (!name.includes(options.only)) continue;
      options.progress(`measuring: ${name}`);
      figures.push(...(await run(bench)).map((figure) => ({ part: name, ...figure })));
    }
    client.close();
    return figures;
  } finally {
    for (const child of running.reverse()) await child.stop();
    await origin.close();
    for (let index = 0; index < WORKERS; index++) {
      rmSync(`/dev/shm/ringlight-bench-${process.pid}-${index}`, { recursive: true, force: true });
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

type Figure = Omit<SchedulerFigure, "part">;

const PARTS: readonly (readonly [string, (bench: Bench) => Promise<Figure[]>])[] = [
  ["queue", queue],
  ["memory", memory],
  // A worker that has just started compiles what it runs, which costs a small object twice as much in its first load, and a few
  // microseconds less with each until the tenth: V8 takes its last large step in the fourth.
  ["preload small", (bench) => preload(bench, 10_000, 16 * KIB, 10, "at least 1.5")],
  ["preload large", (bench) => preload(bench, 48, 16 * MIB, 1, "at least 0.9")],
  ["bandwidth", bandwidth],
];

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Many jobs at once, each of a few units: what the leader does for them besides the work. */
async function queue({ options, client, origin, scheduler, registryPort }: Bench): Promise<Figure[]> {
  const { jobs, units } = options;
  const each = Math.max(1, Math.round(units / jobs));
  for (let job = 0; job < jobs; job++) {
    for (let unit = 0; unit < each; unit++) {
      origin.putObject(BUCKET, `queue/${job}/${unit}`, { sizeBytes: 1, seed: 1 });
    }
  }
  const store = connectJobStore({ endpoints: [`127.0.0.1:${registryPort}`], cluster: "default" });
  try {
    const latencies: number[] = [];
    const startedMs = performance.now();
    const cpuBefore = scheduler.cpuSeconds();
    let next = 0;
    const lane = async () => {
      while (next < jobs) {
        const path = `/${BUCKET}/queue/${next++}/`;
        const sentMs = performance.now();
        await client.jobs.submit({ kind: "sync", paths: [path] });
        latencies.push(performance.now() - sentMs);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    const firstRevision = Math.min(...(await store.list()).map(({ revision }) => revision));
    const open = async () => (await client.jobs.list(["queued", "running"], 1)).length;
    await waitFor(async () => (await open()) === 0, {
      timeoutMs: 30 * 60_000,
      intervalMs: 500,
      what: "an empty queue",
    });
    const seconds = (performance.now() - startedMs) / 1000;
    const cpu = scheduler.cpuSeconds() - cpuBefore;
    const stored = await store.list();
    const writes = Math.max(...stored.map(({ revision }) => revision)) - firstRevision + 1;
    const done = stored.reduce((sum, { record }) => sum + record.counters.listed.objects, 0);
    if (done !== jobs * each) throw new RinglightError("RL_INTERNAL", `${done} of ${jobs * each} units were done`);
    latencies.sort((a, b) => a - b);
    return [
      { name: "jobs", value: jobs, unit: "" },
      { name: "units", value: done, unit: "" },
      { name: "submit latency, median", value: quantile(latencies, 0.5), unit: "ms" },
      { name: "submit latency, 99th percentile", value: quantile(latencies, 0.99), unit: "ms" },
      { name: "leader's CPU time a unit, listing included", value: (cpu / done) * 1e6, unit: "µs" },
      { name: "registry writes a job", value: writes / jobs, unit: "" },
      { name: "registry writes a second", value: writes / seconds, unit: "/s", bar: "at most one a job and second" },
      { name: "units a second", value: done / seconds, unit: "/s" },
    ];
  } finally {
    store.close();
  }
}

/** A listing that the store computes, gone through by a job that asks workers about every object and reads nothing. */
async function memory({ options, client, scheduler }: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const objects of options.listings) {
    const before = scheduler.rssBytes();
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, scheduler.rssBytes());
    }, 200);
    const startedMs = performance.now();
    const job = await client.jobs.submit({ kind: "sync", paths: [`/${LISTED}-${objects}`] });
    const done = await client.jobs.wait(job.id);
    clearInterval(sampling);
    const listed = done.listed?.objects ?? 0;
    figures.push(
      { name: `RSS before ${objects} objects`, value: before / MIB, unit: "MiB" },
      { name: `peak RSS over ${listed} objects`, value: peak / MIB, unit: "MiB" },
      { name: `objects a second over ${listed}`, value: listed / ((performance.now() - startedMs) / 1000), unit: "/s" },
    );
  }
  return figures;
}

/** A load of new objects against rclone's copy of the same number of others, in turn. The first rounds are not counted. */
async function preload(
  bench: Bench,
  count: number,
  sizeBytes: number,
  warmUps: number,
  bar: string,
): Promise<Figure[]> {
  const { options, client, origin, directory } = bench;
  const ratios: number[] = [];
  const cpus: number[] = [];
  const otherCpus: number[] = [];
  const speeds: number[] = [];
  const others: number[] = [];
  for (let round = 1 - warmUps; round <= options.rounds; round++) {
    const prefix = (side: string) => `${side}/${count}/${round}/`;
    for (const side of ["load", "rclone"]) {
      for (let index = 0; index < count; index++) {
        origin.putObject(BUCKET, `${prefix(side)}${index}`, { sizeBytes, seed: index });
      }
    }
    const load = async () => {
      const before = cpuOf(bench);
      const startedMs = performance.now();
      const { id } = await client.jobs.submit({ paths: [`/${BUCKET}/${prefix("load")}`] });
      const job = await client.jobs.wait(id);
      if (job.state !== "complete") throw new RinglightError("RL_INTERNAL", `the load is ${job.state}: ${job.reason}`);
      // The job's own time: what waiting for the next look adds is not the load's.
      return {
        seconds: Math.min((performance.now() - startedMs) / 1000, job.runningMs / 1000),
        cpu: cpuOf(bench) - before,
      };
    };
    const rclone = async () => {
      const target = join("/dev/shm", `ringlight-rclone-${process.pid}`);
      mkdirSync(target, { recursive: true });
      const startedMs = performance.now();
      const env = {
        PATH: process.env.PATH ?? "",
        HOME: directory,
        RCLONE_CONFIG: join(directory, "rclone.conf"),
        RCLONE_CONFIG_O_TYPE: "s3",
        RCLONE_CONFIG_O_PROVIDER: "Other",
        // Without a key pair it signs nothing, as the mount does not.
        RCLONE_CONFIG_O_ENDPOINT: origin.endpoint,
      };
      const flags = ["--transfers=64", "--checkers=64", "--ignore-checksum", "--no-traverse", "--s3-no-check-bucket"];
      const copy = ["copy", `o:${BUCKET}/${prefix("rclone")}`, target, ...flags];
      // The shell tells the CPU time of what it has run.
      const { stdout } = await promisify(execFile)("sh", ["-c", 'rclone "$@" && times', "sh", ...copy], { env });
      const seconds = (performance.now() - startedMs) / 1000;
      rmSync(target, { recursive: true, force: true });
      return { seconds, cpu: childSeconds(stdout) };
    };
    // In turn, so that neither always meets the machine first.
    const first = round % 2 === 0 ? await load() : undefined;
    const other = await rclone();
    const mine = first ?? (await load());
    for (const side of ["load", "rclone"]) {
      for (let index = 0; index < count; index++) origin.deleteObject(BUCKET, `${prefix(side)}${index}`);
    }
    const told = (side: { seconds: number; cpu: number }) =>
      `${side.seconds.toFixed(2)} s, ${((side.cpu / count) * 1e6).toFixed(0)} µs of CPU an object`;
    options.progress(`round ${round}: load ${told(mine)}; rclone ${told(other)}`);
    if (round < 1) continue;
    ratios.push(other.seconds / mine.seconds);
    speeds.push((count * sizeBytes) / mine.seconds / MIB);
    others.push((count * sizeBytes) / other.seconds / MIB);
    cpus.push((mine.cpu / count) * 1e6);
    otherCpus.push((other.cpu / count) * 1e6);
  }
  const median = (values: number[]) =>
    quantile(
      values.sort((a, b) => a - b),
      0.5,
    );
  return [
    { name: `load of ${count} x ${sizeBytes / KIB} KiB, median`, value: median(speeds), unit: "MiB/s" },
    { name: "rclone, median", value: median(others), unit: "MiB/s" },
    { name: "load / rclone, median of the paired rounds", value: median(ratios), unit: "x", bar },
    { name: "CPU time of workers and scheduler an object", value: median(cpus), unit: "µs" },
    { name: "CPU time of rclone an object", value: median(otherCpus), unit: "µs" },
  ];
}

/** User and system time of the children, out of the second line of the shell's `times`, seconds. */
function childSeconds(times: string): number {
  const [, children = ""] = times.trim().split("\n");
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
}

function cpuOf({ workers, scheduler }: Bench): number {
  return [...workers, scheduler].reduce((sum, child) => sum + child.cpuSeconds(), 0);
}

/** Half a minute of a load with a bound, seen by the store. */
async function bandwidth({ client, origin }: Bench): Promise<Figure[]> {
  const rate = 24 * MIB;
  const seconds = 30;
  const sizeBytes = 4 * MIB;
  const count = Math.ceil((rate * (seconds + 10)) / sizeBytes);
  for (let index = 0; index < count; index++) origin.putObject(BUCKET, `rate/${index}`, { sizeBytes, seed: index });
  const { id } = await client.jobs.submit({ paths: [`/${BUCKET}/rate/`], bytesPerSecond: rate });
  const readBytes = async () => ({ atMs: performance.now(), bytes: (await client.jobs.get(id)).readBytes });
  await waitFor(async () => (await readBytes()).bytes > 2 * rate, { timeoutMs: 60_000, intervalMs: 50 });
  const first = await readBytes();
  await waitFor(() => performance.now() - first.atMs >= seconds * 1000, {
    timeoutMs: 2 * seconds * 1000,
    intervalMs: 20,
  });
  const last = await readBytes();
  await client.jobs.control(id, "stop");
  const kept = ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000;
  return [
    { name: `asked for, over ${seconds} s and ${WORKERS} workers`, value: rate / MIB, unit: "MiB/s" },
    { name: "kept", value: kept / MIB, unit: "MiB/s" },
    { name: "off by", value: (kept / rate - 1) * 100, unit: "%", bar: "within 5" },
  ];
}

/** The figures as a table. */
export function schedulerText(figures: readonly SchedulerFigure[]): string {
  const shown = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(4));
  const rows = figures.map(({ part, name, value, unit, bar }) => [
    part,
    name,
    `${shown(value)}${unit === "" ? "" : ` ${unit}`}`,
    bar === undefined ? "" : `bar: ${bar}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
