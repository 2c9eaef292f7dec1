/** The worker's gRPC service. */
import {
  formatPath,
  isRinglightError,
  newReadStatus,
  parsePath,
  type ReadStatus,
  type Registry,
  RinglightError,
  releasePooled,
  toRinglightError,
  type ListRequest as UfsListRequest,
} from "@ringlight/core";
import {
  type CaptureChunk,
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
  type EncodedMessage,
  mountFromProto,
  mountToProto,
  objectToProto,
  serverStream,
  unary,
} from "@ringlight/rpc";
import { currentSpan } from "@ringlight/telemetry";
import { openUfs } from "@ringlight/ufs";
import { type Capture, outcomeOf } from "./capture.ts";
import { type ContentsSources, contents, reuseReport } from "./contents.ts";
import { coverage, type ExplainSources, explain, findRead } from "./explain.ts";
import { type BulkOptions, dataMessage, readHits } from "./grpc-bulk.ts";
import type { VersionPages } from "./lease-objects.ts";
import { pageVersion } from "./object-reader.ts";
import type { Router } from "./router.ts";
import { noteRead, pathAttributes, traceOf } from "./trace.ts";

/** Largest piece of data in one message, bytes. */
const MESSAGE_BYTES = 1024 * 1024;
const MAX_KEYS = 1000;
const MAX_COVERAGE = 10_000;

/** What the service needs of the worker. */
export interface GrpcServiceOptions extends ExplainSources {
  readonly registry: Registry;
  readonly router: Router;
  readonly capture: Capture;
  readonly bulk: BulkOptions;
  readonly stats: () => WorkerStats;
  readonly contents: ContentsSources;
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
    read: serverStream((request, ctx) => captured(options, request, ctx)),
    stat: unary(async ({ path }, ctx) => {
      const { mount, key } = objectPath(path);
      const meta = await router.head(mount, key, entry(ctx, newReadStatus()));
      return objectToProto(formatPath({ mount, key }), meta);
    }),
    list: unary((request, ctx) => list(options, request, ctx.signal)),
    watchStats: serverStream((request, ctx) => watchStats(options, request.intervalMs, ctx.signal)),
    getCluster: unary(async () => cluster()),
    startCapture: unary((request) => options.capture.start(request)),
    stopCapture: unary(() => options.capture.stop("stopped")),
    getCapture: unary(async () => options.capture.state()),
    readCapture: serverStream(() => captureChunks(options.capture)),
    explain: unary(({ path }) => {
      objectPath(path);
      return explain(options, path);
    }),
    findRead: unary(async ({ id }) => findRead(options, id)),
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
    getReuse: unary(async () => reuseReport(options.contents)),
    getContents: unary((request) => contents(options.contents, request)),
    checkMounts: unary(async ({ name }, ctx) => {
      const chosen = name === "" ? mounts.list() : [mounts.record(name)];
      const checked = await Promise.all(chosen.map((record) => checkMount(options, record.name, ctx.signal)));
      return { workerId: options.workerId, mounts: checked };
    }),
  };
}

async function* captureChunks(capture: Capture): AsyncGenerator<CaptureChunk> {
  for await (const data of capture.contents()) yield { data };
}

/** A read, noted where a capture runs. */
async function* captured(
  options: GrpcServiceOptions,
  request: ReadRequest,
  ctx: CallContext,
): AsyncGenerator<ReadResponse | EncodedMessage> {
  const status = newReadStatus();
  const atMs = options.now();
  let failed = true;
  try {
    yield* read(options, request, ctx, status);
    failed = false;
  } finally {
    if (options.capture.running) {
      const { path, offset, length, sizeBytes } = request;
      const outcome = failed ? "error" : outcomeOf(status);
      options.capture.note({ atMs, op: "get", path, client: "grpc", offset, length, sizeBytes, outcome });
    }
  }
}

/** Reads of a range. What is at hand goes out first; from the first byte that is not, the read goes the way of all reads. */
async function* read(
  options: GrpcServiceOptions,
  request: ReadRequest,
  ctx: CallContext,
  status: ReadStatus,
): AsyncGenerator<ReadResponse | EncodedMessage> {
  const { mount, key } = objectPath(request.path);
  if (request.offset < 0 || request.length < 0 || request.sizeBytes < 0)
    throw new RinglightError("RL_BAD_REQUEST", "offset, length and size cannot be negative");
  try {
    yield* readInto(options, request, ctx, status, mount, key);
  } finally {
    const span = currentSpan();
    noteRead(status, span);
    if (span?.isKept) span.set(pathAttributes(mount, key));
  }
}

async function* readInto(
  options: GrpcServiceOptions,
  request: ReadRequest,
  ctx: CallContext,
  status: ReadStatus,
  mount: string,
  key: string,
): AsyncGenerator<ReadResponse | EncodedMessage> {
  const context = entry(ctx, status);
  const known = pinnedPages(options, mount, key, request) ?? options.bulk.own.peek(mount, key);
  if (known !== undefined && (request.version === "" || request.version === known.meta.version)) {
    const { sizeBytes } = known.meta;
    const end = request.length === 0 ? sizeBytes : Math.min(sizeBytes, request.offset + request.length);
    const hits = readHits(options.bulk, known, request.offset, end, context);
    let next = await hits.next();
    // A read that does not begin with a hit may still find another version, if it is free to.
    const isPinned = request.version !== "" && request.sizeBytes > 0;
    if (request.offset < end && (next.done !== true || isPinned)) {
      const object = objectToProto(request.path, { etag: "", modifiedMs: 0, ...known.meta });
      yield { object, data: EMPTY, summary: undefined };
      for (; next.done !== true; next = await hits.next()) yield next.value;
      const range = { start: next.value, end: end - 1 };
      if (range.start < end) yield* inMessages(options.router.openPinned(mount, key, known.meta, range, context));
      yield { object: undefined, data: EMPTY, summary: summaryOf(status) };
      return;
    }
  }
  const whole = request.offset === 0 && request.length === 0;
  const end = request.length === 0 ? undefined : request.offset + request.length - 1;
  const answer = await options.router.open(
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
  yield* inMessages(answer.body);
  yield { object: undefined, data: EMPTY, summary: summaryOf(status) };
}

/** The pages of the version that the caller knows: it need not be asked whether that is current. */
function pinnedPages(
  { mounts }: GrpcServiceOptions,
  mount: string,
  key: string,
  { version, sizeBytes }: ReadRequest,
): VersionPages | undefined {
  if (version === "" || sizeBytes === 0) return undefined;
  const record = mounts.record(mount);
  return { record, key, meta: { version, sizeBytes }, version: pageVersion(record, key, version) };
}

async function* inMessages(body: AsyncIterable<Uint8Array>): AsyncGenerator<EncodedMessage> {
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += MESSAGE_BYTES) {
      const isLast = at + MESSAGE_BYTES >= chunk.length;
      yield dataMessage(chunk.subarray(at, at + MESSAGE_BYTES), isLast ? () => releasePooled(chunk) : undefined);
    }
  }
}

const EMPTY = Buffer.alloc(0);

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
