/**
 * Records what the worker serves, for `bench replay` and `bench simulate`: an entry a request of the S3 door and of gRPC reads, in
 * libs/core's capture format. Entries are encoded into 4 MiB of memory that was taken at the start and are appended to a file once
 * a second; what does not fit meanwhile is counted, not waited for. Reads under leases pass no worker, and are not seen.
 *
 * The cost: one test of a boolean a request while nothing is recorded; below a microsecond of processor time and some 10 to 20 bytes
 * a request while it is (measured by capture.test.ts), memory for each different path, and the file, which ends at its bound.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import {
  CaptureEncoder,
  type CaptureEntry,
  type Clock,
  formatPath,
  type ReadStatus,
  RinglightError,
} from "@ringlight/core";
import type { CaptureState, StartCaptureRequest } from "@ringlight/proto";
import type { RequestDone } from "@ringlight/s3";

/** Memory for entries that are not in the file yet, bytes. */
const BUFFER_BYTES = 4 * 1024 * 1024;
const FLUSH_MS = 1_000;
const DEFAULT_BYTES = 256 * 1024 * 1024;
const DEFAULT_MS = 3_600_000;
/** Different paths that are remembered; the recording ends with more. */
const MAX_PATHS = 2_000_000;
/** Letters of a path's hash. */
const HASH_LETTERS = 16;

/** Options of a capture. */
export interface CaptureOptions {
  readonly workerId: string;
  readonly cluster: string;
  /** Where files go; made when it is needed. */
  readonly directory: string;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

interface Recording {
  readonly encoder: CaptureEncoder;
  readonly file: string;
  readonly stream: WriteStream;
  readonly timer: NodeJS.Timeout;
  readonly hashes: Map<string, string> | undefined;
  readonly startedMs: number;
  readonly endMs: number;
  readonly maxBytes: number;
  requests: number;
  dropped: number;
  bytes: number;
}

/** Owned by the worker; at most one recording at a time. */
export class Capture {
  /** Looked at on every request. */
  running = false;
  readonly #options: CaptureOptions;
  #recording: Recording | undefined;
  #last: CaptureState;
  /** Until the file of the last recording is whole. */
  #closing: Promise<void> = Promise.resolve();

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#last = {
      workerId: options.workerId,
      running: false,
      file: "",
      startedUnixMs: 0,
      requests: 0,
      dropped: 0,
      bytes: 0,
      ended: "",
    };
  }

  /** Begins a recording. @throws RL_CONFLICT when one runs, RL_NO_PERMISSION when the file cannot be made */
  async start({ hashPaths, maxBytes, maxDurationMs }: StartCaptureRequest): Promise<CaptureState> {
    if (this.#recording !== undefined) {
      throw new RinglightError("RL_CONFLICT", "a capture runs already; ringlight capture stop ends it");
    }
    const { directory, workerId, cluster, clock } = this.#options;
    const startedMs = clock.now();
    const stamp = new Date(startedMs).toISOString().replaceAll(/[-:]|\.\d+Z/g, "");
    const file = join(directory, `${stamp}-${workerId}.rlcap`);
    const header = CaptureEncoder.header({ workerId, cluster, startedMs, hashed: hashPaths });
    let stream: WriteStream;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      stream = await opened(file);
    } catch (error) {
      throw new RinglightError("RL_NO_PERMISSION", `cannot make ${file}: ${String(error)}`, { cause: error });
    }
    stream.on("error", (error) => {
      this.#options.warn(`the capture cannot be written: ${error.message}`);
      void this.stop(error.message);
    });
    stream.write(header);
    const timer = setInterval(() => this.#flush(), FLUSH_MS);
    timer.unref();
    this.#recording = {
      encoder: new CaptureEncoder(BUFFER_BYTES, startedMs),
      file,
      stream,
      timer,
      hashes: hashPaths ? new Map() : undefined,
      startedMs,
      endMs: startedMs + (maxDurationMs > 0 ? maxDurationMs : DEFAULT_MS),
      maxBytes: maxBytes > 0 ? maxBytes : DEFAULT_BYTES,
      requests: 0,
      dropped: 0,
      bytes: header.length,
    };
    this.running = true;
    return this.state();
  }

  /** Adds an entry, or counts that it could not be. Never throws. */
  note(entry: CaptureEntry): void {
    const recording = this.#recording;
    if (recording === undefined) return;
    const { hashes } = recording;
    let named = entry;
    if (hashes !== undefined) {
      let hash = hashes.get(entry.path);
      if (hash === undefined) {
        hash = `#${createHash("sha256").update(entry.path).digest("hex").slice(0, HASH_LETTERS)}`;
        hashes.set(entry.path, hash);
      }
      named = { ...entry, path: hash };
    }
    if (recording.encoder.add(named)) recording.requests++;
    else recording.dropped++;
  }

  /** Ends the recording; `why` is told by its state. Resolves when its file is whole. Idempotent. */
  async stop(why: string): Promise<CaptureState> {
    const recording = this.#recording;
    if (recording === undefined) {
      await this.#closing;
      return this.state();
    }
    clearInterval(recording.timer);
    recording.bytes += recording.encoder.waiting;
    recording.stream.write(recording.encoder.take());
    this.#last = { ...this.state(), running: false, ended: why };
    this.#recording = undefined;
    this.running = false;
    this.#closing = new Promise<void>((resolve) => {
      recording.stream.once("close", resolve);
      recording.stream.end();
      if (recording.stream.closed) resolve();
    });
    await this.#closing;
    return this.#last;
  }

  /** The recording that runs, or the last one. */
  state(): CaptureState {
    const recording = this.#recording;
    if (recording === undefined) return this.#last;
    const { file, startedMs, requests, dropped, bytes } = recording;
    return {
      workerId: this.#options.workerId,
      running: true,
      file,
      startedUnixMs: startedMs,
      requests,
      dropped,
      bytes,
      ended: "",
    };
  }

  /** The file of the last recording. @throws RL_NOT_FOUND when there was none since the start */
  async *contents(): AsyncGenerator<Buffer> {
    const { file } = this.state();
    if (file === "") throw new RinglightError("RL_NOT_FOUND", "nothing was captured since this worker started");
    await this.#closing;
    for await (const chunk of createReadStream(file)) yield chunk as Buffer;
  }

  async close(): Promise<void> {
    await this.stop("the worker ended");
  }

  #flush(): void {
    const recording = this.#recording;
    if (recording === undefined) return;
    recording.bytes += recording.encoder.waiting;
    // A disk that does not keep up must not fill the memory: the entries wait in the encoder, and then are dropped.
    if (!recording.stream.writableNeedDrain) recording.stream.write(recording.encoder.take());
    else recording.bytes -= recording.encoder.waiting;
    if (recording.bytes >= recording.maxBytes) void this.stop("its file has the most bytes that it may have");
    else if (this.#options.clock.now() >= recording.endMs) void this.stop("its time is over");
    else if (recording.encoder.paths > MAX_PATHS) void this.stop("it has more paths than are remembered");
  }
}

function opened(file: string): Promise<WriteStream> {
  return new Promise((resolve, reject) => {
    const stream = createWriteStream(file, { flags: "wx", mode: 0o600 });
    stream.once("open", () => resolve(stream));
    stream.once("error", reject);
  });
}

/** What a read met, in the words of the capture format. */
export function outcomeOf({ misses, joined, hits }: ReadStatus): CaptureEntry["outcome"] {
  if (misses > 0) return "miss";
  if (joined > 0) return "joined";
  return hits > 0 ? "hit" : "bypass";
}

const OPERATIONS: Readonly<Record<string, CaptureEntry["op"]>> = {
  GetObject: "get",
  HeadObject: "head",
  ListObjects: "list",
  ListObjectsV2: "list",
  PutObject: "put",
};

/** The entry of an S3 request that took the general path; undefined for operations that a capture has no word for. */
export function entryOf(done: RequestDone, nowMs: number): CaptureEntry | undefined {
  const op = OPERATIONS[done.api];
  if (op === undefined || done.bucket === undefined) return undefined;
  const range = op === "get" ? /^bytes=(\d+)-(\d*)$/.exec(done.range ?? "") : null;
  const failed = done.aborted || done.status >= 400;
  const offset = range === null ? 0 : Number(range[1]);
  const isWhole = range === null || range[2] === "";
  return {
    atMs: nowMs - done.totalMs,
    op,
    path: formatPath({ mount: done.bucket, key: done.key ?? "" }),
    client: done.client ?? "",
    offset,
    // What was sent is the length where the request did not say it.
    length: op === "get" ? (isWhole ? done.bytesOut : Number(range[2]) - offset + 1) : 0,
    sizeBytes: op === "get" && range === null && !failed ? done.bytesOut : 0,
    outcome: failed ? "error" : op === "get" && done.read !== undefined ? outcomeOf(done.read) : "",
  };
}
