/** Starts the S3 ports of a worker: the handler of all requests, and the hit path before it. */
import { hostname } from "node:os";
import { createS3Handler, ReadAccess } from "@ringlight/s3";
import { cacheStatus, serverTiming } from "./cache-headers.ts";
import { entryOf } from "./capture.ts";
import { createHitPath } from "./hit-path.ts";
import { SiblingView } from "./lease-siblings.ts";
import { listen } from "./listen.ts";
import { s3Backend } from "./s3-backend.ts";
import { createS3Door, S3_KEEP_ALIVE_MS } from "./s3-door.ts";
import { statusClass } from "./statistics.ts";
import { DRAIN_MS, type Opened, type WorkerParts } from "./worker-parts.ts";

/**
 * Listens on the worker's own port, and on the one that all workers of the host share where there is one.
 * @param connections counts the open ones
 * @returns the ports, its own first
 * @throws RL_PORT_IN_USE
 */
export async function startS3(
  parts: WorkerParts,
  connections: { open: number },
  opened: Opened,
): Promise<readonly number[]> {
  const { id, config, token, clock, log, keys, ring, mounts, store, objects, router } = parts;
  const { writer, listings, buckets, capture, reuse, statistics, dataPath } = parts;
  const { segmentBytes } = config;
  const access = {
    credentials: keys.lookup,
    permits: keys.permits,
    anonymous: (bucket: string) => mounts.peek(bucket)?.access === "anonymous-read",
    hostSuffixes: ["localhost"],
    clock,
  };
  const handler = createS3Handler({
    ...access,
    backend: s3Backend({ mounts, router, writer, listings, buckets }),
    hostId: id,
    onError: (error, requestId) => log.warn("an S3 request failed", { error: String(error), requestId }),
    decorate: (headers, status) => {
      headers["Cache-Status"] = cacheStatus(status);
      headers["Server-Timing"] = serverTiming(status);
    },
    onRequest: (done) => {
      if (capture.running) {
        const entry = entryOf(done, clock.now());
        if (entry !== undefined) capture.note(entry);
      }
      statistics.api({
        api: `s3.${done.api}`,
        status: statusClass(done.status, done.aborted),
        bytesOut: done.bytesOut,
        firstByteMs: done.firstByteMs,
        traceId: done.traceId,
      });
    },
  });
  const siblings = new SiblingView({
    workerId: id,
    hostname: hostname(),
    token,
    ring,
    mounts,
    clock,
    segmentBytes,
  });
  opened(() => siblings.close());
  const hits = createHitPath({
    workerId: id,
    access: new ReadAccess(access),
    mounts,
    objects,
    router,
    ring,
    store,
    siblings,
    statistics,
    reuse,
    pageBytes: config.pageBytes,
    segmentBytes,
    keepAliveTimeoutMs: S3_KEEP_ALIVE_MS,
    capture,
    now: () => clock.now(),
  });
  const ports = config.s3SharedPort > 0 ? [config.s3Port, config.s3SharedPort] : [config.s3Port];
  const s3Ports: number[] = [];
  for (const [index, port] of ports.entries()) {
    const door = createS3Door(handler, hits, dataPath);
    door.server.on("connection", (socket) => {
      connections.open++;
      socket.once("close", () => connections.open--);
    });
    const setting = index === 0 ? "s3Port" : "s3SharedPort";
    opened(() => door.close(DRAIN_MS));
    s3Ports.push(await listen(door.server, { host: config.bind, port, shared: index > 0, setting }));
  }
  return s3Ports;
}
