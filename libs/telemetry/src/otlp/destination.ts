/**
 * One receiver of one signal: batches wait in a bounded queue and are sent one after the other. A receiver that is away, or
 * says that it has too much, is asked again later, after what its Retry-After says or else after pauses that double; what
 * does not fit into the queue meanwhile is dropped and counted. Nothing here ever throws or keeps the process alive.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** Where a signal goes. */
export interface DestinationOptions {
  /** The whole URL: http://127.0.0.1:4318/v1/traces. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly gzip: boolean;
  /** Certificates to trust instead of the system's, and to show; PEM. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

/** Why records did not arrive. */
export type DropReason = "queue_full" | "refused" | "unreachable" | "rejected";

/** Told of what becomes of records. */
export interface DestinationObserver {
  sent(records: number): void;
  dropped(records: number, reason: DropReason): void;
  /** The receiver does not take records; told once until it takes some again. */
  failing(error: string): void;
  recovered(): void;
}

interface Batch {
  readonly body: Buffer;
  readonly records: number;
  readonly madeMs: number;
}

/** Waiting batches, by number and by bytes together. */
const MAX_BATCHES = 64;
const MAX_BYTES = 8 * 1024 * 1024;
/** A batch that could not be sent for so long is given up. */
const GIVE_UP_MS = 300_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;
/** Statuses that OTLP/HTTP says to try again after. */
const RETRYABLE = new Set([429, 502, 503, 504]);
const MAX_RESPONSE_BYTES = 64 * 1024;

const compress = promisify(gzip);

/** What came of one try. */
type Attempt =
  | { readonly outcome: "taken"; readonly rejected: number }
  | { readonly outcome: "refused"; readonly error: string }
  | { readonly outcome: "again"; readonly error: string; readonly afterMs: number | undefined };

/** Sends batches to one receiver. */
export class Destination {
  readonly #options: DestinationOptions;
  readonly #observer: DestinationObserver;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #queue: Batch[] = [];
  #queuedBytes = 0;
  #sending: Promise<void> | undefined;
  #failing = false;
  #closing = false;
  /** Ends a pause early. */
  #wake: (() => void) | undefined;

  constructor(options: DestinationOptions, observer: DestinationObserver) {
    this.#options = options;
    this.#observer = observer;
    const agent = { keepAlive: true, maxSockets: 1 };
    this.#agent = options.url.startsWith("https:")
      ? new HttpsAgent({ ...agent, ...options.tls })
      : new HttpAgent(agent);
  }

  /** Takes a request's body for sending. */
  add(body: Buffer, records: number): void {
    if (this.#queue.length >= MAX_BATCHES || this.#queuedBytes + body.length > MAX_BYTES) {
      this.#observer.dropped(records, "queue_full");
      return;
    }
    this.#queue.push({ body, records, madeMs: Date.now() });
    this.#queuedBytes += body.length;
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when what is waiting was sent, given up, or has failed once. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  /** Tries once more to send what waits, and stops. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    await this.#sending;
    this.abort();
  }

  /** Cuts what is being sent. */
  abort(): void {
    this.#agent.destroy();
  }

  async #sendAll(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
      const attempt = await this.#send(batch.body).catch(
        (error: unknown): Attempt => ({ outcome: "again", error: String(error), afterMs: undefined }),
      );
      if (attempt.outcome === "again") {
        this.#fails(attempt.error);
        if (this.#closing || Date.now() - batch.madeMs > GIVE_UP_MS) {
          this.#take();
          this.#observer.dropped(batch.records, "unreachable");
          continue;
        }
        await this.#pause(attempt.afterMs ?? pauseMs * (0.5 + Math.random()));
        pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2);
        continue;
      }
      this.#take();
      pauseMs = FIRST_PAUSE_MS;
      if (attempt.outcome === "refused") {
        this.#fails(attempt.error);
        this.#observer.dropped(batch.records, "refused");
        continue;
      }
      if (this.#failing) this.#observer.recovered();
      this.#failing = false;
      this.#observer.sent(Math.max(0, batch.records - attempt.rejected));
      if (attempt.rejected > 0) this.#observer.dropped(attempt.rejected, "rejected");
    }
    this.#sending = undefined;
  }

  #take(): void {
    const batch = this.#queue.shift();
    this.#queuedBytes -= batch?.body.length ?? 0;
  }

  #fails(error: string): void {
    if (!this.#failing) this.#observer.failing(error);
    this.#failing = true;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, GIVE_UP_MS));
      timer.unref();
      this.#wake = done;
      if (this.#closing) done();
    });
  }

  async #send(plain: Buffer): Promise<Attempt> {
    const { url, headers, timeoutMs, gzip: zipped } = this.#options;
    const body = zipped ? await compress(plain) : plain;
    const request = url.startsWith("https:") ? requestHttps : requestHttp;
    return new Promise((resolve) => {
      const again = (error: string, afterMs?: number) => resolve({ outcome: "again", error, afterMs });
      const signal = AbortSignal.timeout(timeoutMs);
      const sent = request(
        url,
        {
          method: "POST",
          agent: this.#agent,
          signal,
          headers: {
            "content-type": "application/x-protobuf",
            "content-length": body.length,
            ...(zipped && { "content-encoding": "gzip" }),
            ...headers,
          },
        },
        (response) => {
          readAll(response).then(
            (answer) => resolve(attemptOf(response, answer)),
            (error: unknown) => again(String(error)),
          );
        },
      );
      sent.on("error", (error) => again(signal.aborted ? `no answer within ${timeoutMs} ms` : error.message));
      sent.end(body);
    });
  }
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += (chunk as Buffer).length;
    if (length <= MAX_RESPONSE_BYTES) chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function attemptOf({ statusCode = 0, headers }: IncomingMessage, answer: Buffer): Attempt {
  if (statusCode >= 200 && statusCode < 300) return { outcome: "taken", rejected: rejectedRecords(answer) };
  const error = `HTTP status ${statusCode}`;
  if (!RETRYABLE.has(statusCode)) return { outcome: "refused", error };
  return { outcome: "again", error, afterMs: retryAfterMs(headers["retry-after"], Date.now()) };
}

/** Milliseconds of a Retry-After header: seconds, or a date. */
function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Field 1 (rejected_...) of field 1 (partial_success) of an export response: 0 when all was taken. */
function rejectedRecords(answer: Buffer): number {
  if (answer.length < 4 || answer[0] !== 0x0a || answer[2] !== 0x08) return 0;
  let value = 0;
  let scale = 1;
  for (let at = 3; at < answer.length; at++) {
    const byte = answer[at] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
  }
  return value;
}
