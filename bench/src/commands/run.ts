/** `bench run`: a workload against targets; and `bench prepare`, which only makes its data. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RinglightError } from "@ringlight/core";
import { putObjects, withTables } from "../datasets.ts";
import { compareRuns } from "../results/compare.ts";
import { LIST_PRICES } from "../results/cost.ts";
import { htmlReport } from "../results/html-report.ts";
import { readRun, type StoredRun } from "../results/run-directory.ts";
import { comparisonTable, markdownReport, plainTable, remarks, runTable } from "../results/text-report.ts";
import { type RunOptions, runWorkload } from "../run-workload.ts";
import { loadDescription, workloadNames } from "../workloads/description.ts";
import { makePlan } from "../workloads/make-plan.ts";
import {
  number,
  planOptions,
  RESULTS,
  RUN_OPTIONS,
  type RunValues,
  ratesOf,
  secondsOf,
  sideOf,
  sidesOf,
  wholeNumber,
} from "./arguments.ts";
import { findMaxOf } from "./find-max.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Options of the run that do not depend on what is run. @throws RL_BAD_REQUEST */
export function commonOptions(values: RunValues): Omit<RunOptions, "workload" | "sides"> {
  const { driver } = values;
  if (driver !== undefined && driver !== "autocannon") {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `--driver is "${driver}"; autocannon is known, and ours when it is left out`,
    );
  }
  return {
    driver,
    rounds: wholeNumber("rounds", values.rounds) ?? 5,
    seconds: secondsOf("seconds", values.seconds),
    warmSeconds: secondsOf("warmup", values.warmup),
    rates: ratesOf(values.rate),
    poisson: !values.even,
    processes: wholeNumber("processes", values.processes) ?? 1,
    commands: values.generator,
    connections: wholeNumber("connections", values.connections) ?? 64,
    prices: {
      thousandGets: number("price-gets", values["price-gets"], true) ?? LIST_PRICES.thousandGets,
      gigabyteOut: number("price-gb", values["price-gb"], true) ?? LIST_PRICES.gigabyteOut,
    },
    out: values.out ?? RESULTS,
    command: ["ringlight", "bench", ...process.argv.slice(2)],
    progress: say,
  };
}

/** Writes the reports of runs that belong together into each of their directories, and prints what they came to. */
export function report(directories: readonly string[], json: boolean): StoredRun[] {
  const runs = directories.map(readRun);
  const [first] = runs;
  if (first === undefined) return runs;
  const html = htmlReport(first.summary.title, [{ runs }]);
  const markdown = markdownReport(runs);
  for (const { directory } of runs) {
    writeFileSync(join(directory, "report.html"), html);
    writeFileSync(join(directory, "report.md"), `${markdown}\n`);
  }
  if (json)
    process.stdout.write(
      `${JSON.stringify(
        runs.map(({ summary }) => summary),
        null,
        2,
      )}\n`,
    );
  else {
    process.stdout.write(`${plainTable(runTable(runs))}\n`);
    for (const run of runs)
      for (const remark of remarks(run)) process.stdout.write(`note: ${run.summary.target}: ${remark}\n`);
    for (const other of runs.slice(1)) {
      const comparison = compareRuns(first, other);
      process.stdout.write(`\n${comparison.sentence}\n${plainTable(comparisonTable(comparison))}\n`);
    }
    for (const { directory } of runs) process.stdout.write(`${directory}/report.html\n`);
  }
  return runs;
}

/** `bench run WORKLOAD`. */
export async function runCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...RUN_OPTIONS, "find-max": { type: "string" } },
  });
  const [name] = positionals;
  if (name === undefined) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `which workload? There are ${workloadNames().join(", ")}, and any .yaml file`,
    );
  }
  const description = loadDescription(name);
  const options = withTables(description, planOptions(values), say);
  if (values.prepare !== undefined) {
    const plan = makePlan(description, options);
    say(`preparing ${plan.objects.length} objects`);
    await putObjects(plan.objects, sideOf(values.prepare, values, false).address, say);
  }
  const common = commonOptions(values);
  const sides = sidesOf(values);
  const workload = { description, options };
  if (values["find-max"] !== undefined) {
    const goalP99Ms = number("find-max", values["find-max"]) ?? 0;
    for (const side of sides) await findMaxOf(side, goalP99Ms, { ...common, workload });
    return;
  }
  report(await runWorkload({ ...common, workload, sides }), values.json ?? false);
}

/** `bench prepare WORKLOAD --to TARGET`. */
export async function prepareCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...RUN_OPTIONS, to: { type: "string" } },
  });
  const [name] = positionals;
  if (name === undefined || values.to === undefined) {
    throw new RinglightError("RL_BAD_REQUEST", "write bench prepare WORKLOAD --to URL");
  }
  const description = loadDescription(name);
  const plan = makePlan(description, withTables(description, planOptions(values), say));
  await putObjects(plan.objects, sideOf(values.to, values, false).address, say);
  const total = plan.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  process.stdout.write(`${plan.objects.length} objects, ${(total / 1e9).toFixed(2)} GB\n`);
}
