/** The scheduler's gRPC service. */
import { type Clock, type Registry, RinglightError } from "@ringlight/core";
import { type SchedulerServiceServer, SchedulerServiceService } from "@ringlight/proto";
import { clusterToProto, unary } from "@ringlight/rpc";
import type { Leadership } from "./leadership.ts";

const MAX_EPOCHS = 1000;

/** What the service needs of the scheduler. */
export interface SchedulerServiceOptions {
  readonly id: string;
  readonly startedMs: number;
  readonly registry: Registry;
  readonly leadership: Leadership;
  readonly leading: () => boolean;
  readonly absenceMs: number;
  readonly clock: Clock;
}

/** The service's definition, for the server. */
export const schedulerServiceDefinition: typeof SchedulerServiceService = SchedulerServiceService;

/** Makes the service's implementation. */
export function schedulerService(options: SchedulerServiceOptions): SchedulerServiceServer {
  const { registry, clock, absenceMs } = options;
  return {
    getStatus: unary(async () => {
      const view = registry.view();
      const offsetMs = clock.now() - clock.monotonicMs();
      const absent = options.leading() ? options.leadership.absent() : [];
      return {
        id: options.id,
        leading: options.leading(),
        leader: view.leader ?? "",
        startedUnixMs: options.startedMs,
        cluster: clusterToProto(view, 0, 0),
        absent: absent.map(({ id, sinceMs }) => ({
          id,
          absentSinceUnixMs: Math.round(sinceMs + offsetMs),
          removedAtUnixMs: Math.round(sinceMs + absenceMs + offsetMs),
        })),
      };
    }),
    listEpochs: unary(async ({ limit }) => {
      const records = await registry.listEpochs(limit === 0 ? 100 : Math.min(MAX_EPOCHS, limit));
      return {
        epochs: records.map((record) => ({
          epoch: record.epoch,
          members: record.members.map(({ id, weight, joinedMs }) => ({ id, weight, joinedUnixMs: joinedMs })),
          atUnixMs: record.atMs,
          cause: record.cause,
        })),
      };
    }),
    removeMember: unary(async ({ id, force }) => {
      const view = registry.view();
      if (!view.members.some((member) => member.id === id)) {
        throw new RinglightError("RL_BAD_REQUEST", `"${id}" is not a member of the ring`);
      }
      if (view.workers.has(id) && !force) {
        throw new RinglightError("RL_CONFLICT", `"${id}" is alive and would join again: stop it first, or use force`);
      }
      await registry.removeMember(id);
      return {};
    }),
  };
}
