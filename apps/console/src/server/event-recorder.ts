/** Writes down what changes in the cluster: it compares each snapshot with the one before, and asks for jobs now and then. */
import { JobServiceClient } from "@ringlight/proto";
import { ClientPool, callUnary } from "@ringlight/rpc";
import type { ClusterSnapshot } from "../wire.ts";
import type { ClusterObserver } from "./cluster-observer.ts";
import { diffJobs, diffSnapshots, type JobState } from "./event-diff.ts";
import type { EventLog } from "./event-log.ts";

const JOBS_EVERY_MS = 3_000;
const JOBS_DEADLINE_MS = 2_000;
/** Newest jobs that are looked at: one that is older has ended long ago. */
const JOBS_SEEN = 200;
/** A console that has just started learns its cluster for so long; what it learns then did not just happen. */
const LEARNING_MS = 5_000;

/** Starts writing; the returned function stops it. */
export function recordEvents(
  observer: ClusterObserver,
  log: EventLog,
  token: string | undefined,
  now: () => number = Date.now,
): () => void {
  const startedMs = now();
  let before: ClusterSnapshot = observer.snapshot();
  let jobs: Map<string, string> | undefined;
  let busy = false;
  const pool = new ClientPool(JobServiceClient, { token });

  log.add([{ kind: "console", subject: "console", text: "This console started", tone: "plain" }], startedMs);
  const stop = observer.subscribe((event) => {
    if (event.type !== "cluster") return;
    const events = diffSnapshots(before, event.snapshot);
    before = event.snapshot;
    const learning = now() - startedMs < LEARNING_MS;
    log.add(learning ? events.filter(({ tone }) => tone === "bad") : events, now());
  });

  const lookAtJobs = async () => {
    const { schedulers, leader } = observer.snapshot();
    const scheduler = schedulers.find((candidate) => candidate.id === leader) ?? schedulers[0];
    if (!scheduler || busy) return;
    busy = true;
    try {
      const answer = await callUnary(
        pool.get(scheduler.address),
        "listJobs",
        { states: [], limit: JOBS_SEEN },
        { deadlineMs: JOBS_DEADLINE_MS },
      );
      const seen = answer.jobs.map(
        (job): JobState => ({
          id: job.id,
          kind: job.spec?.kind ?? "",
          paths: job.spec?.paths ?? [],
          state: job.state,
          reason: job.reason,
        }),
      );
      // The oldest first, as they happened.
      log.add(diffJobs(jobs, seen.reverse()), now());
      jobs = new Map(seen.map((job) => [job.id, job.state]));
      pool.retain([scheduler.address]);
    } catch {
      // No scheduler answers: the problem says so, and jobs are asked for again.
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void lookAtJobs(), JOBS_EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    stop();
    pool.close();
  };
}
