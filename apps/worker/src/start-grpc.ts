/** Starts the gRPC port of a worker: what clients, the console, the scheduler and neighbours on this host ask for. */
import { join } from "node:path";
import type { LoadedConfig, WorkerConfig } from "@ringlight/config";
import { isRinglightError, parsePath, type VersionId } from "@ringlight/core";
import { DirectServiceService, WorkerServiceClient } from "@ringlight/proto";
import { ClientPool, callUnary, processService, startGrpcServer } from "@ringlight/rpc";
import { pageHash, versionWord } from "@ringlight/store";
import { CopyJournal } from "./copy-journal.ts";
import { CopyNotes } from "./copy-notes.ts";
import { type GrpcServiceOptions, workerService, workerServiceDefinition } from "./grpc-service.ts";
import { BufferPool } from "./lease-buffers.ts";
import { OwnObjects } from "./lease-objects.ts";
import { startLeaseService } from "./lease-service.ts";
import { LimitTable } from "./task-limits.ts";
import { COVERAGE_MS } from "./task-pull.ts";
import type { TaskRunOptions } from "./task-run.ts";
import { taskService, taskServiceDefinition } from "./task-service.ts";
import { DRAIN_MS, type Opened, type WorkerParts } from "./worker-parts.ts";

/**
 * Listens.
 * @param cachedAt opens what another worker has cached
 * @returns the port
 * @throws RL_PORT_IN_USE
 */
export async function startGrpc(
  parts: WorkerParts,
  cachedAt: TaskRunOptions["cachedAt"],
  loaded: LoadedConfig<WorkerConfig> | undefined,
  opened: Opened,
): Promise<number> {
  const { id, config, token, clock, log, logDebug, registry, ring, mounts, store, pages, objects, router, writer } =
    parts;
  const { policies, leases, capture, names, hot, reuse, statistics, stats } = parts;
  const { segmentBytes } = config;
  const own = new OwnObjects({ workerId: id, ring, mounts, objects, clock });
  const direct = {
    workerId: id,
    dataDir: config.dataDir,
    mounts,
    objects,
    own,
    store,
    router,
    capture,
    sessions: leases,
    buffers: new BufferPool(),
    pageBytes: config.pageBytes,
    segmentBytes,
    hot,
    countHits: (mount: string, tier: string, count: number, bytes: number, pagesOf: VersionId, index: number) => {
      statistics.page(mount, "hit", tier, "", bytes, count);
      if (count > 0) {
        reuse.request(pageHash(versionWord(pagesOf), index), store.lengthOf(pagesOf, index) ?? bytes, count);
      }
    },
  };
  const leaseService = await startLeaseService(direct);
  opened(() => leaseService.close());
  let leasedEpoch = ring.ring.epoch;
  opened(
    registry.onChange(() => {
      // Objects may have other owners now, who would not know whom to tell of a change.
      if (ring.ring.epoch !== leasedEpoch) void leases.revokeAll();
      leasedEpoch = ring.ring.epoch;
    }),
  );
  const service: GrpcServiceOptions = {
    workerId: id,
    registry,
    ring,
    mounts,
    objects,
    pages,
    store,
    policies,
    router,
    capture,
    bulk: direct,
    contents: { workerId: id, store, names, hot, reuse, now: () => clock.now() },
    stats,
    pageBytes: config.pageBytes,
    segmentBytes,
    ufsTimeoutMs: config.ufsTimeoutMs,
    now: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
  const notes = new CopyNotes({ workerId: id, registry, clock, log: logDebug });
  opened(() => notes.close());
  const giveUp = async (target: string, targetUri: string, uploadId: string) => {
    const { mount, key } = parsePath(target);
    const { record, writes } = await writer.writable(mount);
    if (record.uri !== targetUri) return;
    await writes.abortUpload(key, uploadId).catch((error: unknown) => {
      if (!isRinglightError(error, "RL_NO_SUCH_UPLOAD") && !isRinglightError(error, "RL_NOT_FOUND")) throw error;
    });
  };
  const copies = new CopyJournal(join(config.dataDir, "copies"), giveUp, notes);
  opened(() => copies.close());
  const neighbours = new ClientPool(WorkerServiceClient, { token });
  opened(() => neighbours.close());
  const tasks: TaskRunOptions = {
    ...service,
    clock,
    copies,
    coverageAt: async (workerId, objects, signal) => {
      const holder = ring.worker(workerId);
      if (holder === undefined) return undefined;
      const asked = { objects: objects.map(({ path, version, sizeBytes }) => ({ path, version, sizeBytes })) };
      const options = { signal, deadlineMs: COVERAGE_MS };
      return (await callUnary(neighbours.get(holder.addresses.grpc), "coverage", asked, options)).objects;
    },
    cachedAt,
    writer,
    limits: new LimitTable(clock),
    count: (op: string, outcome: string, bytes: number) => statistics.task(op, outcome, bytes),
  };
  const grpc = await startGrpcServer({
    bind: config.bind,
    port: config.grpcPort,
    token,
    services: [
      [workerServiceDefinition, workerService(service)],
      [taskServiceDefinition, taskService(tasks)],
      [DirectServiceService, leaseService.implementation],
      processService({ process: "worker", id, settings: () => loaded?.settings() ?? [], log }),
    ],
    log,
    onCall: (call) => {
      // A stream that lasts as long as its watcher has no latency to speak of.
      if (/\/(WatchStats|RunTask|RenewLeases|TakeCpuProfile)$/.test(call.method)) return;
      statistics.api({
        api: `grpc.${call.method.slice(call.method.lastIndexOf("/") + 1)}`,
        status: GRPC_CLASSES[call.code] ?? "5xx",
        bytesOut: call.bytesOut,
        firstByteMs: call.durationMs,
        traceId: call.traceId,
      });
    },
  });
  opened(() => grpc.close(DRAIN_MS));
  return grpc.port;
}

/** How gRPC statuses count beside HTTP's classes. */
const GRPC_CLASSES: Readonly<Record<string, string>> = {
  OK: "2xx",
  CANCELLED: "aborted",
  INVALID_ARGUMENT: "4xx",
  NOT_FOUND: "4xx",
  ALREADY_EXISTS: "4xx",
  PERMISSION_DENIED: "4xx",
  FAILED_PRECONDITION: "4xx",
  ABORTED: "4xx",
  OUT_OF_RANGE: "4xx",
  UNAUTHENTICATED: "4xx",
};
