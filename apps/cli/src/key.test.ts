import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, mock, test } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { connectRegistry, type EmbeddedRegistry, startEmbeddedRegistry } from "@ringlight/registry";
import { type KeyOptions, keyAdd, keyList, keyPolicy, keyRemove, keyRotate } from "./commands/key.ts";

let server: EmbeddedRegistry;
let dir: string;
let options: KeyOptions;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "rl-key-"));
  server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  const registry = connectRegistry({ endpoints: [`127.0.0.1:${server.port}`], cluster: "default" });
  await registry.ready(5_000);
  await registry.close();
  writeFileSync(join(dir, "token"), "the-token\n", { mode: 0o600 });
  writeFileSync(
    join(dir, "policy.json"),
    JSON.stringify({ Statement: { Effect: "Allow", Action: "s3:Get*", Resource: "*" } }),
  );
  writeFileSync(join(dir, "bad.json"), JSON.stringify({ Statement: { Effect: "Perhaps" } }));
  options = { json: true, registry: `127.0.0.1:${server.port}`, tokenFile: join(dir, "token") };
});
after(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a command and gives the JSON that it printed. */
async function printed(run: () => Promise<void>): Promise<Record<string, unknown>> {
  const pieces: string[] = [];
  const through = process.stdout.write.bind(process.stdout);
  const write = mock.method(process.stdout, "write", (piece: string | Uint8Array) => {
    // The test runner speaks over standard output too.
    if (typeof piece !== "string" || !/^\s*[{}"]/.test(piece)) return through(piece);
    pieces.push(piece);
    return true;
  });
  try {
    await run();
  } finally {
    write.mock.restore();
  }
  return JSON.parse(pieces.join("")) as Record<string, unknown>;
}

test("keys are made, listed without secrets, rotated, given policies and removed", async () => {
  const made = await printed(() => keyAdd({ ...options, user: "ada", policy: join(dir, "policy.json") }));
  const id = String(made.accessKeyId);
  assert.match(id, /^RL[A-Z2-7]{18}$/);
  assert.equal(String(made.secretAccessKey).length, 40);
  const listed = await printed(() => keyList(options));
  assert.ok(!JSON.stringify(listed).includes(String(made.secretAccessKey)));
  assert.match(JSON.stringify(listed), /"user":"ada".*s3:Get\*/s);
  const rotated = await printed(() => keyRotate(id, options));
  assert.notEqual(rotated.secretAccessKey, made.secretAccessKey);
  assert.deepEqual((await printed(() => keyPolicy(id, undefined, { ...options, fullAccess: true }))).policy, null);
  assert.deepEqual((await printed(() => keyPolicy(id, undefined, options))).policy, null);
  assert.deepEqual(await printed(() => keyRemove(id, options)), { removed: id });
  await assert.rejects(keyRemove(id, options), (error) => isRinglightError(error, "RL_NOT_FOUND"));
});

test("policies and users that are none are refused before anything is written", async () => {
  const refused = (more: object) =>
    assert.rejects(keyAdd({ ...options, user: "ada", ...more }), (error) => isRinglightError(error, "RL_BAD_REQUEST"));
  await refused({ policy: join(dir, "bad.json") });
  await refused({ policy: join(dir, "absent.json") });
  await refused({ user: "a/b" });
  await refused({ id: "x" });
  assert.deepEqual(await printed(() => keyList(options)), { keys: [] });
});
