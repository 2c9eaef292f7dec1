/** The worker's HTTP server for health, metrics and the other workers. */
import { timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  isRinglightError,
  newReadStatus,
  type ReadStatus,
  RinglightError,
  segmentKey,
  segmentOf,
  toRinglightError,
} from "@ringlight/core";
import { callerTrace } from "@ringlight/s3";
import { type ActiveSpan, startSpan } from "@ringlight/telemetry";
import type { SegmentTraffic } from "./hot-segments.ts";
import type { ObjectReader, ReadContext } from "./object-reader.ts";
import {
  EPOCH_HEADER,
  PEER_ANSWER_HEADER,
  PEER_HEAD_PATH,
  PEER_MISSED_HEADER,
  PEER_READ_PATH,
  PEER_REQUEST_HEADER,
  type PeerAnswer,
  type PeerRequest,
  pack,
  packStatus,
  unpack,
} from "./peer-wire.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import { noteRead, traceOf } from "./trace.ts";
import { MAX_NOTICE_BYTES, PEER_NOTICE_PATH, parseNotices, type WriteNotice } from "./write-notices.ts";

/** Connections of other workers are kept this long when idle, milliseconds: longer than any pause of theirs. */
const KEEP_ALIVE_MS = 10 * 60_000;

/** Options of the REST server. */
export interface RestServerOptions {
  readonly workerId: string;
  /** Replicas of a mount; 1 for one that is not known. */
  readonly replicasOf: (mount: string) => number;
  readonly token: string | undefined;
  readonly objects: ObjectReader;
  readonly ring: RingKeeper;
  readonly segmentBytes: number;
  /** What is relayed of each segment. */
  readonly traffic: SegmentTraffic;
  /** Forgets what is remembered of objects that another worker wrote. */
  readonly onWritten: (notices: readonly WriteNotice[]) => Promise<void>;
  /** Why the worker is not ready, or undefined when it is. */
  readonly notReady: () => string | undefined;
  /** How page bytes leave on the S3 port, for people. */
  readonly dataPath: string;
  /** The metrics as Prometheus text. */
  readonly metrics: (accept: string) => { readonly contentType: string; readonly body: string };
  readonly onRequest: (done: {
    readonly api: string;
    readonly status: number;
    readonly bytesOut: number;
    readonly firstByteMs: number;
    readonly traceId?: string;
  }) => void;
  readonly log: (message: string, fields: Record<string, unknown>) => void;
}

/** Makes the server; the caller listens and closes. */
export function createRestServer(options: RestServerOptions): Server {
  const token = options.token === undefined ? undefined : Buffer.from(`Bearer ${options.token}`);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 64 * 1024 }, (request, response) => {
    const path = request.url ?? "/";
    if (request.method === "POST" && path === PEER_NOTICE_PATH) {
      if (token !== undefined && !sameText(request.headers.authorization, token)) {
        sendError(response, new RinglightError("RL_UNAUTHENTICATED", "the cluster token is missing or wrong"));
      } else void takeNotices(options, request, response);
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      sendError(response, new RinglightError("RL_NOT_IMPLEMENTED", `${request.method} ${path}`), 405);
    } else if (path === "/healthz") {
      sendJson(response, 200, { status: "ok" });
    } else if (path === "/readyz") {
      const reason = options.notReady();
      // How much of the cluster this worker knows, so that whoever starts one can wait until all workers know the same.
      const { epoch, members, workers, mounts } = options.ring.view;
      const known = {
        epoch,
        members: members.length,
        workers: workers.size,
        mounts: mounts.size,
        dataPath: options.dataPath,
      };
      sendJson(
        response,
        reason === undefined ? 200 : 503,
        reason === undefined ? { status: "ready", ...known } : { status: "not ready", reason },
      );
    } else if (path === "/metrics") {
      const { contentType, body } = options.metrics(request.headers.accept ?? "");
      response.writeHead(200, { "content-type": contentType }).end(body);
    } else if (!path.startsWith(PEER_READ_PATH) && !path.startsWith(PEER_HEAD_PATH)) {
      sendError(
        response,
        new RinglightError("RL_BAD_REQUEST", `no such path: ${path}; there are /healthz, /readyz and /metrics`),
        404,
      );
    } else if (token !== undefined && !sameText(request.headers.authorization, token)) {
      sendError(response, new RinglightError("RL_UNAUTHENTICATED", "the cluster token is missing or wrong"));
    } else {
      const span = startSpan({ name: peerApi(path), kind: "server", caller: callerTrace(request.headers) });
      const work = () => answerPeer(options, request, response, path, span);
      span.run(work).catch((error: unknown) => {
        options.log("a relayed read broke off", { error: String(error) });
        response.destroy();
      });
    }
  });
  server.headersTimeout = 30_000;
  return server;
}

/** Hears of writes at other workers, and answers when nothing older is served from here. */
async function takeNotices(
  options: RestServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      sizeBytes += piece.length;
      if (sizeBytes > MAX_NOTICE_BYTES) throw new RinglightError("RL_BAD_REQUEST", "the notices are too long");
      pieces.push(piece);
    }
    const batch = parseNotices(Buffer.concat(pieces).toString("utf8"));
    if (batch === undefined) throw new RinglightError("RL_BAD_REQUEST", "these are no notices of writes");
    await options.onWritten(batch);
    response.writeHead(200, { "content-length": 0 }).end();
  } catch (error) {
    if (!response.destroyed) sendError(response, toRinglightError(error, "RL_BAD_REQUEST"));
  }
}

async function answerPeer(
  options: RestServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  span: ActiveSpan,
): Promise<void> {
  const startedMs = performance.now();
  const left = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) left.abort(new RinglightError("RL_CANCELLED", "the asking worker has left"));
  });
  const api = peerApi(path);
  const status = newReadStatus();
  let bytesOut = 0;
  let firstByteMs = 0;
  let failure: unknown;
  response.once("close", () => {
    const { statusCode } = response;
    noteRead(status, span);
    span.set({ "http.request.method": "GET", "http.response.status_code": statusCode, "ringlight.bytes": bytesOut });
    const failed = failure !== undefined;
    const kept = span.end({ failed, error: failure, ...(firstByteMs > 0 && { decisiveMs: firstByteMs }) });
    options.onRequest({
      api,
      status: statusCode,
      bytesOut,
      firstByteMs,
      ...(kept && { traceId: span.context.traceId }),
    });
  });
  response.setHeader(EPOCH_HEADER, String(options.ring.ring.epoch));
  let answer: PeerAnswer;
  let body: AsyncIterable<Uint8Array> | undefined;
  let mount: string;
  let key: string;
  try {
    ({ mount, key } = target(path));
    span.set({ "ringlight.mount": mount, "ringlight.ring.epoch": options.ring.ring.epoch });
    if (api === "peer.Head") {
      const meta = await options.objects.head(mount, key);
      firstByteMs = performance.now() - startedMs;
      response.writeHead(200, {
        [PEER_ANSWER_HEADER]: pack(meta),
        ...(span.hasMissed && { [PEER_MISSED_HEADER]: "1" }),
        "content-length": 0,
      });
      response.end();
      return;
    }
    const ask = unpack<PeerRequest>(oneOf(request.headers[PEER_REQUEST_HEADER]) ?? "");
    const { traceparent } = span.context;
    ({ answer, body } = await open(options, mount, key, ask, status, left.signal, traceparent));
  } catch (error) {
    failure = error;
    if (!response.destroyed) sendError(response, toRinglightError(error));
    return;
  }
  const { served } = answer;
  if (served !== undefined && answer.status !== undefined) {
    const place = segmentKey(mount, key, segmentOf(served.start, options.segmentBytes));
    if (options.traffic.note(place, served.end - served.start + 1)) answer = { ...answer, hot: true };
  }
  firstByteMs = performance.now() - startedMs;
  response.writeHead(200, {
    [PEER_ANSWER_HEADER]: pack(answer),
    "content-length": served === undefined ? 0 : served.end - served.start + 1,
    "content-type": "application/octet-stream",
  });
  if (body !== undefined) {
    for await (const chunk of body) {
      bytesOut += chunk.length;
      if (!response.write(chunk)) await drained(response, left.signal);
      if (left.signal.aborted) return;
    }
  }
  response.end();
}

async function open(
  { objects, ring, workerId, segmentBytes, replicasOf }: RestServerOptions,
  mount: string,
  key: string,
  ask: PeerRequest,
  status: ReadStatus,
  signal: AbortSignal,
  traceparent: string,
): Promise<{ answer: PeerAnswer; body: AsyncIterable<Uint8Array> | undefined }> {
  if (ask.pinned !== undefined && ask.cached !== undefined) {
    const { body, ...answer } = await objects.openCached(mount, key, ask.pinned, ask.pinned.range, ask.cached);
    return { answer: { outcome: "ok", ...answer }, body };
  }
  const start = ask.pinned?.range.start ?? 0;
  const place = segmentKey(mount, key, segmentOf(start, segmentBytes));
  const handOverFrom = ring.handOverFrom(workerId, place, replicasOf(mount));
  const coldReason = ask.coldReason ?? (ring.movedTo(workerId, place) ? ("rebalanced" as const) : undefined);
  const context: ReadContext = {
    signal,
    status,
    ...traceOf({ traceparent }),
    ...(coldReason && { coldReason }),
    ...(ask.fillFrom !== undefined && { fillFrom: ask.fillFrom }),
    ...(handOverFrom !== undefined && { handOverFrom }),
  };
  if (ask.pinned !== undefined) {
    const body = await objects.openPinned(mount, key, ask.pinned, ask.pinned.range, context);
    return { answer: { outcome: "ok", served: ask.pinned.range, status: packStatus(status) }, body };
  }
  if (ask.plan === undefined)
    throw new RinglightError("RL_BAD_REQUEST", "a relayed read needs a plan or a pinned version");
  const read = await objects.open(mount, key, ask.plan, context, true);
  if (read.outcome !== "ok") return { answer: { outcome: read.outcome, meta: read.meta }, body: undefined };
  const { meta, range, served, partial, body } = read;
  const answer = { outcome: read.outcome, meta, ...(range && { range }), ...(served && { served }), partial };
  return { answer: { ...answer, status: packStatus(status) }, body: served && body };
}

/** Which of the two a relayed request asks for. */
function peerApi(path: string): "peer.Read" | "peer.Head" {
  return path.startsWith(PEER_READ_PATH) ? "peer.Read" : "peer.Head";
}

/** Mount and key of a relayed request's path. @throws RL_BAD_REQUEST */
function target(path: string): { mount: string; key: string } {
  const [mount, key, ...more] = path.slice(PEER_READ_PATH.length).split("/");
  if (mount === undefined || key === undefined || more.length > 0)
    throw new RinglightError("RL_BAD_REQUEST", `bad path ${path}`);
  return { mount: decodeURIComponent(mount), key: decodeURIComponent(key) };
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

function sameText(given: string | undefined, expected: Buffer): boolean {
  const bytes = Buffer.from(given ?? "");
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

function sendError(response: ServerResponse, error: RinglightError, status = error.info.http): void {
  const code = isRinglightError(error) ? error.code : "RL_INTERNAL";
  sendJson(response, status, { code, message: error.message, remedy: error.info.remedy });
}
