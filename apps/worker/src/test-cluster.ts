/** Workers in one process, with a registry and a store of their own, for integration tests. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { loadConfig } from "@ringlight/config";
import type { MountRecord } from "@ringlight/core";
import { connectRegistry, startEmbeddedRegistry } from "@ringlight/registry";
import { type Credentials, presignUrl } from "@ringlight/sigv4";
import { type S3Origin, startS3Origin, waitFor } from "@ringlight/testing";
import { type RunningWorker, startWorker } from "./worker.ts";

/** A cluster of workers in this process. */
export interface TestCluster {
  readonly origin: S3Origin;
  readonly workers: readonly RunningWorker[];
  /** An SDK client that talks to one worker. */
  s3(worker: number): S3Client;
  /** A URL that reads an object at one worker without further headers. */
  presigned(worker: number, bucket: string, key: string): URL;
  /** Adds a mount and waits until every worker knows it. */
  mount(name: string, options?: Partial<MountRecord>): Promise<void>;
  close(): Promise<void>;
}

/** Starts `count` workers over an origin of libs/testing. */
export async function startTestCluster(
  count: number,
  flags: readonly string[] | ((origin: S3Origin) => readonly string[]) = [],
): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), "ringlight-worker-"));
  const origin = await startS3Origin();
  const server = await startEmbeddedRegistry({ bind: "127.0.0.1", port: 0 });
  const endpoint = `127.0.0.1:${server.port}`;
  const registry = connectRegistry({ endpoints: [endpoint], cluster: "default" });
  await registry.ready(5000);
  const workers: RunningWorker[] = [];
  for (let index = 0; index < count; index++) {
    const argv = [
      `--data-dir=${join(directory, `worker-${index}`)}`,
      `--mem-dir=${join(directory, `mem-${index}`)}`,
      `--id=worker-${index}`,
      `--registry=${endpoint}`,
      "--s3-port=0",
      "--grpc-port=0",
      "--rest-port=0",
      "--log-level=error",
      "--lease-ttl=60s",
      ...(typeof flags === "function" ? flags(origin) : flags),
    ];
    workers.push(await startWorker(loadConfig("worker", { argv, env: {} }).values));
  }
  await everyWorkerSees((view) => view.workers.size === count && view.members.length === count);

  async function everyWorkerSees(condition: (view: RunningWorker["view"]) => boolean): Promise<void> {
    await waitFor(() => workers.every((worker) => condition(worker.view)), { timeoutMs: 10_000 });
  }

  const credentialsOf = (index: number): Credentials => {
    const file = join(directory, `worker-${index}`, "s3-credentials.json");
    return (JSON.parse(readFileSync(file, "utf8")) as { keys: [Credentials] }).keys[0];
  };

  return {
    origin,
    workers,
    s3: (index) =>
      new S3Client({
        endpoint: `http://${workers[index]?.record.addresses.s3}`,
        region: "us-east-1",
        forcePathStyle: true,
        credentials: credentialsOf(index),
        maxAttempts: 1,
      }),
    presigned: (index, bucket, key) =>
      presignUrl(
        { method: "GET", url: new URL(`http://${workers[index]?.record.addresses.s3}/${bucket}/${key}`), headers: {} },
        { credentials: credentialsOf(index), region: "us-east-1", expiresS: 3600 },
      ),
    mount: async (name, options = {}) => {
      await registry.addMount({
        name,
        uri: `s3://${name}`,
        readOnly: true,
        freshness: { kind: "ttl", ttlMs: 60_000 },
        replicas: 1,
        credentials: { kind: "anonymous" },
        options: { endpoint: origin.endpoint, region: "us-east-1" },
        createdMs: 0,
        ...options,
      });
      await everyWorkerSees((view) => view.mounts.has(name));
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await registry.close();
      await server.close();
      await origin.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
