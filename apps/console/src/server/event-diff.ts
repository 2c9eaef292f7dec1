/** What changed between two moments of the cluster, in words. */
import type { ClusterSnapshot, WorkerState } from "../wire.ts";
import type { ClusterEvent } from "../wire-events.ts";

/** An event before it has its number and its time. */
export type NewEvent = Omit<ClusterEvent, "id" | "atMs">;

/** A job as far as its events need it. */
export interface JobState {
  readonly id: string;
  readonly kind: string;
  readonly paths: readonly string[];
  readonly state: string;
  readonly reason: string;
}

const workerHref = (id: string) => `/workers/${encodeURIComponent(id)}`;

const STATE_WORDS: Readonly<Record<WorkerState, string>> = {
  live: "is live",
  connecting: "holds its lease again",
  unreachable: "does not answer the console",
  down: "is down: its lease ran out",
};

/** Membership, states of workers, mounts, elections, the registry, and named problems. */
export function diffSnapshots(before: ClusterSnapshot, after: ClusterSnapshot): NewEvent[] {
  const events: NewEvent[] = [];
  const add = (event: NewEvent) => events.push(event);

  if (before.registry.connected !== after.registry.connected) {
    add({
      kind: "registry",
      subject: after.registry.endpoints.join(", "),
      text: after.registry.connected ? "The registry answers" : "The registry does not answer",
      tone: after.registry.connected ? "good" : "bad",
    });
  }
  if (before.epoch !== after.epoch && after.epoch !== 0) {
    const known = new Map(before.members.map((member) => [member.id, member]));
    const now = new Set(after.members.map((member) => member.id));
    const joined = after.members.filter((member) => !known.has(member.id)).map((member) => member.id);
    const left = before.members.filter((member) => !now.has(member.id)).map((member) => member.id);
    const weighed = after.members
      .filter((member) => known.has(member.id) && known.get(member.id)?.weight !== member.weight)
      .map((member) => `${member.id} weighs ${member.weight}`);
    const words = [
      ...(joined.length > 0 ? [`${listed(joined)} joined`] : []),
      ...(left.length > 0 ? [`${listed(left)} left`] : []),
      ...weighed,
    ];
    add({
      kind: "epoch",
      subject: `epoch ${after.epoch}`,
      text: `Epoch ${after.epoch} of the ring${words.length > 0 ? `: ${words.join("; ")}` : ""}`,
      tone: left.length > 0 ? "bad" : "plain",
      href: `/ring?epoch=${after.epoch}`,
    });
  }
  const states = new Map(before.workers.map((worker) => [worker.id, worker.state]));
  for (const worker of after.workers) {
    const was = states.get(worker.id);
    // A worker that has just come connects within the second: only its being live is told.
    if (was === worker.state || (worker.state === "connecting" && was === undefined)) continue;
    if (worker.state === "connecting" && was === "live") continue;
    add({
      kind: "worker",
      subject: worker.id,
      text: `${worker.id} ${STATE_WORDS[worker.state]}${worker.state === "unreachable" && worker.reason ? `: ${worker.reason}` : ""}`,
      tone: worker.state === "live" ? "good" : worker.state === "connecting" ? "plain" : "bad",
      href: workerHref(worker.id),
    });
  }
  const mounts = new Map(before.mounts.map((mount) => [mount.record.name, mount.record]));
  for (const { record } of after.mounts) {
    const was = mounts.get(record.name);
    mounts.delete(record.name);
    if (was && JSON.stringify(was) === JSON.stringify(record)) continue;
    add({
      kind: "mount",
      subject: `/${record.name}`,
      text: was ? `Mount /${record.name} was changed` : `Mount /${record.name} was added: ${record.uri}`,
      tone: "plain",
      href: "/mounts",
    });
  }
  for (const name of mounts.keys()) {
    add({ kind: "mount", subject: `/${name}`, text: `Mount /${name} was removed`, tone: "plain", href: "/mounts" });
  }
  if (before.leader !== after.leader) {
    add({
      kind: "election",
      subject: after.leader ?? before.leader ?? "scheduler",
      text: after.leader ? `Scheduler ${after.leader} leads` : `Scheduler ${before.leader} leads no more`,
      tone: after.leader ? "plain" : "bad",
    });
  }
  const problems = new Map(before.problems.map((problem) => [`${problem.kind} ${problem.subject}`, problem]));
  for (const problem of after.problems) {
    if (problems.delete(`${problem.kind} ${problem.subject}`)) continue;
    add({
      kind: "problem",
      subject: problem.subject,
      text: problem.title,
      tone: "bad",
      ...(problem.href ? { href: problem.href } : {}),
    });
  }
  for (const problem of problems.values()) {
    add({
      kind: "problem",
      subject: problem.subject,
      text: `Over: ${problem.title}`,
      tone: "good",
      ...(problem.href ? { href: problem.href } : {}),
    });
  }
  return events;
}

/** A few names, and how many more. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(", ");
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}

const JOB_TONES: Readonly<Record<string, NewEvent["tone"]>> = {
  complete: "good",
  partial: "bad",
  failed: "bad",
};

/** Jobs that came or moved on. Of jobs that were there before the first look nothing is told. */
export function diffJobs(before: ReadonlyMap<string, string> | undefined, jobs: readonly JobState[]): NewEvent[] {
  if (before === undefined) return [];
  return jobs.flatMap((job): NewEvent[] => {
    const was = before.get(job.id);
    if (was === job.state) return [];
    const what = `Job ${job.kind}${job.paths[0] ? ` of ${job.paths[0]}${job.paths.length > 1 ? " and others" : ""}` : ""}`;
    const words = was === undefined && job.state === "queued" ? "was submitted" : `is ${job.state}`;
    return [
      {
        kind: "job",
        subject: job.id,
        text: `${what} ${words}${job.reason !== "" && job.state !== "complete" ? `: ${job.reason}` : ""}`,
        tone: JOB_TONES[job.state] ?? "plain",
        href: `/jobs/${encodeURIComponent(job.id)}`,
      },
    ];
  });
}
