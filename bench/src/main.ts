/** The benchmarks' command line: `npm run bench -- <name>`, or `ringlight bench <name>`. */
import { writeFileSync } from "node:fs";
import { cpus, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runWorkloadCommand } from "./commands/index.ts";
import { profileWorker } from "./dataplane/cpu.ts";
import { dataplane } from "./dataplane/dataplane.ts";
import { type Row, verdict } from "./dataplane/row.ts";
import { disturbed, summary, tableMarkdown, tableText } from "./dataplane/table.ts";
import { benchMissRatio, missRatioText } from "./miss-ratio.ts";
import { reportText } from "./report.ts";
import { benchRing } from "./ring.ts";
import { benchScheduler, schedulerText } from "./scheduler.ts";
import { smoke } from "./smoke.ts";
import { benchStoreRecovery } from "./store.ts";
import { benchTelemetry } from "./telemetry.ts";
import { telemetryText } from "./telemetry-figures.ts";

const HELP = `usage: ringlight bench <name> [options]

Workloads (bench workloads lists them):
  quick     AI, SQL, a trace and small requests, through the cache and straight from the store: a report in minutes
              --only TEXT, --rounds N (5 at most), --budget 270 (seconds), --traces DIR (or BENCH_TRACES), --out DIR
  run NAME  a workload against targets, in turn
              --target [label=]URL  http://host:port/bucket/prefix, ringlight://host:port/mount, file:///dir, or of the cluster
                           in --cluster DIR: s3:/mount/prefix, sdk:/mount/prefix; repeatable; @PREFIX signs with the key pair
                           in PREFIX_ACCESS_KEY_ID and PREFIX_SECRET_ACCESS_KEY
              --store URL  a target that is the store itself
              --prepare URL  makes the data there first
              --seed N, --scale S (share of the files), --record-scale S (share of bytes and computation)
              --accelerator a100|h100|v100, --accelerators N, --epochs N, --users N, --engine trino|spark|duckdb
              --rounds N (5), --seconds S, --warmup S, --rate R[,R...] (open loop), --even, --find-max P99-MS
              --driver autocannon (small GETs over HTTP)
              --processes N, --generator COMMAND (one more, such as "ssh host ringlight bench generator"), --connections N
              --metrics URL (of workers), --out DIR, --json, --price-gets USD, --price-gb USD
  prepare NAME --to URL    only makes the data
  workloads                the workloads, with their sources
  replay FILE --target URL --speed 1|10|max    plays a trace or a capture back; --strip lake/ takes the mount off the keys
  import FILE [--format NAME | --map time=COL,key=COL,... [--separator , | ' ' | jsonl] [--header]]   says what is in a trace
  simulate FILE [--sizes A,B] [--policies A,B] [--page-size 1MiB]   miss ratios of the eviction policies by size
  suite peers              nginx's slice cache, Varnish and the plain store beside Ringlight
              --only TEXT, --rounds N (5), --seconds S of a round, --scale S (share of the files), --out DIR
  compare A B [--json | --markdown] [--html FILE]   two runs: ratios, intervals, a sentence
  gate A B --max-regression 5%   exit code 1 when B is worse than A by more, 3 when it cannot tell
  report RUN... --out FILE, runs    reports and lists runs
  generator                a load generator on standard input and output, for --generator
  generator-speed          what the generator itself drives, beside wrk
  self-check               the harness on real workers: the same build twice, and one that is a tenth slower
              --repetitions N (20), --rounds N (5), --seconds S (0.5)

Parts of the product:
  smoke     cold and warm GETs of 4 KiB and 1 MiB: through a worker against straight from the store
              --rounds N   measured rounds (default 5)
              --json       the figures as JSON
  dataplane the data plane against nginx, Varnish, direct clients and its own bars
              --case TEXT  only cases whose name contains the text
              --rounds N   measured rounds (default 5)
              --seconds S  seconds of a measured round (default 1.5)
              --quick      3 rounds of half a second
              --json       the rows as JSON
              --markdown   the table as Markdown
              --out FILE   the rows as JSON in a file, too
              --nice=N     priority of both sides, as nice(1) has it: --nice=-10 keeps other work away (root)
              --gate       exit code 1 when a figure is short of its bar
  cpu       flame graphs (SVG) and the hottest functions of a worker, warm and cold
              --seconds S  seconds of each load (default 1.5)
              --out DIR    where the files go (default bench/results/cpu)
  curve     how right the sampled miss-ratio curve is, and what a page request costs it
  telemetry warm 4 KiB GETs with telemetry switched on and off within one worker; and the figures of curve
              --rounds N   starts of the worker, a minute each (default 5; 8 tell half a percent on a machine with no other work)
              --seconds S  seconds of a window (default 0.5)
              --nice=N, --json
              --gate: exit code 1 when it costs more than 3 % of the requests a second, 3 when the run cannot tell
  ring      build, look-up, balance and movement of the ring
  scheduler jobs: a queue of many, the leader's memory over long listings, a load against rclone, a bandwidth that is kept
              --part TEXT  only parts whose name contains the text: queue, memory, preload small, preload large, bandwidth
              --rounds N   paired rounds of the loads (default 5)
              --jobs N, --units N      of the queue (default 1000 and 100000)
              --listings A,B           objects of the listings (default 1000000)
              --json       the figures as JSON
  store     recovery of a page store
              --pages N    pages to recover (default 200000)
  console   the console with many workers and spans coming in: first paint, work for an update, search, memory
              --workers N  simulated workers (default 1500)
              --spans N    spans a second (default 10000)
              --seconds S  how long each of five pages is watched (default 10, at most 600)
              --gate       exit code 1 when a page is short of its bounds

Every figure is a ratio of paired rounds on this machine, taken in turn after a warm-up round; absolute figures are shown
beside it to be judged with the machine in mind.`;

// Commands with options of their own.
const handled = await runWorkloadCommand(process.argv.slice(2));
if (handled !== undefined) process.exit(handled);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    pages: { type: "string", default: "200000" },
    part: { type: "string", default: "" },
    jobs: { type: "string", default: "1000" },
    units: { type: "string", default: "100000" },
    listings: { type: "string", default: "1000000" },
    workers: { type: "string", default: "1500" },
    spans: { type: "string", default: "10000" },
    case: { type: "string", default: "" },
    seconds: { type: "string", default: "1.5" },
    quick: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    gate: { type: "boolean", default: false },
    nice: { type: "string" },
    out: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`ringlight bench: --${name} is "${text}"; a whole number above 0 is needed\n`);
  process.exit(2);
}

function reportOf(rows: readonly Row[]): object {
  return { bench: "dataplane", node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, rows };
}

function disturbance(rows: readonly Row[]): string {
  const count = disturbed(rows);
  return count === 0
    ? ""
    : `${count} warm rows met a machine that was busy with other work; trust their CPU columns more.\n`;
}

function seconds(text: string, most = 60): number {
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  process.stderr.write(`ringlight bench: --seconds is "${text}"; a number above 0 and up to ${most} is needed\n`);
  process.exit(2);
}

const [name] = positionals;
if (values.help || name === undefined) {
  process.stdout.write(`${HELP}\n`);
  process.exit(values.help ? 0 : 2);
}
switch (name) {
  case "smoke": {
    const rounds = positive("rounds", values.rounds);
    const results = await smoke({ rounds, progress: (line) => process.stderr.write(`measuring: ${line}\n`) });
    if (values.json)
      process.stdout.write(
        `${JSON.stringify({ bench: "smoke", node: process.version, cpus: cpus().length, results }, null, 2)}\n`,
      );
    else process.stdout.write(`${reportText(results)}\n`);
    break;
  }
  case "scheduler": {
    const figures = await benchScheduler({
      rounds: positive("rounds", values.rounds),
      jobs: positive("jobs", values.jobs),
      units: positive("units", values.units),
      listings: values.listings.split(",").map((text) => positive("listings", text)),
      only: values.part,
      progress: (line) => process.stderr.write(`${line}\n`),
    });
    const report = { bench: "scheduler", node: process.version, cpus: cpus().length, figures };
    process.stdout.write(`${values.json ? JSON.stringify(report, null, 2) : schedulerText(figures)}\n`);
    break;
  }
  case "dataplane": {
    const { quick } = values;
    // Everything that is started inherits it: servers of both sides and the generator.
    if (values.nice !== undefined) setPriority(Number(values.nice));
    const rows = await dataplane({
      rounds: quick ? 3 : positive("rounds", values.rounds),
      seconds: quick ? 0.5 : seconds(values.seconds),
      quick,
      only: values.case,
      progress: (line) => process.stderr.write(`${line}\n`),
      onRows: (sofar) => {
        if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(reportOf(sofar), null, 2)}\n`);
      },
    }).catch((error: unknown) => {
      process.stderr.write(`ringlight bench: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    });
    if (values.json) process.stdout.write(`${JSON.stringify(reportOf(rows), null, 2)}\n`);
    else if (values.markdown) process.stdout.write(`${tableMarkdown(rows)}\n`);
    else process.stdout.write(`${tableText(rows)}\n\n${summary(rows)}\n${disturbance(rows)}`);
    if (values.gate && rows.some((row) => verdict(row) === "short")) process.exitCode = 1;
    break;
  }
  case "cpu": {
    const directory = values.out ?? fileURLToPath(new URL("../results/cpu", import.meta.url));
    const progress = (line: string) => process.stderr.write(`${line}\n`);
    const text = await profileWorker({ seconds: seconds(values.seconds), directory, only: values.case, progress });
    process.stdout.write(`${text}\n\nflame graphs: ${directory}\n`);
    break;
  }
  case "telemetry": {
    if (values.nice !== undefined) setPriority(Number(values.nice));
    const windowS = values.seconds === "1.5" ? 0.5 : seconds(values.seconds);
    const effort = { rounds: positive("rounds", values.rounds), seconds: windowS, quick: values.quick };
    const figures = await benchTelemetry(effort, (line) => process.stderr.write(`${line}\n`));
    const curve = benchMissRatio();
    if (values.json)
      process.stdout.write(`${JSON.stringify({ bench: "telemetry", node: process.version, ...figures, curve })}\n`);
    else process.stdout.write(`${telemetryText(figures)}\n\n${missRatioText(curve)}\n`);
    if (values.gate && figures.verdict !== "kept") process.exitCode = figures.verdict === "missed" ? 1 : 3;
    break;
  }
  case "ring":
    await benchRing();
    break;
  case "store":
    await benchStoreRecovery(positive("pages", values.pages));
    break;
  case "curve": {
    const measured = benchMissRatio();
    const text = values.json
      ? JSON.stringify({ bench: "curve", node: process.version, ...measured })
      : missRatioText(measured);
    process.stdout.write(`${text}\n`);
    break;
  }
  case "console": {
    const { benchConsole } = await import("./console/console.ts");
    const fine = await benchConsole({
      workers: positive("workers", values.workers),
      spansPerSecond: positive("spans", values.spans),
      warmupS: 20,
      watchS: values.seconds === "1.5" ? 10 : seconds(values.seconds, 600),
    });
    if (values.gate && !fine) process.exitCode = 1;
    break;
  }
  default:
    process.stderr.write(`ringlight bench: there is no benchmark "${name}"\n\n${HELP}\n`);
    process.exit(2);
}
