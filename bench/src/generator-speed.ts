/**
 * `bench generator-speed`: what the load generator itself drives, against a target that costs next to nothing (bench/native/null.c),
 * beside wrk, in turn. GETs of 4 KiB ranges over kept-alive connections, without pipelining.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@ringlight/testing";
import { answers, program } from "./dataplane/references.ts";
import { Stage } from "./dataplane/stage.ts";
import { Generators } from "./load/generators.ts";
import { saturationOf } from "./results/figures.ts";
import { plainTable } from "./results/text-report.ts";
import { median } from "./statistics.ts";
import { loadDescription } from "./workloads/description.ts";
import { FULL } from "./workloads/make-plan.ts";

const BODY_BYTES = 4096;
const CONNECTIONS = 32;
const SOURCE = fileURLToPath(new URL("../native/null.c", import.meta.url));

/** Options. */
export interface GeneratorSpeedOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly progress: (line: string) => void;
}

/** Measures. @returns a table for a terminal */
export async function measureGenerator({ rounds, seconds, progress }: GeneratorSpeedOptions): Promise<string> {
  const stage = new Stage({ rounds, seconds, quick: true }, progress);
  const closers: Generators[] = [];
  try {
    const binary = join(stage.directory, "null");
    execFileSync(program("cc"), ["-O2", "-o", binary, SOURCE]);
    const port = await freePort();
    const target = stage.start({ name: "null target", command: binary, args: [String(port), String(BODY_BYTES)] });
    await answers(port, target);
    const description = loadDescription("random-get");
    const sets = new Map<string, Generators>();
    for (const processes of [1, 2]) {
      const generators = await Generators.start({
        spec: {
          workload: { description, options: { ...FULL, users: CONNECTIONS } },
          target: { label: "null", url: `http://127.0.0.1:${port}/bench` },
          connections: CONNECTIONS / processes,
        },
        processes,
      });
      closers.push(generators);
      sets.set(`generator, ${processes} process${processes > 1 ? "es" : ""}`, generators);
    }
    const wrk = program("wrk");
    const rates = new Map<string, number[]>();
    const cpu = new Map<string, number[]>();
    const busy = new Map<string, number[]>();
    const keep = (map: Map<string, number[]>, name: string, value: number) =>
      map.set(name, [...(map.get(name) ?? []), value]);
    for (let round = 0; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}`);
      const turns: (() => Promise<void>)[] = [...sets].map(([name, generators]) => async () => {
        const merged = await generators.round({ round, seconds, seed: 1 });
        if (merged.errors > 0) throw new Error(`${name}: ${merged.firstError}`);
        if (round === 0) return;
        const used = merged.generators.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
        keep(rates, name, merged.requests / merged.seconds);
        keep(cpu, name, merged.requests / used);
        keep(busy, name, saturationOf(merged.generators, merged.latency.quantileMs(0.5)).utilization);
      });
      turns.push(async () => {
        const args = [`-c${CONNECTIONS}`, "-t1", `-d${Math.ceil(seconds)}s`, `http://127.0.0.1:${port}/bench/x`];
        const text = execFileSync(wrk, args, { encoding: "utf8" });
        const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
        if (round > 0) keep(rates, "wrk, 1 thread", rate);
      });
      const order = turns.map((_, at) => turns[(at + round) % turns.length]!);
      for (const turn of order) await turn();
    }
    const rows = [...rates].map(([name, values]) => [
      name,
      median(values).toFixed(0),
      `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`,
      cpu.has(name) ? median(cpu.get(name)!).toFixed(0) : "",
      busy.has(name) ? `${(median(busy.get(name)!) * 100).toFixed(0)} %` : "",
    ]);
    return plainTable({ head: ["4 KiB GETs", "requests/s", "rounds", "a second of its CPU", "busy"], rows });
  } finally {
    for (const generators of closers) await generators.stop();
    await stage.close();
  }
}
