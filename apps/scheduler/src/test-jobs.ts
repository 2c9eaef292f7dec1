/** A cluster of real processes for tests of jobs: embedded registry, schedulers and workers over an S3 origin of this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type ClusterView, isRinglightError, type MountRecord, type Registry } from "@ringlight/core";
import { type Job, JobServiceClient, JobSpec, WorkerServiceClient } from "@ringlight/proto";
import { connectRegistry, startEmbeddedRegistry } from "@ringlight/registry";
import { ClientPool, callUnary } from "@ringlight/rpc";
import {
  type FaultProxy,
  type S3Origin,
  type SpawnedProcess,
  spawnProcess,
  startFaultProxy,
  startS3Origin,
  waitFor,
} from "@ringlight/testing";

const APPS = resolve(import.meta.dirname, "../..");

/** Options of the cluster. */
export interface JobClusterOptions {
  readonly workers: number;
  readonly schedulers: number;
  readonly workerFlags?: readonly string[];
  readonly schedulerFlags?: readonly string[];
  readonly leaseTtl?: string;
  /** Where the processes send their spans. */
  readonly otlpEndpoint?: string;
}

/** A running cluster. */
export interface JobCluster {
  readonly origin: S3Origin;
  readonly registry: Registry;
  /** Between the processes and the registry; the test itself goes around it. */
  readonly wire: FaultProxy;
  /** Processes by id. */
  readonly processes: ReadonlyMap<string, SpawnedProcess>;
  readonly view: ClusterView;
  mount(name: string, options?: Partial<MountRecord>): Promise<void>;
  /** Starts a worker and waits until the cluster knows it. */
  startWorker(id: string): Promise<void>;
  startScheduler(id: string): Promise<void>;
  submit(spec: Partial<JobSpec>, manifest?: string): Promise<Job>;
  job(id: string): Promise<Job>;
  control(id: string, action: string): Promise<Job>;
  failed(id: string): Promise<readonly { readonly path: string; readonly code: string; readonly message: string }[]>;
  retry(id: string): Promise<Job>;
  list(): Promise<readonly Job[]>;
  /** Waits for a state, any final one if none is named. */
  until(id: string, condition: (job: Job) => boolean, timeoutMs?: number): Promise<Job>;
  end(id: string, timeoutMs?: number): Promise<Job>;
  /** Bytes that the living workers hold of each object's listed version, summed over all of them. */
  audit(
    bucket: string,
    objects: readonly { readonly key: string; readonly version: string; readonly sizeBytes: number }[],
  ): Promise<number>;
  close(): Promise<void>;
}

const FINAL = new Set(["complete", "partial", "failed", "stopped"]);

/** Starts the processes. */
export async function startJobCluster(options: JobClusterOptions): Promise<JobCluster> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-jobs-"));
  const origin = await startS3Origin();
  const server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  const endpoint = `127.0.0.1:${server.port}`;
  const wire = await startFaultProxy(endpoint);
  const registry = connectRegistry({ endpoints: [endpoint], cluster: "default" });
  await registry.ready(5_000);
  const processes = new Map<string, SpawnedProcess>();
  const clients = new ClientPool(JobServiceClient);
  const workerClients = new ClientPool(WorkerServiceClient);
  const leaseTtl = options.leaseTtl ?? "2s";

  async function spawn(app: string, id: string, flags: readonly string[]): Promise<void> {
    const common = [
      `--data-dir=${join(directory, id)}`,
      `--id=${id}`,
      `--registry=${wire.address}`,
      `--lease-ttl=${leaseTtl}`,
    ];
    const main = join(APPS, app, "src/main.ts");
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: options.otlpEndpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined };
    processes.set(id, await spawnProcess(process.execPath, [main, ...common, ...flags], { diesWithParent: true, env }));
  }

  const shown = (id: string) => processes.get(id)?.output.slice(-2_000) ?? "";

  async function startWorker(id: string): Promise<void> {
    const mem = `--mem-dir=${join(directory, `mem-${id}`)}`;
    await spawn("worker", id, [
      "--s3-port=0",
      "--grpc-port=0",
      "--rest-port=0",
      mem,
      "--log-level=warn",
      ...(options.workerFlags ?? []),
    ]);
    await waitFor(() => registry.view().workers.has(id), { timeoutMs: 180_000, what: `worker ${id}` }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${shown(id)}`);
      },
    );
  }

  async function startScheduler(id: string): Promise<void> {
    await spawn("scheduler", id, ["--port=0", "--rest-port=0", "--absence=60s", ...(options.schedulerFlags ?? [])]);
    await waitFor(() => registry.view().schedulers.has(id), { timeoutMs: 180_000, what: `scheduler ${id}` });
  }

  /** Asks any living scheduler, again while nobody leads. */
  function ask<T>(call: (client: JobServiceClient) => Promise<T>): Promise<T> {
    let refused: unknown;
    return waitFor(
      async () => {
        if (refused !== undefined) return { refused };
        const alive = [...registry.view().schedulers.values()].filter(
          ({ id }) => processes.get(id)?.exit === undefined,
        );
        const scheduler = alive[Math.floor(Math.random() * alive.length)];
        try {
          return { answer: await call(clients.get(scheduler?.address ?? "")) };
        } catch (error) {
          const passing = ["RL_NO_LEADER", "RL_NO_WORKERS", "RL_REGISTRY_UNAVAILABLE", "RL_DEADLINE"] as const;
          if (!passing.some((code) => isRinglightError(error, code))) refused = error;
          throw error;
        }
      },
      { timeoutMs: 20_000, intervalMs: 50, what: "an answer of the schedulers" },
    ).then((result) => {
      if ("answer" in result) return result.answer as T;
      throw result.refused;
    });
  }

  const job = (id: string) => ask((client) => callUnary(client, "getJob", { id }, { deadlineMs: 5_000 }));
  const until = async (id: string, condition: (job: Job) => boolean, timeoutMs = 60_000) => {
    let last: Job | undefined;
    try {
      return await waitFor(
        async () => {
          last = await job(id);
          return condition(last) ? last : undefined;
        },
        { timeoutMs, intervalMs: 30, what: "the job's state" },
      ).then((found) => found as Job);
    } catch (error) {
      throw new Error(
        `${String(error)}; last: ${JSON.stringify(last)}\n${[...processes.keys()].map((name) => `${name}: ${shown(name)}`).join("\n")}`,
      );
    }
  };

  await Promise.all([
    ...Array.from({ length: options.workers }, (_, index) => startWorker(`worker-${index}`)),
    ...Array.from({ length: options.schedulers }, (_, index) => startScheduler(`scheduler-${index}`)),
  ]);
  await waitFor(() => registry.view().leader !== undefined);

  return {
    origin,
    registry,
    wire,
    processes,
    get view() {
      return registry.view();
    },
    async mount(name, record = {}) {
      origin.createBucket(name);
      await registry.addMount({
        name,
        uri: `s3://${name}`,
        readOnly: true,
        freshness: { kind: "ttl", ttlMs: 60_000 },
        replicas: 1,
        credentials: { kind: "anonymous" },
        options: { endpoint: origin.endpoint, region: "us-east-1" },
        createdMs: 0,
        ...record,
      });
      await waitFor(async () => {
        for (const worker of registry.view().workers.values()) {
          const known = await callUnary(workerClients.get(worker.addresses.grpc), "getCluster", {});
          if (!known.mounts.some((mount) => mount.name === name)) return false;
        }
        return true;
      });
    },
    startWorker,
    startScheduler,
    submit: async (spec, manifest = "") => {
      const request = {
        spec: JobSpec.fromPartial({ kind: "load", ...spec }),
        manifest: Buffer.from(manifest),
        retryOf: "",
      };
      const { job: submitted } = await ask((client) => callUnary(client, "submitJob", request));
      return submitted as Job;
    },
    job,
    control: (id, action) => ask((client) => callUnary(client, "controlJob", { id, action })),
    failed: async (id) => (await ask((client) => callUnary(client, "listFailed", { id, offset: 0, limit: 0 }))).failed,
    retry: async (id) => {
      const request = { spec: undefined, manifest: Buffer.alloc(0), retryOf: id };
      return (await ask((client) => callUnary(client, "submitJob", request))).job as Job;
    },
    list: async () => (await ask((client) => callUnary(client, "listJobs", { states: [], limit: 0 }))).jobs,
    until,
    end: (id, timeoutMs) => until(id, ({ state }) => FINAL.has(state), timeoutMs),
    async audit(bucket, objects) {
      let bytes = 0;
      for (const worker of registry.view().workers.values()) {
        if (processes.get(worker.id)?.exit !== undefined) continue;
        for (let at = 0; at < objects.length; at += 5_000) {
          const versions = objects
            .slice(at, at + 5_000)
            .map(({ key, ...rest }) => ({ path: `/${bucket}/${key}`, ...rest }));
          const answer = await callUnary(workerClients.get(worker.addresses.grpc), "coverage", { objects: versions });
          bytes += answer.objects.reduce((sum, { cachedBytes }) => sum + cachedBytes, 0);
        }
      }
      return bytes;
    },
    async close() {
      clients.close();
      workerClients.close();
      await registry.close();
      await Promise.all([...processes.values()].map((child) => child.stop(3_000)));
      await wire.close();
      await server.close();
      await origin.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
