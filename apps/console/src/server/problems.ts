/** The catalogue of problems: what is wrong by name, why, and what to do. */
import { ERRORS, type ErrorCode, formatDuration } from "@ringlight/core";
import type { MountView, Problem, TierView, WorkerView } from "../wire.ts";

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
}

/** A leader is missed only after this long: an election takes a moment. */
const LEADER_GRACE_MS = 15_000;

const workerPage = (id: string) => `/workers/${encodeURIComponent(id)}`;

function registryProblems({ registry, nowMs }: ProblemInput): Problem[] {
  if (registry.connected) return [];
  const endpoints = registry.endpoints.join(", ");
  const known = registry.asOfMs > 0;
  return [
    {
      kind: "registry_unreachable",
      severity: "critical",
      subject: endpoints,
      title: "The registry does not answer",
      cause: known
        ? `None of ${endpoints} has answered for ${formatDuration(Math.max(0, nowMs - registry.asOfMs))}. Reads go on with the last ring that everybody knows; what is shown here of membership and mounts is that old.`
        : `None of ${endpoints} has answered since the console started.`,
      remedy: ERRORS.RL_REGISTRY_UNAVAILABLE.remedy,
      command: "ringlight status",
      ...(known ? { sinceMs: registry.asOfMs } : {}),
    },
  ];
}

function memberProblems({ registry, workers }: ProblemInput): Problem[] {
  if (!registry.connected || workers.length > 0) return [];
  return [
    {
      kind: "no_members",
      severity: "critical",
      subject: "ring",
      title: "The ring has no members",
      cause: "No worker has joined this cluster yet, so that nothing can be read.",
      remedy: "Start a worker with the same cluster name and registry endpoints.",
      command: "ringlight up",
    },
  ];
}

function workerProblems({ workers }: ProblemInput): Problem[] {
  return workers.flatMap((worker): Problem[] => {
    if (worker.state === "down") {
      return [
        {
          kind: "worker_down",
          severity: "critical",
          subject: worker.id,
          title: `Worker ${worker.id} is down`,
          cause:
            "Its lease has ended: the process stopped, or lost the registry. It keeps its arcs for a while; reads of them go to replicas, other workers and the store.",
          remedy: "Start it again on the same data directory: its pages are found again and only its own share moves.",
          command: "ringlight status",
          href: workerPage(worker.id),
          sinceMs: worker.sinceMs,
        },
      ];
    }
    if (worker.state === "unreachable") {
      return [
        {
          kind: "worker_unreachable",
          severity: "warning",
          subject: worker.id,
          title: `Worker ${worker.id} does not answer the console`,
          cause: `Its lease is held, but ${worker.reason ?? "no statistics come"}.`,
          remedy: `Check the network to ${worker.addresses?.grpc ?? "its gRPC address"}, and that both use the same cluster token.`,
          href: workerPage(worker.id),
          sinceMs: worker.sinceMs,
        },
      ];
    }
    return [];
  });
}

function mountProblems({ mounts }: ProblemInput): Problem[] {
  return mounts.flatMap((mount): Problem[] => {
    const failing = mount.checks.filter((check) => !check.ok);
    const first = failing[0];
    if (!first) return [];
    const whole = failing.length === mount.checks.length;
    const info = ERRORS[first.code as ErrorCode];
    return [
      {
        kind: "mount_failing",
        severity: whole ? "critical" : "warning",
        subject: mount.record.name,
        title: `Mount /${mount.record.name} ${whole ? "cannot be reached" : "is reached by some workers only"}`,
        cause: `${failing.length} of ${mount.checks.length} workers cannot reach ${mount.record.uri}: ${first.message ?? first.code ?? "no reason given"}.`,
        remedy: info?.remedy ?? "Check the store and the credentials that the mount refers to.",
        command: "ringlight mount ls",
        href: "/mounts",
      },
    ];
  });
}

function tierProblems({ tiers, workers }: ProblemInput): Problem[] {
  return workers.flatMap((worker) =>
    (tiers.get(worker.id) ?? []).flatMap((tier): Problem[] =>
      tier.error === undefined || worker.state === "down"
        ? []
        : [
            {
              kind: "tier_disk_error",
              severity: "warning",
              subject: `${worker.id} ${tier.name}`,
              title: `Tier ${tier.name} of ${worker.id} has a disk error`,
              cause: `${tier.directories.join(", ")}: ${tier.error}.`,
              remedy:
                "Check the disk and its free bytes; until then the worker serves from its other tiers and the store.",
              href: workerPage(worker.id),
            },
          ],
    ),
  );
}

function leaderProblems({ registry, schedulers, leader, workers, nowMs, watchingSinceMs }: ProblemInput): Problem[] {
  if (!registry.connected || leader !== undefined || workers.length === 0) return [];
  if (nowMs - watchingSinceMs < LEADER_GRACE_MS) return [];
  return [
    {
      kind: "no_leader",
      severity: "warning",
      subject: "scheduler",
      title: schedulers === 0 ? "No scheduler is running" : "No scheduler leads",
      cause:
        schedulers === 0
          ? "Members that stay away are not removed from the ring, and its history is not kept. Reads are not affected."
          : `${schedulers} stand by and none has been elected. Reads are not affected.`,
      remedy: "Start a scheduler with the same cluster name and registry endpoints.",
      command: "ringlight status",
    },
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
  ];
  return found.sort((a, b) => Number(a.severity === "warning") - Number(b.severity === "warning"));
}
