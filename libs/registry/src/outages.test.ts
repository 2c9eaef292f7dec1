/** Breaks between a participant and its registry, and what participants that know differently make of lost data. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isRinglightError, type Registry, systemClock } from "@ringlight/core";
import { type EtcdServer, type FaultProxy, freePort, startFaultProxy, waitFor } from "@ringlight/testing";
import { EtcdClient } from "./etcd-client.ts";
import { registryKeys } from "./keys.ts";
import { connectRegistry, type RegistryOptions } from "./registry.ts";
import { sampleMount, sampleWorker } from "./testing/samples.ts";
import { SERVER_KINDS, type ServerKind } from "./testing/servers.ts";
import { deleteOp, getOp, keysRead, putOp } from "./transaction-parts.ts";

const DEADLINE_MS = 1_000;
const SLACK_MS = 1_500;

// Both servers at once; within a server one test after the other.
describe("outages", { concurrency: true }, () => {
  for (const kind of SERVER_KINDS) outagesOf(kind);
});

function outagesOf(kind: ServerKind): void {
  describe(`a break between a participant and ${kind.name}`, { concurrency: 1 }, () => {
    let server: EtcdServer;
    let raw: EtcdClient;
    let dir: string;
    let clusters = 0;
    const closers: (() => Promise<void>)[] = [];

    before(async () => {
      server = await kind.start();
      raw = new EtcdClient({ endpoints: [server.endpoint], deadlineMs: 5_000, clock: systemClock });
      dir = await mkdtemp(join(tmpdir(), "ringlight-views-"));
    });
    after(async () => {
      await Promise.all(closers.map((close) => close()));
      raw.close();
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    });

    function connect(cluster: string, options: Partial<RegistryOptions> = {}): Registry {
      const registry = connectRegistry({
        endpoints: [server.endpoint],
        cluster,
        leaseTtlMs: 2_000,
        deadlineMs: DEADLINE_MS,
        ...options,
      });
      closers.push(() => registry.close());
      return registry;
    }

    async function connectReady(cluster: string, options: Partial<RegistryOptions> = {}): Promise<Registry> {
      const registry = connect(cluster, options);
      await registry.ready(10_000);
      return registry;
    }

    async function proxied(): Promise<FaultProxy> {
      const proxy = await startFaultProxy(server.endpoint);
      closers.push(() => proxy.close());
      return proxy;
    }

    const newCluster = () => `breaks-${++clusters}`;

    it("resumes the watch where it stopped, without missing or repeating a change", async () => {
      const cluster = newCluster();
      const keys = registryKeys(cluster);
      const proxy = await proxied();
      const ends: unknown[] = [];
      const one = await connectReady(cluster, {
        endpoints: [proxy.address],
        log: (_level, message, fields) => {
          if (message === "the watch of the registry ended") ends.push(fields.kind);
        },
      });
      await raw.txn({ success: [putOp(keys.mount("old"), sampleMount("old"))] });
      await waitFor(() => one.view().mounts.has("old"));
      await proxy.refuse();
      await raw.txn({ success: [putOp(keys.mount("new"), sampleMount("new")), deleteOp(keys.mount("old"))] });
      await proxy.restore();
      await waitFor(() => one.view().mounts.has("new"));
      assert.deepEqual([...one.view().mounts.keys()], ["new"]);
      proxy.reset();
      await raw.txn({ success: [putOp(keys.mount("last"), sampleMount("last"))] });
      await waitFor(() => one.view().mounts.has("last"));
      assert.deepEqual(new Set(ends), new Set(["broken"]));
    });

    it("reads everything again when what it missed was compacted", async () => {
      const cluster = newCluster();
      const keys = registryKeys(cluster);
      const proxy = await proxied();
      const ends: unknown[] = [];
      const one = await connectReady(cluster, {
        endpoints: [proxy.address],
        log: (_level, message, fields) => {
          if (message === "the watch of the registry ended") ends.push(fields.kind);
        },
      });
      await one.addMount(sampleMount("old"));
      await proxy.refuse();
      await raw.txn({ success: [deleteOp(keys.mount("old"))] });
      const last = await raw.txn({ success: [putOp(keys.mount("new"), sampleMount("new"))] });
      await raw.compact(Number(last.header.revision));
      await proxy.restore();
      await waitFor(() => one.view().mounts.has("new"));
      assert.deepEqual([...one.view().mounts.keys()], ["new"]);
      await waitFor(() => ends.includes("reread"));
    });

    it("notices a registry that went silent, keeps the view, and fails calls at their deadline", async () => {
      const cluster = newCluster();
      const proxy = await proxied();
      const one = await connectReady(cluster, { endpoints: [proxy.address] });
      await one.registerWorker(sampleWorker("w1"));
      await one.addMount(sampleMount("data"));
      await waitFor(() => one.view().workers.has("w1"));
      const before = one.view();
      proxy.stall();
      const start = performance.now();
      await Promise.all([
        ...[one.addMount(sampleMount("late")), one.removeMount("data"), one.removeMember("w1"), one.listEpochs(1)].map(
          (call) => assert.rejects(call, (error) => isRinglightError(error, "RL_REGISTRY_UNAVAILABLE")),
        ),
        waitFor(() => !one.view().connected),
      ]);
      assert.ok(performance.now() - start < DEADLINE_MS + 1_000 + SLACK_MS);
      const { connected: _connected, ...kept } = one.view();
      const { connected: _before, ...was } = before;
      assert.deepEqual({ ...kept, asOfMs: 0 }, { ...was, asOfMs: 0 });
      await proxy.restore();
      await waitFor(() => one.view().connected);
    });

    it("does not let a silent leader lead on when another one takes over", async () => {
      const cluster = newCluster();
      const proxy = await proxied();
      const one = await connectReady(cluster, { endpoints: [proxy.address] });
      const two = await connectReady(cluster);
      const leading = new Set<string>();
      const most: number[] = [];
      const lead = (id: string) => async (signal: AbortSignal) => {
        leading.add(id);
        most.push(leading.size);
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        leading.delete(id);
      };
      const first = one.campaign("s1", lead("s1"));
      await waitFor(() => leading.has("s1"));
      const second = two.campaign("s2", lead("s2"));
      proxy.stall();
      await waitFor(() => second.leading);
      assert.equal(first.leading, false);
      await proxy.restore();
      await waitFor(() => one.view().leader === "s2");
      assert.deepEqual(new Set(most), new Set([1]));
      await Promise.all([first.close(), second.close()]);
    });

    it("uses another endpoint when one refuses or says nothing", async () => {
      const cluster = newCluster();
      const silent = await proxied();
      silent.stall();
      const dead = `127.0.0.1:${await freePort()}`;
      const one = await connectReady(cluster, { endpoints: [dead, silent.endpoint, `http://${server.endpoint}`] });
      const registration = await one.registerWorker(sampleWorker("w1"));
      await waitFor(() => registration.held && one.view().workers.has("w1"));
    });

    it("starts from the saved view while the registry is away, and registers when it comes", async () => {
      const cluster = newCluster();
      const viewFile = join(dir, `${kind.name}-view.json`);
      const earlier = await connectReady(cluster, { viewFile });
      await earlier.registerWorker(sampleWorker("w1"));
      await earlier.addMount(sampleMount("data"));
      await waitFor(() => earlier.view().workers.has("w1"));
      await earlier.close();

      const proxy = await proxied();
      await proxy.refuse();
      const later = connect(cluster, { endpoints: [proxy.address], viewFile });
      assert.deepEqual([...later.view().mounts.keys()], ["data"]);
      assert.equal(later.view().members.length, 1);
      assert.equal(later.view().epoch, 1);
      assert.equal(later.view().connected, false);
      await assert.rejects(later.ready(100), (error) => isRinglightError(error, "RL_REGISTRY_UNAVAILABLE"));
      const registration = await later.registerWorker(sampleWorker("w1"));
      assert.equal(registration.held, false);
      await proxy.restore();
      await waitFor(() => registration.held && later.view().connected);
      assert.equal(later.view().epoch, 1, "the same member, the same epoch");
    });

    it("fails at the deadline, and tries no more, when it knows no view and nobody answers", async () => {
      const proxy = await proxied();
      await proxy.refuse();
      const one = connect(newCluster(), { endpoints: [proxy.address] });
      const start = performance.now();
      const unavailable = (error: unknown) => isRinglightError(error, "RL_REGISTRY_UNAVAILABLE");
      await assert.rejects(one.registerWorker(sampleWorker("w1")), unavailable);
      await assert.rejects(one.addMount(sampleMount("data")), unavailable);
      assert.ok(performance.now() - start < 2 * (DEADLINE_MS + SLACK_MS));
      await proxy.restore();
      await one.ready(10_000);
      assert.equal(one.view().members.length, 0);
    });

    it("does without a view file that is damaged or of another cluster", async () => {
      const viewFile = join(dir, `${kind.name}-damaged.json`);
      await writeFile(viewFile, '{"format":1,"cluster":');
      const one = await connectReady(newCluster(), { viewFile });
      await one.addMount(sampleMount("data"));
      await waitFor(async () => (await readFile(viewFile, "utf8")).includes('"data"'));
      const other = await connectReady(newCluster(), { viewFile });
      assert.equal(other.view().mounts.size, 0);
    });

    it("never shows an epoch twice, though the registry comes back with an older one", async () => {
      const cluster = newCluster();
      const keys = registryKeys(cluster);
      const one = await connectReady(cluster);
      await one.registerWorker(sampleWorker("w1"));
      await one.registerWorker(sampleWorker("w1", { weight: 2 }));
      await waitFor(() => one.view().epoch === 2);
      const proxy = await proxied();
      const two = await connectReady(cluster, { endpoints: [proxy.address] });
      await proxy.refuse();
      await one.close();
      await raw.txn({ success: [putOp(keys.ringCurrent, { epoch: 1, incarnation: 1 })] });
      await proxy.restore();
      await waitFor(async () => {
        const [current] = keysRead((await raw.txn({ success: [getOp(keys.ringCurrent)] })).responses[0]);
        return current?.value === '{"epoch":3,"incarnation":1}';
      });
      await two.registerWorker(sampleWorker("w2"));
      await waitFor(() => two.view().epoch === 4);
    });
  });

  describe(`participants that know differently when ${kind.name} loses its data`, { concurrency: 1 }, () => {
    it("agree on what the best informed of them knew", async () => {
      const server = await kind.start();
      const proxies = await Promise.all([startFaultProxy(server.endpoint), startFaultProxy(server.endpoint)]);
      const [stale, informed] = proxies.map((proxy) =>
        connectRegistry({ endpoints: [proxy.address], cluster: "c", leaseTtlMs: 2_000, deadlineMs: DEADLINE_MS }),
      ) as [Registry, Registry];
      const [staleProxy, informedProxy] = proxies as [FaultProxy, FaultProxy];
      try {
        await Promise.all([stale.ready(10_000), informed.ready(10_000)]);
        const rule = { name: "r", path: "/kept/", ttlMs: 60_000 };
        await informed.changePolicies(() => [rule]);
        await informed.addMount(sampleMount("removed-later"));
        await informed.addMount(sampleMount("kept"));
        await waitFor(() => stale.view().mounts.size === 2 && stale.view().policies.length === 1);
        await staleProxy.refuse();
        await informed.changePolicies(() => [{ ...rule, ttlMs: 90_000 }]);
        await informed.removeMount("removed-later");
        await informed.addMount(sampleMount("added-later"));
        const seen: number[] = [];
        informed.onChange((view) => seen.push(view.mounts.size));
        await informedProxy.refuse();
        await server.restart({ wipe: true });
        await staleProxy.restore();
        await waitFor(() => stale.view().connected && stale.view().epoch === 1, { what: "the stale one restored" });
        await informedProxy.restore();
        const names = (registry: Registry) => [...registry.view().mounts.keys()].sort();
        await waitFor(() => informed.view().connected && names(stale).includes("added-later"));
        await waitFor(() => names(stale).length === 2 && names(informed).length === 2);
        assert.deepEqual(names(stale), ["added-later", "kept"]);
        assert.deepEqual(names(informed), ["added-later", "kept"]);
        for (const registry of [stale, informed]) {
          await waitFor(() => registry.view().policies[0]?.ttlMs === 90_000, { what: "the rules as they were last" });
        }
        assert.ok(
          seen.every((size) => size >= 2),
          "the informed one never saw less than it knew",
        );
      } finally {
        await Promise.all([stale.close(), informed.close()]);
        await Promise.all(proxies.map((proxy) => proxy.close()));
        await server.stop();
      }
    });

    it("join a newcomer that found the registry empty before they returned", async () => {
      const server = await kind.start();
      const proxy = await startFaultProxy(server.endpoint);
      const options = { cluster: "c", leaseTtlMs: 2_000, deadlineMs: DEADLINE_MS };
      const old = connectRegistry({ ...options, endpoints: [proxy.address] });
      const opened = [old];
      try {
        await old.ready(10_000);
        const registration = await old.registerWorker(sampleWorker("w1"));
        await old.addMount(sampleMount("old"));
        const sizes: number[] = [];
        old.onChange((view) => sizes.push(view.mounts.size));
        await proxy.refuse();
        await server.restart({ wipe: true });
        const newcomer = connectRegistry({ ...options, endpoints: [server.endpoint] });
        opened.push(newcomer);
        await newcomer.ready(10_000);
        await newcomer.registerWorker(sampleWorker("w2"));
        await newcomer.addMount(sampleMount("new"));
        await proxy.restore();
        for (const registry of opened) {
          await waitFor(() => {
            const view = registry.view();
            return view.mounts.size === 2 && view.members.length === 2 && view.workers.size === 2;
          });
        }
        await waitFor(() => registration.held);
        assert.equal(old.view().epoch, newcomer.view().epoch);
        assert.ok(old.view().epoch >= 2);
        assert.ok(sizes.every((size) => size >= 1));
      } finally {
        await Promise.all(opened.map((registry) => registry.close()));
        await proxy.close();
        await server.stop();
      }
    });
  });
}
