/**
 * `bench self-check`: the harness against real workers. Two runs of one build must not be called different (at most once in twenty),
 * and a worker that was made a tenth slower must be found by the gate.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitFor } from "@ringlight/testing";
import { Ringlight } from "./dataplane/ringlight.ts";
import { BUCKET, GENERATOR_CORE, Stage } from "./dataplane/stage.ts";
import { putObjects } from "./datasets.ts";
import { compareRuns, gate } from "./results/compare.ts";
import { readRun } from "./results/run-directory.ts";
import { type RunOptions, runWorkload } from "./run-workload.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL, makePlan } from "./workloads/make-plan.ts";

const PRELOAD = fileURLToPath(new URL("slow-preload.ts", import.meta.url));
const STORE = fileURLToPath(new URL("store-main.ts", import.meta.url));
/** Share of a request's time that the slowed worker takes more. */
const SLOWER = 0.1;
const MAX_REGRESSION = 0.05;
/** The regression is looked for with so many times the rounds: a gate can take its time. */
const SLOWED_ROUNDS = 6;

/** Options. */
export interface SelfCheckOptions {
  readonly repetitions: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly out: string;
  readonly progress: (line: string) => void;
}

/** Runs it. @returns what was found, and whether the harness may be trusted */
export async function selfCheck(
  options: SelfCheckOptions,
): Promise<{ readonly text: string; readonly passed: boolean }> {
  const { repetitions, rounds, seconds, out, progress } = options;
  const stage = new Stage({ rounds, seconds, quick: true }, progress);
  try {
    const store = stage.start({ name: "store", command: process.execPath, args: [STORE, "0", "0"] });
    const endpoint = await waitFor(() => /"endpoint":"([^"]+)"/.exec(store.output)?.[1], {
      timeoutMs: 30_000,
      what: "the store",
    });
    await fetch(`${endpoint}/${BUCKET}`, { method: "PUT" });
    const description = loadDescription("random-get");
    const planned = { ...FULL, scale: 0.125, recordScale: 0.25, users: 1 };
    const { objects } = makePlan(description, planned);
    await putObjects(objects, { label: "store", url: `${endpoint}/${BUCKET}` }, progress);
    const side = async (label: string, slowUs: number) => {
      const cluster = await Ringlight.start(stage, {
        mem: "256MiB",
        ...(slowUs > 0 && { nodeFlags: ["--import", PRELOAD], env: { BENCH_SLOW_US: String(slowUs) } }),
      });
      await cluster.mount({ endpoint: endpoint ?? "" });
      const url = `http://127.0.0.1:${cluster.worker.s3Port}/${BUCKET}`;
      for (const { key } of objects) await (await fetch(`${url}/${key}`)).arrayBuffer();
      return { address: { label, url }, pids: () => cluster.pids() };
    };
    const run = async (sides: RunOptions["sides"], rounds: number) => {
      const directories = await runWorkload({
        workload: { description, options: planned },
        sides,
        rounds,
        seconds,
        processes: 1,
        cores: GENERATOR_CORE,
        connections: 1,
        out: join(out, "self-check"),
        command: ["npm", "run", "bench", "--", "self-check"],
        progress: () => {},
      });
      return directories.map(readRun);
    };
    const base = await side("base", 0);
    const again = { ...base, address: { ...base.address, label: "again" } };
    let alarms = 0;
    let medianMs = 0;
    for (let repetition = 1; repetition <= repetitions; repetition++) {
      const [a, b] = await run([base, again], rounds);
      const { sentence } = compareRuns(a!, b!);
      if (!sentence.startsWith("No difference seen")) alarms++;
      medianMs += (a!.summary.median?.p50Ms ?? 0) / repetitions;
      progress(`${repetition} of ${repetitions}: ${sentence}`);
    }
    const slowUs = Math.max(1, medianMs * 1000 * SLOWER);
    // Both are as young: a worker that has run for minutes is faster than one that has just started.
    const sides = [await side("control", 0), await side("slowed", slowUs)];
    await run(sides, rounds);
    const [a, b] = await run(sides, rounds * SLOWED_ROUNDS);
    const judged = gate(compareRuns(a!, b!), MAX_REGRESSION);
    const passed = alarms * 20 <= repetitions && judged.state === "failed";
    const text = [
      `same build: ${alarms} of ${repetitions} comparisons of ${rounds} rounds called it different`,
      `slowed by ${slowUs.toFixed(1)} µs a request, ${SLOWER * 100} % of its median: the gate ${judged.state} - ${judged.sentence}`,
      passed
        ? "the harness tells them apart"
        : "the harness does not tell them apart on this machine now; more rounds may",
    ].join("\n");
    return { text, passed };
  } finally {
    await stage.close();
  }
}
