/** A TCP proxy on loopback that can be told to misbehave: what lies between a client and a server, under a test's control. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What the proxy does to bytes. */
type Mode = "pass" | "stall";

/** A running proxy. */
export interface FaultProxy {
  /** "127.0.0.1:port" */
  readonly address: string;
  /** "http://127.0.0.1:port" */
  readonly endpoint: string;
  readonly port: number;
  /** Bytes from clients to the target, and back, since the start. */
  readonly bytesToTarget: number;
  readonly bytesToClient: number;
  /** Connections accepted since the start. */
  readonly connections: number;
  readonly openConnections: number;
  /** Closes all connections in order (FIN); new ones are accepted. */
  cut(): void;
  /** Resets all connections (RST); new ones are accepted. */
  reset(): void;
  /** No byte passes in either direction, on old and new connections, until restore(). Nothing is closed. */
  stall(): void;
  /** Delays every piece of data, in both directions. */
  delay(ms: number): void;
  /** Stops listening and resets what is open: new connections are refused by the kernel, until restore(). */
  refuse(): Promise<void>;
  /** Ends stall, delay and refusal. */
  restore(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Starts a proxy in front of `target`: "host:port" or an http URL. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const url = new URL(target.includes("://") ? target : `tcp://${target}`);
  const port = Number(url.port || 80);
  const proxy = new TcpProxy(url.hostname, port);
  await proxy.listen(0);
  return proxy;
}

class TcpProxy implements FaultProxy {
  port = 0;
  bytesToTarget = 0;
  bytesToClient = 0;
  connections = 0;
  readonly #targetHost: string;
  readonly #targetPort: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #mode: Mode = "pass";
  #delayMs = 0;
  #closed = false;

  constructor(targetHost: string, targetPort: number) {
    this.#targetHost = targetHost;
    this.#targetPort = targetPort;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get endpoint(): string {
    return `http://${this.address}`;
  }

  get openConnections(): number {
    return this.#pairs.size;
  }

  listen(port: number): Promise<void> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => this.#accept(client));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", reject);
        this.port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  reset(): void {
    for (const pair of this.#pairs) for (const socket of pair) resetSocket(socket);
  }

  stall(): void {
    this.#mode = "stall";
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  delay(ms: number): void {
    this.#delayMs = ms;
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.reset();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async restore(): Promise<void> {
    this.#mode = "pass";
    this.#delayMs = 0;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
    if (this.#server === undefined && !this.#closed) await this.listen(this.port);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.refuse();
  }

  #accept(client: Socket): void {
    this.connections++;
    const upstream = connect({ host: this.#targetHost, port: this.#targetPort, allowHalfOpen: true });
    const pair = [client, upstream] as const;
    const up = new Lane();
    const down = new Lane();
    this.#pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.on("data", (data: Buffer) => {
      this.bytesToTarget += data.length;
      up.push(this.#delayMs, () => this.#forward(client, upstream, data));
    });
    upstream.on("data", (data: Buffer) => {
      this.bytesToClient += data.length;
      down.push(this.#delayMs, () => this.#forward(upstream, client, data));
    });
    client.on("end", () => up.push(this.#delayMs, () => upstream.end()));
    upstream.on("end", () => down.push(this.#delayMs, () => client.end()));
    const drop = () => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) {
      socket.on("error", () => {
        for (const other of pair) resetSocket(other);
      });
      socket.on("close", drop);
    }
    if (this.#mode === "stall") upstream.pause();
    else client.resume();
  }

  #forward(from: Socket, to: Socket, data: Buffer): void {
    if (to.destroyed || to.write(data)) return;
    from.pause();
    to.once("drain", () => {
      if (this.#mode === "pass") from.resume();
    });
  }
}

/**
 * Resets a connection; one that is already ending is closed instead. Node 24 never closes a handle that is reset while its
 * shutdown is pending, and the process then spins when it ends.
 */
function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of a connection: delayed pieces leave in the order in which they came, also when the delay changes. */
class Lane {
  #queue: { readonly dueMs: number; readonly action: () => void }[] = [];

  push(delayMs: number, action: () => void): void {
    if (delayMs === 0 && this.#queue.length === 0) {
      action();
      return;
    }
    this.#queue.push({ dueMs: performance.now() + delayMs, action });
    if (this.#queue.length === 1) this.#arm();
  }

  #arm(): void {
    const next = this.#queue[0];
    if (next === undefined) return;
    const fire = () => {
      next.action();
      this.#queue.shift();
      this.#arm();
    };
    setTimeout(fire, Math.max(0, next.dueMs - performance.now()));
  }
}
