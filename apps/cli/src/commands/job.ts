/** `ringlight load`, `free`, `sync`, `scrub` and `ringlight job`. */
import { readFileSync } from "node:fs";
import { fileError, parseBytes, RinglightError } from "@ringlight/core";
import { type Job, JobSpec } from "@ringlight/proto";
import { callUnary, jobJson } from "@ringlight/rpc";
import { type SchedulerConnection, withSchedulers } from "../scheduler-connection.ts";
import { hasEnded, jobTable, jobText, progressLine } from "./job-format.ts";
import { type CommonOptions, note, print } from "./output.ts";

const FOLLOW_MS = 500;

/** Options of the commands that submit a job, as they come from the command line. */
export interface SubmitOptions extends CommonOptions {
  readonly manifest?: string;
  readonly manifestPath?: string;
  readonly replicas?: string;
  readonly bandwidth?: string;
  readonly concurrency?: string;
  readonly priority?: string;
  readonly verify?: boolean;
  readonly skipCached?: boolean;
  readonly metadataOnly?: boolean;
  readonly dryRun?: boolean;
  readonly schedule?: string;
  readonly columns?: string;
  readonly overwrite?: boolean;
  readonly failOn?: string;
  readonly follow?: boolean;
  readonly detach?: boolean;
}

/** Exit codes of jobs: 0 complete, 3 partial, 4 failed; a job that was stopped counts as interrupted. */
export function exitCodeOfJob({ state }: Job): number {
  return state === "partial" ? 3 : state === "failed" ? 4 : state === "stopped" ? 130 : 0;
}

/** Submits a job and, unless told otherwise, follows it to its end. Returns the exit code. */
export async function submit(kind: string, paths: readonly string[], options: SubmitOptions): Promise<number> {
  const isCopy = kind === "copy" || kind === "move";
  if (isCopy && paths.length === 0) throw new RinglightError("RL_BAD_REQUEST", `${kind}: the target is missing`);
  const target = isCopy ? (paths.at(-1) ?? "") : "";
  const spec = { ...specOf(kind, isCopy ? paths.slice(0, -1) : paths, options), target };
  const manifest = options.manifest === undefined ? Buffer.alloc(0) : readManifest(options.manifest);
  return withSchedulers(options, async (schedulers) => {
    const request = { spec, manifest, retryOf: "" };
    const { job, created } = await schedulers.ask((client) => callUnary(client, "submitJob", request));
    return submitted(schedulers, job, created, options);
  });
}

/** Submits a job for just what another one could not do. */
export async function retry(id: string, options: SubmitOptions): Promise<number> {
  return withSchedulers(options, async (schedulers) => {
    const request = { spec: undefined, manifest: Buffer.alloc(0), retryOf: id };
    const { job, created } = await schedulers.ask((client) => callUnary(client, "submitJob", request));
    return submitted(schedulers, job, created, options);
  });
}

async function submitted(
  schedulers: SchedulerConnection,
  job: Job | undefined,
  created: boolean,
  options: SubmitOptions,
): Promise<number> {
  if (job === undefined) throw new RinglightError("RL_INTERNAL", "the scheduler's answer lacks the job");
  if (!created) note(`The same work is under way already, as ${job.id}.`);
  if (options.detach) {
    print(options.json, jobJson(job), () => job.id);
    return 0;
  }
  if (job.dueUnixMs > 0) {
    const due = new Date(job.dueUnixMs).toISOString().slice(0, 16).replace("T", " ");
    print(
      options.json,
      jobJson(job),
      () => `${job.id} is due at ${due} UTC, and again by its schedule until it is stopped.`,
    );
    return 0;
  }
  note(`${job.id}: Ctrl-C leaves it running; \`ringlight job watch ${job.id}\` comes back to it.`);
  return follow(schedulers, job.id, options);
}

/** Shows a job's progress until it ends, then what became of it. */
async function follow(schedulers: SchedulerConnection, id: string, options: CommonOptions): Promise<number> {
  const live = process.stderr.isTTY === true && !options.json;
  let shown = "";
  for (;;) {
    const job = await getJob(schedulers, id);
    const line = progressLine(job, process.stderr.columns ?? 100);
    if (hasEnded(job)) {
      if (live) process.stderr.write("\r\u001b[K");
      print(options.json, jobJson(job), () => jobText(job));
      if (job.state === "partial")
        note(
          `\`ringlight job failed ${id}\` lists what is missing; \`ringlight job retry ${id}\` does just that again.`,
        );
      return exitCodeOfJob(job);
    }
    if (live) process.stderr.write(`\r\u001b[K${line.slice(0, (process.stderr.columns ?? 100) - 1)}`);
    else if (job.state !== shown) note(`${id}: ${job.state}`);
    shown = job.state;
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}

/** Follows a job. Returns the exit code. */
export async function watch(id: string, options: CommonOptions): Promise<number> {
  return withSchedulers(options, (schedulers) => follow(schedulers, id, options));
}

/** Waits for the end of a job without a word. Returns the exit code. */
export async function wait(id: string, options: CommonOptions): Promise<number> {
  return withSchedulers(options, async (schedulers) => {
    for (;;) {
      const job = await getJob(schedulers, id);
      if (hasEnded(job)) {
        if (options.json) print(true, jobJson(job), () => "");
        return exitCodeOfJob(job);
      }
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    }
  });
}

/** Lists the jobs, newest first. */
export async function jobList(
  options: CommonOptions & { readonly state?: readonly string[]; readonly limit?: string },
): Promise<void> {
  const limit = options.limit === undefined ? 0 : wholeNumber("--limit", options.limit);
  await withSchedulers(options, async (schedulers) => {
    const request = { states: [...(options.state ?? [])], limit };
    const { jobs } = await schedulers.ask((client) => callUnary(client, "listJobs", request));
    print(options.json, { jobs: jobs.map(jobJson) }, () =>
      jobs.length === 0 ? "No jobs. ringlight load /mount/path submits one." : jobTable(jobs),
    );
  });
}

/** Shows one job. */
export async function jobShow(id: string, options: CommonOptions): Promise<void> {
  await withSchedulers(options, async (schedulers) => {
    const job = await getJob(schedulers, id);
    print(options.json, jobJson(job), () => jobText(job));
  });
}

/** Pauses, resumes or stops a job. */
export async function jobControl(action: string, id: string, options: CommonOptions): Promise<void> {
  await withSchedulers(options, async (schedulers) => {
    const job = await schedulers.ask((client) => callUnary(client, "controlJob", { id, action }));
    print(options.json, jobJson(job), () => `${job.id} is ${job.state}.`);
  });
}

/** Lists what a job could not do, and why. */
export async function jobFailed(id: string, options: CommonOptions): Promise<void> {
  await withSchedulers(options, async (schedulers) => {
    for (let offset = 0; ; ) {
      const request = { id, offset, limit: 1000 };
      const page = await schedulers.ask((client) => callUnary(client, "listFailed", request));
      for (const { path, code, message, workerId, atUnixMs } of page.failed) {
        const entry = { path, code, message, worker: workerId, atMs: atUnixMs };
        print(options.json, entry, () => `${path}\t${code}\t${message}`);
      }
      offset += page.failed.length;
      if (page.failed.length > 0 && offset < page.total) continue;
      if (page.truncated)
        note("More failed than is listed here; the file next to the scheduler that ran the job has all.");
      if (page.total === 0) note("Nothing failed.");
      return;
    }
  });
}

function getJob(schedulers: SchedulerConnection, id: string): Promise<Job> {
  return schedulers.ask((client) => callUnary(client, "getJob", { id }, { idempotent: true }));
}

/** @throws RL_BAD_REQUEST naming the option */
function specOf(kind: string, paths: readonly string[], options: SubmitOptions): JobSpec {
  if (options.failOn !== undefined && options.failOn !== "partial") {
    throw new RinglightError("RL_BAD_REQUEST", `--fail-on ${options.failOn}: only partial is possible`);
  }
  return JobSpec.fromPartial({
    kind,
    paths: [...paths],
    manifestPath: options.manifestPath ?? "",
    replicas: options.replicas === undefined ? 0 : wholeNumber("--replicas", options.replicas),
    bytesPerSecond: options.bandwidth === undefined ? 0 : parseBytes(options.bandwidth.replace(/\/s$/i, "")),
    concurrency: options.concurrency === undefined ? 0 : wholeNumber("--concurrency", options.concurrency),
    verify: options.verify === true,
    skipCached: options.skipCached === true,
    metadataOnly: options.metadataOnly === true,
    dryRun: options.dryRun === true,
    schedule: options.schedule ?? "",
    columns: (options.columns ?? "").split(",").filter((column) => column !== ""),
    overwrite: options.overwrite === true,
    failOnPartial: options.failOn === "partial",
    priority: options.priority === undefined ? 0 : wholeNumber("--priority", options.priority),
  });
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new RinglightError("RL_BAD_REQUEST", `${option} ${text}: a whole number is wanted`);
  return Number(text);
}

function readManifest(file: string): Buffer {
  try {
    const text = readFileSync(file === "-" ? 0 : file);
    if (text.length === 0)
      throw new RinglightError("RL_BAD_REQUEST", `the manifest ${file} is empty; it must name a path in each line`);
    return text;
  } catch (error) {
    if (error instanceof RinglightError) throw error;
    throw fileError("the manifest", file, error);
  }
}
