/** `bench compare`, `bench gate` and `bench report`: what was measured, read again. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { RinglightError } from "@ringlight/core";
import { compareRuns, gate } from "../results/compare.ts";
import { htmlReport } from "../results/html-report.ts";
import { listRuns, readRun } from "../results/run-directory.ts";
import { comparisonTable, markdownTable, plainTable, runTable } from "../results/text-report.ts";
import { RESULTS } from "./arguments.ts";

function two(positionals: readonly string[], usage: string): readonly [string, string] {
  const [a, b] = positionals;
  if (a === undefined || b === undefined) throw new RinglightError("RL_BAD_REQUEST", `write ${usage}`);
  return [a, b];
}

/** `bench compare A B`. */
export function compareCommand(args: readonly string[]): void {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: "boolean" }, markdown: { type: "boolean" }, html: { type: "string" } },
  });
  const runs = two(positionals, "bench compare A B, two directories of runs").map(readRun);
  const comparison = compareRuns(runs[0]!, runs[1]!);
  if (values.html !== undefined) writeFileSync(values.html, htmlReport(runs[0]!.summary.title, [{ runs }]));
  if (values.json) process.stdout.write(`${JSON.stringify(comparison, null, 2)}\n`);
  else {
    const table = comparisonTable(comparison);
    process.stdout.write(`${comparison.sentence}\n\n${values.markdown ? markdownTable(table) : plainTable(table)}\n`);
    for (const warning of comparison.warnings) process.stdout.write(`note: ${warning}\n`);
  }
}

/** `bench gate A B --max-regression 5%`: 0 passed, 1 regression, 3 cannot tell. */
export function gateCommand(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { "max-regression": { type: "string", default: "5%" } },
  });
  const runs = two(positionals, "bench gate BASELINE CANDIDATE --max-regression 5%").map(readRun);
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(values["max-regression"]);
  if (match === null) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `--max-regression is "${values["max-regression"]}"; write for example 5%`,
    );
  }
  const result = gate(compareRuns(runs[0]!, runs[1]!), Number(match[1]) / 100);
  process.stdout.write(`${result.state}: ${result.sentence}\n`);
  return { passed: 0, failed: 1, undecided: 3 }[result.state];
}

/** `bench report RUN...`: one report of several runs; `bench runs` lists them. */
export function reportCommand(args: readonly string[]): void {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { out: { type: "string", default: "report.html" } },
  });
  const runs = positionals.map(readRun);
  if (runs.length === 0) throw new RinglightError("RL_BAD_REQUEST", "write bench report RUN [RUN...] --out FILE");
  const workloads = [...new Set(runs.map(({ summary }) => summary.workload))];
  const sections = workloads.map((workload) => ({ runs: runs.filter(({ summary }) => summary.workload === workload) }));
  writeFileSync(values.out, htmlReport("Ringlight benchmark", sections));
  process.stdout.write(`${values.out}\n`);
}

/** `bench runs`. */
export function runsCommand(args: readonly string[]): void {
  const { values } = parseArgs({ args: [...args], options: { out: { type: "string", default: RESULTS } } });
  const runs = listRuns(values.out).map(readRun);
  const table = runTable(runs);
  process.stdout.write(runs.length === 0 ? `no runs in ${values.out}\n` : `${plainTable(table)}\n`);
  for (const { directory, summary } of runs) process.stdout.write(`${summary.state}  ${directory}\n`);
}
