/**
 * `bench suite peers`: the same requests at nginx's slice cache, Varnish, Ringlight and the plain store (an nginx that serves files),
 * in turn. Every server has core 0, the generator core 1; references are configured as bench/references has them.
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
import { markdownReport, plainTable, runTable, type TextTable } from "./results/text-report.ts";
import { type RunOptions, runWorkload } from "./run-workload.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL, makePlan, type PlanOptions } from "./workloads/make-plan.ts";

const PARTS: readonly { readonly name: string; readonly options: Partial<PlanOptions>; readonly seconds?: number }[] = [
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
  readonly progress: (line: string) => void;
}

/** Runs it. @returns the table of ratios, and the report @throws RL_BAD_CONFIG naming Debian packages that are missing */
export async function peers({
  out,
  rounds,
  only = "",
  progress,
}: PeersOptions): Promise<{ text: string; report: string }> {
  const missing = missingPackages();
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
    const at = (label: string, port: number) => ({
      address: { label, url: `http://127.0.0.1:${port}/${BUCKET}/peers` },
    });
    const sides: RunOptions["sides"] = [
      at("nginx slice cache", slice.port),
      at("Varnish", varnish.port),
      at("plain store", store.port),
      {
        ...at("Ringlight", cluster.worker.s3Port),
        metrics: [`http://127.0.0.1:${cluster.worker.restPort}/metrics`],
      },
    ];
    const files = { label: "files", url: pathToFileURL(join(stage.root, BUCKET, "peers")).href };
    const sections: ReportSection[] = [];
    const rows: string[][] = [];
    for (const { name, options, seconds } of PARTS.filter((part) => part.name.includes(only))) {
      const description = loadDescription(name);
      const planned = withTables(description, { ...FULL, ...options }, progress);
      await putObjects(makePlan(description, planned).objects, files, progress);
      const directories = await runWorkload({
        workload: { description, options: planned },
        sides,
        rounds,
        seconds,
        processes: 1,
        cores: GENERATOR_CORE,
        connections: 64,
        out,
        command: ["npm", "run", "bench", "--", "suite", "peers"],
        progress,
      });
      const runs = directories.map(readRun);
      sections.push({ runs });
      const ours = runs.at(-1)!;
      for (const theirs of runs.slice(0, -1)) {
        const [throughput, p50] = compareRuns(theirs, ours).comparisons;
        const ratio = (interval: { estimate: number; low: number; high: number } | undefined) =>
          interval === undefined
            ? ""
            : `${interval.estimate.toFixed(2)} (${interval.low.toFixed(2)} to ${interval.high.toFixed(2)})`;
        const saturated = [theirs, ours].some(({ summary }) =>
          summary.rounds.some(({ saturation }) => saturation.saturated),
        );
        rows.push([
          name,
          theirs.summary.target,
          ratio(throughput?.ratio),
          ratio(p50?.ratio),
          saturated ? "generator was the limit" : "",
        ]);
      }
    }
    const table: TextTable = { head: ["workload", "Ringlight against", "throughput", "p50 latency", "note"], rows };
    mkdirSync(out, { recursive: true });
    const report = join(out, "peers.html");
    writeFileSync(report, htmlReport("Ringlight and its peers", sections));
    writeFileSync(join(out, "peers.md"), `${sections.map(({ runs }) => markdownReport(runs)).join("\n\n")}\n`);
    const figures = sections.map(({ runs }) => `${runs[0]!.summary.title}\n${plainTable(runTable(runs))}`).join("\n\n");
    return { text: `${figures}\n\n${plainTable(table)}`, report };
  } finally {
    await stage.close();
  }
}
