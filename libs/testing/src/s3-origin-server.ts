/** The S3 origin's server: takes requests, strikes faults, keeps the log. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { verifyRequest } from "@ringlight/sigv4";
import type { ChangeFault, FailFault, LoggedRequest, S3Origin, S3OriginOptions } from "./s3-origin.ts";
import {
  FaultTable,
  type FaultTiming,
  matches,
  type OriginFault,
  type RequestMatch,
  sendBody,
  sleepWhileOpen,
} from "./s3-origin-faults.ts";
import {
  makeObject,
  type ObjectData,
  type ObjectSettings,
  type OriginBucket,
  type OriginObject,
  StoredBucket,
  SynthesizedBucket,
  type SynthesizedKeys,
} from "./s3-origin-objects.ts";
import {
  checkConditions,
  type ParsedRequest,
  parseRange,
  parseRequest,
  type RangeAnswer,
} from "./s3-origin-requests.ts";
import { sendBucketList, sendEmpty, sendError, sendListing, sendLocation } from "./s3-origin-responses.ts";
import { OriginWrites } from "./s3-origin-writes.ts";

/** Where a part of an object lies. */
function partRange(object: OriginObject, partNumber: number): RangeAnswer {
  const sizes = object.partSizes.length > 0 ? object.partSizes : [object.sizeBytes];
  const length = sizes[partNumber - 1];
  if (length === undefined) return { kind: "unsatisfiable" };
  const start = sizes.slice(0, partNumber - 1).reduce((sum, size) => sum + size, 0);
  return length === 0 ? { kind: "all" } : { kind: "part", start, end: start + length - 1 };
}

/** Keeps what is written to the connection from now on for a while. */
function holdBack({ socket }: ServerResponse, ms: number): void {
  socket?.cork();
  setTimeout(() => socket?.uncork(), ms);
}

/** The server behind S3Origin. */
export class OriginServer implements S3Origin {
  readonly region: string;
  readonly accessKeyId = "ORIGINACCESSKEY";
  readonly secretAccessKey = "origin-secret-key-0123456789";
  requests: LoggedRequest[] = [];
  port = 0;
  readonly #buckets = new Map<string, OriginBucket>();
  readonly #faults = new FaultTable();
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #maxLogged: number;
  readonly #verifies: boolean;
  readonly #writes: OriginWrites;
  #dropped = 0;
  #latencyMs = 0;
  #closing: Promise<void> | undefined;

  constructor(options: S3OriginOptions) {
    this.region = options.region ?? "us-east-1";
    this.#maxLogged = options.maxLoggedRequests ?? 1_000_000;
    this.#verifies = options.verifySignatures ?? false;
    this.#writes = new OriginWrites(this.#buckets, options);
    this.#server.keepAliveTimeout = 60_000;
    // Uploads may be slow on purpose.
    this.#server.requestTimeout = 0;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get virtualHostEndpoint(): string {
    return `http://localhost:${this.port}`;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#server.off("error", reject);
        this.port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  createBucket(bucket: string): void {
    if (!this.#buckets.has(bucket)) this.#buckets.set(bucket, new StoredBucket());
  }

  putObject(bucket: string, key: string, data: ObjectData, settings?: ObjectSettings): OriginObject {
    this.createBucket(bucket);
    const object = makeObject(data, settings);
    this.#bucket(bucket).put(key, object);
    return object;
  }

  deleteObject(bucket: string, key: string): void {
    this.#bucket(bucket).delete(key);
  }

  synthesize(bucket: string, keys: SynthesizedKeys): void {
    this.#buckets.set(bucket, new SynthesizedBucket(keys));
  }

  object(bucket: string, key: string): OriginObject | undefined {
    return this.#buckets.get(bucket)?.get(key);
  }

  get uploadCount(): number {
    return this.#writes.uploadCount;
  }

  bytesOf(bucket: string, key: string, start = 0, end?: number): Buffer {
    const object = this.#bucket(bucket).get(key);
    if (object === undefined) throw new Error(`the origin has no object "${key}" in "${bucket}"`);
    return object.copy(start, Math.min(end ?? object.sizeBytes, object.sizeBytes) - start);
  }

  count(match: RequestMatch = {}): number {
    if (this.#dropped > 0) throw new Error(`the log overflowed by ${this.#dropped} requests; raise maxLoggedRequests`);
    return this.requests.reduce((sum, request) => sum + (matches(match, request) ? 1 : 0), 0);
  }

  resetCounts(): void {
    this.requests = [];
    this.#dropped = 0;
  }

  fail(match: RequestMatch, { status, code = "InternalError", message, headers = {}, ...timing }: FailFault): void {
    this.#faults.add(match, { kind: "fail", status, code, message: message ?? "A fault to order.", headers }, timing);
  }

  stall(match: RequestMatch, ms: number, options: FaultTiming & { readonly afterBytes?: number } = {}): void {
    this.#faults.add(match, { kind: "stall", ms, afterBytes: options.afterBytes }, options);
  }

  slow(match: RequestMatch, bytesPerSecond: number, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "slow", bytesPerSecond }, timing);
  }

  truncate(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "cut", afterBytes, reset: false }, timing);
  }

  reset(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "cut", afterBytes, reset: true }, timing);
  }

  lag(match: RequestMatch, ms: number, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "lag", ms }, timing);
  }

  cutUpload(match: RequestMatch, afterBytes: number, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "cut-upload", afterBytes }, timing);
  }

  loseAnswer(match: RequestMatch, timing?: FaultTiming): void {
    this.#faults.add(match, { kind: "lose-answer" }, timing);
  }

  changeDuring(match: RequestMatch, afterBytes: number, newData: ObjectData, options: ChangeFault = {}): void {
    const fault: OriginFault = { kind: "change", afterBytes, data: newData, cut: options.cut ?? false };
    this.#faults.add(match, fault, { times: 1, ...options });
  }

  latency(ms: number): void {
    this.#latencyMs = ms;
  }

  clearFaults(): void {
    this.#faults.clear();
    this.#latencyMs = 0;
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    return this.#closing;
  }

  #bucket(name: string): OriginBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`the origin has no bucket "${name}"`);
    return bucket;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => response.destroy());
    try {
      const parsed = parseRequest(request);
      const { method, op, bucket, key, range } = parsed;
      const entry: LoggedRequest = { method, op, bucket, key, range, status: 0, bytes: 0, atMs: Date.now() };
      if (this.requests.length < this.#maxLogged) this.requests.push(entry);
      else this.#dropped++;
      response.setHeader("x-amz-request-id", "ORIGIN");
      const faults = this.#faults.take(parsed);
      if (this.#latencyMs > 0 && !(await sleepWhileOpen(response, this.#latencyMs))) return;
      for (const fault of faults) {
        if (fault.kind !== "stall" || fault.afterBytes !== undefined) continue;
        if (!(await sleepWhileOpen(response, fault.ms))) return;
      }
      const lag = faults.find((fault) => fault.kind === "lag");
      if (lag !== undefined) holdBack(response, lag.ms);
      const failure = faults.find((fault) => fault.kind === "fail");
      if (failure !== undefined) {
        for (const [name, value] of Object.entries(failure.headers)) response.setHeader(name, value);
        sendError(response, failure.status, failure.code, failure.message);
      } else if (this.#authorized(request, response)) await this.#answer(parsed, request, response, faults, entry);
      entry.status = response.statusCode;
    } catch (error) {
      if (error instanceof URIError) sendError(response, 400, "InvalidURI", "Couldn't parse the specified URI.");
      else sendError(response, 500, "InternalError", error instanceof Error ? error.message : String(error));
    } finally {
      request.resume();
    }
  }

  #authorized(request: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#verifies) return true;
    const { accessKeyId, secretAccessKey } = this;
    const verdict = verifyRequest(
      {
        method: request.method ?? "",
        rawUrl: request.url ?? "",
        headers: request.headers,
        rawHeaders: request.rawHeaders,
      },
      { lookup: (id) => (id === accessKeyId ? { accessKeyId, secretAccessKey } : undefined), now: Date.now() },
    );
    if (!verdict.ok) sendError(response, 403, verdict.s3Code, verdict.message);
    return verdict.ok;
  }

  async #answer(
    parsed: ParsedRequest,
    request: IncomingMessage,
    response: ServerResponse,
    faults: readonly OriginFault[],
    entry: LoggedRequest,
  ): Promise<void> {
    const { op, bucket: name } = parsed;
    if (op === "Unsupported") return sendError(response, 501, "NotImplemented", "The origin does not support this.");
    if (op === "ListBuckets") return sendBucketList(response, this.#buckets);
    if (op === "CreateBucket") {
      this.createBucket(name);
      return sendEmpty(response, 200);
    }
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return sendError(response, 404, "NoSuchBucket", "The specified bucket does not exist");
    switch (op) {
      case "HeadBucket":
        return sendEmpty(response, 200);
      case "DeleteBucket":
        if (bucket.keyCount > 0) return sendError(response, 409, "BucketNotEmpty", "The bucket is not empty");
        this.#buckets.delete(name);
        return sendEmpty(response, 204);
      case "GetBucketLocation":
        return sendLocation(response);
      case "ListObjects":
      case "ListObjectsV2":
        return sendListing(parsed, bucket, response);
      case "GetObject":
      case "HeadObject":
        return this.#sendObject(parsed, bucket, request, response, faults, entry);
      default:
        return this.#writes.answer(parsed, bucket, request, response, faults);
    }
  }

  async #sendObject(
    { op, key, range: rangeHeader, query }: ParsedRequest,
    bucket: OriginBucket,
    request: IncomingMessage,
    response: ServerResponse,
    faults: readonly OriginFault[],
    entry: LoggedRequest,
  ): Promise<void> {
    const object = bucket.get(key);
    if (object === undefined) return sendError(response, 404, "NoSuchKey", "The specified key does not exist.");
    const condition = checkConditions(request, object);
    if (condition === "failed") {
      return sendError(
        response,
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
      );
    }
    response.setHeader("etag", object.etag);
    response.setHeader("last-modified", new Date(object.modifiedMs).toUTCString());
    response.setHeader("accept-ranges", "bytes");
    if (condition === "not-modified") return sendEmpty(response, 304);
    for (const [header, value] of Object.entries(object.headers)) response.setHeader(header, value);
    if (request.headers["x-amz-checksum-mode"] === "ENABLED" && rangeHeader === "" && !query.has("partNumber")) {
      for (const [header, value] of Object.entries(object.checksums)) response.setHeader(header, value);
    }
    if (object.tags.size > 0) response.setHeader("x-amz-tagging-count", object.tags.size);
    const range = query.has("partNumber")
      ? partRange(object, Number(query.get("partNumber")))
      : parseRange(rangeHeader, object.sizeBytes);
    if (query.has("partNumber") && object.partSizes.length > 0) {
      response.setHeader("x-amz-mp-parts-count", object.partSizes.length);
    }
    if (range.kind === "unsatisfiable") {
      response.setHeader("content-range", `bytes */${object.sizeBytes}`);
      return sendError(response, 416, "InvalidRange", "The requested range is not satisfiable");
    }
    const start = range.kind === "part" ? range.start : 0;
    const length = range.kind === "part" ? range.end - range.start + 1 : object.sizeBytes;
    response.statusCode = range.kind === "part" ? 206 : 200;
    entry.status = response.statusCode;
    if (range.kind === "part") {
      response.setHeader("content-range", `bytes ${range.start}-${range.end}/${object.sizeBytes}`);
    }
    response.setHeader("content-length", length);
    if (op === "HeadObject") {
      response.end();
      return;
    }
    entry.bytes = await sendBody(response, object, start, length, faults, (data) => bucket.put(key, makeObject(data)));
  }
}
