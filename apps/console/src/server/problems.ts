/** What is wrong at this moment: detectors that look at states. Those that look at numbers over time are in load-problems.ts. */
import { ERRORS, type ErrorCode, formatDuration } from "@ringlight/core";
import type { MountView, Problem, TierView, WorkerView } from "../wire.ts";
import { problem } from "./problem-catalogue.ts";

/** What the detectors look at. */
export interface ProblemInput {
  readonly registry: { readonly connected: boolean; readonly endpoints: readonly string[]; readonly asOfMs: number };
  readonly workers: readonly WorkerView[];
  readonly mounts: readonly MountView[];
  readonly tiers: ReadonlyMap<string, readonly TierView[]>;
  readonly schedulers: number;
  readonly leader: string | undefined;
  readonly watchingSinceMs: number;
  readonly nowMs: number;
  /** What the detectors of load-problems.ts found at the last sample. */
  readonly load: readonly Problem[];
}

/** A leader is missed only after this long: an election takes a moment. */
const LEADER_GRACE_MS = 15_000;

const workerPage = (id: string) => `/workers/${encodeURIComponent(id)}`;

function registryProblems({ registry, nowMs }: ProblemInput): Problem[] {
  if (registry.connected) return [];
  const endpoints = registry.endpoints.join(", ");
  const known = registry.asOfMs > 0;
  const cause = known
    ? `None of ${endpoints} has answered for ${formatDuration(Math.max(0, nowMs - registry.asOfMs))}. Reads go on with the last ring that everybody knows; what is shown here of membership and mounts is that old.`
    : `None of ${endpoints} has answered since the console started.`;
  const title = "The registry does not answer";
  return [
    problem("registry_unreachable", {
      subject: endpoints,
      title,
      cause,
      ...(known ? { sinceMs: registry.asOfMs } : {}),
    }),
  ];
}

function memberProblems({ registry, workers }: ProblemInput): Problem[] {
  if (!registry.connected || workers.length > 0) return [];
  const cause = "No worker has joined this cluster yet, so that nothing can be read.";
  return [problem("no_members", { subject: "ring", title: "The ring has no members", cause })];
}

function workerProblems({ workers }: ProblemInput): Problem[] {
  return workers.flatMap(({ id, state, sinceMs, reason, addresses }): Problem[] => {
    const fields = { subject: id, href: workerPage(id), sinceMs };
    if (state === "down") {
      const cause =
        "Its lease has ended: the process stopped, or lost the registry. It keeps its arcs for a while; reads of them go to replicas, other workers and the store.";
      return [problem("worker_down", { ...fields, title: `Worker ${id} is down`, cause })];
    }
    if (state !== "unreachable") return [];
    const cause = `Its lease is held, but ${reason ?? "no statistics come"}.`;
    const remedy = `Check the network to ${addresses?.grpc ?? "its gRPC address"}, and that both use the same cluster token.`;
    const title = `Worker ${id} does not answer the console`;
    return [problem("worker_unreachable", { ...fields, title, cause, remedy })];
  });
}

function mountProblems({ mounts }: ProblemInput): Problem[] {
  return mounts.flatMap(({ record, checks }): Problem[] => {
    const failing = checks.filter((check) => !check.ok);
    const first = failing[0];
    if (!first) return [];
    const whole = failing.length === checks.length;
    const info = ERRORS[first.code as ErrorCode];
    return [
      problem("mount_failing", {
        severity: whole ? "critical" : "warning",
        subject: record.name,
        title: `Mount /${record.name} ${whole ? "cannot be reached" : "is reached by some workers only"}`,
        cause: `${failing.length} of ${checks.length} workers cannot reach ${record.uri}: ${first.message ?? first.code ?? "no reason given"}.`,
        ...(info === undefined ? {} : { remedy: info.remedy }),
        href: "/mounts",
      }),
    ];
  });
}

function tierProblems({ tiers, workers }: ProblemInput): Problem[] {
  return workers.flatMap(({ id, state }) =>
    (tiers.get(id) ?? []).flatMap(({ name, directories, error }): Problem[] => {
      if (error === undefined || state === "down") return [];
      const cause = `${directories.join(", ")}: ${error}.`;
      const title = `Tier ${name} of ${id} has a disk error`;
      return [problem("tier_disk_error", { subject: `${id} ${name}`, title, cause, href: workerPage(id) })];
    }),
  );
}

function leaderProblems({ registry, schedulers, leader, workers, nowMs, watchingSinceMs }: ProblemInput): Problem[] {
  if (!registry.connected || leader !== undefined || workers.length === 0) return [];
  if (nowMs - watchingSinceMs < LEADER_GRACE_MS) return [];
  const none = schedulers === 0;
  return [
    problem("no_leader", {
      subject: "scheduler",
      title: none ? "No scheduler is running" : "No scheduler leads",
      cause: none
        ? "Members that stay away are not removed from the ring, and its history is not kept. Reads are not affected."
        : `${schedulers} stand by and none has been elected. Reads are not affected.`,
    }),
  ];
}

/** All problems of this moment, the worst first. */
export function findProblems(input: ProblemInput): Problem[] {
  const found = [
    ...registryProblems(input),
    ...memberProblems(input),
    ...workerProblems(input),
    ...mountProblems(input),
    ...tierProblems(input),
    ...leaderProblems(input),
    ...input.load,
  ];
  return found.sort((a, b) => Number(a.severity === "warning") - Number(b.severity === "warning"));
}
