/** The page store's rows of the data plane's table: memory, start, eviction. No network; each row in processes of its own. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { EVICTION_POLICY_NAMES, optimalHitRatio, pageTraces, policyHitRatio } from "@ringlight/store/simulation";
import { type Row, spread } from "./dataplane/row.ts";

const run = promisify(execFile);
const PROGRAM = new URL("./store-measure-main.ts", import.meta.url).pathname;
const MEASUREMENT_TIMEOUT_MS = 600_000;

/** How much to do. */
export interface StoreCasesOptions {
  /** Rounds of what is measured more than once. */
  readonly rounds: number;
  /** A tenth of the pages. */
  readonly quick: boolean;
  readonly wanted: (name: string) => boolean;
  readonly progress: (line: string) => void;
}

async function measure<T>(...words: (string | number)[]): Promise<T> {
  const { stdout } = await run(process.execPath, ["--expose-gc", PROGRAM, ...words.map(String)], {
    timeout: MEASUREMENT_TIMEOUT_MS,
  });
  return JSON.parse(stdout) as T;
}

/** All rows of the store whose names are wanted. */
export async function storeCases(options: StoreCasesOptions): Promise<Row[]> {
  return [
    ...(await memoryRows(options)),
    ...(await readyRows(options)),
    ...(await policyRows(options)),
    ...hitRatioRows(options),
  ];
}

/** Memory a page, RSS over base: index, versions and policy with its sketch. */
async function memoryRows({ quick, wanted, progress }: StoreCasesOptions): Promise<Row[]> {
  const pages = quick ? 1_000_000 : 10_000_000;
  const rows: Row[] = [];
  for (const pagesPerObject of [8, 1]) {
    const name = `memory a page, ${pages / 1e6} M pages, ${pagesPerObject === 1 ? "one page" : "8 pages"} an object`;
    if (!wanted(name)) continue;
    progress(name);
    const { bytesPerPage, lookupsPerSecond, longestMs } = await measure<{
      bytesPerPage: number;
      lookupsPerSecond: number;
      longestMs: number;
    }>("memory", pages, pagesPerObject);
    rows.push({
      case: name,
      reference: "",
      value: spread([bytesPerPage]),
      unit: "B",
      ...(pagesPerObject === 8 && { bar: { kind: "at most", value: 48 } }),
      note: `${(lookupsPerSecond / 1e6).toFixed(2)} M look-ups a CPU second by name; longest insertion ${longestMs.toFixed(0)} ms`,
    });
  }
  return rows;
}

interface Ready {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly pages: number;
}

/** Time to a store that serves, after a restart and after kill -9. */
async function readyRows({ quick, rounds, wanted, progress }: StoreCasesOptions): Promise<Row[]> {
  const pages = quick ? 100_000 : 1_000_000;
  const count = `${pages / 1e6} M pages`;
  const names = { restart: `${count}: ready after a restart`, kill: `${count}: ready after kill -9` };
  if (!wanted(names.restart) && !wanted(names.kill)) return [];
  const directory = fs.mkdtempSync(join(tmpdir(), "ringlight-bench-ready-"));
  try {
    progress(`${count}: making their files`);
    await measure("fill", directory, pages);
    const taken: { restart: Ready[]; kill: Ready[] } = { restart: [], kill: [] };
    for (let round = 0; round < rounds; round++) {
      progress(`${count}: start ${round + 1} of ${rounds}`);
      taken.restart.push(await measure<Ready>("ready", directory));
      await writeAndKill(directory);
      taken.kill.push(await measure<Ready>("ready", directory));
    }
    const row = (name: string, ready: readonly Ready[], seconds: number): Row => ({
      case: name,
      reference: "",
      value: spread(ready.map(({ readyMs }) => readyMs / 1000)),
      unit: "s",
      bar: { kind: "at most", value: quick ? seconds / 10 : seconds },
      note: `${spread(ready.map(({ cpuMs }) => cpuMs)).median.toFixed(0)} ms of CPU; ${ready.at(-1)?.pages} pages found`,
    });
    return [row(names.restart, taken.restart, 3), row(names.kill, taken.kill, 5)].filter((made) => wanted(made.case));
  } finally {
    await fs.promises.rm(directory, { recursive: true, force: true });
  }
}

/** Opens the store in another process, lets it write pages, and kills it in the middle of that. */
async function writeAndKill(directory: string): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, "write", directory], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  try {
    await Promise.race([once(child.stdout, "data"), exit.then(() => Promise.reject(new Error("the writer ended")))]);
    await new Promise((resolve) => setTimeout(resolve, 300));
  } finally {
    child.kill("SIGKILL");
    await exit;
  }
}

/** Speed of eviction, against lru-cache on the same requests. */
async function policyRows({ rounds, wanted, progress }: StoreCasesOptions): Promise<Row[]> {
  const names = {
    alone: "eviction policy, operations a second on one core",
    against: "index and eviction policy against lru-cache",
  };
  if (!wanted(names.alone) && !wanted(names.against)) return [];
  progress(names.alone);
  const taken = await measure<Record<"policy" | "index" | "lruCache" | "lruCacheNames", number[]>>("policy", rounds);
  const over = (ours: readonly number[], theirs: readonly number[]) =>
    spread(ours.map((figure, round) => figure / (theirs[round] ?? Number.NaN)));
  const million = (figures: readonly number[]) => `${spread(figures).median.toFixed(2)} M/s`;
  const rows: Row[] = [
    {
      case: names.alone,
      reference: "",
      value: spread(taken.policy),
      unit: "M/s",
      bar: { kind: "at least", value: 2 },
      note: "1 M pages, CPU seconds; hits, and insertions that evict",
    },
    {
      case: names.against,
      reference: "lru-cache by version and page",
      value: over(taken.index, taken.lruCacheNames),
      unit: "x",
      bar: { kind: "at least", value: 2 },
      note: `${million(taken.index)} against ${million(taken.lruCacheNames)}`,
    },
    {
      case: "eviction policy alone",
      reference: "lru-cache by bare numbers",
      value: over(taken.policy, taken.lruCache),
      unit: "x",
      note: `${million(taken.policy)} against ${million(taken.lruCache)}; no names on either side`,
    },
  ];
  return rows.filter((made) => wanted(made.case));
}

/** Hit ratios of the default policy against the optimum; the others beside it. */
function hitRatioRows({ quick, wanted, progress }: StoreCasesOptions): Row[] {
  const rows: Row[] = [];
  for (const trace of pageTraces(quick ? 0.1 : 1)) {
    for (const share of [0.05, 0.25, 0.5]) {
      const name = `hit ratio, ${trace.name} @ ${share * 100} %`;
      if (!wanted(name)) continue;
      progress(name);
      const capacity = Math.round(trace.pages * share);
      const optimal = optimalHitRatio(capacity, trace);
      const ratios = EVICTION_POLICY_NAMES.map((policy) => ({
        policy,
        ratio: policyHitRatio(policy, capacity, trace),
      }));
      const ours = ratios.find(({ policy }) => policy === "wtinylfu")?.ratio ?? Number.NaN;
      const percents = [...ratios, { policy: "optimal", ratio: optimal }];
      rows.push({
        case: name,
        reference: "optimum (Belady)",
        value: spread([ours / optimal]),
        unit: "x",
        note: percents.map(({ policy, ratio }) => `${policy} ${(ratio * 100).toFixed(1)}`).join(", "),
      });
    }
  }
  return rows;
}
