import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "@ringlight/config";
import { startEmbeddedRegistry } from "@ringlight/registry";
import { type Credentials, presignUrl } from "@ringlight/sigv4";
import { freePort, waitFor } from "@ringlight/testing";
import { startWorker } from "./worker.ts";

test("a worker that has never heard from the registry says so, and does not say that a bucket is not there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-alone-"));
  const argv = [
    `--data-dir=${directory}`,
    `--mem-dir=${join(directory, "mem")}`,
    `--registry=127.0.0.1:${await freePort()}`,
    "--s3-port=0",
    "--grpc-port=0",
    "--rest-port=0",
    "--log-level=error",
  ];
  const worker = await startWorker(loadConfig("worker", { argv, env: {} }).values);
  try {
    const { addresses } = worker.record;
    assert.equal((await fetch(`http://${addresses.rest}/healthz`)).status, 200);
    const ready = await fetch(`http://${addresses.rest}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /not registered/);
    const { keys } = JSON.parse(readFileSync(join(directory, "s3-credentials.json"), "utf8")) as {
      keys: [Credentials];
    };
    const url = presignUrl(
      { method: "GET", url: new URL(`http://${addresses.s3}/bucket/key`), headers: {} },
      { credentials: keys[0], region: "us-east-1", expiresS: 60 },
    );
    const answer = await fetch(url);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /registry/);
  } finally {
    await worker.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a worker keeps its id over restarts, and refuses another worker's data directory", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-id-"));
  const start = async (...flags: string[]) => {
    const argv = [
      `--data-dir=${directory}`,
      `--mem-dir=${join(directory, "mem")}`,
      `--registry=127.0.0.1:${await freePort()}`,
      "--s3-port=0",
      "--grpc-port=0",
      "--rest-port=0",
      "--log-level=error",
      ...flags,
    ];
    return startWorker(loadConfig("worker", { argv, env: {} }).values);
  };
  try {
    const first = await start();
    const { id } = first.record;
    await assert.rejects(start(), { code: "RL_CONFLICT" });
    await first.close();
    const second = await start();
    assert.equal(second.record.id, id);
    await second.close();
    await assert.rejects(start("--id=somebody-else"), { code: "RL_BAD_CONFIG" });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a worker that was started before its registry joins as soon as that answers", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-early-"));
  const port = await freePort();
  const argv = [
    `--data-dir=${directory}`,
    `--mem-dir=${join(directory, "mem")}`,
    `--registry=127.0.0.1:${port}`,
    "--s3-port=0",
    "--grpc-port=0",
    "--rest-port=0",
    "--log-level=error",
  ];
  const worker = await startWorker(loadConfig("worker", { argv, env: {} }).values);
  const ready = async () => (await fetch(`http://${worker.record.addresses.rest}/readyz`)).status === 200;
  try {
    assert.equal(await ready(), false);
    const server = await startEmbeddedRegistry({ bind: "127.0.0.1", port });
    try {
      await waitFor(ready, { timeoutMs: 15_000 });
      assert.deepEqual(
        worker.view.members.map(({ id }) => id),
        [worker.record.id],
      );
    } finally {
      await server.close();
    }
  } finally {
    await worker.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
