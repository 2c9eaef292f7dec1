/**
 * Puts the worker together: registry, page store, router and the three doors. Long, for the order in which parts start and end is one
 * story; a part that grows rules of its own gets a file.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { type LoadedConfig, packageVersion, type Running, readToken, type WorkerConfig } from "@ringlight/config";
import {
  type ClusterView,
  formatPath,
  isRinglightError,
  parsePath,
  systemClock,
  type VersionId,
  type WorkerRecord,
} from "@ringlight/core";
import { DirectServiceService, WorkerServiceClient, type WorkerStats } from "@ringlight/proto";
import { connectRegistry, registerPersistently, SealedStore } from "@ringlight/registry";
import { ClientPool, callUnary, processService, startGrpcServer, traceCalls } from "@ringlight/rpc";
import { createS3Handler, ListingCache, ReadAccess } from "@ringlight/s3";
import { useTextSigner } from "@ringlight/sigv4";
import { openPageStore, pageHash, RollingReuse, type TierOptions, versionWord } from "@ringlight/store";
import { createLogger, grpcTracer, processMetrics, startTelemetry } from "@ringlight/telemetry";
import { followAccessKeys } from "./access-keys.ts";
import { BucketMaker } from "./bucket-maker.ts";
import { cacheStatus, serverTiming } from "./cache-headers.ts";
import { Capture, entryOf } from "./capture.ts";
import { CopyJournal } from "./copy-journal.ts";
import { CopyNotes } from "./copy-notes.ts";
import { type GrpcServiceOptions, workerService, workerServiceDefinition } from "./grpc-service.ts";
import { createHitPath } from "./hit-path.ts";
import { HotObjects } from "./hot-objects.ts";
import { SegmentTraffic } from "./hot-segments.ts";
import { workerIdentity } from "./identity.ts";
import { KnownObjects } from "./known-objects.ts";
import { BufferPool } from "./lease-buffers.ts";
import { OwnObjects } from "./lease-objects.ts";
import { startLeaseService } from "./lease-service.ts";
import { LeaseSessions } from "./lease-sessions.ts";
import { SiblingView } from "./lease-siblings.ts";
import { closeServer, listen } from "./listen.ts";
import { memDirectory } from "./mem-directory.ts";
import { MountTable } from "./mount-table.ts";
import { ObjectReader } from "./object-reader.ts";
import { PageNames } from "./page-names.ts";
import { PageReader, type PageReaderOptions } from "./page-reader.ts";
import { BLOCK_BYTES, blocksIn, hasBlocks } from "./part-reader.ts";
import { PauseWatch } from "./pause-watch.ts";
import { PeerClient } from "./peer-client.ts";
import { cachedSource } from "./peer-fill.ts";
import { Policies } from "./policies.ts";
import { createRestServer } from "./rest-server.ts";
import { RingKeeper } from "./ring-keeper.ts";
import { Router } from "./router.ts";
import { s3Backend } from "./s3-backend.ts";
import { S3Credentials } from "./s3-credentials.ts";
import { chooseDataPath, createS3Door, describeDataPath, S3_KEEP_ALIVE_MS } from "./s3-door.ts";
import { statusClass, WorkerStatistics } from "./statistics.ts";
import { LimitTable } from "./task-limits.ts";
import { COVERAGE_MS } from "./task-pull.ts";
import type { TaskRunOptions } from "./task-run.ts";
import { taskService, taskServiceDefinition } from "./task-service.ts";
import { traceUfs } from "./trace.ts";
import { WriteCache } from "./write-cache.ts";
import { FENCE_MS, type WriteNotice, WriteNotices } from "./write-notices.ts";
import { Writer } from "./writer.ts";

/** Bound on bytes being fetched from UFSs at once, bytes. */
const FETCH_BUDGET_BYTES = 224 * 1024 * 1024;
/** And of blocks: together with those of pages 256 MiB. */
const BLOCK_BUDGET_BYTES = 32 * 1024 * 1024;
/** Longest wait for a connection to another worker, milliseconds. */
const PEER_CONNECT_MS = 1_000;
/**
 * A peer may take as long as its UFS, and longer when hundreds of readers are before us: seconds without a byte are common
 * then, and asking the UFS instead would read everything twice. One that is gone or frozen loses its lease long before.
 */
const PEER_SLACK_MS = 60_000;
/** How exactly the working set is told, milliseconds. */
const REUSE_TICK_MS = 5_000;
/** How long running answers may go on after the worker was told to end, milliseconds. */
const DRAIN_MS = 5_000;

/** A worker that runs. */
export interface RunningWorker extends Running {
  readonly record: WorkerRecord;
  /** The cluster as this worker knows it now. */
  readonly view: ClusterView;
  /** Its counters now. */
  stats(): WorkerStats;
  /** Resolves when nobody on this host serves the object from a lease that was given before. */
  revokeLeases(mount: string, key: string): Promise<void>;
}

/** Starts a worker. @throws RL_PORT_IN_USE, RL_BAD_CONFIG, RL_NO_PERMISSION, RL_DISK_FULL, RL_CONFLICT; nothing is left behind then */
export async function startWorker(config: WorkerConfig, loaded?: LoadedConfig<WorkerConfig>): Promise<RunningWorker> {
  const clock = systemClock;
  const startedMs = clock.now();
  const version = packageVersion(import.meta.url);
  const id = await workerIdentity(config.dataDir, config.id);
  const log = createLogger({
    service: "ringlight-worker",
    instance: id,
    level: config.logLevel,
    format: config.logFormat,
  });
  const logDebug = (message: string, fields: Record<string, unknown>) => log.debug(message, fields);
  const token =
    config.tokenFile === undefined ? undefined : readToken(config.tokenFile, (message) => log.warn(message));
  const credentials = new S3Credentials(config.s3CredentialsFile ?? join(config.dataDir, "s3-credentials.json"), () =>
    clock.now(),
  );

  // What was opened, in order; closed in reverse when the worker ends or does not come up.
  const opened: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        log.error("ending a part of the worker failed", { error: String(error) });
      }
    }
  };
  try {
    const telemetry = startTelemetry({
      service: "ringlight-worker",
      instance: id,
      version,
      console: config.consoleUrl === undefined ? undefined : { url: config.consoleUrl, token },
      keep: { ratio: config.traceRatio, slowMs: config.traceSlowMs, missMs: config.traceMissesMs },
      paths: config.tracePaths,
      warn: (message, fields) => log.warn(message, fields),
    });
    opened.push(() => telemetry.close());
    traceCalls(grpcTracer);
    const dataPath = chooseDataPath(config.sendfile);
    useTextSigner(dataPath.signer);
    const store = await openPageStore({
      tiers: tiersOf(config, (message) => log.warn(message)),
      mapper: dataPath.mapper,
      log: (level, message) => log[level](message),
    });
    opened.push(() => store.close());
    const registry = connectRegistry({
      endpoints: config.registry,
      cluster: config.cluster,
      leaseTtlMs: config.leaseTtlMs,
      viewFile: join(config.dataDir, "view.json"),
      log: (level, message, fields) => log[level](message, fields),
    });
    opened.push(() => registry.close());
    const keyStore =
      token === undefined
        ? undefined
        : new SealedStore({ endpoints: config.registry, cluster: config.cluster, token, collection: "keys" });
    opened.push(() => keyStore?.close());
    const keys = await followAccessKeys({
      root: (accessKeyId) => credentials.lookup(accessKeyId),
      store: keyStore,
      warn: (message, fields) => log.warn(message, fields),
    });
    const ring = new RingKeeper(registry, clock);
    opened.push(() => ring.close());
    const connections = { open: 0 };
    const measured = processMetrics();
    opened.push(() => measured.close());
    const statistics: WorkerStatistics = new WorkerStatistics(id, startedMs, {
      epoch: () => ring.ring.epoch,
      tiers: () => store.stats(),
      rules: () => policies.stats(),
      process: measured,
      openConnections: () => connections.open,
      fetchesInFlight: () => pages.runsInFlight + (blocks?.runsInFlight ?? 0),
      relaysInFlight: () => peers.allInFlight,
      dataPath: describeDataPath(dataPath),
    });
    telemetry.register(statistics.registry);
    const stats = () => statistics.snapshot(clock.now());
    const mounts = new MountTable({
      registry,
      ufsTimeoutMs: config.ufsTimeoutMs,
      observe: (mount, observation) => {
        statistics.ufs(mount, observation, traceUfs(mount, observation));
      },
      log: logDebug,
    });
    opened.push(() => mounts.close());
    const reuse = new RollingReuse(clock.now());
    const reuseTimer = setInterval(() => reuse.tick(clock.now()), REUSE_TICK_MS).unref();
    opened.push(() => clearInterval(reuseTimer));
    const names = new PageNames({
      file: join(config.dataDir, "page-names"),
      isHere: (version) => store.holds(version),
    });
    opened.push(() => names.close());
    const policies = new Policies({
      workerId: id,
      registry,
      store,
      names,
      clock,
      warn: (message, fields) => log.warn(message, fields),
    });
    opened.push(() => policies.close());
    const hot = new HotObjects(clock);
    const fetching: Omit<PageReaderOptions, "store" | "pageBytes" | "budgetBytes"> = {
      segmentBytes: config.segmentBytes,
      clock,
      count: (mount, outcome, tier, reason, bytes) => statistics.page(mount, outcome, tier, reason, bytes),
      onPageRequest: (version, index, bytes) => reuse.request(pageHash(versionWord(version), index), bytes),
      onStored: (version, mount, key) => names.note(version, formatPath({ mount, key })),
      putOptionsOf: (mount, key) => ({
        ...(mounts.peek(mount)?.options.eviction === "freeze" && { admission: "freeze" }),
        ruleClass: () => policies.classOf(mount, key),
      }),
    };
    const { pageBytes } = config;
    const pages = new PageReader({ ...fetching, store, pageBytes, budgetBytes: FETCH_BUDGET_BYTES });
    const blocks = hasBlocks(pageBytes)
      ? new PageReader({
          ...fetching,
          store: blocksIn(store),
          // Told apart from the page of the same number.
          onPageRequest: (version, index, bytes) => reuse.request(pageHash(versionWord(version), ~index), bytes),
          pageBytes: BLOCK_BYTES,
          toldPageBytes: pageBytes,
          budgetBytes: BLOCK_BUDGET_BYTES,
          readsAhead: false,
        })
      : undefined;
    const { segmentBytes, negativeTtlMs } = config;
    const peers = new PeerClient({
      token,
      timeoutMs: config.ufsTimeoutMs + PEER_SLACK_MS,
      connectTimeoutMs: PEER_CONNECT_MS,
      clock,
    });
    opened.push(() => peers.close());
    const leases = new LeaseSessions(clock);
    const pauses = new PauseWatch();
    opened.push(() => pauses.close());
    const noteMembership = () => pauses.setMember(registry.view().workers.has(id));
    noteMembership();
    opened.push(registry.onChange(noteMembership));
    const knownObjects = new KnownObjects(join(config.dataDir, "known-objects"));
    opened.push(() => knownObjects.close());
    const cachedAt = (workerId: string, mount: string, key: string, traceparent: string) => {
      const holder = ring.worker(workerId);
      return holder && cachedSource(peers, holder, mount, key, { epoch: ring.ring.epoch, traceparent });
    };
    const objects = new ObjectReader({
      workerId: id,
      mounts,
      store,
      pages,
      ...(blocks && { blocks }),
      clock,
      segmentBytes,
      negativeTtlMs,
      knownObjects,
      onAccess: (path, { offset, length }) =>
        hot.note(path, pages.indexOf(offset + Math.max(1, length) - 1) - pages.indexOf(offset) + 1, length),
      resumedMs: () => pauses.resumedMs(),
      onReplaced: (mount, key) => void leases.revoke(mount, key),
      cachedSource: (workerId, { mount, key }, traceparent) => cachedAt(workerId, mount, key, traceparent),
      fillSource: (workerId, { mount, key }, traceparent) => {
        const owner = ring.worker(workerId);
        if (owner === undefined) return undefined;
        return async (pinned, range, signal = new AbortController().signal) => {
          const call = { signal, epoch: ring.ring.epoch, traceparent };
          return (await peers.read(owner, mount, key, { pinned: { ...pinned, range } }, call)).body;
        };
      },
    });
    const listings = new ListingCache({ clock });
    const forget = async (notices: readonly WriteNotice[]) => {
      for (const { mount, key, bucket } of notices) {
        if (bucket !== undefined) continue;
        objects.forget(mount, key);
        listings.written(mount, key);
      }
      await Promise.all(
        notices.map(({ mount, key, bucket }) =>
          bucket === undefined ? leases.revoke(mount, key) : mounts.known(mount, bucket === "made", FENCE_MS),
        ),
      );
    };
    const notices = new WriteNotices({
      token,
      clock,
      onSilent: (peer, why) => log.warn("a worker did not hear of a write in time", { peer, error: why }),
    });
    opened.push(() => notices.close());
    const writer = new Writer({
      workerId: id,
      mounts,
      notices,
      forget,
      workers: () => mayServe(registry.view(), ring, peers),
      written: (mount, keys) => writeCache.written(mount, keys),
    });
    const buckets = new BucketMaker({
      registry,
      template: config.buckets,
      clock,
      ufsTimeoutMs: config.ufsTimeoutMs,
      tell: (mount, state) => writer.bucketChanged(mount, state),
    });
    const router = new Router({
      workerId: id,
      ring,
      objects,
      peers,
      clock,
      segmentBytes,
      replicasOf: (mount) => mounts.record(mount).replicas,
      onRelayed: (bytes) => statistics.relayed(bytes),
      onFallback: (failure) => {
        statistics.fallback();
        log.warn("a worker did not answer; another one is asked", { peer: failure.workerId, error: failure.message });
      },
    });
    const writeCache = new WriteCache({ mounts, router, log: logDebug });
    opened.push(() => writeCache.close());
    let alive = new Set<string>();
    opened.push(
      registry.onChange((view) => {
        for (const known of alive) if (!view.workers.has(known)) peers.leaseEnded(known);
        for (const id of view.workers.keys()) if (!alive.has(id)) peers.leaseHeld(id);
        alive = new Set(view.workers.keys());
      }),
    );

    let registered = false;
    // Clients learn the cluster from a worker: one that says it is ready must not answer that nobody is alive.
    let shown = false;
    const showsItself = () => {
      // While the registry is away there is nothing to wait for: the last view known serves.
      shown ||= !registration.held || registry.view().workers.get(id)?.startedMs === startedMs;
      return shown;
    };
    let ending = false;
    const rest = createRestServer({
      workerId: id,
      replicasOf: (mount) => mounts.peek(mount)?.replicas ?? 1,
      token,
      objects,
      ring,
      segmentBytes,
      traffic: new SegmentTraffic(clock),
      onWritten: forget,
      notReady: () => {
        if (ending) return "the worker is ending";
        if (!registered) return "the worker is not registered yet";
        return showsItself() ? undefined : "the worker does not see its own registration yet";
      },
      dataPath: describeDataPath(dataPath),
      metrics: (accept) => statistics.prometheus(accept),
      onRequest: (done) => statistics.api({ ...done, status: statusClass(done.status) }),
      log: logDebug,
    });
    const restPort = await listen(rest, { host: config.bind, port: config.restPort, setting: "restPort" });
    opened.push(() => closeServer(rest, DRAIN_MS));

    const access = {
      credentials: keys.lookup,
      permits: keys.permits,
      anonymous: (bucket: string) => mounts.peek(bucket)?.access === "anonymous-read",
      hostSuffixes: ["localhost"],
      clock,
    };
    const capture = new Capture({
      workerId: id,
      cluster: config.cluster,
      directory: join(config.dataDir, "captures"),
      clock,
      warn: (message) => log.warn(message),
    });
    opened.push(() => capture.close());
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
    opened.push(() => siblings.close());
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
      opened.push(() => door.close(DRAIN_MS));
      s3Ports.push(await listen(door.server, { host: config.bind, port, shared: index > 0, setting }));
    }

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
    opened.push(() => leaseService.close());
    let leasedEpoch = ring.ring.epoch;
    opened.push(
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
    opened.push(() => notes.close());
    const giveUp = async (target: string, targetUri: string, uploadId: string) => {
      const { mount, key } = parsePath(target);
      const { record, writes } = await writer.writable(mount);
      if (record.uri !== targetUri) return;
      await writes.abortUpload(key, uploadId).catch((error: unknown) => {
        if (!isRinglightError(error, "RL_NO_SUCH_UPLOAD") && !isRinglightError(error, "RL_NOT_FOUND")) throw error;
      });
    };
    const copies = new CopyJournal(join(config.dataDir, "copies"), giveUp, notes);
    opened.push(() => copies.close());
    const neighbours = new ClientPool(WorkerServiceClient, { token });
    opened.push(() => neighbours.close());
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
    opened.push(() => grpc.close(DRAIN_MS));

    const record: WorkerRecord = {
      id,
      addresses: {
        grpc: `${config.advertise}:${grpc.port}`,
        s3: `${config.advertise}:${s3Ports[0]}`,
        rest: `${config.advertise}:${restPort}`,
      },
      weight: config.weight,
      version,
      startedMs,
      hostname: hostname(),
      pid: process.pid,
    };
    // In its own time: a worker that starts while the registry is away serves with the last ring that it knew.
    const registration = registerPersistently({
      register: () => registry.registerWorker(record),
      clock,
      onHeld: () => {
        registered = true;
        log.info("worker registered", { epoch: registry.view().epoch });
      },
      onRetry: (error) => log.warn("not registered yet; trying again", { error: String(error) }),
      onRefused: (error) => log.error("the registry refused this worker", { error: String(error) }),
    });
    log.info("worker started", {
      ...record.addresses,
      dataPath: describeDataPath(dataPath),
      tiers: store
        .stats()
        .map((tier) => tier.name)
        .join(","),
    });
    return {
      record,
      get view() {
        return registry.view();
      },
      stats,
      revokeLeases: (mount, key) => leases.revoke(mount, key),
      async close() {
        ending = true;
        log.info("worker ends");
        // Once its lease is gone, writers at other workers do not tell it any more.
        pauses.distrust();
        await registration.close();
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The workers that readers may be sent to: those with a lease, and those that lost it a short time ago. */
function mayServe(view: ClusterView, ring: RingKeeper, peers: PeerClient): Iterable<WorkerRecord> {
  const found = new Map(view.workers);
  for (const { id } of view.members) {
    const worker = found.has(id) ? undefined : (ring.worker(id) ?? peers.recentlyHeard(id));
    if (worker !== undefined) found.set(id, worker);
  }
  return found.values();
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

function tiersOf(config: WorkerConfig, warn: (message: string) => void): TierOptions[] {
  const tiers: TierOptions[] = [];
  if (config.memBytes > 0) {
    let directory = config.memDir;
    if (directory === undefined) {
      const chosen = memDirectory(config.dataDir);
      directory = chosen.directory;
      if (!chosen.inMemory) warn(`no writable /dev/shm: the mem tier is in ${directory}, on disk`);
    }
    tiers.push({
      name: "mem",
      directories: [directory],
      limitBytes: config.memBytes,
      evictionPolicy: config.memEviction,
    });
  }
  if (config.ssdBytes > 0) {
    tiers.push({
      name: "ssd",
      directories: [...config.ssdDirs],
      limitBytes: config.ssdBytes,
      evictionPolicy: config.ssdEviction,
    });
  }
  return tiers;
}
