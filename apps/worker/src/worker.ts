/**
 * Puts the worker together: registry, page store, router and the three doors (start-s3.ts, start-grpc.ts, rest-server.ts). Long, for
 * the order in which parts start and end is one story; a part that grows rules of its own gets a file.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { type LoadedConfig, packageVersion, type Running, readToken, type WorkerConfig } from "@ringlight/config";
import { type ClusterView, formatPath, systemClock, type WorkerRecord } from "@ringlight/core";
import type { WorkerStats } from "@ringlight/proto";
import { connectRegistry, registerPersistently, SealedStore } from "@ringlight/registry";
import { traceCalls } from "@ringlight/rpc";
import { ListingCache } from "@ringlight/s3";
import { useTextSigner } from "@ringlight/sigv4";
import { openPageStore, pageHash, RollingReuse, type TierOptions, versionWord } from "@ringlight/store";
import { createLogger, grpcTracer, processMetrics, startTelemetry } from "@ringlight/telemetry";
import { followAccessKeys } from "./access-keys.ts";
import { BucketMaker } from "./bucket-maker.ts";
import { Capture } from "./capture.ts";
import { HotObjects } from "./hot-objects.ts";
import { SegmentTraffic } from "./hot-segments.ts";
import { workerIdentity } from "./identity.ts";
import { KnownObjects } from "./known-objects.ts";
import { LeaseSessions } from "./lease-sessions.ts";
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
import { S3Credentials } from "./s3-credentials.ts";
import { chooseDataPath, describeDataPath } from "./s3-door.ts";
import { startGrpc } from "./start-grpc.ts";
import { startS3 } from "./start-s3.ts";
import { statusClass, WorkerStatistics } from "./statistics.ts";
import { traceUfs } from "./trace.ts";
import { DRAIN_MS, type Opened, type WorkerParts } from "./worker-parts.ts";
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

    const capture = new Capture({
      workerId: id,
      cluster: config.cluster,
      directory: join(config.dataDir, "captures"),
      clock,
      warn: (message) => log.warn(message),
    });
    opened.push(() => capture.close());
    const parts: WorkerParts = {
      id,
      config,
      token,
      clock,
      log,
      logDebug,
      registry,
      keys,
      ring,
      mounts,
      store,
      pages,
      objects,
      router,
      writer,
      listings,
      buckets,
      policies,
      leases,
      capture,
      names,
      hot,
      reuse,
      statistics,
      stats,
      dataPath,
    };
    const open: Opened = (close) => opened.push(close);
    const s3Ports = await startS3(parts, connections, open);
    const grpcPort = await startGrpc(parts, cachedAt, loaded, open);

    const record: WorkerRecord = {
      id,
      addresses: {
        grpc: `${config.advertise}:${grpcPort}`,
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
