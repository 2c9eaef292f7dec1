/** The client of a cluster: knows the ring, asks the owners, and falls back to others. */
import { type Clock, isRinglightError, type PageRun, RinglightError, systemClock } from "@ringlight/core";
import {
  type CaptureState,
  type CheckMountsResponse,
  type Cluster,
  type CoverageResponse,
  type ExplainResponse,
  type FindReadResponse,
  type ListResponse,
  Mount,
  type ObjectInfo,
  type ObjectVersion,
  type WorkerStats,
} from "@ringlight/proto";
import type { Ring } from "@ringlight/ring";
import { type CallControl, callStream, callUnary } from "@ringlight/rpc";
import { activeTraceparent } from "./active-trace.ts";
import { type Contents, type MissRatioCurve, mergedContents, missRatioCurve } from "./cache-report.ts";
import { anotherMay, type Candidate, ClusterState } from "./cluster-state.ts";
import { Jobs } from "./jobs.ts";
import { runBytes, uniteRuns } from "./page-runs.ts";
import { type ReadHandle, type ReadOptions, startRead } from "./read.ts";
import { RangeReader, type RangeToRead } from "./read-many.ts";
import { ShortCircuit } from "./short-circuit.ts";

/** Options of connect. */
export interface ConnectOptions {
  /** gRPC addresses of one or more workers, host:port; the others are learnt from them. */
  readonly endpoints: readonly string[];
  /** The cluster token. */
  readonly token?: string | undefined;
  /** Deadline of a call to one worker, milliseconds; 10000 if left out. */
  readonly deadlineMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /**
   * Read page files of workers on this host past them, under leases; true if left out. Takes effect where this process may
   * read the workers' files.
   */
  readonly shortCircuit?: boolean | undefined;
  /** Page files kept open for that; 512 if left out. */
  readonly openFileLimit?: number | undefined;
}

/** Options of every question. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  /** Deadline of a call to one worker, milliseconds. */
  readonly deadlineMs?: number | undefined;
  /** W3C trace context to continue; that of the active span of OpenTelemetry JS if left out. */
  readonly traceparent?: string | undefined;
}

/** What to list. */
export interface ListOptions extends AskOptions {
  /** "/" for one level; "" (the default) for all keys. */
  readonly delimiter?: string | undefined;
  /** `nextStartAfter` of the page before. */
  readonly startAfter?: string | undefined;
  /** 1 to 1000. */
  readonly maxKeys?: number | undefined;
}

/** How many workers answered, of how many: live ones, and members that do not hold their lease. */
export interface Answered {
  readonly answered: number;
  readonly workers: number;
}

/** Why a path is where it is, and what of it is cached anywhere. */
export interface Explanation extends Answered {
  /** The first owner's answer; where that did not answer, another worker's. */
  readonly owner: ExplainResponse;
  /** All answers. */
  readonly responses: readonly ExplainResponse[];
  /** Pages of the owner's version that at least one worker holds. */
  readonly cached: readonly PageRun[];
  readonly cachedBytes: number;
}

/** What is cached of objects anywhere in the cluster. */
export interface Coverage extends Answered {
  readonly pageBytes: number;
  /** One for each object, in the order of the question. */
  readonly objects: readonly { readonly cached: readonly PageRun[]; readonly cachedBytes: number }[];
}

/** What all workers say of the stores behind the mounts. */
export interface MountChecks extends Answered {
  readonly checks: readonly CheckMountsResponse[];
}

/** Bounds of a recording; what is left out takes the worker's default. */
export interface CaptureOptions {
  /** Record hashes in place of paths. */
  readonly hashPaths?: boolean | undefined;
  readonly maxBytes?: number | undefined;
  readonly maxDurationMs?: number | undefined;
}

/** Recordings of all workers. */
export interface Captures extends Answered {
  readonly states: readonly CaptureState[];
}

/** A mount to add; what is left out takes its default. */
export type NewMount = Partial<Mount> & Pick<Mount, "name" | "uri">;

/** Objects in one question of coverage. */
const COVERAGE_BATCH = 5_000;
/** Adding a mount waits for the store behind it. */
const ADD_MOUNT_DEADLINE_MS = 30_000;
const DEFAULT_INTERVAL_MS = 1_000;
/** Longest silence of a worker that sends its recording, milliseconds. */
const CAPTURE_IDLE_MS = 30_000;
/** Times that a range is read again because the object changed meanwhile. */
const MAX_RESTARTS = 8;

/** Connects to a cluster. @throws RL_NO_WORKERS when no endpoint answers, RL_UNAUTHENTICATED, RL_BAD_REQUEST without endpoints */
export async function connect(options: ConnectOptions): Promise<RinglightClient> {
  if (options.endpoints.length === 0) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      "no endpoint to connect to: give the gRPC address of a worker, host:port",
    );
  }
  const client = new RinglightClient(options);
  try {
    await client.cluster();
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** A connected client. All its errors are RinglightErrors. Made by connect(). */
export class RinglightClient {
  readonly #state: ClusterState;
  readonly #shortCircuit: ShortCircuit | undefined;
  readonly #ranges: RangeReader;
  /** Jobs of the cluster: loads, copies and so on. */
  readonly jobs: Jobs;

  /** @internal Use connect(). */
  constructor(options: ConnectOptions) {
    const { endpoints, token, deadlineMs, clock = systemClock, shortCircuit = true, openFileLimit } = options;
    this.#state = new ClusterState({ endpoints, token, deadlineMs, clock });
    if (shortCircuit) this.#shortCircuit = new ShortCircuit(this.#state, clock, openFileLimit);
    this.jobs = new Jobs(() => this.#state.fresh(), token);
    this.#ranges = new RangeReader(this.#state, (range) => this.#readAlone(range));
  }

  /** The cluster, at most 5 s old. @throws RL_NO_WORKERS */
  cluster(): Promise<Cluster> {
    return this.#state.fresh();
  }

  /** The ring of the cluster's members, with its epoch. */
  async ring(): Promise<Ring> {
    return this.#state.ring(await this.#state.known());
  }

  /** An object's current version, from its owner. @throws RL_NOT_FOUND, RL_NO_SUCH_MOUNT, RL_UFS_* */
  async stat(path: string, options: AskOptions = {}): Promise<ObjectInfo> {
    const candidates = this.#state.candidates(await this.#state.known(), path, 0);
    return this.#firstOf(candidates, ({ client }) => callUnary(client, "stat", { path }, repeatable(options)));
  }

  /** One page of a listing; "/" lists the mounts as common prefixes. */
  async list(path: string, options: ListOptions = {}): Promise<ListResponse> {
    const { delimiter = "", startAfter = "", maxKeys = 0 } = options;
    const request = { path, delimiter, startAfter, maxKeys };
    const candidates = this.#state.anybody(await this.#state.known());
    return this.#firstOf(candidates, ({ client }) => callUnary(client, "list", request, repeatable(options)));
  }

  /** All pages of a listing, one after another. */
  async *listAll(path: string, options: ListOptions = {}): AsyncGenerator<ListResponse, void> {
    let startAfter = options.startAfter ?? "";
    for (;;) {
      const page = await this.list(path, { ...options, startAfter });
      yield page;
      if (!page.truncated) return;
      if (page.nextStartAfter === startAfter) {
        throw new RinglightError("RL_INTERNAL", `the listing of ${path} does not go on after "${startAfter}"`);
      }
      startAfter = page.nextStartAfter;
    }
  }

  /** Reads an object, or a range of it, from its owners. */
  read(path: string, options: ReadOptions = {}): ReadHandle {
    const traceparent = options.traceparent ?? activeTraceparent();
    return startRead(this.#state, this.#shortCircuit, path, { ...options, traceparent });
  }

  /**
   * Bytes of a small range that lie in page files of this host and are leased now; undefined where they are not, fewer where
   * the object ends before. Costs one system call and never waits: for readers that ask again and again.
   */
  readNow(path: string, offset: number, length: number): Buffer | undefined {
    return this.#shortCircuit?.read(path, offset, length);
  }

  /** Like readNow(), into memory of the caller's: the number of bytes, or -1 where they are not leased. */
  readNowInto(path: string, offset: number, target: Buffer): number {
    return this.#shortCircuit?.readInto(path, offset, target) ?? -1;
  }

  /**
   * Reads a small range: past the worker where it is leased, else in one call with the other ranges that are asked for at
   * the same time. @throws RL_BAD_RANGE where it begins behind the object's end, and what read() throws
   */
  readRange(path: string, offset: number, length: number): Promise<Buffer> {
    const known = this.readNow(path, offset, length);
    if (known !== undefined) return Promise.resolve(known);
    this.#shortCircuit?.noteMiss(path, offset, length, this.#state.pageBytes);
    return this.#ranges.read({ path, offset, length });
  }

  /** Reads many small ranges; the answers are in their order. @throws what the first range that fails throws */
  readMany(ranges: readonly RangeToRead[]): Promise<Buffer[]> {
    return Promise.all(ranges.map(({ path, offset = 0, length }) => this.readRange(path, offset, length)));
  }

  /** Asks all workers about a path. @throws RL_NO_WORKERS, RL_NO_SUCH_MOUNT, and what the first worker says if none can tell */
  async explain(path: string, options: AskOptions = {}): Promise<Explanation> {
    const cluster = await this.#state.fresh();
    const asked = await this.#all(cluster, ({ client }) => callUnary(client, "explain", { path }, repeatable(options)));
    const { values: responses, answered, workers } = asked;
    const owners = this.#state.owners(cluster, path, 0);
    const rank = ({ workerId }: ExplainResponse) =>
      owners.includes(workerId) ? owners.indexOf(workerId) : owners.length;
    const owner = [...responses].sort((a, b) => rank(a) - rank(b))[0]!;
    const version = owner.object?.version;
    const holders = responses.filter((response) => version !== undefined && response.object?.version === version);
    const cached = uniteRuns(holders.map((response) => response.cached));
    const cachedBytes = owner.object ? runBytes(cached, owner.object.sizeBytes, owner.pageBytes) : 0;
    return { owner, responses, cached, cachedBytes, answered, workers };
  }

  /**
   * The path of a read by its trace id (32 hex digits) or request id (16), and the read as its worker remembers it; undefined
   * where nobody does. @throws RL_NO_WORKERS, RL_BAD_REQUEST
   */
  async findRead(id: string, options: AskOptions = {}): Promise<FindReadResponse | undefined> {
    const cluster = await this.#state.fresh();
    const request = { id: id.toLowerCase() };
    const asked = await this.#all(cluster, ({ client }) => callUnary(client, "findRead", request, repeatable(options)));
    return asked.values.find(({ path }) => path !== "");
  }

  /** What the workers together hold of each object version. @throws RL_NO_WORKERS */
  async coverage(objects: readonly ObjectVersion[], options: AskOptions = {}): Promise<Coverage> {
    const cluster = await this.#state.fresh();
    const asked = await this.#all(cluster, async ({ client }) => {
      const answers: CoverageResponse[] = [];
      for (let at = 0; at === 0 || at < objects.length; at += COVERAGE_BATCH) {
        const batch = { objects: objects.slice(at, at + COVERAGE_BATCH) };
        answers.push(await callUnary(client, "coverage", batch, repeatable(options)));
      }
      return { pageBytes: answers[0]?.pageBytes ?? 0, objects: answers.flatMap((answer) => answer.objects) };
    });
    const pageBytes = asked.values.find((value) => value.pageBytes > 0)?.pageBytes ?? cluster.pageBytes;
    const merged = objects.map((object, index) => {
      const cached = uniteRuns(asked.values.map((value) => value.objects[index]?.cached ?? []));
      return { cached, cachedBytes: runBytes(cached, object.sizeBytes, pageBytes) };
    });
    return { pageBytes, objects: merged, answered: asked.answered, workers: asked.workers };
  }

  /**
   * Adds a mount, once the store behind it has answered; with `dryRun` only asks the store.
   * @throws RL_MOUNT_EXISTS (also where an earlier try was carried out and its answer lost), RL_BAD_REQUEST, RL_UFS_*
   */
  async addMount(mount: NewMount, options: AskOptions & { readonly dryRun?: boolean } = {}): Promise<Mount> {
    const request = { mount: Mount.fromPartial(mount), dryRun: options.dryRun ?? false };
    const control = { ...controlOf(options), deadlineMs: options.deadlineMs ?? ADD_MOUNT_DEADLINE_MS };
    const candidates = this.#state.anybody(await this.#state.known());
    const added = await this.#firstOf(candidates, ({ client }) => callUnary(client, "addMount", request, control));
    await this.#state.learn().catch(() => {});
    return added;
  }

  /** Removes a mount; the objects behind it stay. @throws RL_NO_SUCH_MOUNT */
  async removeMount(name: string, options: AskOptions = {}): Promise<void> {
    const candidates = this.#state.anybody(await this.#state.known());
    await this.#firstOf(candidates, ({ client }) => callUnary(client, "removeMount", { name }, controlOf(options)));
    await this.#state.learn().catch(() => {});
  }

  /** Asks the stores behind all mounts, or one, from every worker. @throws RL_NO_WORKERS, RL_NO_SUCH_MOUNT */
  async checkMounts(name = "", options: AskOptions = {}): Promise<MountChecks> {
    const cluster = await this.#state.fresh();
    const asked = await this.#all(cluster, ({ client }) =>
      callUnary(client, "checkMounts", { name }, repeatable(options)),
    );
    return { checks: asked.values, answered: asked.answered, workers: asked.workers };
  }

  /** What the cluster's hit rate would be with more or less room. @throws RL_NO_WORKERS */
  async missRatioCurve(options: AskOptions = {}): Promise<MissRatioCurve> {
    const cluster = await this.#state.fresh();
    const asked = await this.#all(cluster, ({ client }) => callUnary(client, "getReuse", {}, repeatable(options)));
    return missRatioCurve(asked.values, asked);
  }

  /** What the cluster holds below a prefix, told apart by so many path elements behind it. @throws RL_NO_WORKERS, RL_BAD_REQUEST */
  async contents(prefix = "/", depth = 1, options: AskOptions = {}): Promise<Contents> {
    const cluster = await this.#state.fresh();
    const request = { prefix, depth };
    const asked = await this.#all(cluster, ({ client }) =>
      callUnary(client, "getContents", request, repeatable(options)),
    );
    return mergedContents(asked.values, asked);
  }

  /** A worker's counters, at once and then every interval, until the loop is left. @throws RL_NO_WORKERS when it is not alive */
  async *stats(
    workerId: string,
    options: { readonly intervalMs?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<WorkerStats, void> {
    const cluster = await this.#state.fresh();
    const worker = this.#state.everybody(cluster).find(({ id }) => id === workerId);
    if (worker === undefined) {
      const alive = cluster.workers.map(({ id }) => id).join(", ");
      throw new RinglightError("RL_NO_WORKERS", `no worker "${workerId}" is alive; alive are: ${alive || "none"}`);
    }
    const intervalMs = options.intervalMs ?? DEFAULT_INTERVAL_MS;
    const control = { signal: options.signal, idleMs: 3 * intervalMs + 2_000 };
    yield* callStream(worker.client, "watchStats", { intervalMs }, control);
  }

  /** Begins to record on every worker what it serves. @throws RL_NO_WORKERS, RL_CONFLICT where one records already */
  async startCapture(options: CaptureOptions & AskOptions = {}): Promise<Captures> {
    const { hashPaths = false, maxBytes = 0, maxDurationMs = 0 } = options;
    const request = { hashPaths, maxBytes, maxDurationMs };
    return await this.#captures(({ client }) => callUnary(client, "startCapture", request, controlOf(options)));
  }

  /** Ends the recording on every worker. @throws RL_NO_WORKERS */
  async stopCapture(options: AskOptions = {}): Promise<Captures> {
    return await this.#captures(({ client }) => callUnary(client, "stopCapture", {}, repeatable(options)));
  }

  /** The last recording of every worker. @throws RL_NO_WORKERS */
  async captures(options: AskOptions = {}): Promise<Captures> {
    return await this.#captures(({ client }) => callUnary(client, "getCapture", {}, repeatable(options)));
  }

  /** Bytes of a worker's last recording. @throws RL_NO_WORKERS when it is not alive, RL_NOT_FOUND when it has none */
  async *readCapture(workerId: string, options: AskOptions = {}): AsyncGenerator<Uint8Array, void> {
    const cluster = await this.#state.fresh();
    const worker = this.#state.everybody(cluster).find(({ id }) => id === workerId);
    if (worker === undefined) throw new RinglightError("RL_NO_WORKERS", `no worker "${workerId}" is alive`);
    const control = { signal: options.signal, idleMs: options.deadlineMs ?? CAPTURE_IDLE_MS };
    for await (const { data } of callStream(worker.client, "readCapture", {}, control)) yield data;
  }

  async #captures(ask: (candidate: Candidate) => Promise<CaptureState>): Promise<Captures> {
    const cluster = await this.#state.fresh();
    const { values, answered, workers } = await this.#all(cluster, ask);
    return { states: values, answered, workers };
  }

  /** Gives leases back and closes all connections. Idempotent. */
  close(): void {
    this.jobs.close();
    const closed = this.#shortCircuit?.close();
    if (closed === undefined) this.#state.close();
    else void closed.finally(() => this.#state.close());
  }

  /** A short range of whatever version: one that changes while it is read is read again. */
  async #readAlone({ path, offset, length }: RangeToRead): Promise<Buffer> {
    for (let restart = 0; ; restart++) {
      try {
        const chunks: Uint8Array[] = [];
        for await (const chunk of this.read(path, { offset, length }).stream) chunks.push(chunk);
        return Buffer.concat(chunks);
      } catch (error) {
        if (!isRinglightError(error, "RL_VERSION_CHANGED") || restart >= MAX_RESTARTS) throw error;
      }
    }
  }

  /** The first answer; a worker that fails by itself makes way for the next. */
  async #firstOf<T>(candidates: readonly Candidate[], ask: (candidate: Candidate) => Promise<T>): Promise<T> {
    let failure: unknown = new RinglightError("RL_NO_WORKERS", "no worker is alive");
    for (const candidate of candidates) {
      try {
        return await ask(candidate);
      } catch (error) {
        if (!anotherMay(error)) throw error;
        failure = error;
        this.#state.suspect(candidate.id);
      }
    }
    throw failure;
  }

  /** All answers that came. @throws the first failure when none came */
  async #all<T>(
    cluster: Cluster,
    ask: (candidate: Candidate) => Promise<T>,
  ): Promise<Answered & { readonly values: readonly T[] }> {
    const everybody = this.#state.everybody(cluster);
    const settled = await Promise.allSettled(everybody.map(ask));
    const values = settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    if (values.length === 0) {
      const failed = settled.find((result) => result.status === "rejected");
      throw failed?.reason ?? new RinglightError("RL_NO_WORKERS", "no worker is alive");
    }
    const workers = new Set([...cluster.members, ...cluster.workers].map(({ id }) => id)).size;
    return { values, answered: values.length, workers };
  }
}

function controlOf({ signal, deadlineMs, traceparent = activeTraceparent() }: AskOptions): CallControl {
  return { signal, deadlineMs, traceparent };
}

function repeatable(options: AskOptions): CallControl & { readonly idempotent: true } {
  return { ...controlOf(options), idempotent: true };
}
