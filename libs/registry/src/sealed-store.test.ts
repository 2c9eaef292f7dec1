import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isRinglightError, systemClock } from "@ringlight/core";
import { type EmbeddedRegistry, startEmbeddedRegistry } from "./embedded/server.ts";
import { EtcdClient } from "./etcd-client.ts";
import { connectRegistry } from "./registry.ts";
import { type SealedRecord, SealedStore } from "./sealed-store.ts";
import { getRangeOp, keysRead, putOp } from "./transaction-parts.ts";

let server: EmbeddedRegistry;
let endpoints: string[];
const cluster = "sealed";
const open: SealedStore[] = [];

function store(token = "token-of-the-cluster"): SealedStore {
  const made = new SealedStore({ endpoints, cluster, token, collection: "keys" });
  open.push(made);
  return made;
}

before(async () => {
  server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  endpoints = [`127.0.0.1:${server.port}`];
  // A cluster begins with its identity, which its first participant writes.
  const registry = connectRegistry({ endpoints, cluster });
  await registry.ready(5_000);
  await registry.close();
});
after(async () => {
  await Promise.all(open.map((each) => each.close()));
  await server.close();
});

test("records are made once, replaced from the revision that was seen, and removed", async () => {
  const keys = store();
  await keys.put("a", { secret: "s1" }, "create");
  await assert.rejects(keys.put("a", {}, "create"), (error) => isRinglightError(error, "RL_CONFLICT"));
  const first = await keys.get("a");
  assert.deepEqual(first?.value, { secret: "s1" });
  await keys.put("a", { secret: "s2" }, { revision: first?.revision ?? 0 });
  await assert.rejects(keys.put("a", {}, { revision: first?.revision ?? 0 }), (error) =>
    isRinglightError(error, "RL_CONFLICT"),
  );
  assert.deepEqual(
    (await keys.list()).map(({ id, value }) => [id, value]),
    [["a", { secret: "s2" }]],
  );
  assert.equal(await keys.remove("a"), true);
  assert.equal(await keys.remove("a"), false);
  assert.equal(await keys.get("a"), undefined);
});

test("what lies in the registry shows nothing, opens under the one token only, and under the one name only", async () => {
  const keys = store();
  await keys.put("b", { secret: "do-not-tell" }, "create");
  const client = new EtcdClient({ endpoints, deadlineMs: 2000, clock: systemClock });
  try {
    const read = await client.txn({ success: [getRangeOp("/", "0")] });
    const all = keysRead(read.responses[0]);
    assert.ok(!JSON.stringify(all).includes("do-not-tell"));
    assert.deepEqual(await store("another-token").list(), []);
    const sealed = all.find(({ key }) => key.endsWith("/keys/b"));
    await client.txn({ success: [putOp(`/ringlight/${cluster}/keys/moved`, JSON.parse(sealed?.value ?? "{}"))] });
    await client.txn({ success: [putOp(`/ringlight/${cluster}/keys/nonsense`, { sealed: "AAAA" })] });
    assert.deepEqual(
      (await keys.list()).map(({ id }) => id),
      ["b"],
    );
  } finally {
    client.close();
  }
});

test("a follower is told what there is, and what changes", async () => {
  const keys = store();
  const told: string[][] = [];
  let wake = () => {};
  await store().follow((records: readonly SealedRecord[]) => {
    told.push(records.map(({ id }) => id));
    wake();
  });
  assert.deepEqual(told.at(-1), ["b"]);
  const changed = new Promise<void>((resolve) => {
    wake = resolve;
  });
  await keys.put("c", {}, "create");
  await changed;
  assert.deepEqual(told.at(-1), ["b", "c"]);
});
