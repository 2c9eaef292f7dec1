/**
 * etcd3, with its holes closed. Of etcd3 only the calls themselves are used (KV, Lease and Watch on its connection pool);
 * its policies, leases, watchers and elections are not, since an outage breaks them (docs/adr/0002).
 *
 * - A call has one deadline for everything: attempts, pauses between them, and a timer of our own behind gRPC's.
 * - An attempt that finds nobody is repeated 100 ms later on the next endpoint, for as long as the deadline allows. There is
 *   no circuit breaker: an outage ends when the server is back.
 * - Whoever calls a write must therefore expect that it was done although an attempt failed: writes are idempotent, or
 *   conditional and checked.
 */
import type { CallOptions } from "@grpc/grpc-js";
import { type Clock, RinglightError } from "@ringlight/core";
import {
  Etcd3,
  type IDuplexStream,
  type IOptions,
  type ITxnRequest,
  type ITxnResponse,
  type IWatchRequest,
  type IWatchResponse,
  isRecoverableError,
} from "etcd3";

/** Options of an EtcdClient. */
export interface EtcdClientOptions {
  /** "host:port" or "http://host:port" each. */
  readonly endpoints: readonly string[];
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/** Lets calls through as they are, in place of etcd3's retries and circuit breakers. What throws must come out as a rejection. */
const NO_POLICY = { execute: async <T>(call: () => PromiseLike<T> | T): Promise<T> => call() };

const PAUSE_BETWEEN_ATTEMPTS_MS = 100;
/** How much later than gRPC's deadline our own timer ends a call. */
const TIMER_SLACK_MS = 100;

const CHANNEL_OPTIONS = {
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 500,
  // etcd closes connections that are pinged more often than every 5 s.
  "grpc.keepalive_time_ms": 6_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.enable_retries": 0,
  // Receipts of a large view.
  "grpc.max_receive_message_length": 64 * 1024 * 1024,
} satisfies IOptions["grpcOptions"];

export class EtcdClient {
  readonly #endpoints: readonly string[];
  readonly #clients: readonly Etcd3[];
  readonly #deadlineMs: number;
  readonly #clock: Clock;
  /** Index of the endpoint in use; moves on when it fails. */
  #current = 0;
  #closed = false;

  /** @throws RL_BAD_CONFIG when there is no endpoint. */
  constructor(options: EtcdClientOptions) {
    if (options.endpoints.length === 0) {
      throw new RinglightError("RL_BAD_CONFIG", "the registry needs at least one endpoint, for example 127.0.0.1:2379");
    }
    this.#endpoints = options.endpoints;
    this.#deadlineMs = options.deadlineMs;
    this.#clock = options.clock;
    this.#clients = options.endpoints.map(
      (endpoint) =>
        new Etcd3({
          hosts: endpoint,
          grpcOptions: CHANNEL_OPTIONS,
          faultHandling: { host: () => NO_POLICY as never, global: NO_POLICY as never },
        }),
    );
  }

  /** Runs a transaction. @throws RL_REGISTRY_UNAVAILABLE, or what etcd answered. */
  txn(request: ITxnRequest, deadlineMs = this.#deadlineMs): Promise<ITxnResponse> {
    return this.#call(deadlineMs, (etcd, options) => etcd.kv.txn(request, options));
  }

  /** Grants a lease. */
  async grantLease(ttlS: number): Promise<{ readonly id: string; readonly ttlS: number }> {
    const granted = await this.#call(this.#deadlineMs, (etcd, options) =>
      etcd.leaseClient.leaseGrant({ TTL: ttlS, ID: 0 }, options),
    );
    return { id: granted.ID, ttlS: Number(granted.TTL) };
  }

  /** Ends a lease; no error when it is not there. */
  async revokeLease(id: string, deadlineMs: number): Promise<void> {
    try {
      await this.#call(deadlineMs, (etcd, options) => etcd.leaseClient.leaseRevoke({ ID: id }, options));
    } catch (error) {
      if (!isLeaseGone(error)) throw error;
    }
  }

  /** Renews a lease once and returns its TTL in seconds; 0 when it is not held any more. */
  keepLeaseAlive(id: string, deadlineMs: number): Promise<number> {
    // A stream for each renewal: etcd has no unary call for it, and a stream that lives long can die silently.
    return this.#call(deadlineMs, async (etcd, options) => {
      const stream = await etcd.leaseClient.leaseKeepAlive(options);
      try {
        return await new Promise<number>((resolve, reject) => {
          stream.on("error", reject);
          stream.on("end", () => reject(new Error("the stream ended before the answer")));
          stream.on("data", (answer) => resolve(Number(answer.TTL)));
          stream.write({ ID: id });
        });
      } finally {
        stream.end();
        stream.cancel();
      }
    });
  }

  /** Drops history below the revision. */
  async compact(revision: number): Promise<void> {
    await this.#call(this.#deadlineMs, (etcd, options) => etcd.kv.compact({ revision, physical: true }, options));
  }

  /** Opens a watch stream to the endpoint in use. The caller handles "data", "end" and "error". */
  openWatch(): Promise<IDuplexStream<IWatchRequest, IWatchResponse>> {
    return this.#clients[this.#current]!.watchClient.watch({});
  }

  /** Goes on to the next endpoint, after a stream on this one failed. */
  nextEndpoint(): void {
    this.#current = (this.#current + 1) % this.#clients.length;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const client of this.#clients) client.close();
  }

  async #call<T>(deadlineMs: number, attempt: (etcd: Etcd3, options: CallOptions) => Promise<T>): Promise<T> {
    const endMs = this.#clock.monotonicMs() + deadlineMs;
    // One endpoint that does not answer must leave time for another.
    const attemptMs = this.#clients.length > 1 ? Math.max(deadlineMs / this.#clients.length, 250) : deadlineMs;
    for (;;) {
      const remainingMs = Math.max(1, Math.min(endMs - this.#clock.monotonicMs(), attemptMs));
      const used = this.#current;
      try {
        // gRPC wants an absolute time of the machine's own clock.
        const options = { deadline: Date.now() + remainingMs };
        return await withTimer(remainingMs + TIMER_SLACK_MS, attempt(this.#clients[used]!, options));
      } catch (error) {
        if (this.#closed || !isTransient(error)) throw error;
        if (this.#current === used) this.nextEndpoint();
        if (endMs - this.#clock.monotonicMs() <= PAUSE_BETWEEN_ATTEMPTS_MS) throw this.#unavailable(error);
        await this.#clock.sleep(PAUSE_BETWEEN_ATTEMPTS_MS);
      }
    }
  }

  #unavailable(cause: unknown): RinglightError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new RinglightError(
      "RL_REGISTRY_UNAVAILABLE",
      `the registry at ${this.#endpoints.join(", ")} does not answer (${reason}); check that it runs and can be reached`,
      { cause },
    );
  }
}

/** True for etcd's "requested lease not found". */
export function isLeaseGone(error: unknown): boolean {
  return error instanceof Error && error.message.includes("requested lease not found");
}

class CallTimer extends Error {}

function isTransient(error: unknown): boolean {
  if (error instanceof CallTimer) return true;
  if (!(error instanceof Error) || isLeaseGone(error)) return false;
  // etcd's own answers that mean "not now": no leader, a request that timed out within the cluster.
  return (
    isRecoverableError(error) ||
    /etcdserver: (no leader|leader changed|request timed out|server stopped)/.test(error.message)
  );
}

async function withTimer<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CallTimer("no answer before the deadline")), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => undefined);
  }
}
