/** A worker that serves the console's calls over real gRPC and says what a test tells it to. */
import type { Registration, Registry } from "@ringlight/core";
import {
  CheckMountsResponse,
  CoverageResponse,
  ExplainResponse,
  ListResponse,
  Mount,
  type PageRun,
  WorkerServiceService,
  type WorkerStats,
} from "@ringlight/proto";
import { type GrpcServer, serverStream, startGrpcServer, unary } from "@ringlight/rpc";
import { type FakeCounters, fakeStats } from "./fake-stats.ts";

const INTERVAL_MS = 50;

export class FakeWorker {
  readonly id: string;
  /** Counters of the next message. */
  counters: FakeCounters = {};
  startedMs = Date.now();
  /** Pages of every object that this worker holds. */
  cached: PageRun[] = [];
  mountOk = true;
  lists = 0;
  #server: GrpcServer | undefined;
  #registration: Registration | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /** Serves on a free port, and joins the ring. */
  async start(registry: Registry): Promise<void> {
    await this.serve(0);
    const address = `127.0.0.1:${this.#server?.port}`;
    this.#registration = await registry.registerWorker({
      id: this.id,
      addresses: { grpc: address, s3: address, rest: address },
      weight: 1,
      version: "0.0.0",
      startedMs: this.startedMs,
      hostname: "test",
      pid: 1,
    });
  }

  async serve(port: number): Promise<void> {
    const worker = this;
    async function* watch(signal: AbortSignal): AsyncGenerator<WorkerStats> {
      while (!signal.aborted) {
        yield fakeStats(worker.id, worker.startedMs, worker.counters);
        await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
      }
    }
    const unused = unary<unknown, never>(() => Promise.reject(new Error("not part of this test")));
    const implementation = {
      watchStats: serverStream((_request: unknown, context) => watch(context.signal)),
      checkMounts: unary(async () =>
        CheckMountsResponse.create({
          workerId: this.id,
          mounts: [
            {
              name: "demo",
              ok: this.mountOk,
              errorCode: this.mountOk ? "" : "RL_UFS_DENIED",
              message: this.mountOk ? "" : "the store refused the credentials",
              durationMs: 1,
            },
          ],
        }),
      ),
      list: unary(async () => {
        this.lists++;
        return ListResponse.create({
          objects: [
            {
              path: "/demo/dir/file",
              sizeBytes: 3500,
              version: "v1",
              etag: "",
              modifiedUnixMs: 5,
              contentType: "",
              userMetadata: {},
            },
          ],
          commonPrefixes: ["/demo/dir/sub/"],
        });
      }),
      coverage: unary(async () =>
        CoverageResponse.create({
          workerId: this.id,
          pageBytes: 1000,
          objects: [{ cached: this.cached, cachedBytes: 0 }],
        }),
      ),
      explain: unary(async () => ExplainResponse.create({ workerId: this.id })),
      addMount: unary(async (request: { mount: Mount | undefined }) => request.mount ?? Mount.create({})),
      read: serverStream(async function* () {}),
      stat: unused,
      getCluster: unused,
      removeMount: unused,
      findRead: unused,
      getReuse: unused,
      getContents: unused,
    };
    this.#server = await startGrpcServer({
      bind: "127.0.0.1",
      port,
      services: [[WorkerServiceService, implementation]],
    });
  }

  /** Stops answering; the lease stays held. */
  async hangUp(): Promise<number> {
    const port = this.#server?.port ?? 0;
    await this.#server?.close(0);
    return port;
  }

  /** Leaves: the lease ends, the member stays. */
  async leave(): Promise<void> {
    await this.#registration?.close();
  }

  async close(): Promise<void> {
    await this.leave();
    await this.hangUp();
  }
}
