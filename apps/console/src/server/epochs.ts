/** History of the ring, from a scheduler; from the registry where no scheduler answers. */
import { SchedulerServiceClient } from "@ringlight/proto";
import { callUnary, connectGrpc } from "@ringlight/rpc";
import type { EpochsView } from "../wire.ts";
import type { ClusterObserver } from "./cluster-observer.ts";

const EPOCHS = 50;
const DEADLINE_MS = 2_000;

/** The newest epochs. @throws RL_REGISTRY_UNAVAILABLE */
export async function listEpochs(observer: ClusterObserver, token: string | undefined): Promise<EpochsView> {
  const { schedulers, leader } = observer.snapshot();
  const first = schedulers.find((scheduler) => scheduler.id === leader) ?? schedulers[0];
  if (first) {
    const client = connectGrpc(SchedulerServiceClient, first.address, { token });
    try {
      const { epochs } = await callUnary(client, "listEpochs", { limit: EPOCHS }, { deadlineMs: DEADLINE_MS });
      return {
        source: "scheduler",
        epochs: epochs.map(({ atUnixMs, members, ...epoch }) => ({
          ...epoch,
          atMs: atUnixMs,
          members: members.map(({ joinedUnixMs, ...member }) => ({ ...member, joinedMs: joinedUnixMs })),
        })),
      };
    } catch {
      // The registry knows the same.
    } finally {
      client.close();
    }
  }
  return { source: "registry", epochs: await observer.registry.listEpochs(EPOCHS) };
}
