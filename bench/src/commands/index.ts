/** Commands about workloads and results, each with options of its own. */
import { parseArgs } from "node:util";
import { isRinglightError, RinglightError } from "@ringlight/core";
import { measureGenerator } from "../generator-speed.ts";
import { peers } from "../peers.ts";
import { quick, quickText } from "../quick.ts";
import { plainTable } from "../results/text-report.ts";
import { selfCheck } from "../self-check.ts";
import { loadDescription, workloadNames } from "../workloads/description.ts";
import { number, RESULTS, secondsOf, wholeNumber } from "./arguments.ts";
import { compareCommand, gateCommand, reportCommand, runsCommand } from "./compare.ts";
import { prepareCommand, runCommand } from "./run.ts";
import { importCommand, replayCommand, simulateCommand } from "./traces.ts";

const say = (line: string) => process.stderr.write(`${line}\n`);

async function quickCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      budget: { type: "string" },
      traces: { type: "string" },
      out: { type: "string", default: RESULTS },
    },
  });
  const result = await quick({
    out: values.out,
    only: values.only,
    rounds: wholeNumber("rounds", values.rounds),
    budgetS: secondsOf("budget", values.budget),
    traces: values.traces ?? process.env.BENCH_TRACES,
    progress: say,
  });
  process.stdout.write(`${quickText(result)}\n`);
}

async function suiteCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      scale: { type: "string" },
      out: { type: "string", default: RESULTS },
    },
  });
  if (positionals[0] !== "peers") throw new RinglightError("RL_BAD_REQUEST", "which suite? There is peers");
  const rounds = wholeNumber("rounds", values.rounds) ?? 5;
  const { text, report } = await peers({
    out: values.out,
    only: values.only,
    rounds,
    seconds: number("seconds", values.seconds),
    scale: number("scale", values.scale),
    progress: say,
  });
  process.stdout.write(`${text}\n${report}\n`);
}

function workloadsCommand(): void {
  const rows = workloadNames().map((name) => {
    const { kind, title, source } = loadDescription(name);
    return [name, kind, title, source];
  });
  process.stdout.write(`${plainTable({ head: ["name", "kind", "what", "source"], rows })}\n`);
}

async function speedCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string" }, seconds: { type: "string" } },
  });
  const text = await measureGenerator({
    rounds: wholeNumber("rounds", values.rounds) ?? 5,
    seconds: number("seconds", values.seconds) ?? 2,
    progress: say,
  });
  process.stdout.write(`${text}\n`);
}

async function selfCheckCommand(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      repetitions: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      out: { type: "string", default: RESULTS },
    },
  });
  const { text, passed } = await selfCheck({
    repetitions: wholeNumber("repetitions", values.repetitions) ?? 20,
    rounds: wholeNumber("rounds", values.rounds) ?? 5,
    seconds: number("seconds", values.seconds) ?? 0.5,
    out: values.out,
    progress: say,
  });
  process.stdout.write(`${text}\n`);
  return passed ? 0 : 1;
}

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => unknown>> = {
  quick: quickCommand,
  run: runCommand,
  prepare: prepareCommand,
  workloads: workloadsCommand,
  replay: replayCommand,
  import: importCommand,
  simulate: simulateCommand,
  suite: suiteCommand,
  compare: compareCommand,
  gate: gateCommand,
  report: reportCommand,
  runs: runsCommand,
  generator: () => import("../load/generator-main.ts"),
  "generator-speed": speedCommand,
  "self-check": selfCheckCommand,
};

/** Runs a command of these; undefined where it is not one. @returns the exit code */
export async function runWorkloadCommand(args: readonly string[]): Promise<number | undefined> {
  const [name = "", ...rest] = args;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined || rest.includes("--help") || rest.includes("-h")) return undefined;
  try {
    const code = await command(rest);
    return typeof code === "number" ? code : 0;
  } catch (error) {
    const isUsage = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
    say(`ringlight bench ${name}: ${error instanceof Error ? error.message : String(error)}`);
    if (!isUsage && !isRinglightError(error) && error instanceof Error) say(error.stack ?? "");
    return isUsage || isRinglightError(error, "RL_BAD_REQUEST") ? 2 : 1;
  }
}
