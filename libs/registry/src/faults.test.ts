/**
 * What the registry's participants make of a server that is killed, frozen or robbed of its data. All cases run at once,
 * each with a server process of its own, three workers and two schedulers.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { type Campaign, isRinglightError, type Registration, type Registry, systemClock } from "@ringlight/core";
import { type EtcdServer, waitFor } from "@ringlight/testing";
import { EtcdClient } from "./etcd-client.ts";
import { registryKeys } from "./keys.ts";
import { connectRegistry } from "./registry.ts";
import { sampleMount, sampleScheduler, sampleWorker } from "./testing/samples.ts";
import { SERVER_KINDS } from "./testing/servers.ts";
import { getRangeOp, keysRead } from "./transaction-parts.ts";

const CLUSTER = "faults";
const DEADLINE_MS = 2_000;
/** What a call may take beyond its deadline, apart from the time for which this whole process got no processor. */
const SLACK_MS = 500;
const WORKERS = ["w1", "w2", "w3"];
const SCHEDULERS = ["s1", "s2"];
const REGISTERED_WITHIN_MS = 2_000;

interface Fault {
  readonly name: string;
  /** Makes the server go away and come back. */
  readonly strike: (server: EtcdServer) => Promise<void>;
  readonly losesData?: true;
}

const FAULTS: readonly Fault[] = [
  { name: "killed for 1.5 s", strike: (server) => killed(server, 1_500, false) },
  { name: "killed for 30 s", strike: (server) => killed(server, 30_000, false) },
  {
    name: "frozen for 8 s",
    strike: async (server) => {
      server.freeze();
      await systemClock.sleep(8_000);
      server.thaw();
    },
  },
  { name: "killed and robbed of its data", strike: (server) => killed(server, 0, true), losesData: true },
  { name: "killed for 8 s and robbed of its data", strike: (server) => killed(server, 8_000, true), losesData: true },
];

async function killed(server: EtcdServer, ms: number, wipe: boolean): Promise<void> {
  await server.kill();
  await systemClock.sleep(ms);
  await server.restart({ wipe });
}

/** Time for which this process did nothing at all, since the start: a busy machine is not a hanging call. */
let starvedMs = 0;
let lastTickMs = performance.now();
setInterval(() => {
  const now = performance.now();
  starvedMs += Math.max(0, now - lastTickMs - 20);
  lastTickMs = now;
}, 20).unref();

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => assert.deepEqual(unhandled, [], "no rejection goes unhandled"));

describe("after a fault of the registry everybody is there again", { concurrency: true }, () => {
  for (const kind of SERVER_KINDS) {
    for (const fault of FAULTS) {
      it(`${kind.name}, ${fault.name}`, async (test) => {
        const server = await kind.start();
        const cluster = new Cluster(server);
        try {
          await cluster.start();
          const epoch = cluster.registries[0]!.view().epoch;
          cluster.startCalling();
          await fault.strike(server);
          await cluster.answers();
          const missingMs = await cluster.assertRegisteredWithin(REGISTERED_WITHIN_MS);
          test.diagnostic(`${kind.name}, ${fault.name}: all registered ${missingMs.toFixed(0)} ms after the return`);
          await cluster.assertSettled();
          const epochs = new Set(cluster.registries.map((registry) => registry.view().epoch));
          assert.deepEqual([...epochs], [fault.losesData ? epoch + 1 : epoch], "one epoch for everybody");
        } finally {
          await cluster.close();
          await server.stop();
        }
        assert.deepEqual(cluster.violations, []);
      });
    }
  }
});

class Cluster {
  readonly registries: Registry[] = [];
  /** What must never be seen, and was. */
  readonly violations: string[] = [];
  readonly #server: EtcdServer;
  readonly #probe: EtcdClient;
  readonly #registrations: Registration[] = [];
  readonly #campaigns: Campaign[] = [];
  readonly #leading = new Set<string>();
  readonly #ending = new AbortController();
  #calling: Promise<unknown> = Promise.resolve();

  constructor(server: EtcdServer) {
    this.#server = server;
    this.#probe = new EtcdClient({ endpoints: [server.endpoint], deadlineMs: 500, clock: systemClock });
  }

  async start(): Promise<void> {
    for (const [index, id] of WORKERS.entries()) {
      const registry = await this.#connect(3_000 + index * 1_000);
      this.#registrations.push(await registry.registerWorker(sampleWorker(id)));
    }
    for (const id of SCHEDULERS) {
      const registry = await this.#connect(3_000);
      this.#registrations.push(await registry.registerScheduler(sampleScheduler(id)));
      this.#campaigns.push(registry.campaign(id, (signal) => this.#lead(id, signal)));
    }
    await this.registries[0]!.addMount(sampleMount("one"));
    await this.registries[1]!.addMount(sampleMount("two"));
    await this.assertSettled();
    for (const registry of this.registries) this.#guardView(registry);
  }

  /** Calls the registry again and again until close(), and notes calls that fail otherwise than they may, or late. */
  startCalling(): void {
    this.#calling = Promise.all(this.registries.map((registry) => this.#callAgain(registry)));
  }

  async #callAgain(registry: Registry): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const start = performance.now() - starvedMs;
      try {
        await registry.listEpochs(1);
      } catch (error) {
        if (!isRinglightError(error, "RL_REGISTRY_UNAVAILABLE")) this.violations.push(`a call threw ${String(error)}`);
      }
      const tookMs = performance.now() - starvedMs - start;
      if (tookMs > DEADLINE_MS + SLACK_MS) this.violations.push(`a call took ${tookMs.toFixed(0)} ms`);
      // The pace of the callers, not a wait: at full speed they would take the processor from those whom they watch.
      await systemClock.sleep(100, this.#ending.signal).catch(() => undefined);
    }
  }

  /** Resolves when the server answers a stranger. */
  async answers(): Promise<void> {
    await waitFor(() => this.#registered(), { timeoutMs: 20_000, intervalMs: 5, what: "the server answers" });
  }

  /**
   * Nobody is missing from the registry itself when the time is over, nor later while the test looks. Returns when somebody
   * was last missing, in milliseconds after the return.
   */
  async assertRegisteredWithin(ms: number): Promise<number> {
    const start = performance.now() - starvedMs;
    let missingMs = 0;
    let late: string[] = [];
    await waitFor(
      async () => {
        const found = await this.#registered();
        const missing = [...WORKERS, ...SCHEDULERS].filter((id) => !found.has(id));
        const now = performance.now() - starvedMs - start;
        if (missing.length > 0) {
          missingMs = now;
          late = missing;
        }
        return now > ms + 1_500;
      },
      { timeoutMs: ms + 10_000, intervalMs: 20 },
    );
    assert.ok(missingMs <= ms, `${late.join(", ")} missing until ${missingMs.toFixed(0)} ms after the return`);
    return missingMs;
  }

  /** Everybody sees everybody, and exactly one leads. */
  async assertSettled(): Promise<void> {
    await waitFor(
      () =>
        this.#leading.size === 1 &&
        this.#campaigns.filter((campaign) => campaign.leading).length === 1 &&
        this.#registrations.every((registration) => registration.held) &&
        this.registries.every((registry) => {
          const view = registry.view();
          return (
            view.connected &&
            view.workers.size === WORKERS.length &&
            view.schedulers.size === SCHEDULERS.length &&
            view.members.length === WORKERS.length &&
            view.mounts.size === 2 &&
            view.leader === [...this.#leading][0]
          );
        }),
      { timeoutMs: 12_000, what: "everybody sees everybody, and exactly one leads" },
    );
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#calling;
    await Promise.all(this.registries.map((registry) => registry.close()));
    this.#probe.close();
  }

  async #connect(leaseTtlMs: number): Promise<Registry> {
    const registry = connectRegistry({
      endpoints: [this.#server.endpoint],
      cluster: CLUSTER,
      leaseTtlMs,
      deadlineMs: DEADLINE_MS,
    });
    this.registries.push(registry);
    await registry.ready(15_000);
    return registry;
  }

  #guardView(registry: Registry): void {
    let { epoch } = registry.view();
    registry.onChange((view) => {
      if (view.members.length !== WORKERS.length) this.violations.push(`${view.members.length} members in a view`);
      if (view.mounts.size !== 2) this.violations.push(`${view.mounts.size} mounts in a view`);
      if (view.epoch < epoch) this.violations.push(`epoch ${view.epoch} after ${epoch}`);
      epoch = view.epoch;
    });
  }

  async #lead(id: string, signal: AbortSignal): Promise<void> {
    this.#leading.add(id);
    if (this.#leading.size > 1) this.violations.push(`${[...this.#leading].join(" and ")} lead at once`);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.#leading.delete(id);
  }

  /** Ids that are registered, as the server says. */
  async #registered(): Promise<Set<string>> {
    const keys = registryKeys(CLUSTER);
    const answer = await this.#probe.txn({ success: [getRangeOp(keys.schedulers, `${keys.prefix}workers0`)] });
    return new Set(keysRead(answer.responses[0]).map(({ key }) => key.slice(key.lastIndexOf("/") + 1)));
  }
}
