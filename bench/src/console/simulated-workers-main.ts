/**
 * Workers that only tell of themselves: `node simulated-workers-main.ts <registry> <count>` joins so many to the ring, each with
 * a gRPC port of its own, and streams statistics of busy workers to whoever asks. Prints "ready" when all have joined.
 */
import { ProcessServiceService, ProcessSettings, WorkerServiceService, WorkerStats } from "@ringlight/proto";
import { connectRegistry } from "@ringlight/registry";
import { serverStream, startGrpcServer, unary } from "@ringlight/rpc";

const [registryEndpoint = "", count = "100"] = process.argv.slice(2);
const LEASE_TTL_MS = 600_000;
const AT_ONCE = 20;
const READY_MS = 10_000;
const startedMs = Date.now();

/** Statistics of a worker that has served about 300 page requests a second since its start. */
function statsOf(id: string, place: number): WorkerStats {
  const seconds = (Date.now() - startedMs) / 1000;
  const hits = Math.floor(seconds * (250 + (place % 100)));
  const misses = Math.floor(seconds * 20);
  const latency = Array.from({ length: 20 }, (_, bucket) =>
    Math.floor((hits / 8) * Math.max(0, 1 - Math.abs(bucket - 4) / 4)),
  );
  const api = (name: string, status: string, share: number) => ({
    api: name,
    status,
    count: Math.floor(hits * share),
    bytesOut: hits * 1000,
    latencyCounts: latency,
    latencySumS: hits * 0.001,
  });
  const tier = (name: string, limitBytes: number) => ({
    name,
    directories: [`/data/${name}`],
    limitBytes,
    usedBytes: limitBytes * 0.8,
    pages: 10_000,
    evictedPages: Math.floor(seconds),
    evictedBytes: 0,
    corruptPages: 0,
    error: "",
  });
  const ufs = (op: string, status: string, calls: number) => ({
    mount: "lake",
    op,
    status,
    count: calls,
    bytes: calls * 1000,
    latencyCounts: latency,
    latencySumS: calls * 0.02,
  });
  return WorkerStats.create({
    workerId: id,
    startedUnixMs: startedMs,
    timeUnixMs: Date.now(),
    // Behind the registry's, so that each worker has a problem: a console is looked at when a whole cluster is not well.
    epoch: 1,
    pages: [
      { tier: "mem", outcome: "hit", missReason: "", mount: "lake", count: hits, bytes: hits * 1000 },
      { tier: "ssd", outcome: "hit", missReason: "", mount: "lake", count: hits, bytes: hits * 1000 },
      { tier: "ufs", outcome: "miss", missReason: "cold", mount: "lake", count: misses, bytes: misses * 1000 },
      { tier: "ufs", outcome: "miss", missReason: "evicted", mount: "lake", count: misses, bytes: misses * 1000 },
    ],
    apis: [api("s3.GetObject", "2xx", 0.9), api("s3.HeadObject", "2xx", 0.1), api("s3.GetObject", "4xx", 0.001)],
    ufs: [ufs("get", "ok", misses), ufs("head", "ok", misses)],
    tiers: [tier("mem", 64e9), tier("ssd", 2e12)],
    process: {
      cpuSeconds: seconds / 2,
      rssBytes: 5e8,
      heapUsedBytes: 1e8,
      eventLoopDelayP99Ms: 3,
      openConnections: 200,
    },
  });
}

const silent = unary<unknown, never>(() => Promise.reject(new Error("a simulated worker only tells of itself")));

/** What a worker tells of its settings, once for each of its starts. */
const SETTINGS = Array.from({ length: 40 }, (_, place) => ({
  key: `setting${place}`,
  value: String(place),
  origin: "default",
  from: "",
  defaultValue: String(place),
  about: "A setting of a simulated worker",
}));

const registry = connectRegistry({ cluster: "default", endpoints: [registryEndpoint], leaseTtlMs: LEASE_TTL_MS });
await registry.ready(READY_MS);

async function join(place: number): Promise<void> {
  const id = `sim-${String(place).padStart(4, "0")}`;
  async function* watch(intervalMs: number, signal: AbortSignal): AsyncGenerator<WorkerStats> {
    while (!signal.aborted) {
      yield statsOf(id, place);
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  }
  const server = await startGrpcServer({
    bind: "127.0.0.1",
    port: 0,
    services: [
      [
        WorkerServiceService,
        {
          ...Object.fromEntries(
            Object.entries(WorkerServiceService).map(([name, { responseStream }]) => [
              name,
              responseStream ? serverStream(async function* () {}) : silent,
            ]),
          ),
          watchStats: serverStream((request: { intervalMs: number }, context) =>
            watch(request.intervalMs, context.signal),
          ),
        },
      ],
      [
        ProcessServiceService,
        {
          getSettings: unary(async () => ProcessSettings.create({ process: "worker", id, settings: SETTINGS })),
          setLogLevel: silent,
          takeCpuProfile: serverStream(async function* () {}),
        },
      ],
    ],
  });
  const address = `127.0.0.1:${server.port}`;
  await registry.registerWorker({
    id,
    addresses: { grpc: address, s3: address, rest: address },
    weight: 1,
    version: "0.1.0",
    startedMs,
    hostname: "sim",
    pid: 1,
  });
}

let next = 0;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < Number(count)) await join(next++);
  }),
);
process.stdout.write("ready\n");
process.stdin.resume().once("end", () => process.exit(0));
