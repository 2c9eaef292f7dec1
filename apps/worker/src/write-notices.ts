/**
 * Tells the other workers of a write before it is acknowledged, so that none of them serves what it remembered before it.
 * One request at a time goes to each worker and carries all that was written meanwhile.
 */
import { Agent, request } from "node:http";
import type { Clock, WorkerRecord } from "@ringlight/core";
import { PAUSE_MS } from "./pause-watch.ts";

/** Path of the notices; the body is a NoticeBatch as JSON. */
export const PEER_NOTICE_PATH = "/internal/v1/written";

/** An object that was written or removed; or, with the empty key, a mount that was made or removed by an S3 client. */
export interface WriteNotice {
  readonly mount: string;
  readonly key: string;
  readonly bucket?: "made" | "removed";
}

/** What one request tells. */
export interface NoticeBatch {
  readonly written: readonly (readonly [mount: string, key: string, bucket?: "made" | "removed"])[];
}

/**
 * How long an acknowledgement waits for a worker that does not answer, milliseconds. A worker that stood still for so long
 * believes nothing that it remembered (PauseWatch): the margin is for what was already on its way when it stopped.
 */
export const FENCE_MS = 2 * PAUSE_MS;
const RETRY_MS = 50;
/** Most notices of one request. */
const MAX_BATCH = 1_000;
/** Longest body of a request, bytes: a key may have 1 KiB, in JSON up to six times that. */
export const MAX_NOTICE_BYTES = 8 * 1024 * 1024;

/** Options of the notices. */
export interface WriteNoticesOptions {
  readonly token: string | undefined;
  readonly clock: Clock;
  /** Told of a worker that did not answer in time. */
  readonly onSilent: (workerId: string, why: string) => void;
}

interface Waiting {
  readonly notice: WriteNotice;
  readonly untilMs: number;
  readonly done: () => void;
}

interface Line {
  record: WorkerRecord;
  readonly waiting: Waiting[];
  sending: boolean;
}

/** The sender. */
export class WriteNotices {
  readonly #options: WriteNoticesOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });
  readonly #lines = new Map<string, Line>();
  #closed = false;

  constructor(options: WriteNoticesOptions) {
    this.#options = options;
  }

  /** Resolves when every worker knows, is found not to run, or was silent for FENCE_MS. Never rejects. */
  async tell(workers: Iterable<WorkerRecord>, notices: readonly WriteNotice[]): Promise<void> {
    const untilMs = this.#options.clock.monotonicMs() + FENCE_MS;
    const told: Promise<void>[] = [];
    for (const worker of workers) {
      const line = this.#line(worker);
      for (const notice of notices) {
        told.push(new Promise((done) => line.waiting.push({ notice, untilMs, done })));
      }
      if (!line.sending) void this.#drain(line);
    }
    await Promise.all(told);
  }

  #line(worker: WorkerRecord): Line {
    const known = this.#lines.get(worker.id);
    if (known !== undefined) {
      known.record = worker;
      return known;
    }
    const line: Line = { record: worker, waiting: [], sending: false };
    this.#lines.set(worker.id, line);
    return line;
  }

  async #drain(line: Line): Promise<void> {
    line.sending = true;
    const { clock, onSilent } = this.#options;
    while (line.waiting.length > 0 && !this.#closed) {
      const batch = line.waiting.slice(0, MAX_BATCH);
      const outcome = await this.#send(line.record, batch);
      if (outcome === "known") {
        line.waiting.splice(0, batch.length);
        for (const { done } of batch) done();
        continue;
      }
      const now = clock.monotonicMs();
      const over = line.waiting.filter(({ untilMs }) => untilMs <= now);
      if (over.length > 0) onSilent(line.record.id, outcome.error);
      for (const waiting of over) {
        line.waiting.splice(line.waiting.indexOf(waiting), 1);
        waiting.done();
      }
      if (line.waiting.length > 0) await clock.sleep(RETRY_MS);
    }
    line.sending = false;
  }

  /** "known": it knows, or nobody is there to know it: a worker that starts remembers nothing. */
  #send(worker: WorkerRecord, batch: readonly Waiting[]): Promise<"known" | { readonly error: string }> {
    const { token, clock } = this.#options;
    const colon = worker.addresses.rest.lastIndexOf(":");
    const written = batch.map(({ notice: { mount, key, bucket } }) =>
      bucket === undefined ? ([mount, key] as const) : ([mount, key, bucket] as const),
    );
    const body = Buffer.from(JSON.stringify({ written } satisfies NoticeBatch));
    const firstUntilMs = Math.min(...batch.map(({ untilMs }) => untilMs));
    const timeoutMs = Math.max(1, firstUntilMs - clock.monotonicMs());
    return new Promise((resolve) => {
      const sent = request({
        agent: this.#agent,
        host: worker.addresses.rest.slice(0, colon).replace(/^\[|\]$/g, ""),
        port: Number(worker.addresses.rest.slice(colon + 1)),
        method: "POST",
        path: PEER_NOTICE_PATH,
        headers: {
          "content-type": "application/json",
          "content-length": body.length,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      });
      const timer = setTimeout(
        () => sent.destroy(new Error(`no answer within ${Math.round(timeoutMs)} ms`)),
        timeoutMs,
      );
      const finish = (outcome: "known" | { readonly error: string }) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      sent.on("error", (error: NodeJS.ErrnoException) => {
        finish(error.code === "ECONNREFUSED" ? "known" : { error: error.message });
      });
      sent.on("response", (response) => {
        response.on("error", () => undefined);
        response.resume();
        finish(response.statusCode === 200 ? "known" : { error: `HTTP status ${response.statusCode}` });
      });
      sent.end(body);
    });
  }

  /** Ends; who still waits is let go. */
  close(): void {
    this.#closed = true;
    this.#agent.destroy();
    for (const { waiting } of this.#lines.values()) for (const { done } of waiting.splice(0)) done();
  }
}

/** Reads a batch that another worker sent. @returns undefined for anything else */
export function parseNotices(text: string): readonly WriteNotice[] | undefined {
  try {
    const { written } = JSON.parse(text) as NoticeBatch;
    const ok =
      Array.isArray(written) &&
      written.every(
        (row) => (row.length === 2 || row.length === 3) && row.every((word: unknown) => typeof word === "string"),
      );
    if (!ok) return undefined;
    return written.map(([mount, key, bucket]) => ({ mount, key, ...(bucket !== undefined && { bucket }) }));
  } catch {
    return undefined;
  }
}
