/**
 * Kept-alive connections to one store, and exchanges on them. Who may use how many at once is the caller's bound
 * (connection-limit.ts); the pool keeps what is idle, the one used last first, and lets it go before the store does.
 */
import { connect as connectTcp, type LookupFunction, type Socket, type TcpNetConnectOpts } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { StopSignal } from "@ringlight/core";
import {
  type ConnectionOwner,
  Http1Connection,
  type Http1Response,
  type OnHead,
  type SocketReads,
} from "./http1-connection.ts";

/** Idle connections are closed after this long, or a second before the store said that it would. */
const IDLE_MS = 30_000;

/** Where a pool connects to. */
export interface Http1Target {
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
  readonly lookup: LookupFunction;
  /** Idle connections that are kept at most. */
  readonly maxIdle: number;
  /** Options of TLS beside the usual ones. */
  readonly tls?: ConnectionOptions;
}

/** The store was silent for longer than was allowed. */
export class SilentStore extends Error {
  override readonly name = "SilentStore";
}

/** A pool. */
export class Http1Pool implements ConnectionOwner {
  readonly #target: Http1Target;
  readonly #all = new Set<Http1Connection>();
  readonly #idle: { readonly connection: Http1Connection; readonly untilMs: number }[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  /** TLS session of the last handshake, so that the next one is short. */
  #session: Buffer | undefined;
  #closed = false;

  constructor(target: Http1Target) {
    this.#target = target;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#all.size;
  }

  /**
   * Sends a request and resolves with the head of the answer.
   * @param head request line and headers with the closing empty line, one character a byte
   * @param timeoutMs silence that is borne before the head is there, connecting included
   * @throws SilentStore, StaleConnection, MalformedResponse, the signal's reason, or the network's error
   */
  exchange(
    head: string,
    toHead: boolean,
    timeoutMs: number,
    signal: StopSignal,
    onHead?: OnHead,
  ): Promise<Http1Response> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const connection = this.#take();
      const timer = setTimeout(() => connection.destroy(new SilentStore(`silent for ${timeoutMs} ms`)), timeoutMs);
      const abort = () => connection.destroy(new Error("the caller left"));
      signal.addEventListener("abort", abort, { once: true });
      const settled = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      connection.request(head, {
        toHead,
        onHead,
        resolve: (response) => {
          settled();
          resolve(response);
        },
        reject: (error) => {
          settled();
          reject(signal.aborted ? signal.reason : error);
        },
      });
    });
  }

  /**
   * A connection for a request whose exchange the caller drives. It comes back to the pool by itself when the answer has
   * been received, unless it is destroyed.
   * @param fresh one that carried nothing yet: a kept one may be dead already
   */
  connection(fresh: boolean): Http1Connection {
    return fresh ? this.#open() : this.#take();
  }

  idle(connection: Http1Connection): void {
    if (this.#closed || this.#idle.length >= this.#target.maxIdle) {
      connection.destroy();
      return;
    }
    const { keepAliveS } = connection;
    const keptMs = keepAliveS === undefined ? IDLE_MS : Math.min(IDLE_MS, keepAliveS * 1000 - 1000);
    if (keptMs <= 0) {
      connection.destroy();
      return;
    }
    connection.unref();
    this.#idle.push({ connection, untilMs: performance.now() + keptMs });
    this.#sweeper ??= setInterval(() => this.#sweep(), 1000).unref();
  }

  gone(connection: Http1Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.findIndex((entry) => entry.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** Closes what is idle: one connection was found dead, and the others are likely to be, too. */
  dropIdle(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }

  /** Ends every connection. Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#idle.length = 0;
    for (const connection of this.#all) connection.destroy(new Error("the pool was closed"));
  }

  #take(): Http1Connection {
    const now = performance.now();
    for (let entry = this.#idle.pop(); entry !== undefined; entry = this.#idle.pop()) {
      if (entry.untilMs > now && entry.connection.open) {
        entry.connection.ref();
        return entry.connection;
      }
      entry.connection.destroy();
    }
    return this.#open();
  }

  #open(): Http1Connection {
    const connection = new Http1Connection(this, (reads) => this.#connect(reads));
    this.#all.add(connection);
    return connection;
  }

  #connect(onread: SocketReads): Socket {
    const { hostname: host, port, secure, lookup, tls } = this.#target;
    const options: TcpNetConnectOpts = { host, port, lookup, noDelay: true, keepAlive: true, onread };
    if (!secure) return connectTcp(options);
    const socket = connectTls({
      ...options,
      ALPNProtocols: ["http/1.1"],
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      ...(this.#session && { session: this.#session }),
      ...tls,
    });
    socket.on("session", (session) => {
      this.#session = session;
    });
    return socket;
  }

  #sweep(): void {
    const now = performance.now();
    for (const { connection, untilMs } of [...this.#idle]) if (untilMs <= now) connection.destroy();
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
