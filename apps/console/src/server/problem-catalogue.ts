/** The catalogue of problems: what can be wrong, by id, what it means and what to do. docs/problems.md is generated from here. */
import type { Problem, ProblemKind } from "../wire.ts";

/** One kind of problem. */
export interface ProblemInfo {
  readonly severity: Problem["severity"];
  /** What it is called where no subject is known. */
  readonly name: string;
  /** When it is shown. */
  readonly detector: string;
  readonly remedy: string;
  /** A command that shows more or helps. */
  readonly command?: string;
}

/** Every kind, the gravest first. */
export const PROBLEMS: Readonly<Record<ProblemKind, ProblemInfo>> = {
  registry_unreachable: {
    severity: "critical",
    name: "The registry does not answer",
    detector: "No endpoint of the registry answers the console.",
    remedy: "Check the registry's endpoints; reads go on with the last known ring.",
    command: "ringlight status",
  },
  no_members: {
    severity: "critical",
    name: "The ring has no members",
    detector: "The registry answers and knows no worker.",
    remedy: "Start a worker with the same cluster name and registry endpoints.",
    command: "ringlight up",
  },
  worker_down: {
    severity: "critical",
    name: "A worker is down",
    detector: "A member of the ring holds no lease.",
    remedy: "Start it again on the same data directory: its pages are found again and only its own share moves.",
    command: "ringlight status",
  },
  mount_failing: {
    severity: "critical",
    name: "A mount cannot be reached",
    detector: "Workers that were asked do not reach the store behind a mount; a warning while others do.",
    remedy: "Check the store and the credentials that the mount refers to.",
    command: "ringlight mount ls",
  },
  reads_failing: {
    severity: "critical",
    name: "Reads fail",
    detector: "Over a minute more than 1 % of at least 20 requests were answered with 5xx.",
    remedy: "Open the failed traces: each names its error code, and docs/errors.md says what to do about it.",
    command: "ringlight status",
  },
  telemetry_store_failing: {
    severity: "critical",
    name: "Traces, logs and metrics are not stored",
    detector: "The console's telemetry store cannot be opened or written.",
    remedy: "Free bytes on the console's disk, or give it another data directory; what came meanwhile is lost.",
  },
  job_failed: {
    severity: "warning",
    name: "A job failed",
    detector: "A job ended as failed within the last hour.",
    remedy: "Look at its page for the reason; retry what failed once that is mended.",
    command: "ringlight job status JOB",
  },
  job_partial: {
    severity: "warning",
    name: "A job could not do all of its work",
    detector: "A job ended as partial within the last hour.",
    remedy: "Its page lists what failed and why; retry what failed.",
    command: "ringlight job retry JOB",
  },
  job_stalled: {
    severity: "warning",
    name: "A job makes no progress",
    detector: "A running job has moved no object for two minutes.",
    remedy: "Look at its trace: the task that is open names its worker and what it waits for.",
    command: "ringlight job status JOB",
  },
  worker_unreachable: {
    severity: "warning",
    name: "A worker does not answer the console",
    detector: "A worker holds its lease and sends no statistics.",
    remedy: "Check the network to its gRPC address, and that both use the same cluster token.",
  },
  store_errors: {
    severity: "warning",
    name: "A store fails",
    detector: "Over a minute more than 2 % of at least 20 requests to the store behind a mount failed.",
    remedy: "Check the store; reads of what is cached are not affected, and others are retried.",
    command: "ringlight mount ls",
  },
  store_slow: {
    severity: "warning",
    name: "A store is slow",
    detector: "Over a minute the requests to the store behind a mount took more than a second on average.",
    remedy: "Check the store's load and the network to it; load data before it is read.",
    command: "ringlight load PATH",
  },
  hit_rate_fell: {
    severity: "warning",
    name: "The hit rate fell",
    detector:
      "Over a minute it was 20 points or more below that of the ten minutes before, with at least 500 page requests.",
    remedy: "The reason that grew most says why; the Cache page shows it over time.",
  },
  tier_too_small: {
    severity: "warning",
    name: "A tier is too small for what is read",
    detector: "Over a minute a tier evicted a fifth of its pages or more, and evicted pages were asked for again.",
    remedy:
      "Give the tier more bytes, or mount data that is read once with eviction=freeze. Evictions also wear out SSDs.",
  },
  tier_disk_error: {
    severity: "warning",
    name: "A tier has a disk error",
    detector: "A worker reports an error of one of its tiers' directories.",
    remedy: "Check the disk and its free bytes; until then the worker serves from its other tiers and the store.",
  },
  pins_exceed_share: {
    severity: "warning",
    name: "Pins exceed their share of a tier",
    detector:
      "A worker's last tier holds pages with a pin that is not kept, for pins take three quarters of the tier already.",
    remedy: "Pin less, or give the tier more bytes. What does not fit is treated as priority: high.",
    command: "ringlight policy ls",
  },
  pages_corrupt: {
    severity: "warning",
    name: "Cached pages were corrupt",
    detector: "A tier dropped pages that failed their checksums within the last ten minutes.",
    remedy: "No reader saw them. Check the disk's health, and scrub what it holds.",
    command: "ringlight scrub",
  },
  event_loop_busy: {
    severity: "warning",
    name: "A worker's process is saturated",
    detector: "The 99th percentile of a worker's event-loop delay was above 250 ms for 15 s.",
    remedy: "Start more workers on the host (one a core), or look at a CPU profile on the worker's page.",
  },
  worker_hot: {
    severity: "warning",
    name: "A worker has more to do than the others",
    detector: "For 30 s a worker had twice the average of page requests, of three workers or more.",
    remedy: "A few hot objects: give their mount replicas=2. Many: check the workers' weights.",
    command: "ringlight ring",
  },
  reads_fall_back: {
    severity: "warning",
    name: "Reads fall back to other sources",
    detector: "For 15 s more than one read in two seconds had a source that failed, so that another took over.",
    remedy: "Look at the traces of such reads: they name the worker that did not answer.",
  },
  ring_behind: {
    severity: "warning",
    name: "A worker routes by an old ring",
    detector: "For 15 s a worker's epoch was behind that of the registry.",
    remedy:
      "Check that the worker reaches the registry; what it relays by the old ring is read from the store meanwhile.",
    command: "ringlight ring",
  },
  clock_skew: {
    severity: "warning",
    name: "A worker's clock is off",
    detector: "A worker's time differs from the console's by more than 2 s.",
    remedy: "Run NTP on its host: leases are not affected, but traces and freshness rules are.",
  },
  versions_differ: {
    severity: "warning",
    name: "Workers run different versions",
    detector: "The live workers report more than one version, for ten minutes.",
    remedy: "Finish the roll-out, or roll it back.",
    command: "ringlight status",
  },
  config_differs: {
    severity: "warning",
    name: "Processes of one kind have different settings",
    detector:
      "Live workers, or schedulers, have differed for ten minutes in a setting that is not theirs alone (ids, ports, directories, weights are); sizes of tiers are compared between workers of one weight.",
    remedy:
      "Give the odd ones out the settings of the others and start them again; the Config page shows where each value comes from.",
    command: "ringlight config show",
  },
  telemetry_refused: {
    severity: "warning",
    name: "The console refuses telemetry",
    detector: "Within the last minute the console answered 429 to senders of telemetry.",
    remedy: "Senders try again and drop what is too much. Lower their sampling, or send spans to a collector.",
  },
  no_leader: {
    severity: "warning",
    name: "No scheduler leads",
    detector: "No scheduler has been elected for 15 s.",
    remedy: "Start a scheduler with the same cluster name and registry endpoints.",
    command: "ringlight status",
  },
};

/** A problem of a kind; what is not given is the catalogue's. */
export function problem(
  kind: ProblemKind,
  fields: Pick<Problem, "subject" | "title" | "cause"> & Partial<Problem>,
): Problem {
  const { severity, remedy, command } = PROBLEMS[kind];
  return { kind, severity, remedy, ...(command === undefined ? {} : { command }), ...fields };
}

/** The page of docs/. */
export function renderProblemDocs(): string {
  const lines = [
    "# Problems",
    "",
    "What the console's overview names, and `/api/cluster` lists under `problems`. This page is generated from the catalogue.",
    "",
    "| id | severity | problem | when it is shown | what to do |",
    "| --- | --- | --- | --- | --- |",
  ];
  for (const [kind, { severity, name, detector, remedy, command }] of Object.entries(PROBLEMS)) {
    const help = command === undefined ? remedy : `${remedy} \`${command}\``;
    lines.push(`| \`${kind}\` | ${severity} | ${name} | ${detector} | ${help} |`);
  }
  return `${lines.join("\n")}\n`;
}
