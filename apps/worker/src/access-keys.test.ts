import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectRegistry, type EmbeddedRegistry, SealedStore, startEmbeddedRegistry } from "@ringlight/registry";
import { followAccessKeys } from "./access-keys.ts";

let server: EmbeddedRegistry;
let store: SealedStore;

before(async () => {
  server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  const endpoints = [`127.0.0.1:${server.port}`];
  const registry = connectRegistry({ endpoints, cluster: "keys" });
  await registry.ready(5_000);
  await registry.close();
  store = new SealedStore({ endpoints, cluster: "keys", token: "token", collection: "keys" });
});
after(async () => {
  await store.close();
  await server.close();
});

async function until(condition: () => boolean): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < endMs, "the condition did not come true");
    await pause(20);
  }
}

test("keys are taken, rotated and forgotten without a restart, and unusable ones are told of", async () => {
  const warnings: string[] = [];
  const root = { accessKeyId: "ROOT", secretAccessKey: "root-secret" };
  const keys = await followAccessKeys({
    root: (id) => (id === "ROOT" ? root : undefined),
    store,
    warn: (message) => warnings.push(message),
  });
  assert.equal(keys.lookup("ROOT"), root);
  assert.equal(keys.lookup("ADA"), undefined);
  const policy = { Statement: { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::home/ada/*" } };
  const record = { accessKeyId: "ADA", secretAccessKey: "first-secret", username: "ada", policy };
  await store.put("ADA", record, "create");
  await store.put("BAD", { accessKeyId: "BAD" }, "create");
  await until(() => keys.lookup("ADA") !== undefined);
  const none = new Map<string, string>();
  assert.equal(keys.permits("ADA", "s3:GetObject", "home", "ada/x", none), true);
  assert.equal(keys.permits("ADA", "s3:PutObject", "home", "ada/x", none), false);
  await until(() => warnings.length > 0);
  const { revision } = (await store.get("ADA")) ?? { revision: 0 };
  await store.put("ADA", { ...record, secretAccessKey: "second-secret" }, { revision });
  await until(() => keys.lookup("ADA")?.secretAccessKey === "second-secret");
  await store.remove("ADA");
  await until(() => keys.lookup("ADA") === undefined);
  assert.equal(keys.permits("ADA", "s3:GetObject", "home", "ada/x", none), false);
});
