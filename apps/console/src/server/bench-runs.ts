/** Reads the benchmark harness's result directories; a run that is under way is read as far as it is written. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { RinglightError } from "@ringlight/core";
import type {
  BenchComparison,
  BenchDetail,
  BenchMetrics,
  BenchRun,
  BenchRuns,
  BenchSpan,
  BenchWindow,
} from "../wire-bench.ts";

const RUN_ID = /^[\w.-]{1,200}$/;
const MOST_RUNS = 200;
/** Newest lines of a file that a page gets. */
const MOST_LINES = 5_000;
const COMPARE_MS = 30_000;
const run = promisify(execFile);

/** All runs of a directory, newest first; none where there is no directory. */
export async function benchRuns(directory: string): Promise<BenchRuns> {
  const names = await readdir(directory).catch(() => []);
  // Names begin with the time of the start.
  const newest = names.filter((name) => RUN_ID.test(name)).sort((a, b) => (a < b ? 1 : -1));
  const read = await Promise.all(
    newest.slice(0, MOST_RUNS).map((name) => runOf(directory, name).catch(() => undefined)),
  );
  return { directory, runs: read.filter((found) => found !== undefined) };
}

/** Tells which traces can be opened. */
type StoredOf = (traceIds: readonly string[]) => Promise<readonly string[]>;

/** One run, its requests marked by whether their traces are stored. @throws RL_NOT_FOUND, RL_BAD_REQUEST */
export async function benchDetail(directory: string, id: string, storedOf: StoredOf): Promise<BenchDetail> {
  const place = placeOf(directory, id);
  const found = await runOf(directory, id).catch((cause: unknown) => {
    throw new RinglightError("RL_NOT_FOUND", `there is no run ${id} in ${directory}`, { cause });
  });
  const manifest = JSON.parse(await readFile(join(place, "manifest.json"), "utf8")) as BenchDetail["manifest"];
  const [windows, spans, metrics] = await Promise.all([
    lines<BenchWindow>(join(place, "windows.jsonl")),
    lines<Omit<BenchSpan, "isStored">>(join(place, "spans.jsonl")),
    lines<BenchMetrics>(join(place, "metrics.jsonl")),
  ]);
  const stored = new Set(await storedOf(spans.map(({ traceId }) => traceId).filter((traceId) => traceId !== "")));
  const { seed, planDigest, command, machine, git } = manifest;
  return {
    run: found,
    directory: place,
    manifest: { seed, planDigest, command, machine, git },
    windows,
    spans: spans.map((span) => ({ ...span, isStored: stored.has(span.traceId) })),
    metrics,
  };
}

/** Compares two runs by the harness itself, whose statistics these are. @throws RL_BAD_REQUEST where they cannot be compared */
export async function benchCompare(directory: string, a: string, b: string, harness: string): Promise<BenchComparison> {
  const places = [placeOf(directory, a), placeOf(directory, b)];
  try {
    const { stdout } = await run(process.execPath, [harness, "compare", ...places, "--json"], { timeout: COMPARE_MS });
    return JSON.parse(stdout) as BenchComparison;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.split("\n")[0] ?? "";
    const words =
      said.replace(/^ringlight bench compare: /, "") || (error instanceof Error ? error.message : String(error));
    throw new RinglightError("RL_BAD_REQUEST", words, { cause: error });
  }
}

function placeOf(directory: string, id: string): string {
  if (!RUN_ID.test(id) || id.includes("..")) throw new RinglightError("RL_BAD_REQUEST", `"${id}" is no id of a run`);
  return join(directory, id);
}

async function runOf(directory: string, id: string): Promise<BenchRun> {
  const place = placeOf(directory, id);
  const summary = JSON.parse(await readFile(join(place, "summary.json"), "utf8")) as BenchRun;
  const { interleaved } = JSON.parse(await readFile(join(place, "manifest.json"), "utf8")) as BenchRun;
  const { workload, title, kind, target, startedMs, state, failure, warmUp, rounds, median } = summary;
  return {
    id,
    workload,
    title,
    kind,
    target,
    startedMs,
    state,
    rounds,
    interleaved,
    ...(failure !== undefined && { failure }),
    ...(warmUp && { warmUp }),
    ...(median && { median }),
  };
}

async function lines<T>(file: string): Promise<T[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  // The last line may not be whole yet.
  return text
    .split("\n")
    .slice(0, -1)
    .slice(-MOST_LINES)
    .map((line) => JSON.parse(line) as T);
}
