/**
 * A directory a run: manifest.json, summary.json (rewritten as the run goes on, so that the console can follow it), windows.jsonl
 * (a line a second), spans.jsonl (the slowest requests of each second, every thousandth one, and those that asked for a trace), metrics.jsonl (counters of the
 * servers, a line a second), histograms.json, and the reports.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RinglightError } from "@ringlight/core";
import { TimeHistogram } from "../load/histogram.ts";
import type { MergedRound } from "../load/merge-rounds.ts";
import type { Sample, Window } from "../load/recorder.ts";
import { type Manifest, RESULT_FORMAT, type RunSummary } from "./run-summary.ts";
import type { ServerCounters } from "./server-metrics.ts";

/** A line of windows.jsonl: one second of all generators. Times in milliseconds. */
export interface WindowRow {
  readonly round: number;
  readonly second: number;
  /** Start of the second, since the Unix epoch. */
  readonly atMs: number;
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** A line of spans.jsonl. */
export interface SpanRow extends Sample {
  readonly round: number;
}

/** A line of metrics.jsonl. */
export interface MetricsRow extends ServerCounters {
  readonly round: number;
}

interface OpenWindow {
  requests: number;
  bytes: number;
  errors: number;
  readonly latency: TimeHistogram;
  readonly outcomes: Record<string, number>;
}

/** Generators report a second at the latest so long after its end. */
const SETTLED_SECONDS = 2;

/** Writes a run. */
export class RunDirectory {
  readonly path: string;
  readonly #windows = new Map<number, OpenWindow>();
  readonly #histograms: Record<string, string> = {};
  #round = 0;
  #roundMs = 0;

  /** Makes the directory below `parent`. */
  constructor(parent: string, manifest: Manifest) {
    this.path = join(parent, manifest.id);
    mkdirSync(this.path, { recursive: true });
    this.#write("manifest.json", manifest);
    for (const name of ["windows.jsonl", "spans.jsonl", "metrics.jsonl"]) writeFileSync(join(this.path, name), "");
  }

  summary(summary: RunSummary): void {
    this.#write("summary.json", summary);
  }

  report(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  beginRound(round: number, startedMs: number): void {
    this.#round = round;
    this.#roundMs = startedMs;
  }

  /** A second of one generator. */
  window({ second, requests, bytes, errors, latency, outcomes, samples }: Window): void {
    let open = this.#windows.get(second);
    if (open === undefined) {
      open = { requests: 0, bytes: 0, errors: 0, latency: new TimeHistogram(), outcomes: {} };
      this.#windows.set(second, open);
    }
    open.requests += requests;
    open.bytes += bytes;
    open.errors += errors;
    open.latency.add(TimeHistogram.decode(latency));
    for (const [name, count] of Object.entries(outcomes)) open.outcomes[name] = (open.outcomes[name] ?? 0) + count;
    this.#append(
      "spans.jsonl",
      samples.map((sample): SpanRow => ({ round: this.#round, ...sample })),
    );
    this.#flush(second - SETTLED_SECONDS);
  }

  metrics(counters: ServerCounters): void {
    this.#append("metrics.jsonl", [{ round: this.#round, ...counters } satisfies MetricsRow]);
  }

  endRound(merged: MergedRound): void {
    this.#flush(Number.POSITIVE_INFINITY);
    for (const [op, { latency, firstByte }] of merged.operations) {
      this.#histograms[`${this.#round}/${op}/latency`] = latency.encode();
      this.#histograms[`${this.#round}/${op}/first-byte`] = firstByte.encode();
    }
    for (const [name, histogram] of merged.parts) this.#histograms[`${this.#round}/part/${name}`] = histogram.encode();
    this.#write("histograms.json", this.#histograms);
  }

  #flush(untilSecond: number): void {
    const rows: WindowRow[] = [];
    for (const [second, open] of [...this.#windows].sort(([a], [b]) => a - b)) {
      if (second > untilSecond) continue;
      this.#windows.delete(second);
      const { requests, bytes, errors, latency, outcomes } = open;
      rows.push({
        round: this.#round,
        second,
        atMs: this.#roundMs + second * 1000,
        requests,
        bytes,
        errors,
        p50Ms: latency.quantileMs(0.5),
        p90Ms: latency.quantileMs(0.9),
        p99Ms: latency.quantileMs(0.99),
        maxMs: latency.maxMs,
        outcomes,
      });
    }
    this.#append("windows.jsonl", rows);
  }

  #append(name: string, rows: readonly object[]): void {
    if (rows.length > 0) appendFileSync(join(this.path, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  }

  /** Whole at once: somebody may be reading. */
  #write(name: string, content: object): void {
    writeWhole(join(this.path, name), content);
  }
}

/** A reader finds the old file or the new one, never half of it. */
function writeWhole(file: string, content: object): void {
  writeFileSync(`${file}.partial`, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(`${file}.partial`, file);
}

/** Notes in a run's summary that its rate is the highest that met a goal. */
export function noteHighestRate(directory: string, highestRate: NonNullable<RunSummary["highestRate"]>): void {
  writeWhole(join(directory, "summary.json"), { ...readRun(directory).summary, highestRate });
}

/** A run as it lies on the disk. */
export interface StoredRun {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly summary: RunSummary;
}

/** Reads a run. @throws RL_BAD_REQUEST where there is none, or one of another format */
export function readRun(directory: string): StoredRun {
  if (!existsSync(join(directory, "summary.json"))) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${directory} holds no run; bench run makes one and prints its directory`,
    );
  }
  const manifest = JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")) as Manifest;
  const summary = JSON.parse(readFileSync(join(directory, "summary.json"), "utf8")) as RunSummary;
  if (summary.format !== RESULT_FORMAT) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${directory} is of format ${summary.format}; this harness reads ${RESULT_FORMAT}`,
    );
  }
  return { directory, manifest, summary };
}

/** Runs below a directory, newest first. */
export function listRuns(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .map((name) => join(parent, name))
    .filter((path) => existsSync(join(path, "summary.json")))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
}

function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  // A line that is being written is not whole yet.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T);
}

/** Seconds of a run. */
export function readWindows(directory: string): WindowRow[] {
  return readLines(join(directory, "windows.jsonl"));
}

/** Requests that a run tells about by themselves. */
export function readSpans(directory: string): SpanRow[] {
  return readLines(join(directory, "spans.jsonl"));
}

/** Histograms of a run by "<round>/<operation>/latency", and so on. */
export function readHistograms(directory: string): ReadonlyMap<string, TimeHistogram> {
  const file = join(directory, "histograms.json");
  if (!existsSync(file)) return new Map();
  const encoded = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  return new Map(Object.entries(encoded).map(([name, text]) => [name, TimeHistogram.decode(text)]));
}
