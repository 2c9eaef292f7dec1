/** For tests: a worker of real gRPC over loopback that serves objects from memory, and misbehaves on request. */
import { RinglightError } from "@ringlight/core";
import {
  AccessRecord,
  CaptureState,
  Cluster,
  ContentsReport,
  ExplainResponse,
  Mount,
  ObjectInfo,
  type ReadRequest,
  ReadResponse,
  ReadSummary,
  ReuseReport,
  type WorkerServiceServer,
  WorkerServiceService,
  WorkerStats,
} from "@ringlight/proto";
import { type GrpcServer, serverStream, startGrpcServer, unary } from "@ringlight/rpc";

/** An object as a fake worker holds it. */
export interface FakeObject {
  readonly bytes: Buffer;
  readonly version: string;
}

/** What a fake worker was asked. */
export interface FakeCall {
  readonly worker: string;
  readonly method: string;
  readonly request: unknown;
}

const CHUNK_BYTES = 10_000;

/** A cluster of fake workers that all see the same objects. */
export class FakeCluster {
  readonly objects = new Map<string, FakeObject>();
  readonly mounts: Mount[] = [Mount.create({ name: "demo", uri: "file:///demo", replicas: 1 })];
  readonly calls: FakeCall[] = [];
  readonly servers = new Map<string, GrpcServer>();
  /** Called before each data message of a read; may throw, wait, or stop the worker. */
  onChunk: (worker: string, position: number) => Promise<void> | void = () => {};
  /** Pages that a worker says it holds, by worker. */
  readonly held = new Map<string, { first: number; last: number }[]>();
  /** Paths of reads that all workers remember, by id. */
  readonly remembered = new Map<string, string>();
  /** What a worker says of its pages, by worker. */
  readonly reuse = new Map<string, Partial<ReuseReport>>();
  readonly contents = new Map<string, Partial<ContentsReport>>();
  readonly segmentBytes: number;
  readonly token: string | undefined;
  epoch = 1;
  /** False while no worker holds a lease, though all answer. */
  leased = true;
  readonly #members: string[] = [];

  constructor(options: { segmentBytes?: number; token?: string } = {}) {
    this.segmentBytes = options.segmentBytes ?? 256 * 1024 * 1024;
    this.token = options.token;
  }

  /** Starts workers w1 to wN. */
  async start(count: number): Promise<string[]> {
    for (let index = 1; index <= count; index++) await this.join(`w${index}`);
    return [...this.servers.values()].map(({ port }) => `127.0.0.1:${port}`);
  }

  async join(id: string, port = 0): Promise<void> {
    const services = [[WorkerServiceService, this.#service(id)]] as const;
    this.servers.set(id, await startGrpcServer({ bind: "127.0.0.1", port, token: this.token, services }));
    if (!this.#members.includes(id)) this.#members.push(id);
  }

  /** Cuts a worker off at once; the others still name it as alive, as within a lease. */
  async kill(id: string): Promise<void> {
    await this.servers.get(id)?.close(0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.servers.values()].map((server) => server.close(0)));
  }

  /** Reads that were asked for, as [worker, offset, length]. */
  reads(): [string, number, number][] {
    return this.calls
      .filter(({ method }) => method === "read")
      .map(({ worker, request }) => [worker, (request as ReadRequest).offset, (request as ReadRequest).length]);
  }

  cluster(): Cluster {
    return Cluster.fromPartial({
      name: "test",
      epoch: this.epoch,
      members: this.#members.map((id) => ({ id, weight: 1 })),
      workers: [...(this.leased ? this.servers : [])].map(([id, { port }]) => ({
        id,
        grpcAddress: `127.0.0.1:${port}`,
        weight: 1,
      })),
      mounts: this.mounts,
      segmentBytes: this.segmentBytes,
      pageBytes: 1000,
      registryConnected: true,
    });
  }

  #object(path: string): FakeObject {
    const object = this.objects.get(path);
    if (object === undefined) throw new RinglightError("RL_NOT_FOUND", `no object ${path}`);
    return object;
  }

  #info(path: string): ObjectInfo {
    const { bytes, version } = this.#object(path);
    return ObjectInfo.create({ path, sizeBytes: bytes.length, version });
  }

  #service(worker: string): WorkerServiceServer {
    const note = (method: string, request: unknown) => this.calls.push({ worker, method, request });
    const self = this;
    return {
      getCluster: unary(async () => this.cluster()),
      stat: unary(async (request) => {
        note("stat", request);
        return this.#info(request.path);
      }),
      list: unary(async (request) => {
        note("list", request);
        const keys = [...this.objects.keys()]
          .sort()
          .filter((key) => key.startsWith(request.path) && key > request.startAfter);
        const page = keys.slice(0, request.maxKeys || 1000);
        const truncated = page.length < keys.length;
        const nextStartAfter = truncated ? (page.at(-1) ?? "") : "";
        return { objects: page.map((key) => this.#info(key)), commonPrefixes: [], truncated, nextStartAfter };
      }),
      read: serverStream(async function* (request) {
        note("read", request);
        const { bytes, version } = self.#object(request.path);
        if (request.version !== "" && request.version !== version) {
          throw new RinglightError("RL_VERSION_CHANGED", `${request.path} is at version ${version} now`);
        }
        const whole = request.offset === 0 && request.length === 0;
        if (!whole && request.offset >= bytes.length) {
          throw new RinglightError("RL_BAD_RANGE", `offset ${request.offset} is behind the end`);
        }
        const end = request.length === 0 ? bytes.length : Math.min(bytes.length, request.offset + request.length);
        yield ReadResponse.create({ object: self.#info(request.path) });
        for (let at = request.offset; at < end; at += CHUNK_BYTES) {
          await self.onChunk(worker, at);
          yield ReadResponse.create({ data: bytes.subarray(at, Math.min(end, at + CHUNK_BYTES)) });
        }
        const bytesBySource = { mem: end - request.offset };
        yield ReadResponse.create({ summary: ReadSummary.create({ hits: 1, servedBy: [worker], bytesBySource }) });
      }),
      watchStats: serverStream(async function* (request) {
        note("watchStats", request);
        for (let epoch = 1; epoch <= 3; epoch++) yield WorkerStats.create({ workerId: worker, epoch });
      }),
      explain: unary(async (request) =>
        ExplainResponse.fromPartial({
          workerId: worker,
          path: request.path,
          object: this.#info(request.path),
          pageBytes: 1000,
          cached: this.held.get(worker) ?? [],
          accesses: [AccessRecord.create({ outcome: "hit" })],
        }),
      ),
      findRead: unary(async ({ id }) => {
        note("findRead", { id });
        const found = this.remembered.get(id);
        return { workerId: worker, path: found ?? "", access: AccessRecord.create({ traceId: id }) };
      }),
      coverage: unary(async (request) => {
        note("coverage", request);
        const objects = request.objects.map(() => ({ cached: this.held.get(worker) ?? [], cachedBytes: 0 }));
        return { workerId: worker, pageBytes: 1000, objects };
      }),
      addMount: unary(async (request) => {
        note("addMount", request);
        const mount = Mount.fromPartial(request.mount ?? {});
        if (this.mounts.some(({ name }) => name === mount.name))
          throw new RinglightError("RL_MOUNT_EXISTS", "it exists");
        if (!request.dryRun) this.mounts.push(mount);
        return mount;
      }),
      removeMount: unary(async (request) => {
        const index = this.mounts.findIndex(({ name }) => name === request.name);
        if (index === -1) throw new RinglightError("RL_NO_SUCH_MOUNT", `no mount ${request.name}`);
        this.mounts.splice(index, 1);
        return {};
      }),
      getReuse: unary(async () => ReuseReport.fromPartial({ workerId: worker, ...this.reuse.get(worker) })),
      getContents: unary(async (request) => {
        note("getContents", request);
        return ContentsReport.fromPartial({ workerId: worker, ...this.contents.get(worker) });
      }),
      checkMounts: unary(async () => ({
        workerId: worker,
        mounts: this.mounts.map(({ name }) => ({ name, ok: true, errorCode: "", message: "", durationMs: 1 })),
      })),
      startCapture: unary(async () => CaptureState.create({ workerId: worker, running: true, file: "/c" })),
      stopCapture: unary(async () => CaptureState.create({ workerId: worker, file: "/c", ended: "stopped" })),
      getCapture: unary(async () => CaptureState.create({ workerId: worker })),
      readCapture: serverStream(async function* () {
        yield { data: Buffer.from(worker) };
      }),
    };
  }
}
