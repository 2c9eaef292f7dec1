/**
 * `bench suite peers`: the same requests at nginx's slice cache, Varnish, Ringlight and the plain store (an nginx that serves files),
 * in turn, with everything in each one's cache. Every server has core 0, the generator core 1; references are configured as bench/references has them.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RinglightError } from "@ringlight/core";
import { missingPackages, startNginx, startVarnish } from "./dataplane/references.ts";
import { Ringlight } from "./dataplane/ringlight.ts";
import { BUCKET, GENERATOR_CORE, Stage } from "./dataplane/stage.ts";
import { putObjects, withTables } from "./datasets.ts";
import { compareRuns } from "./results/compare.ts";
import { htmlReport, type ReportSection } from "./results/html-report.ts";
import { readRun } from "./results/run-directory.ts";
import { intervalText, markdownReport, plainTable, runTable, type TextTable } from "./results/text-report.ts";
import { type RunOptions, runWorkload } from "./run-workload.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL, makePlan, type PlanOptions } from "./workloads/make-plan.ts";
import type { DataObject } from "./workloads/plan.ts";

const READ_MS = 60_000;

const PARTS: readonly {
  readonly name: string;
  readonly options: Partial<PlanOptions> & { readonly scale: number };
  readonly seconds?: number;
}[] = [
  { name: "small-objects", options: { scale: 0.25 }, seconds: 3 },
  { name: "random-get", options: { scale: 0.25 }, seconds: 3 },
  { name: "sequential-get", options: { scale: 0.25, users: 4 }, seconds: 3 },
  { name: "dashboard", options: { scale: 0.25, recordScale: 1 / 3, epochs: 5 } },
];

/** Options of the suite. */
export interface PeersOptions {
  readonly out: string;
  readonly rounds: number;
  readonly only?: string | undefined;
  /** Length of a round where the workload has no end; each workload's own when left out. */
  readonly seconds?: number | undefined;
  /** Share of each workload's files; 1 when left out. */
  readonly scale?: number | undefined;
  readonly progress: (line: string) => void;
}

/** What the suite left. */
export interface PeersResult {
  /** Figures and table of ratios, for a terminal. */
  readonly text: string;
  readonly report: string;
  /** Directories of the runs: of each workload, the peers' and at last Ringlight's. */
  readonly directories: readonly (readonly string[])[];
}

/** Runs it. @returns the table of ratios, and the report @throws RL_BAD_CONFIG naming Debian packages that are missing */
export async function peers({
  out,
  rounds,
  only = "",
  seconds: roundSeconds,
  scale = 1,
  progress,
}: PeersOptions): Promise<PeersResult> {
  const missing = missingPackages(["nginx", "varnish"]);
  if (missing.length > 0) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      `the suite needs: apt-get install -y --no-install-recommends ${missing.join(" ")}`,
    );
  }
  const stage = new Stage({ rounds, seconds: 1, quick: true }, progress);
  try {
    progress("starting the store, nginx, Varnish and Ringlight");
    const store = await startNginx(stage, "nginx-static.conf");
    const slice = await startNginx(stage, "nginx-slice.conf", { values: { STORE: store.port } });
    const varnish = await startVarnish(stage, store.port);
    const cluster = await Ringlight.start(stage);
    await cluster.mount({ endpoint: `http://127.0.0.1:${store.port}` });
    const at = (label: string, port: number, pids: () => readonly number[]) => ({
      address: { label, url: `http://127.0.0.1:${port}/${BUCKET}/peers` },
      pids,
    });
    const sides: RunOptions["sides"] = [
      at("nginx slice cache", slice.port, () => slice.process.pids()),
      at("Varnish", varnish.port, () => varnish.process.pids()),
      at("plain store", store.port, () => store.process.pids()),
      {
        ...at("Ringlight", cluster.worker.s3Port, () => cluster.pids()),
        metrics: [`http://127.0.0.1:${cluster.worker.restPort}/metrics`],
      },
    ];
    const files = { label: "files", url: pathToFileURL(join(stage.root, BUCKET, "peers")).href };
    const sections: ReportSection[] = [];
    const made: string[][] = [];
    const rows: string[][] = [];
    for (const { name, options, seconds } of PARTS.filter((part) => part.name.includes(only))) {
      const description = loadDescription(name);
      const planned = withTables(description, { ...FULL, ...options, scale: options.scale * scale }, progress);
      const { objects } = makePlan(description, planned);
      await putObjects(objects, files, progress);
      // Hits are compared: cold reads, by each server's own rules of what it fetches, are in bench dataplane.
      for (const { address } of sides) await readAll(address.url, objects);
      const directories = await runWorkload({
        workload: { description, options: planned },
        sides,
        rounds,
        seconds: seconds === undefined ? undefined : (roundSeconds ?? seconds),
        processes: 1,
        cores: GENERATOR_CORE,
        connections: 64,
        out,
        command: ["npm", "run", "bench", "--", "suite", "peers"],
        progress,
      });
      made.push(directories);
      const runs = directories.map(readRun);
      sections.push({ runs, judged: "last" });
      const ours = runs.at(-1)!;
      for (const theirs of runs.slice(0, -1)) {
        const { comparisons } = compareRuns(theirs, ours);
        const ratio = (metric: string) => {
          const found = comparisons.find((comparison) => comparison.metric === metric);
          return found === undefined ? "" : intervalText(found.ratio);
        };
        const saturated = [theirs, ours].some(({ summary }) =>
          summary.rounds.some(({ saturation }) => saturation.saturated),
        );
        rows.push([
          name,
          theirs.summary.target,
          ratio("throughput"),
          ratio("p50 latency"),
          ratio("server CPU a request"),
          saturated ? "generator was the limit" : "",
        ]);
      }
    }
    const table: TextTable = {
      head: ["workload", "Ringlight against", "throughput", "p50 latency", "CPU a request", "note"],
      rows,
    };
    mkdirSync(out, { recursive: true });
    const report = join(out, "peers.html");
    writeFileSync(report, htmlReport("Ringlight and its peers", sections));
    writeFileSync(join(out, "peers.md"), `${sections.map(({ runs }) => markdownReport(runs)).join("\n\n")}\n`);
    const figures = sections.map(({ runs }) => `${runs[0]!.summary.title}\n${plainTable(runTable(runs))}`).join("\n\n");
    return { text: `${figures}\n\n${plainTable(table)}`, report, directories: made };
  } finally {
    await stage.close();
  }
}

/** Reads each object once from start to end. @throws Error where one cannot be read */
async function readAll(url: string, objects: readonly DataObject[]): Promise<void> {
  for (const { key } of objects) {
    const response = await fetch(`${url}/${key}`, { signal: AbortSignal.timeout(READ_MS) });
    if (!response.ok) throw new Error(`GET ${url}/${key}: status ${response.status}`);
    for await (const _ of response.body ?? []);
  }
}
