/** Jobs as text and as JSON. */
import { formatBytes, formatDuration } from "@ringlight/core";
import type { Amount, Job } from "@ringlight/proto";
import { count, localTime, percent, table } from "../format.ts";

const NOTHING: Amount = { objects: 0, bytes: 0 };

/** What each kind of job calls what it has done. */
const DONE_WORDS: Readonly<Record<string, string>> = {
  load: "loaded",
  free: "freed",
  sync: "looked at",
  scrub: "checked",
  copy: "copied",
  move: "moved",
  rebalance: "handed over",
};

/** Objects that a job is done with, in whatever way. */
function doneOf(job: Job): Amount {
  const parts = [job.loaded, job.cached, job.refused, job.failed];
  return {
    objects: parts.reduce((sum, part) => sum + (part?.objects ?? 0), 0),
    bytes: parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0),
  };
}

/** True for states that a job does not leave any more. */
export function hasEnded({ state }: Job): boolean {
  return state === "complete" || state === "partial" || state === "failed" || state === "stopped";
}

/** "load /data/train" and so on. */
function subject({ spec }: Job): string {
  const { kind = "", paths = [], manifestPath = "", dryRun = false, target = "", columns = [] } = spec ?? {};
  const what =
    manifestPath !== "" ? `paths of ${manifestPath}` : paths.length === 0 ? "paths of a manifest" : paths.join(" ");
  const to = target === "" ? "" : ` to ${target}`;
  const only = columns.length === 0 ? "" : ` (columns ${columns.join(", ")})`;
  return `${kind}${dryRun ? " --dry-run" : ""} ${what}${to}${only}`;
}

const amount = (part: Amount | undefined) => `${count(part?.objects ?? 0, "object")}, ${formatBytes(part?.bytes ?? 0)}`;

/** One line about a job that runs. Totals are "so far" until the listing has ended. */
export function progressLine(job: Job, width: number): string {
  const done = doneOf(job);
  const listed = job.listed ?? NOTHING;
  const phase = job.phase === "load" || job.phase === "" ? "" : `${job.phase}: `;
  if (job.state === "queued" || job.state === "paused") return `${job.state}: ${subject(job)}`;
  const [part, whole] = listed.bytes > 0 ? [done.bytes, listed.bytes] : [done.objects, listed.objects];
  const share = whole === 0 ? 0 : part / whole;
  const bar = job.listingEnded
    ? `${drawBar(share, Math.max(8, Math.min(30, width - 78)))} ${percent(part, whole)} `
    : "";
  const totals = `${done.objects} of ${listed.objects}${job.listingEnded ? "" : " so far"}`;
  const rate = `${formatBytes(job.bytesPerSecond)}/s`;
  const left = job.remainingMs >= 0 ? `, ${formatDuration(job.remainingMs)} left` : "";
  const failed = (job.failed?.objects ?? 0) + (job.refused?.objects ?? 0);
  const trouble = failed > 0 ? `, ${failed} not done` : "";
  const waits = job.reason === "" ? "" : ` (${job.reason})`;
  return `${phase}${bar}${totals} objects, ${formatBytes(done.bytes)}, ${rate}${left}${trouble}${waits}`;
}

function drawBar(share: number, width: number): string {
  const full = Math.floor(Math.min(1, share) * width);
  return `[${"#".repeat(full)}${".".repeat(width - full)}]`;
}

/** Everything about a job. */
export function jobText(job: Job): string {
  const dry = job.spec?.dryRun ?? false;
  const kind = job.spec?.kind ?? "load";
  const word = dry ? "to load" : (DONE_WORDS[kind] ?? "done");
  const lines: [string, string][] = [
    ["job", `${job.id}${job.retryOf === "" ? "" : `, a retry of ${job.retryOf}`}`],
    ["what", subject(job)],
    [
      "state",
      `${job.state}${job.reason === "" ? "" : `: ${job.reasonCode === "" ? "" : `${job.reasonCode}: `}${job.reason}`}`,
    ],
    ["submitted", localTime(job.submittedUnixMs)],
    ...(job.spec?.schedule ? ([["schedule", `${job.spec.schedule} (UTC)`]] as [string, string][]) : []),
    ...(job.dueUnixMs > 0 ? ([["due", localTime(job.dueUnixMs)]] as [string, string][]) : []),
    ["ran for", formatDuration(job.runningMs)],
    ["found", `${amount(job.listed)}${job.listingEnded ? "" : " so far"}`],
    [word, amount(job.loaded)],
  ];
  if (kind === "load") lines.push(["cached before", amount(job.cached)]);
  if ((kind === "copy" || kind === "move" || kind === "rebalance") && (job.cached?.objects ?? 0) > 0) {
    lines.push(["was there before", amount(job.cached)]);
  }
  if (kind === "free" && (job.cached?.objects ?? 0) > 0) {
    lines.push(["had nothing cached", count(job.cached?.objects ?? 0, "object")]);
  }
  if ((job.refused?.objects ?? 0) > 0) lines.push(["not kept", `${amount(job.refused)} missing`]);
  if ((job.failed?.objects ?? 0) > 0) lines.push(["failed", `${amount(job.failed)} missing`]);
  if (job.verifiedObjects > 0) lines.push(["verified", count(job.verifiedObjects, "object")]);
  if (job.changedObjects > 0) lines.push(["changed in the store", count(job.changedObjects, "object")]);
  if (kind === "load" && !dry) lines.push(["read from stores", formatBytes(job.readBytes)]);
  if (dry) {
    const needed = job.loaded?.bytes ?? 0;
    const fits =
      needed <= job.cacheFreeBytes
        ? "fits into free bytes"
        : needed <= job.cacheLimitBytes
          ? "evicts others"
          : "does not fit";
    const long =
      job.estimatedMs < 0 ? "not known: no load of these mounts was run yet" : formatDuration(job.estimatedMs);
    lines.push(["would take", long]);
    lines.push([
      "tiers",
      `${formatBytes(job.cacheFreeBytes)} of ${formatBytes(job.cacheLimitBytes)} are free: it ${fits}`,
    ]);
  }
  if (job.pass > 1) lines.push(["passes", `${job.pass}, the last one: ${job.phase}`]);
  if (job.takeovers > 0) lines.push(["taken over", `${job.takeovers} times; now by ${job.scheduler}`]);
  if (job.traceId !== "") lines.push(["trace", job.traceId]);
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** A table of jobs. */
export function jobTable(jobs: readonly Job[]): string {
  const columns = [
    { title: "JOB" },
    { title: "STATE" },
    { title: "OBJECTS", right: true },
    { title: "DONE", right: true },
    { title: "FAILED", right: true },
    { title: "BYTES", right: true },
    { title: "SUBMITTED" },
    { title: "WHAT" },
  ];
  return table(
    columns,
    jobs.map((job) => [
      job.id,
      job.state,
      `${job.listed?.objects ?? 0}${job.listingEnded ? "" : "+"}`,
      String((job.loaded?.objects ?? 0) + (job.cached?.objects ?? 0)),
      String((job.failed?.objects ?? 0) + (job.refused?.objects ?? 0)),
      formatBytes((job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0)),
      localTime(job.submittedUnixMs),
      subject(job).slice(0, 60),
    ]),
  );
}
