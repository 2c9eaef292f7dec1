/** Asks other workers for objects over kept-alive HTTP. */
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import {
  abortSignalOf,
  type Clock,
  ERRORS,
  type ErrorCode,
  type ObjectMeta,
  RinglightError,
  type StopSignal,
  type WorkerRecord,
} from "@ringlight/core";
import { type ActiveSpan, startSpan } from "@ringlight/telemetry";
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
  unpack,
} from "./peer-wire.ts";

/** A worker did not answer, or stopped answering: somebody else must be asked. */
export class PeerFailure extends Error {
  readonly workerId: string;
  /** True when a kept-alive connection was closed before the question arrived. */
  readonly staleConnection: boolean;

  constructor(workerId: string, message: string, options?: { cause?: unknown }, staleConnection = false) {
    super(`${workerId}: ${message}`, options);
    this.name = "PeerFailure";
    this.workerId = workerId;
    this.staleConnection = staleConnection;
  }
}

/** Options of the peer client. */
export interface PeerClientOptions {
  /** The cluster token, if there is one. */
  readonly token: string | undefined;
  /** Longest wait for an answer's head, and between two pieces of its body, milliseconds. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
}

/** What goes with a question. */
export interface PeerCall {
  readonly signal: StopSignal;
  readonly epoch: number;
  readonly traceparent: string;
}

/** The answer to a read. */
export interface PeerRead {
  readonly answer: PeerAnswer;
  /** Yields the bytes of `answer.served`, or throws PeerFailure. */
  readonly body: AsyncIterableIterator<Uint8Array>;
}

/** Longest silence of a worker without a lease, milliseconds, before its questions are broken off. */
const SILENCE_MS = 2_000;
/**
 * Looks at a silent worker before it is given up. Looks are counted and not the time alone, for when this process or the
 * whole machine stood still, time has passed for the peer as well, and its bytes wait here unread.
 */
const SILENT_LOOKS = 4;

/** One question on its way. */
interface Flow {
  /** Whether somebody waits for the peer's next byte: a slow reader of the body must not look like a silent peer. */
  waiting: boolean;
  /** Monotonic time of the peer's last byte, or of the question. */
  heardMs: number;
  /** Looks since then at which the peer was silent on every question. */
  silentLooks: number;
  /** Notes that a byte came. */
  readonly heard: () => void;
  readonly gone: AbortController;
}

interface Peer {
  record: WorkerRecord;
  readonly flows: Set<Flow>;
  /** Monotonic time of the last byte of any answer. */
  heardMs: number;
  watch: NodeJS.Timeout | undefined;
}

interface Answered {
  readonly response: IncomingMessage;
  readonly flow: Flow;
}

/** HTTP client for the workers' internal API. */
export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 64, scheduling: "lifo" });
  readonly #clock: Clock;
  readonly #peers = new Map<string, Peer>();
  /** Workers whose lease has ended and is not held again. */
  readonly #leaseless = new Set<string>();

  constructor(options: PeerClientOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Metadata of an object by way of the peer. @throws PeerFailure, or the RinglightError that the peer met */
  async head(peer: WorkerRecord, mount: string, key: string, call: PeerCall): Promise<ObjectMeta> {
    const span = spanOf("ringlight.relay.head", peer, call);
    try {
      const { response } = await this.#send(peer, PEER_HEAD_PATH, mount, key, undefined, call, span.headers());
      response.resume();
      const meta = unpack<ObjectMeta>(headerOf(response, peer));
      if (response.headers[PEER_MISSED_HEADER] !== undefined) span.missed();
      span.end();
      return meta;
    } catch (error) {
      span.end({ error });
      throw error;
    }
  }

  /** A read by way of the peer. @throws PeerFailure, or the RinglightError that the peer met before the first byte */
  async read(peer: WorkerRecord, mount: string, key: string, ask: PeerRequest, call: PeerCall): Promise<PeerRead> {
    const span = spanOf("ringlight.relay.read", peer, call);
    try {
      const { response, flow } = await this.#send(peer, PEER_READ_PATH, mount, key, ask, call, span.headers());
      const answer = unpack<PeerAnswer>(headerOf(response, peer));
      if ((answer.status?.misses ?? 0) > 0 || (answer.status?.joined ?? 0) > 0) span.missed();
      return { answer, body: bodyOf(response, flow, peer.id, Number(response.headers["content-length"] ?? 0), span) };
    } catch (error) {
      span.end({ error });
      throw error;
    }
  }

  /**
   * A worker that answered a moment ago, with its addresses as they were then. Its lease may have ended all the same: a busy
   * machine can keep a worker from renewing it in time while it goes on serving, and what the data path sees counts for more.
   */
  recentlyHeard(workerId: string): WorkerRecord | undefined {
    const peer = this.#peers.get(workerId);
    return peer !== undefined && this.#clock.monotonicMs() - peer.heardMs < SILENCE_MS ? peer.record : undefined;
  }

  /** Questions to a worker that are not answered to the end. */
  inFlight(workerId: string): number {
    return this.#peers.get(workerId)?.flows.size ?? 0;
  }

  /** The same for all workers together. */
  get allInFlight(): number {
    let total = 0;
    for (const { flows } of this.#peers.values()) total += flows.size;
    return total;
  }

  /** The worker's lease has ended: questions on which it is silent are broken off, those that it is answering go on. */
  leaseEnded(workerId: string): void {
    this.#leaseless.add(workerId);
    this.#watchSilence(workerId);
  }

  /** The worker has a lease again. */
  leaseHeld(workerId: string): void {
    this.#leaseless.delete(workerId);
    this.#unwatch(workerId);
  }

  #watchSilence(workerId: string): void {
    const peer = this.#peers.get(workerId);
    if (peer === undefined || peer.watch !== undefined || peer.flows.size === 0) return;
    const look = () => {
      const now = this.#clock.monotonicMs();
      // One answer may wait for long behind others at a busy worker; a worker that is gone is silent on all of them.
      const silent = now - peer.heardMs >= SILENCE_MS;
      for (const flow of peer.flows) {
        flow.silentLooks = silent && flow.waiting && now - flow.heardMs >= SILENCE_MS ? flow.silentLooks + 1 : 0;
        if (flow.silentLooks >= SILENT_LOOKS) {
          flow.gone.abort(new PeerFailure(workerId, "its lease has ended, and it is silent"));
        }
      }
      if (peer.flows.size === 0) this.#unwatch(workerId);
    };
    peer.watch = setInterval(look, SILENCE_MS / SILENT_LOOKS);
    peer.watch.unref();
  }

  #unwatch(workerId: string): void {
    const peer = this.#peers.get(workerId);
    if (peer === undefined) return;
    clearInterval(peer.watch);
    peer.watch = undefined;
  }

  close(): void {
    for (const id of this.#peers.keys()) this.#unwatch(id);
    this.#agent.destroy();
  }

  /** Sends a question; a kept-alive connection that the peer had just closed is no failure: the question is sent once more. */
  async #send(
    peer: WorkerRecord,
    path: string,
    mount: string,
    key: string,
    ask: PeerRequest | undefined,
    call: PeerCall,
    trace: Readonly<Record<string, string>>,
  ): Promise<Answered> {
    const { token } = this.#options;
    const colon = peer.addresses.rest.lastIndexOf(":");
    const options: RequestOptions = {
      agent: this.#agent,
      host: peer.addresses.rest.slice(0, colon).replace(/^\[|\]$/g, ""),
      port: Number(peer.addresses.rest.slice(colon + 1)),
      path: `${path}${encodeURIComponent(mount)}/${encodeURIComponent(key)}`,
      headers: {
        [EPOCH_HEADER]: String(call.epoch),
        ...trace,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(ask !== undefined && { [PEER_REQUEST_HEADER]: pack(ask) }),
      },
    };
    try {
      return await this.#attempt(peer, options, call);
    } catch (error) {
      if (!(error instanceof PeerFailure) || !error.staleConnection) throw error;
      return this.#attempt(peer, options, call);
    }
  }

  #attempt(worker: WorkerRecord, options: RequestOptions, call: PeerCall): Promise<Answered> {
    const { timeoutMs, connectTimeoutMs } = this.#options;
    const workerId = worker.id;
    const gone = new AbortController();
    const peer = this.#peers.get(workerId) ?? {
      record: worker,
      flows: new Set(),
      heardMs: Number.NEGATIVE_INFINITY,
      watch: undefined,
    };
    const flow: Flow = {
      waiting: true,
      heardMs: this.#clock.monotonicMs(),
      silentLooks: 0,
      heard: () => {
        flow.heardMs = this.#clock.monotonicMs();
        peer.heardMs = flow.heardMs;
      },
      gone,
    };
    peer.record = worker;
    peer.flows.add(flow);
    this.#peers.set(workerId, peer);
    if (this.#leaseless.has(workerId)) this.#watchSilence(workerId);
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, signal: AbortSignal.any([abortSignalOf(call.signal), gone.signal]) });
      const fail = (error: unknown) => {
        if (call.signal.aborted) reject(call.signal.reason);
        else if (gone.signal.aborted) reject(gone.signal.reason);
        else if (error instanceof PeerFailure || error instanceof RinglightError) reject(error);
        else {
          const stale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
          reject(new PeerFailure(workerId, String(error), { cause: error }, stale));
        }
      };
      sent.setTimeout(timeoutMs, () => {
        if (flow.waiting) sent.destroy(new PeerFailure(workerId, `no byte within ${timeoutMs} ms`));
        else sent.setTimeout(timeoutMs);
      });
      sent.on("socket", (socket) => {
        if (!socket.connecting) return;
        // When this process itself was busy for so long, the connection may be there already and only not be noticed yet:
        // one more turn of the event loop tells. A worker that answers others is busy, and worth waiting for.
        const late = () => {
          if (!socket.connecting) return;
          if (this.recentlyHeard(workerId) !== undefined) timer = setTimeout(soon, connectTimeoutMs);
          else sent.destroy(new PeerFailure(workerId, `no connection within ${connectTimeoutMs} ms`));
        };
        const soon = () => setImmediate(late);
        let timer = setTimeout(soon, connectTimeoutMs);
        const clear = () => clearTimeout(timer);
        socket.once("connect", clear).once("close", clear);
      });
      sent.on("error", fail);
      sent.on("close", () => peer.flows.delete(flow));
      sent.on("response", (response) => {
        flow.heard();
        if (response.statusCode === 200) resolve({ response, flow });
        else readError(response, workerId).then(fail, fail);
      });
      sent.end();
    });
  }
}

function spanOf(name: string, { id, addresses }: WorkerRecord, { traceparent, epoch }: PeerCall): ActiveSpan {
  const colon = addresses.rest.lastIndexOf(":");
  const attributes = {
    "http.request.method": "GET",
    "server.address": addresses.rest.slice(0, colon),
    "server.port": Number(addresses.rest.slice(colon + 1)),
    "ringlight.owner": id,
    "ringlight.ring.epoch": epoch,
  };
  return startSpan({ name, kind: "client", caller: { traceparent }, attributes });
}

function headerOf(response: IncomingMessage, peer: WorkerRecord): string {
  const header = response.headers[PEER_ANSWER_HEADER];
  if (typeof header === "string") return header;
  response.destroy();
  throw new PeerFailure(peer.id, "its answer is not one of a worker; is another program on that port?");
}

/** Turns the error that the peer reports into the same error here. */
async function readError(response: IncomingMessage, workerId: string): Promise<Error> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  try {
    const { code, message } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { code: string; message: string };
    if (code in ERRORS) return new RinglightError(code as ErrorCode, message);
  } catch {
    // Not a worker's error: reported as a failure below.
  }
  return new PeerFailure(workerId, `HTTP status ${response.statusCode}`);
}

/** The body's bytes; a body that ends early, stalls or breaks is a PeerFailure. */
async function* bodyOf(
  response: IncomingMessage,
  flow: Flow,
  workerId: string,
  lengthBytes: number,
  span: ActiveSpan,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  let failure: unknown;
  try {
    for await (const chunk of response) {
      received += (chunk as Buffer).length;
      flow.heard();
      flow.waiting = false;
      yield chunk as Buffer;
      flow.waiting = true;
    }
  } catch (error) {
    failure =
      error instanceof PeerFailure
        ? error
        : new PeerFailure(workerId, `broke off after ${received} bytes: ${String(error)}`, { cause: error });
    throw failure;
  } finally {
    span.set({ "ringlight.bytes": received });
    span.end({ error: failure });
  }
  if (received !== lengthBytes) throw new PeerFailure(workerId, `sent ${received} of ${lengthBytes} bytes`);
}
