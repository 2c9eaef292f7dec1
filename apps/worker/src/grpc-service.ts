/** The worker's gRPC service. */
import {
  formatPath,
  isRinglightError,
  newReadStatus,
  parsePath,
  type ReadStatus,
  type Registry,
  RinglightError,
  toRinglightError,
  type ListRequest as UfsListRequest,
} from "@ringlight/core";
import {
  type Cluster,
  type ListRequest,
  type ListResponse,
  type MountCheck,
  type ObjectInfo,
  type ReadRequest,
  type ReadResponse,
  type ReadSummary,
  type WorkerServiceServer,
  WorkerServiceService,
  type WorkerStats,
} from "@ringlight/proto";
import {
  type CallContext,
  clusterToProto,
  mountFromProto,
  mountToProto,
  objectToProto,
  serverStream,
  unary,
} from "@ringlight/rpc";
import { openUfs } from "@ringlight/ufs";
import { coverage, type ExplainSources, explain } from "./explain.ts";
import type { Router } from "./router.ts";
import { traceOf } from "./trace.ts";

/** Largest piece of data in one message, bytes. */
const MESSAGE_BYTES = 1024 * 1024;
const MAX_KEYS = 1000;
const MAX_COVERAGE = 10_000;

/** What the service needs of the worker. */
export interface GrpcServiceOptions extends ExplainSources {
  readonly registry: Registry;
  readonly router: Router;
  readonly stats: () => WorkerStats;
  readonly ufsTimeoutMs: number;
  readonly now: () => number;
  /** Waits, or rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The service's definition, for the server. */
export const workerServiceDefinition: typeof WorkerServiceService = WorkerServiceService;

/** Makes the service's implementation. */
export function workerService(options: GrpcServiceOptions): WorkerServiceServer {
  const { mounts, registry, router, ring } = options;
  const cluster = (): Cluster => clusterToProto(ring.view, options.pageBytes, options.segmentBytes);
  return {
    read: serverStream((request, ctx) => read(router, request, ctx)),
    stat: unary(async ({ path }, ctx) => {
      const { mount, key } = objectPath(path);
      const meta = await router.head(mount, key, entry(ctx, newReadStatus()));
      return objectToProto(formatPath({ mount, key }), meta);
    }),
    list: unary((request, ctx) => list(options, request, ctx.signal)),
    watchStats: serverStream((request, ctx) => watchStats(options, request.intervalMs, ctx.signal)),
    getCluster: unary(async () => cluster()),
    explain: unary(({ path }) => {
      objectPath(path);
      return explain(options, path);
    }),
    coverage: unary(async (request) => {
      if (request.objects.length > MAX_COVERAGE) {
        throw new RinglightError(
          "RL_BAD_REQUEST",
          `${request.objects.length} objects in one request; at most ${MAX_COVERAGE}`,
        );
      }
      return coverage(options, request);
    }),
    addMount: unary(async (request, ctx) => {
      if (request.mount === undefined) throw new RinglightError("RL_BAD_REQUEST", "mount is missing");
      const record = mountFromProto(request.mount, options.now());
      if (registry.view().mounts.has(record.name)) {
        throw new RinglightError("RL_MOUNT_EXISTS", `a mount named "${record.name}" exists`);
      }
      const ufs = await openUfs(record, { timeoutMs: options.ufsTimeoutMs });
      try {
        await ufs.check({ signal: ctx.signal });
      } finally {
        await ufs.close();
      }
      if (!request.dryRun) await registry.addMount(record);
      return mountToProto(record);
    }),
    removeMount: unary(async ({ name }) => {
      await registry.removeMount(name);
      return {};
    }),
    checkMounts: unary(async ({ name }, ctx) => {
      const chosen = name === "" ? mounts.list() : [mounts.record(name)];
      const checked = await Promise.all(chosen.map((record) => checkMount(options, record.name, ctx.signal)));
      return { workerId: options.workerId, mounts: checked };
    }),
  };
}

async function* read(router: Router, request: ReadRequest, ctx: CallContext): AsyncGenerator<ReadResponse> {
  const { mount, key } = objectPath(request.path);
  if (request.offset < 0 || request.length < 0)
    throw new RinglightError("RL_BAD_REQUEST", "offset and length cannot be negative");
  const status = newReadStatus();
  const context = entry(ctx, status);
  const whole = request.offset === 0 && request.length === 0;
  const end = request.length === 0 ? undefined : request.offset + request.length - 1;
  const answer = await router.open(
    mount,
    key,
    {
      ...(!whole && { range: { kind: "from-to" as const, start: request.offset, ...(end !== undefined && { end }) } }),
      conditions: {},
    },
    context,
  );
  if (answer.outcome !== "ok") {
    throw new RinglightError(
      "RL_BAD_RANGE",
      `offset ${request.offset} is behind the end of ${request.path}, ${answer.meta.sizeBytes} bytes`,
    );
  }
  if (request.version !== "" && request.version !== answer.meta.version) {
    await answer.body[Symbol.asyncIterator]().return?.();
    throw new RinglightError("RL_VERSION_CHANGED", `${request.path} is at version ${answer.meta.version} now`);
  }
  const object: ObjectInfo = objectToProto(request.path, answer.meta);
  yield { object, data: EMPTY, summary: undefined };
  for await (const chunk of answer.body) {
    for (let at = 0; at < chunk.length; at += MESSAGE_BYTES) {
      yield { object: undefined, data: asBuffer(chunk.subarray(at, at + MESSAGE_BYTES)), summary: undefined };
    }
  }
  yield { object: undefined, data: EMPTY, summary: summaryOf(status) };
}

const EMPTY = Buffer.alloc(0);

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function summaryOf(status: ReadStatus): ReadSummary {
  return {
    hits: status.hits,
    misses: status.misses,
    joined: status.joined,
    missReason: status.missReason ?? "",
    bytesBySource: Object.fromEntries(status.bytesBySource),
    servedBy: status.servedBy,
    ufsMs: status.ufsMs,
    fellBack: status.fellBack,
  };
}

/** Lists the mounts ("/"), or a mount's objects. */
async function list(options: GrpcServiceOptions, request: ListRequest, signal: AbortSignal): Promise<ListResponse> {
  if (request.path === "/" || request.path === "") {
    const commonPrefixes = options.mounts.list().map(({ name }) => `/${name}/`);
    return { objects: [], commonPrefixes, truncated: false, nextStartAfter: "" };
  }
  const { mount, key } = parsePath(request.path);
  const { ufs } = await options.mounts.get(mount);
  const ask: UfsListRequest = {
    prefix: key,
    delimiter: request.delimiter,
    startAfter: request.startAfter,
    maxKeys: request.maxKeys === 0 ? MAX_KEYS : Math.min(MAX_KEYS, request.maxKeys),
  };
  const page = await ufs.list(ask, { signal });
  return {
    objects: page.objects.map((object) => objectToProto(formatPath({ mount, key: object.key }), object)),
    commonPrefixes: page.commonPrefixes.map((prefix) => `/${mount}/${prefix}`),
    truncated: page.truncated,
    nextStartAfter: page.nextStartAfter,
  };
}

async function* watchStats(
  options: GrpcServiceOptions,
  intervalMs: number,
  signal: AbortSignal,
): AsyncGenerator<WorkerStats> {
  const everyMs = intervalMs === 0 ? 1000 : intervalMs;
  if (everyMs < 200 || everyMs > 60_000) {
    throw new RinglightError("RL_BAD_REQUEST", `interval_ms is ${intervalMs}; 200 to 60000 are possible`);
  }
  while (!signal.aborted) {
    yield options.stats();
    await options.sleep(everyMs, signal);
  }
}

async function checkMount(options: GrpcServiceOptions, name: string, signal: AbortSignal): Promise<MountCheck> {
  const startedMs = performance.now();
  let failure: RinglightError | undefined;
  try {
    await (await options.mounts.get(name)).ufs.check({ signal });
  } catch (error) {
    failure = isRinglightError(error) ? error : toRinglightError(error, "RL_UFS_ERROR");
  }
  return {
    name,
    ok: failure === undefined,
    errorCode: failure?.code ?? "",
    message: failure?.message ?? "",
    durationMs: performance.now() - startedMs,
  };
}

/** A path that names an object. @throws RL_BAD_REQUEST */
function objectPath(path: string): { mount: string; key: string } {
  const parsed = parsePath(path);
  if (parsed.key === "") throw new RinglightError("RL_BAD_REQUEST", `"${path}" names a mount, not an object`);
  return parsed;
}

function entry(ctx: CallContext, status: ReadStatus) {
  return { signal: ctx.signal, status, ...traceOf(ctx) };
}
