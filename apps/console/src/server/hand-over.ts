/** The hand-over that runs at this moment: the scheduler's rebalance job, and which rings it goes between. */
import { JobServiceClient } from "@ringlight/proto";
import { callUnary, connectGrpc } from "@ringlight/rpc";
import type { HandOverView } from "../wire.ts";
import type { ClusterObserver } from "./cluster-observer.ts";

const DEADLINE_MS = 2_000;

/** The running hand-over; undefined when none runs or no scheduler is there. @throws what the scheduler answers */
export async function runningHandOver(
  observer: ClusterObserver,
  token: string | undefined,
): Promise<HandOverView | undefined> {
  const { schedulers, leader } = observer.snapshot();
  const scheduler = schedulers.find((candidate) => candidate.id === leader) ?? schedulers[0];
  if (!scheduler) return undefined;
  const client = connectGrpc(JobServiceClient, scheduler.address, { token });
  try {
    const { jobs } = await callUnary(
      client,
      "listJobs",
      { states: ["running", "queued"], limit: 50 },
      { deadlineMs: DEADLINE_MS },
    );
    const job = jobs.find((candidate) => candidate.spec?.kind === "rebalance");
    if (!job) return undefined;
    return {
      jobId: job.id,
      state: job.state,
      fromEpochs: job.spec?.fromEpochs ?? [],
      toEpoch: job.spec?.toEpoch ?? 0,
      doneBytes: (job.loaded?.bytes ?? 0) + (job.cached?.bytes ?? 0),
      listedBytes: job.listed?.bytes ?? 0,
      bytesPerSecond: job.bytesPerSecond,
      remainingMs: job.remainingMs,
    };
  } finally {
    client.close();
  }
}
