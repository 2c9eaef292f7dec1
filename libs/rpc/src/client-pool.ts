/** One client for each address. */
import type { Client } from "@grpc/grpc-js";
import { RinglightError } from "@ringlight/core";
import { type ClientConstructor, type ConnectOptions, connectGrpc } from "./channel.ts";

/** Keeps a client for each address until it is dropped or the pool is closed. */
export class ClientPool<C extends Client> {
  readonly #service: ClientConstructor<C>;
  readonly #options: ConnectOptions;
  readonly #clients = new Map<string, C>();
  #closed = false;

  constructor(service: ClientConstructor<C>, options: ConnectOptions = {}) {
    this.#service = service;
    this.#options = options;
  }

  /** The client for `host:port`. @throws RL_CANCELLED after close(). */
  get(address: string): C {
    if (this.#closed) throw new RinglightError("RL_CANCELLED", `the connection to ${address} was closed`);
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = connectGrpc(this.#service, address, this.#options);
      this.#clients.set(address, client);
    }
    return client;
  }

  /** Closes the clients of all other addresses. */
  retain(addresses: Iterable<string>): void {
    const kept = new Set(addresses);
    for (const address of [...this.#clients.keys()]) if (!kept.has(address)) this.drop(address);
  }

  /** Closes one client. */
  drop(address: string): void {
    this.#clients.get(address)?.close();
    this.#clients.delete(address);
  }

  /** Closes all. Idempotent. */
  close(): void {
    this.#closed = true;
    this.retain([]);
  }
}
