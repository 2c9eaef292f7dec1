/** Finds the schedulers of the cluster that a command is about, and asks one after the other until one answers. */
import { connect } from "@ringlight/client";
import { isRinglightError, RinglightError } from "@ringlight/core";
import { JobServiceClient, PolicyServiceClient } from "@ringlight/proto";
import { ClientPool } from "@ringlight/rpc";
import { traced } from "./command-telemetry.ts";
import { type ConnectionOptions, findTarget, receiverOf } from "./connection.ts";

/** How long commands go on asking while no scheduler leads: longer than a lease and an election. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 300;

/** Errors after which another scheduler, or the same a little later, may answer. */
const PASSING = ["RL_NO_LEADER", "RL_NO_WORKERS", "RL_REGISTRY_UNAVAILABLE", "RL_DEADLINE", "RL_CANCELLED"] as const;

/** The schedulers of a cluster. */
export class SchedulerConnection {
  readonly #options: ConnectionOptions;
  readonly #token: string | undefined;
  readonly #clients: ClientPool<JobServiceClient>;
  readonly #policies: ClientPool<PolicyServiceClient>;
  #addresses: readonly string[] = [];
  #turn = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#token = findTarget(options).token;
    this.#clients = new ClientPool(JobServiceClient, { token: this.#token });
    this.#policies = new ClientPool(PolicyServiceClient, { token: this.#token });
  }

  /** Asks a scheduler about jobs. @throws RL_NO_LEADER when none answers for half a minute, or what one says */
  ask<T>(call: (client: JobServiceClient) => Promise<T>): Promise<T> {
    return this.#ask((address) => call(this.#clients.get(address)));
  }

  /** Asks a scheduler about rules by path. @throws as ask() */
  askPolicies<T>(call: (client: PolicyServiceClient) => Promise<T>): Promise<T> {
    return this.#ask((address) => call(this.#policies.get(address)));
  }

  async #ask<T>(call: (address: string) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      let failure: unknown;
      try {
        if (this.#addresses.length === 0) await this.#find();
        const address = this.#addresses[this.#turn % this.#addresses.length];
        if (address !== undefined) return await call(address);
        failure = new RinglightError("RL_NO_LEADER", "the cluster has no scheduler; `ringlight scheduler` runs one");
      } catch (error) {
        if (!PASSING.some((code) => isRinglightError(error, code))) throw error;
        failure = error;
      }
      if (performance.now() >= untilMs) throw failure;
      this.#turn++;
      if (this.#addresses.length === 0 || this.#turn % this.#addresses.length === 0) {
        this.#addresses = [];
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  close(): void {
    this.#clients.close();
    this.#policies.close();
  }

  /** Learns the schedulers from a worker, the one that leads first. */
  async #find(): Promise<void> {
    const client = await connect(findTarget(this.#options));
    try {
      const { schedulers, leader } = await client.cluster();
      const sorted = [...schedulers].sort((a, b) => Number(b.id === leader) - Number(a.id === leader));
      this.#addresses = sorted.map(({ address }) => address);
      this.#turn = 0;
    } finally {
      client.close();
    }
  }
}

/** Runs something with a connection to the schedulers, and closes it. */
export async function withSchedulers<T>(
  options: ConnectionOptions,
  use: (schedulers: SchedulerConnection) => Promise<T>,
): Promise<T> {
  return traced(receiverOf(findTarget(options)), async () => {
    const schedulers = new SchedulerConnection(options);
    try {
      return await use(schedulers);
    } finally {
      schedulers.close();
    }
  });
}
