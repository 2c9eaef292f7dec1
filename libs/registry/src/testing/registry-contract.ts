/** What every registry server must make of the client: one suite, run against a real etcd and the embedded server. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ClusterView, isRinglightError, type Registry, systemClock } from "@ringlight/core";
import { type EtcdServer, waitFor } from "@ringlight/testing";
import { EtcdClient } from "../etcd-client.ts";
import { type RegistryKeys, registryKeys } from "../keys.ts";
import { connectRegistry, type RegistryOptions } from "../registry.ts";
import { deleteOp, getOp, isAbsent, isPresent, keysRead, putOp } from "../transaction-parts.ts";
import { sampleMount, sampleScheduler, sampleWorker } from "./samples.ts";
import type { ServerKind } from "./servers.ts";

/** Registers the suite for one kind of server. */
export function registryContract(kind: ServerKind): void {
  describe(`the registry on ${kind.name}`, { concurrency: 1 }, () => {
    let server: EtcdServer;
    let raw: EtcdClient;
    let clusters = 0;
    const open: Registry[] = [];

    before(async () => {
      server = await kind.start();
      raw = new EtcdClient({ endpoints: [server.endpoint], deadlineMs: 5_000, clock: systemClock });
    });
    after(async () => {
      await Promise.all(open.map((registry) => registry.close()));
      raw.close();
      await server.stop();
    });

    /** A cluster of its own for each test: its keys, and a way to connect to it. */
    function newCluster(): { keys: RegistryKeys; connect: (options?: Partial<RegistryOptions>) => Promise<Registry> } {
      const cluster = `contract-${++clusters}`;
      return {
        keys: registryKeys(cluster),
        connect: async (options = {}) => {
          const registry = connectRegistry({ endpoints: [server.endpoint], cluster, leaseTtlMs: 2_000, ...options });
          open.push(registry);
          await registry.ready(10_000);
          return registry;
        },
      };
    }

    async function textOf(key: string): Promise<string | undefined> {
      const [found] = keysRead((await raw.txn({ success: [getOp(key)] })).responses[0]);
      return found?.value;
    }

    it("shows a worker that registers to everybody, as a member and as live", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      const registration = await one.registerWorker(sampleWorker("w1"));
      assert.equal(registration.held, true);
      await waitFor(() => two.view().workers.has("w1"));
      assert.deepEqual(
        two.view().members.map((member) => member.id),
        ["w1"],
      );
      assert.deepEqual(two.view().workers.get("w1"), sampleWorker("w1"));
      assert.equal(two.view().epoch, 1);
      assert.equal(two.view().connected, true);
    });

    it("has shown a worker to itself when it says that the worker is registered", async () => {
      // The answer to the put and the watch race each other: each round is one more draw.
      for (let round = 0; round < 10; round++) {
        const one = await newCluster().connect();
        await one.registerWorker(sampleWorker("w1"));
        assert.deepEqual(
          [one.view().epoch, one.view().members.map(({ id }) => id), [...one.view().workers.keys()]],
          [1, ["w1"], ["w1"]],
        );
        await one.registerWorker(sampleWorker("w1", { weight: 2 }));
        assert.deepEqual([one.view().epoch, one.view().workers.get("w1")?.weight], [2, 2]);
        await one.close();
      }
    });

    it("takes a closed registration out of the live workers and leaves the member", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      const registration = await one.registerWorker(sampleWorker("w1"));
      await waitFor(() => two.view().workers.has("w1"));
      await registration.close();
      await registration.close();
      assert.equal(registration.held, false);
      await waitFor(() => !two.view().workers.has("w1"));
      assert.equal(two.view().members.length, 1);
    });

    it("lets a record expire when its holder is gone without a word", async () => {
      const { keys, connect } = newCluster();
      const watcher = await connect();
      const lease = await raw.grantLease(2);
      await raw.txn({ success: [putOp(keys.worker("gone"), sampleWorker("gone"), lease.id)] });
      await waitFor(() => watcher.view().workers.has("gone"));
      await waitFor(() => !watcher.view().workers.has("gone"), { timeoutMs: 8_000 });
    });

    it("keeps a lease alive for longer than its TTL", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      let left = false;
      const registration = await one.registerWorker(sampleWorker("w1"));
      await waitFor(() => two.view().workers.has("w1"));
      two.onChange((view) => {
        left ||= !view.workers.has("w1");
      });
      const start = performance.now();
      await waitFor(() => performance.now() - start > 4_500, { what: "more than two TTLs passed" });
      assert.equal(left, false);
      assert.equal(registration.held, true);
    });

    it("registers again when its lease is revoked or its record deleted", async () => {
      const { keys, connect } = newCluster();
      const one = await connect();
      const registration = await one.registerWorker(sampleWorker("w1"));
      const [before] = keysRead((await raw.txn({ success: [getOp(keys.worker("w1"))] })).responses[0]);
      await raw.revokeLease(before!.lease, 2_000);
      await waitFor(async () => (await textOf(keys.worker("w1"))) !== undefined);
      await waitFor(() => registration.held);
      await raw.txn({ success: [deleteOp(keys.worker("w1"))] });
      await waitFor(async () => (await textOf(keys.worker("w1"))) !== undefined);
      assert.equal(one.view().epoch, 1, "no new epoch: the member stayed");
    });

    it("makes an epoch of each change of the member set and of a weight, and of nothing else", async () => {
      const { connect } = newCluster();
      const [one, two, three] = await Promise.all([connect(), connect(), connect()]);
      await Promise.all([one.registerWorker(sampleWorker("w1")), two.registerWorker(sampleWorker("w2"))]);
      await waitFor(() => three.view().epoch === 2 && three.view().members.length === 2);
      await one.registerWorker(sampleWorker("w1", { addresses: { grpc: "x:1", s3: "x:2", rest: "x:3" } }));
      await waitFor(() => three.view().workers.get("w1")?.addresses.grpc === "x:1");
      assert.equal(three.view().epoch, 2, "an address is no membership");
      await one.registerWorker(sampleWorker("w1", { weight: 2 }));
      await waitFor(() => three.view().epoch === 3);
      assert.equal(three.view().members.find((member) => member.id === "w1")?.weight, 2);
      await three.removeMember("w2");
      assert.equal(three.view().epoch, 4);
      await three.removeMember("w2");
      await three.removeMember("never-there");
      assert.equal(three.view().epoch, 4, "a removal of nobody is no change");
    });

    it("hands out distinct epochs when many join at once, and shows members and epoch together", async () => {
      const { connect } = newCluster();
      const registries = await Promise.all(Array.from({ length: 8 }, () => connect({ deadlineMs: 10_000 })));
      const watcher = await connect();
      const seen: ClusterView[] = [];
      watcher.onChange((view) => seen.push(view));
      await Promise.all(registries.map((registry, index) => registry.registerWorker(sampleWorker(`w${index}`))));
      await waitFor(() => watcher.view().epoch === 8 && watcher.view().workers.size === 8);
      for (const view of seen) assert.equal(view.members.length, view.epoch);
    });

    it("does not let a worker that was taken out of the ring come back by itself while it lives", async () => {
      const { keys, connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      await one.registerWorker(sampleWorker("w1"));
      await waitFor(() => two.view().workers.has("w1") && one.view().workers.has("w1"));
      await two.removeMember("w1");
      await waitFor(() => one.view().members.length === 0);
      await raw.txn({ success: [deleteOp(keys.worker("w1"))] });
      await waitFor(async () => (await textOf(keys.worker("w1"))) !== undefined);
      assert.equal(await textOf(keys.member("w1")), undefined);
      await one.registerWorker(sampleWorker("w1"));
      assert.notEqual(await textOf(keys.member("w1")), undefined, "who registers anew joins again");
    });

    it("keeps mounts: adds once, refuses a second of the name, removes once", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      const mount = sampleMount("data", {
        freshness: { kind: "immutable" },
        credentials: { kind: "env", prefix: "DATA" },
        options: { region: "eu-1" },
      });
      await one.addMount(mount);
      assert.deepEqual(one.view().mounts.get("data"), mount, "who writes reads it back");
      await waitFor(() => two.view().mounts.has("data"));
      assert.deepEqual(two.view().mounts.get("data"), mount);
      await assert.rejects(two.addMount(sampleMount("data")), (error) => isRinglightError(error, "RL_MOUNT_EXISTS"));
      await two.removeMount("data");
      assert.equal(two.view().mounts.size, 0);
      await waitFor(() => one.view().mounts.size === 0);
      await assert.rejects(one.removeMount("data"), (error) => isRinglightError(error, "RL_NO_SUCH_MOUNT"));
    });

    it("keeps rules by path as one record: all of a change or nothing, for everybody in one order", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      const ttl = { name: "b", path: "/data/tmp/", ttlMs: 3_600_000 };
      const pin = { name: "a", path: "/data/**", pin: true, priority: "high" as const, quotaBytes: 1024 ** 3 };
      assert.deepEqual(await one.changePolicies(() => [ttl, pin]), { before: [], after: [ttl, pin] });
      assert.deepEqual(one.view().policies, [ttl, pin], "who writes reads it back");
      await waitFor(() => two.view().policies.length === 2);
      assert.deepEqual(two.view().policies, [ttl, pin]);
      // Two at the same moment: one of them tries again on what the other one wrote.
      const third = { name: "c", path: "/data/c", priority: "low" as const };
      await Promise.all([
        one.changePolicies((rules) => [...rules, third]),
        two.changePolicies((rules) => rules.filter(({ name }) => name !== "a")),
      ]);
      await waitFor(() => one.view().policies.length === 2 && two.view().policies.length === 2);
      assert.deepEqual(one.view().policies, [ttl, third]);
      assert.deepEqual((await one.changePolicies(() => [])).after, []);
      await waitFor(() => two.view().policies.length === 0);
    });

    it("lists epochs newest first", async () => {
      const { connect } = newCluster();
      const one = await connect();
      for (const epoch of [1, 2, 9, 10, 11]) {
        await one.putEpoch({
          epoch,
          members: [{ id: "w1", weight: 1, joinedMs: 1 }],
          atMs: epoch,
          cause: `w${epoch} joined`,
        });
      }
      const listed = await one.listEpochs(3);
      assert.deepEqual(
        listed.map((record) => record.epoch),
        [11, 10, 9],
      );
      assert.deepEqual(listed[0]?.members, [{ id: "w1", weight: 1, joinedMs: 1 }]);
      assert.equal(listed[0]?.cause, "w11 joined");
    });

    it("keeps a note of each worker's uploads until there are none", async () => {
      const { keys, connect } = newCluster();
      const [one, two] = [await connect(), await connect()];
      const upload = {
        ...{ source: "/a/k", sourceUri: "s3://a", version: '"1"', sizeBytes: 100 },
        ...{ target: "/b/k", targetUri: "s3://b", partBytes: 40, uploadId: "u1" },
      };
      const note = { workerId: "w1", writtenMs: 5, uploads: [upload] };
      await one.putUploads({ ...note, uploads: [upload, upload] });
      await one.putUploads(note);
      await one.putUploads({ ...note, workerId: "w2" });
      assert.deepEqual(await two.listUploads(), [note, { ...note, workerId: "w2" }]);
      await raw.txn({ success: [putOp(`${keys.copies}w3`, { workerId: "w3" })] });
      await two.putUploads({ ...note, uploads: [] });
      assert.deepEqual(
        await one.listUploads(),
        [{ ...note, workerId: "w2" }],
        "neither an empty one nor a malformed one",
      );
    });

    it("ignores malformed records and says so", async () => {
      const { keys, connect } = newCluster();
      const warnings: string[] = [];
      const one = await connect({
        log: (level, _message, fields) => {
          if (level === "warn") warnings.push(String(fields.key));
        },
      });
      await raw.txn({
        success: [
          putOp(keys.mount("list"), []),
          putOp(keys.mount("short"), { name: "short" }),
          putOp(keys.worker("w1"), sampleWorker("other")),
          { request_put: { key: Buffer.from(keys.member("w1")), value: Buffer.from("{") } },
          putOp(keys.mount("good"), sampleMount("good")),
        ],
      });
      await waitFor(() => one.view().mounts.has("good"));
      const view = one.view();
      assert.deepEqual([...view.mounts.keys()], ["good"]);
      await waitFor(() => warnings.length === 4);
      assert.equal(one.view().workers.size, 0);
      assert.equal(view.members.length, 0);
      const fresh = await connect();
      assert.deepEqual([...fresh.view().mounts.keys()], ["good"]);
    });

    it("tells listeners once a change, and not of what changes nothing", async () => {
      const { keys, connect } = newCluster();
      const one = await connect();
      await one.addMount(sampleMount("first"));
      const views: ClusterView[] = [];
      const stop = one.onChange((view) => views.push(view));
      await raw.txn({
        success: [putOp(keys.mount("aaa"), sampleMount("aaa")), putOp(keys.mount("bbb"), sampleMount("bbb"))],
      });
      await raw.txn({ success: [putOp(keys.mount("aaa"), sampleMount("aaa"))] });
      await raw.txn({ success: [putOp(keys.mount("ccc"), sampleMount("ccc"))] });
      await waitFor(() => one.view().mounts.has("ccc"));
      assert.deepEqual(
        views.map((view) => view.mounts.size),
        [3, 4],
      );
      assert.equal(views[0]?.members, views[1]?.members, "what did not change is shared");
      stop();
      await one.removeMount("ccc");
      assert.equal(views.length, 2);
    });

    it("runs transactions all or nothing", async () => {
      const { keys } = newCluster();
      const first = keys.mount("one");
      const second = keys.mount("two");
      const made = await raw.txn({ compare: [isAbsent(first)], success: [putOp(first, 1), putOp(second, 2)] });
      assert.equal(made.succeeded, true);
      const refused = await raw.txn({
        compare: [isAbsent(first), isPresent(second)],
        success: [putOp(second, 3)],
        failure: [getOp(second)],
      });
      assert.equal(refused.succeeded, false);
      assert.equal(keysRead(refused.responses[0])[0]?.value, "2");
      const read = keysRead((await raw.txn({ success: [getOp(first), getOp(second)] })).responses[0]);
      assert.equal(read[0]?.modRevision, Number(made.header.revision));
      await assert.rejects(raw.txn({ success: [putOp(first, 1), putOp(first, 2)] }), /duplicate key/);
      await assert.rejects(raw.txn({ success: [putOp(first, 1, "12345")] }), /requested lease not found/);
      assert.equal(await textOf(first), "1");
    });

    it("elects one leader, and another one when it goes", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      await one.registerScheduler(sampleScheduler("s1"));
      await two.registerScheduler(sampleScheduler("s2"));
      const leading = new Set<string>();
      const lead = (id: string) => async (signal: AbortSignal) => {
        assert.equal(leading.size, 0, "never two at once");
        leading.add(id);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        leading.delete(id);
      };
      const first = one.campaign("s1", lead("s1"));
      await waitFor(() => leading.has("s1"));
      const second = two.campaign("s2", lead("s2"));
      await waitFor(() => one.view().leader === "s1" && two.view().leader === "s1");
      assert.equal(first.leading, true);
      assert.equal(second.leading, false);
      await first.close();
      assert.equal(first.leading, false);
      await waitFor(() => leading.has("s2") && one.view().leader === "s2");
      await second.close();
      await waitFor(() => one.view().leader === undefined);
      assert.equal(leading.size, 0);
    });

    it("ends leadership when the lease is lost or the key taken away, and stands again", async () => {
      const { keys, connect } = newCluster();
      const one = await connect();
      let times = 0;
      const aborted: string[] = [];
      const campaign = one.campaign("s1", async (signal) => {
        times++;
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        aborted.push(String(signal.reason));
      });
      const range = { request_range: { key: Buffer.from(keys.leader), range_end: Buffer.from(`${keys.leader}~`) } };
      await waitFor(() => campaign.leading);
      const [candidate] = keysRead((await raw.txn({ success: [range] })).responses[0]);
      await raw.revokeLease(candidate!.lease, 2_000);
      await waitFor(() => times === 2 && campaign.leading);
      const [next] = keysRead((await raw.txn({ success: [range] })).responses[0]);
      await raw.txn({ success: [deleteOp(next!.key)] });
      await waitFor(() => times === 3 && campaign.leading);
      assert.equal(aborted.length, 2);
      await campaign.close();
    });

    it("lets another one lead when the leader's work fails", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      const first = one.campaign("s1", async () => {
        throw new Error("cannot work");
      });
      const second = two.campaign(
        "s2",
        (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
      );
      await waitFor(() => second.leading);
      await Promise.all([first.close(), second.close()]);
    });

    it("refuses what cannot be a name", async () => {
      const { connect } = newCluster();
      const one = await connect();
      const bad = (error: unknown) => isRinglightError(error, "RL_BAD_REQUEST");
      await assert.rejects(one.registerWorker(sampleWorker("a/b")), bad);
      await assert.rejects(one.registerWorker(sampleWorker("w1", { weight: 0 })), bad);
      await assert.rejects(one.addMount(sampleMount("No")), bad);
      assert.throws(() => connectRegistry({ endpoints: [server.endpoint], cluster: "a/b" }), bad);
      assert.throws(
        () => connectRegistry({ endpoints: [], cluster: "c" }),
        (error) => isRinglightError(error, "RL_BAD_CONFIG"),
      );
    });

    it("closes twice, takes its records along, and refuses calls afterwards", async () => {
      const { connect } = newCluster();
      const [one, two] = await Promise.all([connect(), connect()]);
      await one.registerWorker(sampleWorker("w1"));
      await waitFor(() => two.view().workers.has("w1"));
      await Promise.all([one.close(), one.close()]);
      await waitFor(() => !two.view().workers.has("w1"));
      await assert.rejects(one.addMount(sampleMount("data")), (error) =>
        isRinglightError(error, "RL_REGISTRY_UNAVAILABLE"),
      );
    });
  });
}
