/** Puts the scheduler together. */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type LoadedConfig, packageVersion, type Running, readToken, type SchedulerConfig } from "@ringlight/config";
import { systemClock } from "@ringlight/core";
import { connectJobStore, connectRegistry, registerPersistently } from "@ringlight/registry";
import { processService, startGrpcServer, traceCalls } from "@ringlight/rpc";
import { createLogger, grpcTracer, processMetrics, startTelemetry } from "@ringlight/telemetry";
import { schedulerService, schedulerServiceDefinition } from "./grpc-service.ts";
import { HandOver, ringsOf } from "./hand-over.ts";
import { JobEngine } from "./job-engine.ts";
import { JobMetrics } from "./job-metrics.ts";
import { Placement } from "./job-placement.ts";
import { jobService, jobServiceDefinition } from "./job-service.ts";
import { Leadership } from "./leadership.ts";
import { policyCalls, policyService, policyServiceDefinition } from "./policy-service.ts";
import { createRestServer, listen } from "./rest-server.ts";
import { WorkerCalls } from "./worker-calls.ts";

/** Epochs of the history that a hand-over looks back at. */
const MAX_EPOCHS = 100;

/** Starts a scheduler; it stands for leadership from then on. @throws RL_PORT_IN_USE, RL_BAD_CONFIG, RL_NO_PERMISSION */
export async function startScheduler(
  config: SchedulerConfig,
  loaded?: LoadedConfig<SchedulerConfig>,
): Promise<Running> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const id = config.id ?? `scheduler-${randomBytes(4).toString("hex")}`;
  const log = createLogger({
    service: "ringlight-scheduler",
    instance: id,
    level: config.logLevel,
    format: config.logFormat,
  });
  const token =
    config.tokenFile === undefined ? undefined : readToken(config.tokenFile, (message) => log.warn(message));
  const clock = systemClock;
  const startedMs = clock.now();
  const version = packageVersion(import.meta.url);
  const telemetry = startTelemetry({
    service: "ringlight-scheduler",
    instance: id,
    version,
    console: config.consoleUrl === undefined ? undefined : { url: config.consoleUrl, token },
    keep: { ratio: config.traceRatio, slowMs: config.traceSlowMs, missMs: config.traceMissesMs },
    paths: config.tracePaths,
    warn: (message, fields) => log.warn(message, fields),
  });
  traceCalls(grpcTracer);
  const registry = connectRegistry({
    endpoints: config.registry,
    cluster: config.cluster,
    leaseTtlMs: config.leaseTtlMs,
    viewFile: join(config.dataDir, "view.json"),
    log: (level, message, fields) => log[level](message, fields),
  });
  const leadership = new Leadership({
    registry,
    clock,
    absenceMs: config.absenceMs,
    log: (message, fields) => log.info(message, fields),
  });
  const store = connectJobStore({
    endpoints: config.registry,
    cluster: config.cluster,
    log: (level, message, fields) => log[level](message, fields),
  });
  const placement = new Placement(registry);
  const calls = new WorkerCalls({ placement, token, clock });
  const engine = new JobEngine({
    schedulerId: id,
    store,
    calls,
    placement,
    clock,
    dataDir: config.dataDir,
    maxRunning: config.maxJobs,
    keepJobs: config.keepJobs,
    keepMs: config.keepJobsForMs,
    ringsOf: async (epochs) => (epochs.length === 0 ? [] : ringsOf(await registry.listEpochs(MAX_EPOCHS), epochs)),
    log: (message, fields) => log.info(message, fields),
  });
  const handOver = new HandOver({
    registry,
    engine,
    placement,
    calls,
    clock,
    bytesPerSecond: config.rebalanceBytesPerSecond,
    log: (message, fields) => log.info(message, fields),
  });
  const measured = processMetrics();
  const jobs = jobService({ id, engine, registry, token });
  const closeParts = async () => {
    measured.close();
    jobs.close();
    calls.close();
    placement.close();
    store.close();
    await registry.close();
    await telemetry.close();
  };
  const metrics = new JobMetrics(engine);
  telemetry.register(metrics.registry);
  measured.register(metrics.registry);
  const policies = policyCalls(registry);
  const rest = createRestServer({
    token,
    calls: jobs.calls,
    policies,
    mounts: () => registry.view().mounts,
    prometheus: (accept) => metrics.prometheus(accept),
    version,
  });
  let leading = () => false;
  const server = await startGrpcServer({
    bind: config.bind,
    port: config.port,
    token,
    services: [
      [
        schedulerServiceDefinition,
        schedulerService({
          id,
          startedMs,
          registry,
          leadership,
          leading: () => leading(),
          absenceMs: config.absenceMs,
          clock,
        }),
      ],
      [jobServiceDefinition, jobs.implementation],
      [policyServiceDefinition, policyService(policies)],
      processService({ process: "scheduler", id, settings: () => loaded?.settings() ?? [], log }),
    ],
    log,
  }).catch(async (error: unknown) => {
    await closeParts();
    throw error;
  });
  const restPort = await listen(rest, config.bind, config.restPort).catch(async (error: unknown) => {
    await server.close();
    await closeParts();
    throw error;
  });
  const record = {
    id,
    address: `${config.advertise}:${server.port}`,
    version,
    startedMs,
  };
  const registration = registerPersistently({
    register: () => registry.registerScheduler(record),
    clock,
    onHeld: () => log.info("scheduler registered"),
    onRetry: (error) => log.warn("not registered yet; trying again", { error: String(error) }),
    onRefused: (error) => log.error("the registry refused this scheduler", { error: String(error) }),
  });
  const campaign = registry.campaign(id, async (signal) => {
    await Promise.all([leadership.lead(signal), engine.lead(signal), handOver.lead(signal)]);
  });
  leading = () => campaign.leading;
  log.info("scheduler started", {
    address: `${config.advertise}:${server.port}`,
    restPort,
    registry: config.registry.join(","),
  });
  return {
    async close() {
      log.info("scheduler ends");
      await campaign.close();
      await registration.close();
      await server.close();
      rest.close();
      rest.closeAllConnections();
      await closeParts();
    },
  };
}
